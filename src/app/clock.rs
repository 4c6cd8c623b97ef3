//! Decision time and random bits, from the operating system.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::time::for_people;
use crate::domain::{Clock, Timestamp};
use crate::service::ports::Random;

/// While decision time is ahead of the system's clock it runs slower by this part, until both agree again. Little enough that
/// an hour lasts 36 seconds longer, enough that a clock which was two minutes ahead for a moment is forgotten after hours.
const SLOWER_BY: i128 = 100;

/// Decision time: the greater of the system's clock and the time that went by since the highest time seen, in this run or (by
/// [`WallClock::witnessed`]) in the log and the database of earlier ones.
///
/// It never goes back, and it never stands still: were it to wait at the highest time until a clock that was set back
/// comes there again, every grant would live that much longer.
#[derive(Debug)]
pub struct WallClock(Mutex<Highest>);

/// The highest time given so far, and when that was.
#[derive(Debug)]
struct Highest {
    /// Nanoseconds since 1970, because what is asked often must not lose what lies between two microseconds.
    nanos: i128,
    /// By a clock that nobody can set.
    at: Instant,
}

impl Highest {
    /// Decision time when the system's clock says `wall`.
    fn now(&mut self, wall: Timestamp, at: Instant) -> Timestamp {
        let elapsed = i128::try_from(at.saturating_duration_since(self.at).as_nanos()).unwrap_or(i128::MAX);
        let went_by = self.nanos.saturating_add(elapsed - elapsed / SLOWER_BY);
        *self = Self { nanos: went_by.max(nanos(wall)), at: at.max(self.at) };
        Timestamp::from_micros(i64::try_from(self.nanos / 1000).unwrap_or(i64::MAX))
    }
}

fn nanos(time: Timestamp) -> i128 {
    i128::from(time.micros()) * 1000
}

impl Default for WallClock {
    fn default() -> Self {
        Self(Mutex::new(Highest { nanos: 0, at: Instant::now() }))
    }
}

impl WallClock {
    /// Makes sure that no time before `seen` is ever given.
    pub fn witnessed(&self, seen: Timestamp) {
        let mut highest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        highest.now(seen, Instant::now());
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let wall = self.wall();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).now(wall, Instant::now())
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from(chrono::Utc::now())
    }
}

/// By how much the system's clock may differ from what went by before that is called a step.
const STEP: Duration = Duration::from_secs(60);

/// Notices that somebody set the system's clock.
#[derive(Debug)]
pub(super) struct Steps {
    wall: Timestamp,
    at: Instant,
}

impl Steps {
    /// Begins with what the system's clock says at this moment.
    pub(super) fn from(wall: Timestamp) -> Self {
        Self { wall, at: Instant::now() }
    }

    /// What happened to the clock since the last look, in words, if it was set by more than [`STEP`].
    pub(super) fn look(&mut self, wall: Timestamp, at: Instant) -> Option<String> {
        let expected = self.wall.after(at.saturating_duration_since(self.at));
        *self = Self { wall, at };
        let (forward, back) = (expected.until(wall), wall.until(expected));
        (forward.max(back) > STEP).then(|| {
            let to = wall.to_the_second();
            if forward > back {
                let by = for_people(forward);
                format!("the system's clock was set forward by {by}, to {to}, or the machine was suspended for so long")
            } else {
                format!("the system's clock was set back by {}, to {to}", for_people(back))
            }
        })
    }
}

/// What to tell the operator at the start when the system's clock is behind the highest time seen.
pub(super) fn behind(wall: Timestamp, highest: Timestamp) -> Option<String> {
    let by = wall.until(highest);
    (by > STEP).then(|| {
        format!(
            "the system's clock says {}, which is {} before the highest time this bastion has seen; it decides by the latter. \
             Set the clock right; if it was wrong before, see docs/degraded-mode.md",
            wall.to_the_second(),
            for_people(by)
        )
    })
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
    fn a_step_of_the_clock_is_noticed_once_and_drift_is_not() {
        let (start, noon, minute) = (Instant::now(), Timestamp::from_secs(1_000_000), Duration::from_secs(60));
        let mut steps = Steps { wall: noon, at: start };
        assert_eq!(steps.look(noon.after(minute * 2), start + minute), None, "a minute is within bounds");
        let said = steps.look(noon.after(minute * 123), start + minute * 2).unwrap();
        assert!(said.starts_with("the system's clock was set forward by 2h, to 1970-01-12T"), "{said}");
        assert_eq!(steps.look(noon.after(minute * 124), start + minute * 3), None);
        let said = steps.look(noon, start + minute * 4).unwrap();
        assert!(said.contains("set back by 2h 5m"), "{said}");
        assert_eq!(behind(noon, noon.after(minute)), None);
        assert!(behind(noon, noon.after(minute * 2)).unwrap().contains("2m before the highest"));
    }

    #[test]
    fn a_clock_set_back_lengthens_nothing() {
        let clock = WallClock::default();
        let far = Timestamp::from_micros(i64::MAX / 2);
        assert!(clock.now() < far);
        clock.witnessed(far);
        let first = clock.now();
        assert!(first >= far);
        clock.witnessed(Timestamp::from_secs(0));
        assert!(clock.now() >= first);
        assert!(clock.wall() < far, "what others judge goes by the system's clock");
    }

    #[test]
    fn while_the_clock_is_behind_time_goes_by_all_the_same() {
        let (start, noon, minute) = (Instant::now(), Timestamp::from_secs(1_000_000), Duration::from_secs(60));
        let mut highest = Highest { nanos: nanos(noon), at: start };
        let yesterday = noon.before(Duration::from_secs(86_400));
        let mut now = noon;
        // Asked for every millisecond: what is left out of each look must not add up.
        for milli in 1..=3_600_000_u64 / 100 {
            let next = highest.now(yesterday.after(Duration::from_millis(milli)), start + Duration::from_millis(milli));
            assert!(next >= now, "it went back");
            now = next;
        }
        let (least, most) = (noon.after(Duration::from_millis(35_600)), noon.after(Duration::from_secs(36)));
        assert!(least < now && now <= most, "{now}: 36 s went by");
        // A leap ahead is believed at once, and what comes after it is not forgotten either.
        let leap = noon.after(86_400 * Duration::from_secs(1));
        assert_eq!(highest.now(leap, start + minute), leap);
        let back = highest.now(noon.after(2 * minute), start + 2 * minute);
        assert!(leap.after(Duration::from_secs(59)) < back && back < leap.after(minute), "{back}");
    }

    #[test]
    fn a_clock_that_was_a_little_ahead_for_a_moment_is_right_again_after_hours() {
        let (start, noon) = (Instant::now(), Timestamp::from_secs(1_000_000));
        let mut highest = Highest { nanos: nanos(noon), at: start };
        let ahead = noon.after(Duration::from_secs(120));
        assert_eq!(highest.now(ahead, start), ahead);
        let later = Duration::from_secs(4 * 3600);
        assert_eq!(highest.now(noon.after(later), start + later), noon.after(later));
    }
}
