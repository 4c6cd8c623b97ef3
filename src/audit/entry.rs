//! One line of the log: how an event is written, and how a line is read back. Writer and readers share it.
//!
//! A line is one JSON object, printable as it stands: what could move a cursor or hide is written as `\u…`, which JSON
//! readers undo. Refuses to know files, and where a line stands.

use chrono::DateTime;
use serde::{Deserialize, Serialize};

use crate::domain::Timestamp;
use crate::domain::text;

use super::event::AuditEvent;

/// The version of the format. A reader refuses a higher one; whatever an older reader could misread raises it.
pub const FORMAT_VERSION: u32 = 1;
/// The longest line, in bytes, without its newline.
pub const LONGEST_LINE: usize = 1024 * 1024;
/// Room for what [`fn@line`] puts before the event.
const PREFIX: usize = 128;
/// 9999-12-31T23:59:59.999999Z, the last instant that RFC 3339 can write.
const LAST_INSTANT: Timestamp = Timestamp::from_micros(253_402_300_799_999_999);

/// Why an event cannot be written, or a line not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// The event is too long for a line.
    #[error("an entry of {0} bytes is too long (at most {LONGEST_LINE})")]
    TooLong(usize),
    /// Not a line of ours.
    #[error("it is not an entry: {0}")]
    Malformed(String),
    /// Written by a newer version.
    #[error("it has format version {0}, and this doorward knows only {FORMAT_VERSION}; use a newer one")]
    Newer(u32),
}

/// An entry as read.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its number, from 0.
    pub sequence: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What happened.
    pub event: AuditEvent,
    /// The line, without its newline: what the tree's leaf is.
    pub line: String,
}

/// An event ready to be written: JSON but for the part that only the writer knows.
#[derive(Clone, Debug)]
pub struct Body(String);

impl Body {
    /// Encodes `event`, escaped.
    ///
    /// # Errors
    /// [`EntryError::TooLong`].
    pub fn of(event: &AuditEvent) -> Result<Self, EntryError> {
        let json = serde_json::to_string(event).map_err(|error| EntryError::Malformed(error.to_string()))?;
        let json = text::escape_json(&json).into_owned();
        if json.len() + PREFIX > LONGEST_LINE {
            return Err(EntryError::TooLong(json.len()));
        }
        Ok(Self(json))
    }

    /// Its length in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "an event is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The JSON object.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The line of entry `sequence`, without a newline.
#[must_use]
pub fn line(sequence: u64, time: Timestamp, body: &Body) -> String {
    let time = time.clamp(Timestamp::from_micros(0), LAST_INSTANT);
    let fields = body.0.strip_prefix('{').unwrap_or(&body.0);
    format!("{{\"v\":{FORMAT_VERSION},\"seq\":{sequence},\"time\":\"{time}\",{fields}")
}

/// What every line has, whatever it speaks of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stamp {
    /// Its number.
    pub sequence: u64,
    /// Its time.
    pub time: Timestamp,
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Deserialize)]
struct StampFields {
    seq: u64,
    time: String,
}

#[derive(Serialize, Deserialize)]
struct Whole {
    seq: u64,
    time: String,
    #[serde(flatten)]
    event: AuditEvent,
}

/// Number and time of a line, without believing or even reading the rest.
///
/// # Errors
/// [`EntryError`].
pub fn stamp(line: &[u8]) -> Result<Stamp, EntryError> {
    let fields: StampFields = read(line)?;
    Ok(Stamp { sequence: fields.seq, time: instant(&fields.time)? })
}

/// A whole line.
///
/// # Errors
/// [`EntryError`].
pub fn parse(line: &[u8]) -> Result<AuditEntry, EntryError> {
    let whole: Whole = read(line)?;
    let text = std::str::from_utf8(line).map_err(malformed)?;
    Ok(AuditEntry { sequence: whole.seq, time: instant(&whole.time)?, event: whole.event, line: text.to_owned() })
}

/// The version is judged first, so that a newer line is called newer and not malformed.
fn read<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, EntryError> {
    if line.len() > LONGEST_LINE {
        return Err(EntryError::TooLong(line.len()));
    }
    let Version { v } = serde_json::from_slice(line).map_err(malformed)?;
    if v > FORMAT_VERSION {
        return Err(EntryError::Newer(v));
    }
    serde_json::from_slice(line).map_err(malformed)
}

fn instant(text: &str) -> Result<Timestamp, EntryError> {
    DateTime::parse_from_rfc3339(text).map(|time| time.to_utc().into()).map_err(malformed)
}

/// The message may quote the line, which is not ours.
fn malformed(error: impl std::fmt::Display) -> EntryError {
    EntryError::Malformed(text::excerpt(&error.to_string(), crate::domain::limits::EXCERPT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::What;

    fn said(text: &str) -> AuditEvent {
        AuditEvent::of(What::Error { message: text.to_owned() })
    }

    #[test]
    fn outside_text_is_harmless_in_a_line_and_whole_after_it() {
        let evil = "a\u{1b}[2J\u{7f}\u{9b}31m\r\n\u{202e}\u{2028}\u{200b}\u{e0041}\"\\ ü 中 😀";
        let event = AuditEvent { user: Some("alice".parse().unwrap()), ..said(evil) };
        let line = line(7, Timestamp::from_secs(1_790_000_000), &Body::of(&event).unwrap());
        assert!(line.chars().all(text::is_printable), "{line:?}");
        assert!(line.contains("ü 中 😀"), "what is readable stays readable: {line}");
        assert!(
            line.starts_with(r#"{"v":1,"seq":7,"time":"2026-09-21T14:13:20.000000Z","user":"alice","kind":"error""#)
        );
        let read = parse(line.as_bytes()).unwrap();
        assert_eq!((read.sequence, read.time, &read.event), (7, Timestamp::from_secs(1_790_000_000), &event));
        assert_eq!(stamp(line.as_bytes()).unwrap(), Stamp { sequence: 7, time: read.time });
        assert_eq!(read.line, line);
    }

    #[test]
    fn a_line_that_is_not_ours_is_refused_with_its_reason() {
        let newer = br#"{"v":2,"seq":"another type","when":0}"#;
        assert_eq!(parse(newer), Err(EntryError::Newer(2)));
        assert_eq!(stamp(newer), Err(EntryError::Newer(2)));
        let deep = ["{\"v\":1,\"seq\":0,\"time\":\"2026-01-01T00:00:00Z\",\"x\":", &"[".repeat(100_000)].concat();
        let cases: [&[u8]; 7] = [
            b"",
            b"{}",
            b"\xff",
            b"{\"v\":1,\"v\":1}",
            br#"{"v":1,"seq":0,"seq":1,"time":"2026-01-01T00:00:00Z","kind":"stop","data":{"reason":""}}"#,
            br#"{"v":1,"seq":0,"time":"yesterday","kind":"stop","data":{"reason":""}}"#,
            deep.as_bytes(),
        ];
        for case in cases {
            assert!(matches!(parse(case), Err(EntryError::Malformed(_))), "{:?}", String::from_utf8_lossy(case));
        }
        assert!(matches!(Body::of(&said(&"\u{1}".repeat(200_000))), Err(EntryError::TooLong(_))));
    }

    #[test]
    fn a_mad_clock_cannot_write_a_line_that_nobody_reads() {
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            let line = line(0, Timestamp::from_micros(micros), &Body::of(&said("x")).unwrap());
            assert!(parse(line.as_bytes()).is_ok(), "{line}");
        }
    }
}
