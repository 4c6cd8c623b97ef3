//! What a `{parameter}` of a role may be: the kinds, and which values each refuses.
//!
//! A value is one word. Every kind refuses empty values, control characters, characters outside ASCII (unless `unicode`) and a
//! leading `-` (unless `dash`), because the program would read it as an option. Case is never folded.

use std::fmt;

use crate::domain::text::{all_printable, excerpt};

mod glob;
mod network;
mod overlap;
mod span;
mod unit;
mod within;

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
/// The most memory one compiled `pattern` may take, in bytes.
const REGEX_SIZE: usize = 256 * 1024;

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

/// A regular expression that matches whole values.
#[derive(Clone, Debug)]
pub struct ValuePattern {
    written: String,
    compiled: regex::bytes::Regex,
}

impl ValuePattern {
    /// Compiles `written` as `\A(?:written)\z`.
    ///
    /// It is parsed alone first, so that no bracket of it can close ours. Inline flags are refused, because they could change
    /// what the anchors mean; classes are ASCII unless `unicode`.
    ///
    /// # Errors
    /// What is wrong with it, for the author of the role.
    pub fn new(written: &str, unicode: bool) -> Result<Self, String> {
        if has_inline_flags(written) {
            return Err("inline flags such as `(?i)` are not read; write out what may be typed".to_owned());
        }
        if !unicode && !written.is_ascii() {
            return Err(
                "the pattern has characters outside ASCII; add `unicode = true` to allow them in values".to_owned()
            );
        }
        let compile = |text: &str| {
            regex::bytes::RegexBuilder::new(text)
                .unicode(unicode)
                .size_limit(REGEX_SIZE)
                .dfa_size_limit(REGEX_SIZE)
                .nest_limit(32)
                .build()
                .map_err(|error| format!("not a regular expression: {}", first_line(&error)))
        };
        compile(written)?;
        Ok(Self { written: written.to_owned(), compiled: compile(&format!(r"\A(?:{written})\z"))? })
    }

    /// The expression as the role has it.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    fn matches(&self, value: &str) -> bool {
        self.compiled.is_match(value.as_bytes())
    }
}

/// The last line of a regex error is the sentence; those before draw the expression.
fn first_line(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Whether `(?` is followed by anything but `:` (a group) or a name.
fn has_inline_flags(pattern: &str) -> bool {
    let mut rest = pattern;
    let mut class = 0_usize;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '\\' => after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default(),
            '[' => {
                class += 1;
                // `]` right after the opening, or after its `^`, is a member.
                let inner = after.strip_prefix('^').unwrap_or(after);
                inner.strip_prefix(']').unwrap_or(inner)
            }
            ']' => {
                class = class.saturating_sub(1);
                after
            }
            '(' if class == 0 && after.starts_with('?') => {
                let named = after.starts_with("?P<") || after.starts_with("?<");
                if !named && !after.starts_with("?:") {
                    return true;
                }
                after
            }
            _ => after,
        };
    }
    false
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

/// What it may be, in words: `nginx or php-fpm`, `a whole number from 1 to 5000`.
impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many of a list are shown.
        const SHOWN: usize = 8;
        match &self.kind {
            Kind::OneOf(words) => {
                let more = words.len().saturating_sub(SHOWN);
                let mut shown: Vec<String> = words.iter().take(SHOWN).map(|word| excerpt(word, 40)).collect();
                if more > 0 {
                    shown.push(format!("{more} more"));
                }
                let last = shown.pop().unwrap_or_default();
                if !shown.is_empty() {
                    write!(f, "{} or ", shown.join(", "))?;
                }
                f.write_str(&last)
            }
            Kind::Pattern(pattern) => write!(f, "a word matching {}", excerpt(pattern.as_written(), 80)),
            Kind::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Path(pattern) => write!(f, "a path like {pattern}"),
            Kind::Unit(units) => write!(f, "{units}"),
            Kind::Host(hosts) => write!(f, "{hosts}"),
            Kind::Ip(within) => write!(f, "an IP address{within}"),
            Kind::Cidr(within) => write!(f, "an IP network{within}"),
            Kind::Port { min: 1, max: u16::MAX } => f.write_str("a port"),
            Kind::Port { min, max } => write!(f, "a port from {min} to {max}"),
            Kind::Duration { longest } => write!(f, "a span of time up to {} such as 30s or 5min", span_of(*longest)),
            Kind::Text { longest } => write!(f, "text of at most {longest} characters"),
        }
    }
}

fn span_of(seconds: u64) -> String {
    crate::domain::time::for_people(std::time::Duration::from_secs(seconds))
}

fn found(yes: bool) -> Result<(), Refusal> {
    if yes { Ok(()) } else { Err(Refusal::NotAllowed) }
}

/// Plain digits: no sign, no blank, no leading zero.
fn int(value: &str) -> Option<u64> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && (value.len() == 1 || !value.starts_with('0'));
    plain.then(|| value.parse().ok()).flatten()
}

/// A path that names one thing in one way, and is no glob to a program that expands some itself.
fn plain_path(value: &str) -> Result<(), Refusal> {
    let Some(relative) = value.strip_prefix('/') else {
        return Err(Refusal::Path("a path here begins with `/`"));
    };
    if value.contains(['*', '?', '[', ']', '{', '}']) {
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
    if value.contains(['*', '?', '[', ']', '{', '}']) {
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
