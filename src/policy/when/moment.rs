//! A moment that a role names: an instant, or the begin of a day in a time zone.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime};
use chrono_tz::Tz;

use crate::domain::Timestamp;

/// How far any clock may be from UTC, and a day that was skipped besides, in minutes.
const REACH: i64 = 40 * 60;

/// A moment, and how the role's author wrote it. Displayed as they did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Moment {
    at: Timestamp,
    text: String,
}

impl Moment {
    /// The instant.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// An instant with its offset: RFC 3339.
    #[must_use]
    pub fn instant(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self { at: Timestamp::from_micros(at.timestamp_micros()), text: text.to_owned() })
    }

    /// The first instant of a day in `zone`; a day that the zone skipped begins with the next one.
    #[must_use]
    pub fn begin_of(day: NaiveDate, zone: Tz) -> Option<Self> {
        Some(Self { at: begins(day, zone)?, text: format!("{day} {zone}") })
    }

    /// The first instant after a day in `zone`.
    #[must_use]
    pub fn end_of(day: NaiveDate, zone: Tz) -> Option<Self> {
        Some(Self { at: begins(day.succ_opt()?, zone)?, text: format!("the end of {day} {zone}") })
    }
}

/// The first minute at which the calendar of `zone` shows `day` or a later one.
fn begins(day: NaiveDate, zone: Tz) -> Option<Timestamp> {
    let midnight = NaiveDateTime::new(day, NaiveTime::MIN).and_utc().timestamp();
    let shows = |second: i64| Timestamp::from_secs(second).to_chrono().map(|at| at.with_timezone(&zone).date_naive());
    let minutes = (-REACH..=REACH).map(|minute| midnight.saturating_add(minute * 60));
    minutes.into_iter().find(|&second| shows(second).is_some_and(|shown| shown >= day)).map(Timestamp::from_secs)
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
