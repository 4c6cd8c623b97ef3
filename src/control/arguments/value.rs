//! The grammar of each kind of value: a piece of the line in, a checked value or a sentence out.

use std::str::FromStr;
use std::time::Duration;

use crate::control::line::Piece;
use crate::control::verb::Kind;
use crate::domain::{GrantId, RequestId, RoleName, SessionId, TargetName, Timestamp, UserName, limits, text};

/// A checked value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Value {
    Flag,
    Role(RoleName),
    Place(Option<RoleName>, TargetName),
    Target(TargetName),
    Targets(Vec<TargetName>),
    User(UserName),
    Id(RequestId),
    Session(SessionId),
    Duration(Duration),
    Time(When),
    Number(usize),
    Text(String),
}

/// A time as typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum When {
    /// This instant.
    At(Timestamp),
    /// So long before now.
    Ago(Duration),
}

impl When {
    /// The instant that is meant by who types it at `now`.
    #[must_use]
    pub fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(time) => time,
            Self::Ago(span) => now.before(span),
        }
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Checks one piece; the problem as a sentence.
pub(super) fn value(kind: Kind, piece: &Piece) -> Result<Value, String> {
    let text = piece.text.as_str();
    Ok(match kind {
        Kind::Flag => Value::Flag,
        Kind::Role => Value::Role(parsed(text)?),
        Kind::Place => place(text)?,
        Kind::Target => Value::Target(parsed(text)?),
        Kind::Targets => Value::Targets(targets(text)?),
        Kind::User => Value::User(parsed(text)?),
        Kind::Id => Value::Id(id(text)?),
        Kind::Session => Value::Session(parsed(text)?),
        Kind::Digest => Value::Text(digest(text)?),
        Kind::Duration => Value::Duration(duration(text)?),
        Kind::Time => Value::Time(time(text)?),
        Kind::Number => Value::Number(text.parse().map_err(|_| "write a number".to_owned())?),
        Kind::Choice(words) if words.contains(&text) => Value::Text(text.to_owned()),
        Kind::Choice(words) => return Err(format!("write `{}`", words.join("` or `"))),
        Kind::Word if text.is_empty() => return Err("it is empty".to_owned()),
        Kind::Word | Kind::Verbatim => Value::Text(text.to_owned()),
        Kind::Text if text.is_empty() => return Err("the text is missing".to_owned()),
        Kind::Text if text.len() > limits::FREE_TEXT => {
            return Err(format!("a text has at most {} bytes, and this one has {}", limits::FREE_TEXT, text.len()));
        }
        Kind::Text => Value::Text(text.to_owned()),
    })
}

fn place(text: &str) -> Result<Value, String> {
    Ok(match text.split_once('+') {
        Some((role, target)) => Value::Place(Some(parsed(role)?), parsed(target)?),
        None => Value::Place(None, parsed(text)?),
    })
}

fn targets(text: &str) -> Result<Vec<TargetName>, String> {
    if text.ends_with(',') {
        return Err("write the targets as one word with commas and no blanks: web-1,web-2".to_owned());
    }
    let mut names = text.split(',').map(|name| parsed(name.trim_matches(' '))).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// `r-…` or `g-…`: a grant keeps the digits of its request, and people type whichever they see.
fn id(text: &str) -> Result<RequestId, String> {
    let grant = text.parse::<GrantId>().map(|grant| RequestId::from(&grant));
    text.parse().or(grant).map_err(|_| "a request looks like `r-7K2Q4M`, its grant like `g-7K2Q4M`".to_owned())
}

fn digest(text: &str) -> Result<String, String> {
    let hex = (4..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("write the digest that `pending` shows, like `4f9a`".to_owned())
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(span) if span.as_secs() == 0 => Err("that is no time at all; write 30m or 1h".to_owned()),
        Ok(span) => Ok(span),
        Err(_) => Err(format!("`{}` is no span of time; write 90s, 30m or 1h", text::excerpt(text, 40))),
    }
}

/// A time as people type it: `2h` ago, a day, an instant.
///
/// # Errors
/// What to write instead.
pub fn time(text: &str) -> Result<When, String> {
    if let Ok(instant) = chrono::DateTime::parse_from_rfc3339(text) {
        return Ok(When::At(instant.to_utc().into()));
    }
    let midnight = text.parse::<chrono::NaiveDate>().ok().and_then(|day| day.and_hms_opt(0, 0, 0));
    if let Some(midnight) = midnight {
        return Ok(When::At(midnight.and_utc().into()));
    }
    let ago = humantime::parse_duration(text).map(When::Ago);
    ago.map_err(|_| "write 2h (ago), a day as 2026-01-31 (UTC), or 2026-01-31T09:00:00Z".to_owned())
}
