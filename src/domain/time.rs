//! Time as an argument: instants, windows, and the port they come through.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// An instant: microseconds since 1970-01-01T00:00:00Z. Displayed as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch.
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant and `span` later; stops at the end of time instead of wrapping.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// This instant and `span` earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }

    /// How long from this instant until `later`; zero when that is past.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_micros(u64::try_from(later.0.saturating_sub(self.0)).unwrap_or(0))
    }

    /// The same instant for chrono; `None` outside its range.
    #[must_use]
    pub fn to_chrono(self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_micros(self.0)
    }

    /// `14:05:09` in UTC, for people in a running conversation.
    #[must_use]
    pub fn time_of_day(self) -> String {
        self.to_chrono().map_or_else(|| self.0.to_string(), |time| time.format("%H:%M:%SZ").to_string())
    }

    /// `2026-11-21T14:05:09Z`, for people: the log has microseconds, they have certificates and clocks.
    #[must_use]
    pub fn to_the_second(self) -> String {
        self.to_chrono().map_or_else(|| self.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_chrono() {
            Some(time) => f.pad(&time.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => write!(f, "{}us", self.0),
        }
    }
}

/// A span of validity: `start <= t < end`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub start: Timestamp,
    /// First instant outside.
    pub end: Timestamp,
}

impl Window {
    /// Whether `time` lies inside.
    #[must_use]
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }
}

/// Where decision time comes from: it never goes back and never stands still, so a clock set back lengthens nothing (design:
/// max of wall clock and highest time seen).
pub trait Clock: Send + Sync {
    /// The decision time now.
    fn now(&self) -> Timestamp;

    /// What the system's clock says now, which may be behind: for the dates in certificates that others judge by theirs. No
    /// decision of ours goes by it.
    fn wall(&self) -> Timestamp {
        self.now()
    }
}

/// `1h 30m`, `45s`: a span for people, in whole seconds.
#[must_use]
pub fn for_people(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts: Vec<String> = [(hours, 'h'), (minutes, 'm'), (rest, 's')]
        .into_iter()
        .filter(|&(amount, _)| amount > 0)
        .map(|(amount, unit)| format!("{amount}{unit}"))
        .collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_excludes_its_end_as_openssh_does() {
        let at = Timestamp::from_secs;
        let window = Window { start: at(10), end: at(20) };
        assert_eq!([9, 10, 19, 20].map(|t| window.contains(at(t))), [false, true, true, false]);
        assert_eq!(at(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(for_people(Duration::from_secs(5400)), "1h 30m");
        assert_eq!(at(5).until(at(3)), Duration::ZERO);
    }
}
