//! Files of scenarios: who types what where, and what should come of it. Read against a set that has loaded; what they are held
//! against is [`crate::service::asking`]'s.
//!
//! A person or a machine may be made up, by its groups or labels alone, so that a role can be tested before anybody has it.

use std::net::IpAddr;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::domain::{Diagnostic, Person, RoleName, Timestamp};
use crate::inventory::Target;
use crate::policy::Role;

use super::source::{Source, Trust};

mod read;

pub use read::scenarios;

/// Why a line that is not plain words is denied, whatever is held.
pub const NOT_WORDS: &str = "not-plain-words";

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called; empty if unsaid.
    pub name: String,
    /// Who types.
    pub person: Person,
    /// Where.
    pub target: Target,
    /// The roles that are held together; `None`: every role that the person may ask for, each by itself.
    pub roles: Option<Vec<Arc<Role>>>,
    /// What is typed.
    pub command: String,
    /// When; `None` if unsaid.
    pub at: Option<Timestamp>,
    /// From which address; `None` if unsaid, and then it is not known.
    pub source: Option<IpAddr>,
    /// From which address the roles were asked for; that of the command, if unsaid.
    pub asked_from: Option<IpAddr>,
    /// What should come of it.
    pub expect: Expect,
    /// Where that stands.
    pub place: Place,
}

/// What should come of a scenario.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expect {
    /// It is allowed; by this rule, if one is named.
    Allow(Option<RuleName>),
    /// It is denied; for this reason (a word of [`crate::policy::DENIALS`] or [`NOT_WORDS`]), if one is named.
    Deny(Option<&'static str>),
}

/// `web-restart:2`, or `2` for whichever role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleName {
    /// The role; `None`: any.
    pub role: Option<RoleName>,
    /// The rule, from 1 in file order.
    pub number: usize,
}

impl FromStr for RuleName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, number) = text.rsplit_once(':').map_or((None, text), |(role, number)| (Some(role), number));
        let role = role.map(|role| role.parse::<RoleName>().map_err(|error| error.to_string())).transpose()?;
        match number.parse::<usize>() {
            Ok(number) if number > 0 => Ok(Self { role, number }),
            _ => Err("a rule is named by its role and its number in the file, from 1".to_owned()),
        }
    }
}

/// A time as operators write it: RFC 3339.
#[derive(Clone, Copy, Debug)]
pub struct Instant(pub Timestamp);

impl FromStr for Instant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = chrono::DateTime::parse_from_rfc3339(text);
        time.map(|time| Self(time.to_utc().into())).map_err(|_| "write a time as 2026-01-31T09:00:00Z".to_owned())
    }
}

/// The places of a scenario in its file.
#[derive(Clone, Debug)]
pub struct Place {
    source: Source,
    command: Range<usize>,
    expect: Range<usize>,
    /// Of `rule` or `reason`, if one of them is there.
    more: Option<Range<usize>>,
}

impl Place {
    /// A finding about what was typed; `column` (characters from 1) and `length` say where in it.
    #[must_use]
    pub fn of_command(&self, typed: &str, at: Option<(usize, usize)>, message: impl Into<String>) -> Diagnostic {
        let inside = at.and_then(|(column, length)| self.inside(typed, column, length));
        self.source.error_at(inside.unwrap_or_else(|| self.command.clone()), message)
    }

    /// A finding about the rule or reason that is expected.
    #[must_use]
    pub fn of_rule_or_reason(&self, message: impl Into<String>) -> Diagnostic {
        self.source.error_at(self.more.clone().unwrap_or_else(|| self.expect.clone()), message)
    }

    /// The file, and the line on which the command stands.
    #[must_use]
    pub fn file_line(&self) -> (Arc<str>, usize) {
        let before = self.source.text.get(..self.command.start).unwrap_or_default();
        (Arc::clone(&self.source.name), before.matches('\n').count() + 1)
    }

    /// Bytes of the file, if what was typed stands there as it is. What lies past its end is the quote after it.
    fn inside(&self, typed: &str, column: usize, length: usize) -> Option<Range<usize>> {
        let inner = self.command.start + 1..self.command.end.saturating_sub(1);
        if self.source.text.get(inner.clone()) != Some(typed) {
            return None;
        }
        let offset = |characters: usize| typed.char_indices().nth(characters).map_or(typed.len(), |(at, _)| at);
        let (from, to) = (offset(column.saturating_sub(1)), offset(column.saturating_sub(1).saturating_add(length)));
        Some(inner.start + from..(inner.start + to).max(inner.start + from + 1))
    }
}

/// The files that are read if none is named: `DIR/tests/*.toml`, each with what it is called in messages. None, if that directory
/// does not exist.
///
/// # Errors
/// The directory cannot be read.
pub fn default_files(dir: &Path) -> Result<Vec<(std::path::PathBuf, String)>, Vec<Diagnostic>> {
    let tests = dir.join("tests");
    if !tests.exists() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    let names = super::roles::files_of(&tests, "tests", Trust::Copy, &mut out);
    if !out.is_empty() {
        return Err(out);
    }
    let named = names.into_iter().filter(|name| name.ends_with(".toml"));
    Ok(named.map(|name| (tests.join(&name), format!("tests/{name}"))).collect())
}

#[cfg(test)]
mod tests;
