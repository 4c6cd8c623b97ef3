//! How many authentication failures get an entry each. Strangers make as many as they like, and each entry is a synced write
//! on the disk that must have room for what users do; beyond a rate they are counted, and the count is in the next entry.
//! The same holds for the lines that strangers cause in the operator's own log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time over which they are counted.
const SPAN: Duration = Duration::from_secs(60);
/// The failures of the present span.
#[derive(Debug)]
pub struct Failures {
    /// Entries within the span.
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    began: Option<Instant>,
    written: usize,
    left_out: u64,
}

impl Failures {
    /// At most `most` entries a minute.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, state: Mutex::default() }
    }

    /// Counts one more at `now`. `Some`: it gets an entry, which tells of so many before it that got none.
    pub(super) fn count(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.began.is_none_or(|began| now.saturating_duration_since(began) >= SPAN) {
            (state.began, state.written) = (Some(now), 0);
        }
        if state.written >= self.most {
            state.left_out = state.left_out.saturating_add(1);
            return None;
        }
        state.written += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_rate_they_are_counted_and_told_of_later() {
        let (failures, start) = (Failures::new(120), Instant::now());
        assert!((0..120).all(|_| failures.count(start) == Some(0)));
        assert!((0..7).all(|_| failures.count(start + SPAN / 2).is_none()));
        assert_eq!(failures.count(start + SPAN), Some(7));
        assert_eq!(failures.count(start + SPAN), Some(0));
    }
}
