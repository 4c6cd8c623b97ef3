//! Reads a control line by the table of verbs: which verb, and a checked value for each argument and option.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::domain::{GrantId, RequestId, RoleName, SessionId, TargetName, Timestamp, UserName, limits, text};

use super::line::{Line, LineError, Piece};
use super::nearest::nearest;
use super::verb::{self, Argument, Kind, Opt, Rights, Verb};

/// A checked value.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Value {
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

/// What was typed: a verb with its values.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// The verb.
    pub verb: &'static Verb,
    values: BTreeMap<&'static str, Value>,
}

/// Why a line is no use of any verb.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Misuse {
    /// Nothing was typed.
    Empty,
    /// Not a line of text at all.
    Line(LineError),
    /// The first word is no verb (or none for this person).
    NoVerb {
        /// The word.
        word: String,
    },
    /// The verb, or an option of it, is in the language but not in this build.
    NotServed {
        /// Which: `extend`, `pending --follow`.
        what: String,
    },
    /// The verb cannot be used like this.
    Wrong {
        /// Which verb.
        verb: &'static Verb,
        /// What is wrong and what to type instead, with the column where there is one.
        message: String,
    },
}

/// Reads `bytes` for somebody with these rights.
///
/// # Errors
/// [`Misuse`] says what is wrong with the first thing that is.
pub fn read(bytes: &[u8], rights: Rights) -> Result<Arguments, Misuse> {
    let mut line = Line::new(bytes).map_err(Misuse::Line)?;
    let verb = read_verb(&mut line, rights)?;
    let mut reader = Reader { verb, rights, values: BTreeMap::new(), waiting: verb.arguments };
    while !line.is_empty() {
        reader.next(&mut line)?;
    }
    match reader.waiting.iter().find(|argument| !argument.optional) {
        Some(missing) => Err(reader.wrong(None, format!("{} is missing", missing.name))),
        None => Ok(Arguments { verb, values: reader.values }),
    }
}

fn read_verb(line: &mut Line<'_>, rights: Rights) -> Result<&'static Verb, Misuse> {
    let first = line.word().ok_or(Misuse::Empty)?;
    let no_verb = || Misuse::NoVerb { word: first.text.clone() };
    let found = verb::find(&first.text, rights).or_else(|| {
        let mut ahead = line.clone();
        let both = format!("{} {}", first.text, ahead.word()?.text);
        let verb = verb::find(&both, rights)?;
        *line = ahead;
        Some(verb)
    });
    let verb = found.ok_or_else(no_verb)?;
    if verb.served() { Ok(verb) } else { Err(Misuse::NotServed { what: verb.word.to_owned() }) }
}

struct Reader {
    verb: &'static Verb,
    rights: Rights,
    values: BTreeMap<&'static str, Value>,
    waiting: &'static [Argument],
}

impl Reader {
    fn wrong(&self, column: Option<usize>, message: impl std::fmt::Display) -> Misuse {
        let message = column.map_or_else(|| message.to_string(), |column| format!("column {column}: {message}"));
        Misuse::Wrong { verb: self.verb, message }
    }

    fn next(&mut self, line: &mut Line<'_>) -> Result<(), Misuse> {
        let mut ahead = line.clone();
        let Some(word) = ahead.word() else { return Ok(()) };
        let untouched = self.waiting.first().is_some_and(|argument| argument.kind == Kind::Verbatim);
        if let Some(name) = word.option().filter(|_| !untouched) {
            *line = ahead;
            return self.option(name, &word, line);
        }
        let after_dashes = word.text == "--" && !word.quoted;
        if after_dashes {
            *line = ahead;
        }
        let Some((argument, rest)) = self.waiting.split_first() else {
            return Err(self.surplus(&word));
        };
        self.waiting = rest;
        let piece = match argument.kind {
            Kind::Verbatim => line.verbatim(),
            Kind::Text if after_dashes => line.verbatim(),
            Kind::Text => line.text(),
            _ => line.word().ok_or_else(|| self.wrong(None, format!("{} is missing", argument.name)))?,
        };
        let value = value(argument.kind, &piece)
            .map_err(|problem| self.wrong(Some(piece.column), format!("{}: {problem}", argument.name)))?;
        self.values.insert(argument.name, value);
        Ok(())
    }

    fn surplus(&self, word: &Piece) -> Misuse {
        let shown = text::excerpt(&word.text, 40);
        let takes = match self.verb.arguments.last() {
            None => "takes no argument".to_owned(),
            Some(last) => format!("takes nothing more after {}", last.name),
        };
        self.wrong(Some(word.column), format!("`{}` {takes}, and here is `{shown}`", self.verb.word))
    }

    fn option(&mut self, typed: &str, word: &Piece, line: &mut Line<'_>) -> Result<(), Misuse> {
        let (name, inline) = typed.split_once('=').map_or((typed, None), |(name, value)| (name, Some(value)));
        let Some(option) = self.verb.options_for(self.rights).find(|option| option.name == name) else {
            return Err(self.no_option(name, word.column));
        };
        if !option.served {
            return Err(Misuse::NotServed { what: format!("{} --{name}", self.verb.word) });
        }
        if self.values.contains_key(option.name) {
            return Err(self.wrong(Some(word.column), format!("`--{name}` is given twice")));
        }
        let piece = self.option_value(option, inline, word, line)?;
        let value = value(option.kind, &piece)
            .map_err(|problem| self.wrong(Some(piece.column), format!("--{name}: {problem}")))?;
        self.values.insert(option.name, value);
        Ok(())
    }

    fn option_value(
        &self,
        option: &Opt,
        inline: Option<&str>,
        word: &Piece,
        line: &mut Line<'_>,
    ) -> Result<Piece, Misuse> {
        let value_column = word.column + "--".len() + option.name.len() + "=".len();
        match (option.kind, inline) {
            (Kind::Flag, None) => Ok(word.clone()),
            (Kind::Flag, Some(_)) => Err(self.wrong(Some(value_column), format!("`--{}` takes no value", option.name))),
            (Kind::Text, inline) => {
                if inline.is_some() {
                    line.go_back_to(value_column);
                }
                Ok(line.text())
            }
            (_, Some(value)) => Ok(Piece { text: value.to_owned(), column: value_column, quoted: false }),
            (_, None) => match line.clone().word() {
                Some(value) if value.option().is_none() => Ok(line.word().unwrap_or(value)),
                _ => Err(self.wrong(Some(word.column), format!("`--{}` needs a value: {}", option.name, option.value))),
            },
        }
    }

    fn no_option(&self, name: &str, column: usize) -> Misuse {
        let known: Vec<&str> = self.verb.options_for(self.rights).map(|option| option.name).collect();
        let mut message = format!("`--{}` is no option of `{}`", text::excerpt(name, 40), self.verb.word);
        if let Some(meant) = nearest(name, known.iter().copied()) {
            message.push_str(&format!("; did you mean `--{meant}`?"));
        }
        let has_text = self.verb.options.iter().any(|option| option.kind == Kind::Text)
            || self.verb.arguments.iter().any(|argument| argument.kind == Kind::Text);
        if has_text {
            message.push_str("\nif it is part of a text, put quotes around that text that reach doorward: '\"a text with --this in it\"'");
        }
        self.wrong(Some(column), message)
    }
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Checks one piece; the problem as a sentence.
fn value(kind: Kind, piece: &Piece) -> Result<Value, String> {
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

fn time(text: &str) -> Result<When, String> {
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

/// A value that the line did not give; for a needed argument [`read`] has already refused that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Absent(pub &'static str);

macro_rules! accessor {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        ///
        /// # Errors
        /// [`Absent`] if it was not given.
        pub fn $name(&self, name: &'static str) -> Result<&$type, Absent> {
            match self.values.get(name) {
                Some(Value::$variant(value)) => Ok(value),
                _ => Err(Absent(name)),
            }
        }
    };
}

impl Arguments {
    accessor!(
        /// A role.
        role, Role, RoleName
    );
    accessor!(
        /// A list of targets, sorted, none twice.
        targets, Targets, [TargetName]
    );
    accessor!(
        /// A target.
        target, Target, TargetName
    );
    accessor!(
        /// A user.
        user, User, UserName
    );
    accessor!(
        /// A request, or the request of a grant.
        id, Id, RequestId
    );
    accessor!(
        /// A connection.
        session, Session, SessionId
    );
    accessor!(
        /// A span of time.
        duration, Duration, Duration
    );
    accessor!(
        /// A time.
        time, Time, When
    );
    accessor!(
        /// A number.
        number, Number, usize
    );
    accessor!(
        /// A word or a text.
        text, Text, str
    );

    /// Whether the flag was given.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// A target with the role chosen before its `+`.
    ///
    /// # Errors
    /// [`Absent`] if it was not given.
    pub fn place(&self, name: &'static str) -> Result<(Option<&RoleName>, &TargetName), Absent> {
        match self.values.get(name) {
            Some(Value::Place(role, target)) => Ok((role.as_ref(), target)),
            _ => Err(Absent(name)),
        }
    }
}

#[cfg(test)]
mod tests;
