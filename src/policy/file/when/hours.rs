//! `[DAYS] HH:MM-HH:MM ZONE`, with the place of what is wrong.

use std::ops::Range;

use crate::domain::text::excerpt;
use crate::policy::when::Hours;
use crate::policy::when::hours::{Days, weekday};

use super::Wrong;

const DAYS: &str = "write days as `Mon-Fri` or `Mon,Wed,Sat`; without days it is every day";
const TIMES: &str =
    "write hours as `08:00-20:00`; `22:00-06:00` ends on the next day, and `00:00-24:00` is the whole day";
const ZONE: &str = "say in which time zone, as `Mon-Fri 08:00-20:00 Europe/Berlin`, or `UTC`";

/// A part of a text, and where it begins there.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Part<'a> {
    fn place(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    fn wrong(&self, message: impl Into<String>, help: &str) -> Wrong {
        Wrong::new(self.place(), message, help)
    }

    fn quoted(&self) -> String {
        format!("`{}`", excerpt(self.text, 60))
    }

    /// Its parts between `separator`.
    fn split(self, separator: char) -> impl Iterator<Item = Part<'a>> {
        let mut start = self.start;
        self.text.split(separator).map(move |text| {
            let part = Part { text, start };
            start += text.len() + separator.len_utf8();
            part
        })
    }
}

/// Reads one span of hours.
pub(super) fn parse(text: &str) -> Result<Hours, Wrong> {
    let mut words = Part { text, start: 0 }.split(' ').filter(|part| !part.text.is_empty());
    let Some(first) = words.next() else { return Err(Wrong::new(0..text.len(), "these are no hours", TIMES)) };
    let begins_with_days = !first.text.starts_with(|c: char| c.is_ascii_digit());
    let (days, times) = if begins_with_days { (Some(first), words.next()) } else { (None, Some(first)) };
    let days = days.map_or(Ok([true; 7]), read_days)?;
    let end = text.len()..text.len();
    let times = times.ok_or_else(|| Wrong::new(end.clone(), "the hours are missing", TIMES))?;
    let (from, to) = read_times(times)?;
    let zone = words.next().ok_or_else(|| Wrong::new(end, "the time zone is missing", ZONE))?;
    let zone = super::zone(zone.text, zone.start)?;
    match words.next() {
        None => Ok(Hours::new(days, from, to, zone)),
        Some(more) => {
            let help = "for more hours write a list: `hours = [\"…\", \"…\"]`";
            Err(more.wrong(format!("nothing stands after the time zone, and {} does", more.quoted()), help))
        }
    }
}

/// `Mon`, `Mon-Fri`, `Fri-Mon`, `Mon,Wed-Fri`.
fn read_days(part: Part<'_>) -> Result<Days, Wrong> {
    let mut days = [false; 7];
    for run in part.split(',') {
        let mut ends = run.split('-');
        let (first, last, more) = (ends.next(), ends.next(), ends.next());
        let Some(first) = first.filter(|_| more.is_none()) else {
            return Err(run.wrong(format!("{} are no days", run.quoted()), DAYS));
        };
        let from = read_day(first)?;
        let to = last.map_or(Ok(from), read_day)?;
        for ahead in 0..=(to + 7 - from) % 7 {
            let Some(on) = days.get_mut((from + ahead) % 7) else { continue };
            if std::mem::replace(on, true) {
                return Err(run.wrong(format!("{} names a day for the second time", run.quoted()), DAYS));
            }
        }
    }
    Ok(days)
}

fn read_day(part: Part<'_>) -> Result<usize, Wrong> {
    weekday(part.text).ok_or_else(|| {
        let short = part.text.get(..3).filter(|short| weekday(short).is_some());
        let help = short.map_or_else(|| DAYS.to_owned(), |short| format!("write `{short}`"));
        part.wrong(format!("{} is no day of the week", part.quoted()), &help)
    })
}

/// Minutes after midnight.
fn read_times(part: Part<'_>) -> Result<(u16, u16), Wrong> {
    let mut ends = part.split('-');
    let (Some(from), Some(to), None) = (ends.next(), ends.next(), ends.next()) else {
        return Err(part.wrong(format!("{} are no hours", part.quoted()), TIMES));
    };
    let (begin, end) = (read_time(from)?, read_time(to)?);
    if begin == WHOLE_DAY {
        return Err(from.wrong("hours begin before 24:00", "write `00:00`, on the next day"));
    }
    if begin == end {
        return Err(part.wrong("hours that end when they begin", "write `00:00-24:00` for the whole day"));
    }
    Ok((begin, end))
}

const WHOLE_DAY: u16 = 24 * 60;

fn read_time(part: Part<'_>) -> Result<u16, Wrong> {
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let read = part.text.split_once(':').and_then(|(hour, minute)| Some((number(hour)?, number(minute)?)));
    match read {
        Some((hour, minute)) if hour < 24 && minute < 60 || (hour, minute) == (24, 0) => Ok(hour * 60 + minute),
        _ => Err(part.wrong(format!("{} is no time of day", part.quoted()), TIMES)),
    }
}
