//! Decision time and random bits, from the operating system.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::{Clock, Timestamp};
use crate::service::ports::Random;

/// The wall clock, which never goes back: the greater of the system's time and the highest time seen, in this run or (by
/// [`WallClock::witnessed`]) in the log and the database of earlier ones.
#[derive(Debug, Default)]
pub struct WallClock {
    highest: AtomicI64,
}

impl WallClock {
    /// Makes sure that no time before `seen` is ever given.
    pub fn witnessed(&self, seen: Timestamp) {
        self.highest.fetch_max(seen.micros(), Ordering::SeqCst);
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let wall = Timestamp::from(chrono::Utc::now()).micros();
        Timestamp::from_micros(self.highest.fetch_max(wall, Ordering::SeqCst).max(wall))
    }
}

/// The operating system's random numbers.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn bits(&self) -> u64 {
        rand::random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_set_back_lengthens_nothing() {
        let clock = WallClock::default();
        let far = Timestamp::from_micros(i64::MAX / 2);
        assert!(clock.now() < far);
        clock.witnessed(far);
        assert_eq!(clock.now(), far);
        clock.witnessed(Timestamp::from_secs(0));
        assert_eq!(clock.now(), far);
    }
}
