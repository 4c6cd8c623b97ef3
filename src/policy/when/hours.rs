//! Hours of the week in a time zone: `Mon-Fri 08:00-20:00 Europe/Berlin`.
//!
//! What counts is what a clock on the wall shows there: an instant has exactly one such reading, so a day on which clocks
//! change needs no rule of its own. An hour that is skipped is in no hours; one that comes twice is in them twice.

use std::fmt;

use chrono::{Offset as _, TimeZone as _};
use chrono_tz::Tz;

use crate::domain::Timestamp;

/// Seconds of a day by the wall clock.
pub const DAY: i64 = 24 * 60 * 60;
/// How far ahead a change is looked for. Hours in the gap of a change of clocks may be left out once, and no command runs longer than a week.
pub const HORIZON: i64 = 16 * DAY;
/// No zone has ever had an offset for a shorter time.
const STEP: i64 = 60 * 60;

/// The days on which hours begin, Monday first.
pub type Days = [bool; 7];

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// One span of hours on some days of the week. Displayed as it is written in a role, in its shortest form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hours {
    days: Days,
    /// Seconds after midnight; 0 to 23:59.
    from: i64,
    /// Seconds after midnight; up to 24:00. Not after `from`: it is on the next day.
    to: i64,
    zone: Tz,
}

/// A reading of the clock and calendar on the wall.
struct Wall {
    /// 0 is Monday.
    weekday: usize,
    /// Seconds since midnight.
    second: i64,
}

impl Hours {
    /// Hours that begin on `days` at `from` and end at the next `to`, both in minutes after midnight by the clock of `zone`.
    #[must_use]
    pub fn new(days: Days, from: u16, to: u16, zone: Tz) -> Self {
        Self { days, from: i64::from(from) * 60, to: i64::from(to) * 60, zone }
    }

    /// The zone that they are meant in.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }

    fn contains(&self, second: i64) -> bool {
        let Some(wall) = wall(self.zone, second) else { return false };
        let on = |weekday: usize| self.days.get(weekday % 7).copied().unwrap_or(false);
        let (today, yesterday) = (on(wall.weekday), on(wall.weekday + 6));
        if self.from < self.to {
            today && self.from <= wall.second && wall.second < self.to
        } else {
            today && self.from <= wall.second || yesterday && wall.second < self.to
        }
    }

    /// The next second after `second` at which [`Self::contains`] may say something else: these hours begin or end, the day
    /// ends, or the clocks change.
    fn next_edge(&self, second: i64) -> Option<i64> {
        let offset = offset(self.zone, second)?;
        let shown = second.saturating_add(offset).rem_euclid(DAY);
        let next = [self.from, self.to, DAY].into_iter().filter(|edge| *edge > shown).min()?;
        let edge = second.saturating_add(next - shown);
        Some(clocks_change(self.zone, offset, second, edge).unwrap_or(edge))
    }
}

/// How far the clocks of `zone` are ahead of UTC, in seconds; `None` outside the calendar.
fn offset(zone: Tz, second: i64) -> Option<i64> {
    let utc = Timestamp::from_secs(second).to_chrono()?.naive_utc();
    Some(i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()))
}

/// The first second after `from` and not after `to` at which the offset is no longer `offset`.
fn clocks_change(zone: Tz, offset_before: i64, from: i64, to: i64) -> Option<i64> {
    let differs = |second: i64| offset(zone, second) != Some(offset_before);
    let mut same = from;
    while same < to {
        let mut other = same.saturating_add(STEP).min(to);
        if !differs(other) {
            same = other;
            continue;
        }
        while other - same > 1 {
            let middle = same + (other - same) / 2;
            if differs(middle) { other = middle } else { same = middle }
        }
        return Some(other);
    }
    None
}

/// What clock and calendar show in `zone`.
fn wall(zone: Tz, second: i64) -> Option<Wall> {
    let shown = second.saturating_add(offset(zone, second)?);
    // The epoch was a Thursday.
    let weekday = usize::try_from((shown.div_euclid(DAY) + 3).rem_euclid(7)).ok()?;
    Some(Wall { weekday, second: shown.rem_euclid(DAY) })
}

/// Whether `now` is in one of `hours`.
#[must_use]
pub fn open(hours: &[Hours], now: Timestamp) -> bool {
    hours.iter().any(|one| one.contains(now.secs()))
}

/// The first instant after `now` at which [`open`] says something else, within [`HORIZON`].
#[must_use]
pub fn changes(hours: &[Hours], now: Timestamp) -> Option<Timestamp> {
    let start = now.secs();
    let is = |second: i64| hours.iter().any(|one| one.contains(second));
    let (before, mut second) = (is(start), start);
    loop {
        second = hours.iter().filter_map(|one| one.next_edge(second)).min()?;
        if second - start > HORIZON {
            return None;
        }
        if is(second) != before {
            return Some(Timestamp::from_secs(second));
        }
    }
}

/// `it is Sat 14:02 there; opens Mon 08:00`, by the clock of the first of `hours`; `change` is when that is over.
#[must_use]
pub fn state(hours: &[Hours], now: Timestamp, change: Option<Timestamp>) -> String {
    let Some(first) = hours.first() else { return String::new() };
    let zone = first.zone;
    let there = if hours.iter().all(|one| one.zone == zone) { "there".to_owned() } else { format!("in {zone}") };
    let shown = shown(zone, now, now);
    match (open(hours, now), change) {
        (true, Some(ends)) => format!("it is {shown} {there}; closes {}", self::shown(zone, ends, now)),
        (false, Some(opens)) => format!("it is {shown} {there}; opens {}", self::shown(zone, opens, now)),
        (true, None) => format!("it is {shown} {there}"),
        (false, None) => format!("it is {shown} {there}; does not open within {} days", HORIZON / DAY),
    }
}

/// `Sat 14:02`, with the date where the day of the week could be taken for another.
fn shown(zone: Tz, at: Timestamp, now: Timestamp) -> String {
    let far = at.secs().saturating_sub(now.secs()) >= 6 * DAY;
    let form = if far { "%a %Y-%m-%d %H:%M" } else { "%a %H:%M" };
    at.to_chrono().map_or_else(|| at.to_string(), |at| at.with_timezone(&zone).format(form).to_string())
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != [true; 7] {
            write!(f, "{} ", days_in_words(&self.days))?;
        }
        let time = |seconds: i64| format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        write!(f, "{}-{} {}", time(self.from), time(self.to), self.zone)
    }
}

/// `Mon-Wed,Fri`: neighbours joined, from three on.
fn days_in_words(days: &Days) -> String {
    let mut runs: Vec<Vec<&str>> = Vec::new();
    let mut joined = false;
    for (on, name) in days.iter().zip(NAMES) {
        match runs.last_mut() {
            Some(run) if *on && joined => run.push(name),
            _ if *on => runs.push(vec![name]),
            _ => {}
        }
        joined = *on;
    }
    let words = runs.iter().map(|run| match run.as_slice() {
        [first, _, .., last] => format!("{first}-{last}"),
        few => few.join(","),
    });
    words.collect::<Vec<_>>().join(",")
}

/// The day of the week with that English name of three letters, 0 for Monday.
#[must_use]
pub fn weekday(name: &str) -> Option<usize> {
    NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
