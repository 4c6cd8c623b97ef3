//! The commands of the past, as the log has them: what was typed, by whom, where, what was answered and how it ended.
//!
//! One reader for all who ask what was run (`learn`, `what-if`). Owns the way from entries to whole commands: the entries
//! of one command and of its connection put together. Refuses to judge a command, and to hold more of the log than what
//! is running at the moment it has come to. Synchronous: callers put it on a blocking thread.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (dir, key): (std::path::PathBuf, doorward::audit::note::VerifierKey) = todo!();
//! use doorward::audit::history::{Answer, HistoryQuery, past_commands};
//!
//! for command in past_commands(&dir, &key, HistoryQuery { user: Some("alice".parse()?), ..Default::default() })? {
//!     let command = command?;
//!     match &command.answer {
//!         Answer::Allowed(ran) => println!("{} {} {:?}", command.time, command.line, ran.outcome),
//!         Answer::Denied { reason } => println!("{} {} denied: {reason}", command.time, command.line),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::VecDeque;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::entry::{self, AuditEntry, EntryError};
use super::event::{AllowedCommand, AuditEvent, What};
use super::note::VerifierKey;
use super::search::{SearchError, worth_reading};
use super::segments::{self, Lines, Piece};
use super::verify::{self, Problem};
use crate::domain::{AccountName, CommandId, Digest, GrantId, RoleName, SessionId, TargetName, Timestamp, UserName};
use crate::policy::render::{Executed, executed};

mod open;

use open::{OpenCommands, Sources};

/// How much earlier than the first command that is asked for the connections are looked for. Of a command in an older connection
/// the source is not known.
const CONNECTIONS_SINCE: Duration = Duration::from_secs(24 * 3600);
/// What a line that matters contains. Inside a string the quotes would be escaped.
const KINDS: [&str; 4] = [r#""kind":"command-"#, r#""kind":"observed""#, r#""kind":"connection""#, r#""kind":"start""#];

/// Which commands: every condition that is set must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HistoryQuery {
    /// Of this user.
    pub user: Option<UserName>,
    /// On this target.
    pub target: Option<TargetName>,
    /// Decided at this time or later.
    pub since: Option<Timestamp>,
    /// Decided before this time.
    pub until: Option<Timestamp>,
}

/// One command line that somebody typed, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PastCommand {
    /// Number of the entry of the decision, from 0.
    pub sequence: u64,
    /// When it was decided.
    pub time: Timestamp,
    /// The command's identifier.
    pub command: CommandId,
    /// Who typed it.
    pub user: UserName,
    /// Where it was to run.
    pub target: TargetName,
    /// In which connection.
    pub session: Option<SessionId>,
    /// Where that connection came from; `None` if its entry is more than a day older than what was asked for.
    pub source: Option<IpAddr>,
    /// The line as typed; of a line that is no text, or too long to keep, an escaped excerpt.
    pub line: String,
    /// Whether words of it are placeholders for secrets: then neither the line nor what ran is known whole.
    pub withheld: bool,
    /// The answer.
    pub answer: Answer,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was allowed.
    Allowed(Box<Ran>),
    /// It was denied.
    Denied {
        /// Why, as the user was told.
        reason: String,
    },
}

/// A command that was allowed.
#[derive(Clone, Debug, PartialEq)]
pub struct Ran {
    /// Whether an observe grant allowed it (an entry `observed`), and no rule.
    pub observed: bool,
    /// The role.
    pub role: RoleName,
    /// The rule of the role *as it was then*, from 1; 0 if `observed`. The role of today may number its rules otherwise.
    pub rule: usize,
    /// Every grant that allowed it.
    pub grants: Vec<GrantId>,
    /// The account on the target.
    pub account: AccountName,
    /// What ran; `None` if the vector of the entry is none that this version writes.
    pub executed: Option<Executed>,
    /// Digest of the rendered line.
    pub digest: Digest,
    /// Digest of the configuration that was in force.
    pub policy: Digest,
    /// How it ended; `None` if the log does not say (yet).
    pub outcome: Option<Outcome>,
}

/// How a command that was allowed ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It ran.
    Finished {
        /// The exit code the client got.
        exit: u8,
        /// Why we ended it, if we did.
        ended_by: Option<String>,
    },
    /// It could not be begun.
    Failed,
    /// The bastion went down while it ran.
    Unknown,
}

impl Ran {
    /// Whether it ran to its own end, with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.outcome == Some(Outcome::Finished { exit: 0, ended_by: None })
    }
}

/// The commands of the log in `dir` that fit `query`.
///
/// Each is given once, when its end is read: a denied one at once, an allowed one by its `command-finished` (`-failed`,
/// `-outcome-unknown`), those that still run last; so they are in the order of their ends, and `sequence` is that of
/// their decisions. Reads only what is under the signed checkpoint. The checkpoint's signature is checked, each entry
/// against it is not: that is [`verify::verify`]. Memory does not grow with the log.
///
/// # Errors
/// [`SearchError`]; also as the last item of the iterator.
pub fn past_commands(dir: &Path, key: &VerifierKey, query: HistoryQuery) -> Result<PastCommands, SearchError> {
    let size = verify::checkpoint(dir, key)?.size;
    let segments = segments::list(dir).map_err(|error| Problem::unreadable(dir, &error))?;
    let since = query.since.map(|since| since.before(CONNECTIONS_SINCE));
    let (segments, first) = worth_reading(segments, since);
    Ok(PastCommands {
        dir: dir.to_owned(),
        lines: Lines::of(segments, first),
        next: first,
        size,
        query,
        sources: Sources::default(),
        open: OpenCommands::default(),
        ready: VecDeque::new(),
    })
}

/// The iterator of [`past_commands`]. Ends after the first error.
pub struct PastCommands {
    dir: PathBuf,
    lines: Lines,
    next: u64,
    size: u64,
    query: HistoryQuery,
    sources: Sources,
    open: OpenCommands,
    ready: VecDeque<PastCommand>,
}

impl Iterator for PastCommands {
    type Item = Result<PastCommand, SearchError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(command) = self.ready.pop_front() {
                return Some(Ok(command));
            }
            if self.next >= self.size {
                return self.open.take_oldest().map(Ok);
            }
            if let Err(error) = self.read_one() {
                (self.next, self.open) = (self.size, OpenCommands::default());
                return Some(Err(error));
            }
        }
    }
}

impl PastCommands {
    /// Reads the next entry and does with it what it asks for.
    fn read_one(&mut self) -> Result<(), SearchError> {
        let (number, size) = (self.next, self.size);
        self.next += 1;
        let line = match self.lines.next().map_err(|error| Problem::unreadable(&self.dir, &error))? {
            Some(Piece::Line(line)) => line,
            Some(Piece::Gap { found }) if found > number => {
                return Err(Problem::Dropped { first: number, last: found - 1 }.into());
            }
            _ => return Err(Problem::Truncated { found: number, expected: size }.into()),
        };
        let bad = |why| SearchError::Entry { number, why };
        let text = std::str::from_utf8(line).map_err(|_| bad(EntryError::Malformed("it is not UTF-8".to_owned())))?;
        if KINDS.iter().any(|kind| text.contains(kind)) {
            let entry = entry::parse(line).map_err(bad)?;
            self.take(entry);
        }
        Ok(())
    }

    fn take(&mut self, entry: AuditEntry) {
        let over = self.query.until.is_some_and(|until| until <= entry.time);
        let AuditEntry { sequence, time, event, .. } = entry;
        let AuditEvent { session, user, target, what, .. } = event;
        let wanted = !over
            && self.query.since.is_none_or(|since| since <= time)
            && self.query.user.as_ref().is_none_or(|wanted| user.as_ref() == Some(wanted))
            && self.query.target.as_ref().is_none_or(|wanted| target.as_ref() == Some(wanted));
        let (source, connection) = (self.sources.of(session.as_ref()), session.clone());
        let decided = |command, line, withheld, answer| {
            let (user, target) = (user?, target?);
            Some(PastCommand { sequence, time, command, user, target, session, source, line, withheld, answer })
        };
        let observed = matches!(what, What::Observed(_));
        match what {
            What::Start { .. } => self.sources = Sources::default(),
            What::Connection { peer, .. } => self.sources.connected(connection, peer.ip()),
            What::CommandAllowed(allowed) | What::Observed(allowed) if wanted => {
                let (command, line) = (allowed.command.clone(), allowed.typed.clone());
                let withheld = !allowed.withheld.is_empty();
                let command = decided(command, line, withheld, ran(allowed, observed));
                command.into_iter().for_each(|command| self.ready.extend(self.open.begin(command)));
            }
            What::CommandDenied { command, line, reason, withheld } if wanted => {
                self.ready.extend(decided(command, line, withheld, Answer::Denied { reason }));
            }
            What::CommandFinished(finished) => {
                let outcome = Outcome::Finished { exit: finished.exit, ended_by: finished.ended_by };
                self.ready.extend(self.open.end(&finished.command, outcome));
            }
            What::CommandFailed { command, .. } => self.ready.extend(self.open.end(&command, Outcome::Failed)),
            What::CommandOutcomeUnknown { command } => {
                self.ready.extend(self.open.end(&command, Outcome::Unknown));
            }
            _ => {}
        }
        if over && self.open.is_empty() {
            self.next = self.size;
        }
    }
}

fn ran(allowed: AllowedCommand, observed: bool) -> Answer {
    Answer::Allowed(Box::new(Ran {
        observed,
        role: allowed.role,
        rule: allowed.rule,
        grants: allowed.grants,
        account: allowed.account,
        executed: executed(&allowed.argv),
        digest: allowed.digest,
        policy: allowed.policy,
        outcome: None,
    }))
}

#[cfg(test)]
mod tests;
