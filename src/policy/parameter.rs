//! What a `{parameter}` of a role may be: the kinds, and which values each refuses.
//!
//! A value is one word. Every kind refuses empty values, control characters, characters outside ASCII (unless `unicode`) and a
//! leading `-` (unless `dash`), because the program would read it as an option. Case is never folded.

use crate::domain::text::all_printable;

mod expression;
mod glob;
mod network;
mod overlap;
mod shown;
mod span;
mod unit;
mod within;

pub use expression::ValuePattern;
pub(super) use glob::matches_glob;
pub use glob::{PathPattern, PathPatternError};
pub use network::{Hosts, Within};
pub(super) use span::seconds;
pub use unit::Units;

/// Longest value of any parameter, in bytes.
pub const LONGEST_VALUE: usize = 4096;
/// How many values `{name...}` takes at most if the role does not say, and what it may say at most.
pub const DEFAULT_VALUES: usize = 16;
/// See [`DEFAULT_VALUES`].
pub const MOST_VALUES: usize = 256;

/// One parameter, compiled.
#[derive(Clone, Debug)]
pub struct Parameter {
    kind: Kind,
    dash: bool,
    unicode: bool,
    secret: bool,
    /// How many values `{name...}` takes at most.
    most: usize,
}

/// The kinds.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Exactly one of these words.
    OneOf(Vec<String>),
    /// A word that the expression matches whole.
    Pattern(ValuePattern),
    /// A whole number, plain digits, both ends included.
    Int {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// An absolute path.
    Path(PathPattern),
    /// The name of a systemd unit.
    Unit(Units),
    /// The name or address of a host.
    Host(Hosts),
    /// An IP address.
    Ip(Within),
    /// An IP network.
    Cidr(Within),
    /// The number of a port, both ends included.
    Port {
        /// The least.
        min: u16,
        /// The most.
        max: u16,
    },
    /// A span of time such as `5min`, `30s`.
    Duration {
        /// The longest, in seconds.
        longest: u64,
    },
    /// Free text of at most this many characters.
    Text {
        /// The most characters.
        longest: usize,
    },
}

/// Why a value is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No characters.
    #[error("an empty word is no value")]
    Empty,
    /// Longer than any value may be.
    #[error("it is longer than {LONGEST_VALUE} bytes")]
    TooLong,
    /// A control or invisible character.
    #[error("it holds a control or invisible character")]
    Unprintable,
    /// A character outside ASCII.
    #[error("`{0}` is not ASCII")]
    NotAscii(char),
    /// It begins with `-`.
    #[error("it begins with `-`, and the program would read it as an option")]
    Dash,
    /// Something the program itself might act on.
    #[error("{0}")]
    Operator(&'static str),
    /// No address, network or host, or one that is written in a way that programs read differently.
    #[error("{0}")]
    Address(&'static str),
    /// A path that is not absolute, or not plain.
    #[error("{0}")]
    Path(&'static str),
    /// None of what is allowed.
    #[error("it is none of what is allowed")]
    NotAllowed,
}

impl Parameter {
    /// A parameter of this kind.
    #[must_use]
    pub fn new(kind: Kind, dash: bool, unicode: bool) -> Self {
        Self { kind, dash, unicode, secret: false, most: DEFAULT_VALUES }
    }

    /// The same, whose values are to be seen by the target alone.
    #[must_use]
    pub fn secret(self, secret: bool) -> Self {
        Self { secret, ..self }
    }

    /// The same with at most so many values where it is repeated, 1 to [`MOST_VALUES`].
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { most: most.clamp(1, MOST_VALUES), ..self }
    }

    /// Whether its values are kept out of every log, recording and message.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// How many values it takes at most where it is repeated.
    #[must_use]
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether `value` may stand here.
    ///
    /// # Errors
    /// [`Refusal`], the first reason against it.
    pub fn accepts(&self, value: &str) -> Result<(), Refusal> {
        self.is_plain(value)?;
        match &self.kind {
            Kind::OneOf(allowed) => found(allowed.iter().any(|one| one == value)),
            Kind::Pattern(pattern) => found(pattern.matches(value)),
            Kind::Int { min, max } => found(int(value).is_some_and(|number| (*min..=*max).contains(&number))),
            Kind::Path(pattern) => {
                plain_path(value)?;
                found(pattern.matches(value))
            }
            Kind::Unit(units) => units.accepts(value),
            Kind::Host(hosts) => hosts.accepts(value),
            Kind::Ip(within) => network::accepts_address(within, value),
            Kind::Cidr(within) => network::accepts_network(within, value),
            Kind::Port { min, max } => {
                found(int(value).is_some_and(|number| (u64::from(*min)..=u64::from(*max)).contains(&number)))
            }
            Kind::Duration { longest } => found(span::seconds(value).is_some_and(|seconds| seconds <= *longest)),
            Kind::Text { longest } => {
                no_operators(value)?;
                found(value.chars().count() <= *longest)
            }
        }
    }

    /// What every kind asks of a value.
    fn is_plain(&self, value: &str) -> Result<(), Refusal> {
        if value.is_empty() {
            return Err(Refusal::Empty);
        }
        if value.len() > LONGEST_VALUE {
            return Err(Refusal::TooLong);
        }
        if !all_printable(value) {
            return Err(Refusal::Unprintable);
        }
        if !self.unicode
            && !value.is_ascii()
            && let Some(found) = value.chars().find(|c| !c.is_ascii())
        {
            return Err(Refusal::NotAscii(found));
        }
        if !self.dash && value.starts_with('-') {
            return Err(Refusal::Dash);
        }
        Ok(())
    }

    /// Whether a value may begin with `-` as far as the flag says; the kind may refuse it nevertheless.
    pub(in crate::policy) fn takes_dash(&self) -> bool {
        self.dash
    }

    /// Whether characters outside ASCII may stand in a value.
    pub(in crate::policy) fn takes_unicode(&self) -> bool {
        self.unicode
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &Kind {
        &self.kind
    }
}

fn found(yes: bool) -> Result<(), Refusal> {
    if yes { Ok(()) } else { Err(Refusal::NotAllowed) }
}

/// Plain digits: no sign, no blank, no leading zero.
fn int(value: &str) -> Option<u64> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && (value.len() == 1 || !value.starts_with('0'));
    plain.then(|| value.parse().ok()).flatten()
}

/// Whether some program might expand it to the names of files.
fn holds_glob(value: &str) -> bool {
    // To the end in any case, so that many bytes are looked at at once.
    value.bytes().fold(false, |found, byte| found | matches!(byte, b'*' | b'?' | b'[' | b']' | b'{' | b'}'))
}

/// A path that names one thing in one way, and is no glob to a program that expands some itself.
fn plain_path(value: &str) -> Result<(), Refusal> {
    let Some(relative) = value.strip_prefix('/') else {
        return Err(Refusal::Path("a path here begins with `/`"));
    };
    if holds_glob(value) {
        return Err(Refusal::Operator("a path here holds no `*`, `?`, brackets or braces: name one file"));
    }
    for part in relative.split('/') {
        match part {
            "" => return Err(Refusal::Path("a path here has no `//` and no `/` at its end")),
            "." | ".." => return Err(Refusal::Path("a path here has no `.` or `..`: write where it leads")),
            _ => {}
        }
    }
    Ok(())
}

/// Free text is for people; a program that finds an operator in it would do something else with it.
fn no_operators(value: &str) -> Result<(), Refusal> {
    if holds_glob(value) {
        return Err(Refusal::Operator("text here holds no `*`, `?`, brackets or braces, which some programs expand"));
    }
    if value.starts_with('@') {
        return Err(Refusal::Operator(
            "text here does not begin with `@`, which some programs read as `from this file`",
        ));
    }
    let host_path = value.split_once(':').is_some_and(|(host, path)| {
        !host.is_empty() && !host.contains([' ', '/']) && !path.is_empty() && !path.starts_with(' ')
    });
    if host_path {
        return Err(Refusal::Operator("text here is not of the form `host:path`, which some programs connect to"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
