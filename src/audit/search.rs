//! Reading the log for people: which entries fit a question, the newest last.
//!
//! Synchronous and slow on purpose of clarity: callers put it on a blocking thread. Reads only what is under the signed
//! checkpoint. Owns the question; refuses to know who asks and what they may see.

use std::collections::VecDeque;
use std::path::Path;

use serde_json::Value;

use super::entry::{self, AuditEntry, EntryError};
use super::event::AuditEvent;
use super::note::VerifierKey;
use super::segments::{self, Lines, Piece, Segment};
use super::verify::{self, Problem};
use crate::domain::{GrantId, Timestamp, text};
use crate::service::ports::AuditQuery;

/// Most entries one search gives.
pub const MOST_RESULTS: usize = 10_000;
/// Most bytes of lines that one search holds; the oldest go first.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Why a search found nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SearchError {
    /// The log cannot be believed or read.
    #[error(transparent)]
    Log(#[from] Problem),
    /// An entry cannot be read.
    #[error("entry {number} cannot be read: {why}")]
    Entry {
        /// Its place.
        number: u64,
        /// Why not.
        why: EntryError,
    },
}

/// The newest entries of the log in `dir` that fit `query`, oldest first.
///
/// The checkpoint's signature is checked, each entry against it is not: that is [`verify::verify`].
///
/// # Errors
/// [`SearchError`].
pub fn search(dir: &Path, key: &VerifierKey, query: &AuditQuery) -> Result<Vec<AuditEntry>, SearchError> {
    let unreadable = |error: std::io::Error| SearchError::from(Problem::unreadable(dir, &error));
    let size = verify::checkpoint(dir, key)?.size;
    let (segments, first) = worth_reading(segments::list(dir).map_err(unreadable)?, query.since);
    let needles = needles(query);
    let mut lines = Lines::of(segments, first);
    let mut kept = Kept { entries: VecDeque::new(), bytes: 0, limit: query.limit.unwrap_or(MOST_RESULTS) };
    for number in first..size {
        let line = match lines.next().map_err(unreadable)? {
            Some(Piece::Line(line)) => line,
            Some(Piece::Gap { found }) if found > number => {
                return Err(Problem::Dropped { first: number, last: found - 1 }.into());
            }
            _ => return Err(Problem::Truncated { found: number, expected: size }.into()),
        };
        let bad = |why| SearchError::Entry { number, why };
        let Ok(line_text) = std::str::from_utf8(line) else {
            return Err(bad(EntryError::Malformed("it is not UTF-8".to_owned())));
        };
        // Most lines fall here, without being parsed.
        if !needles.iter().all(|needle| line_text.contains(needle)) {
            continue;
        }
        let entry = entry::parse(line).map_err(bad)?;
        if query.until.is_some_and(|until| until <= entry.time) {
            break;
        }
        if fits(query, &entry) {
            kept.push(entry);
        }
    }
    Ok(kept.entries.into())
}

/// Leaves out the segments that end before `since`: those whose successor begins before it. Times never go back.
pub(super) fn worth_reading(mut segments: Vec<Segment>, since: Option<Timestamp>) -> (Vec<Segment>, u64) {
    let begins_before = |segment: &Segment, since| {
        let mut lines = Lines::of(vec![segment.clone()], segment.first);
        matches!(lines.next(), Ok(Some(Piece::Line(line))) if entry::stamp(line).is_ok_and(|stamp| stamp.time < since))
    };
    if let Some(since) = since {
        let skipped = segments.iter().skip(1).take_while(|segment| begins_before(segment, since)).count();
        if let Some(first) = segments.get(skipped).filter(|_| skipped > 0).map(|segment| segment.first) {
            segments.drain(..skipped);
            return (segments, first);
        }
    }
    (segments, 0)
}

/// Texts that the line of every entry that fits contains.
fn needles(query: &AuditQuery) -> Vec<String> {
    let field = |name: &str, value: Option<String>| value.map(|value| format!("\"{name}\":\"{value}\""));
    let inside = |text: &String| {
        let json = Value::String(text.clone()).to_string();
        let quoted = text::escape_json(&json).into_owned();
        quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
    };
    let fields = [
        field("user", query.user.as_ref().map(ToString::to_string)),
        field("target", query.target.as_ref().map(ToString::to_string)),
        field("session", query.session.as_ref().map(ToString::to_string)),
        query.grant.as_ref().map(ToString::to_string),
        // The digits that request and grant share.
        query.request.as_ref().map(|request| request.suffix().to_owned()),
        query.kind.as_ref().map(inside),
        query.text.as_ref().map(inside),
    ];
    fields.into_iter().flatten().collect()
}

fn fits(query: &AuditQuery, entry: &AuditEntry) -> bool {
    fn same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
        wanted.is_none_or(|wanted| found == Some(wanted))
    }
    let event = &entry.event;
    same(query.user.as_ref(), event.user.as_ref())
        && same(query.target.as_ref(), event.target.as_ref())
        && same(query.session.as_ref(), event.session.as_ref())
        && query.since.is_none_or(|since| since <= entry.time)
        && query.kind.as_ref().is_none_or(|kind| kind == event.what.kind())
        && query.grant.as_ref().is_none_or(|grant| concerns(event, grant))
        && query
            .request
            .as_ref()
            .is_none_or(|request| event.what.request() == Some(request) || concerns(event, &GrantId::from(request)))
}

fn concerns(event: &AuditEvent, grant: &GrantId) -> bool {
    event.grant.as_ref() == Some(grant) || event.what.grants().contains(grant)
}

/// The newest entries so far.
struct Kept {
    entries: VecDeque<AuditEntry>,
    bytes: usize,
    limit: usize,
}

impl Kept {
    fn push(&mut self, entry: AuditEntry) {
        self.bytes += entry.line.len();
        self.entries.push_back(entry);
        while self.entries.len() > self.limit.min(MOST_RESULTS) || self.bytes > MOST_BYTES {
            let Some(oldest) = self.entries.pop_front() else { break };
            self.bytes -= oldest.line.len();
        }
    }
}
