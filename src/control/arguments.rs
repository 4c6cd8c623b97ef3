//! Reads a control line by the table of verbs: which verb, and a checked value for each argument and option.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::{RequestId, RoleName, SessionId, TargetName, UserName, text};

use super::line::{Line, LineError, Piece};
use super::nearest::nearest;
use super::verb::{self, Argument, Kind, Opt, Rights, Verb};

mod value;

use value::{Value, value};

pub use value::{When, time};

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
