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
use crate::domain::text;
use crate::domain::{GrantId, RequestId, SessionId, TargetName, Timestamp, UserName};

/// Most entries one search gives.
pub const MOST_RESULTS: usize = 10_000;
/// Most bytes of lines that one search holds; the oldest go first.
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// The question: what is set must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Whose doing.
    pub user: Option<UserName>,
    /// On which target.
    pub target: Option<TargetName>,
    /// Under which grant, alone or among others.
    pub grant: Option<GrantId>,
    /// About this request, or the grant it became.
    pub request: Option<RequestId>,
    /// In which connection.
    pub session: Option<SessionId>,
    /// Of which kind (`command-allowed`).
    pub kind: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// This text anywhere in the line, upper and lower case being different.
    pub text: Option<String>,
    /// The newest so many; [`MOST_RESULTS`] if `None` or more.
    pub limit: Option<usize>,
}

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

/// The newest entries of the log in `dir` that fit `filter`, oldest first.
///
/// The checkpoint's signature is checked, each entry against it is not: that is [`verify::verify`].
///
/// # Errors
/// [`SearchError`].
pub fn search(dir: &Path, key: &VerifierKey, filter: &Filter) -> Result<Vec<AuditEntry>, SearchError> {
    let unreadable = |error: std::io::Error| SearchError::from(Problem::unreadable(dir, &error));
    let size = verify::checkpoint(dir, key)?.size;
    let (segments, first) = worth_reading(segments::list(dir).map_err(unreadable)?, filter.since);
    let needles = filter.needles();
    let mut lines = Lines::of(segments, first);
    let mut kept = Kept { entries: VecDeque::new(), bytes: 0, limit: filter.limit.unwrap_or(MOST_RESULTS) };
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
        if filter.until.is_some_and(|until| until <= entry.time) {
            break;
        }
        if filter.fits(&entry) {
            kept.push(entry);
        }
    }
    Ok(kept.entries.into())
}

/// Leaves out the segments that end before `since`: those whose successor begins before it. Times never go back.
fn worth_reading(mut segments: Vec<Segment>, since: Option<Timestamp>) -> (Vec<Segment>, u64) {
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

impl Filter {
    /// Texts that the line of every entry that fits contains.
    fn needles(&self) -> Vec<String> {
        let field = |name: &str, value: Option<String>| value.map(|value| format!("\"{name}\":\"{value}\""));
        let inside = |text: &String| {
            let json = Value::String(text.clone()).to_string();
            let quoted = text::escape_json(&json).into_owned();
            quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
        };
        let fields = [
            field("user", self.user.as_ref().map(ToString::to_string)),
            field("target", self.target.as_ref().map(ToString::to_string)),
            field("session", self.session.as_ref().map(ToString::to_string)),
            self.grant.as_ref().map(ToString::to_string),
            // The digits that request and grant share.
            self.request.as_ref().map(|request| request.suffix().to_owned()),
            self.kind.as_ref().map(inside),
            self.text.as_ref().map(inside),
        ];
        fields.into_iter().flatten().collect()
    }

    fn fits(&self, entry: &AuditEntry) -> bool {
        fn same<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
            wanted.is_none_or(|wanted| found == Some(wanted))
        }
        let event = &entry.event;
        same(self.user.as_ref(), event.user.as_ref())
            && same(self.target.as_ref(), event.target.as_ref())
            && same(self.session.as_ref(), event.session.as_ref())
            && self.since.is_none_or(|since| since <= entry.time)
            && self.kind.as_ref().is_none_or(|kind| kind == event.what.kind())
            && self.grant.as_ref().is_none_or(|grant| concerns(event, grant))
            && self
                .request
                .as_ref()
                .is_none_or(|request| event.what.request() == Some(request) || concerns(event, &GrantId::from(request)))
    }
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
