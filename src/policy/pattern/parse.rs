//! Reads the text form of a usage pattern.

use crate::domain::text::{excerpt, is_printable};

use super::matching::base_name;
use super::{Element, LONGEST, MOST_GROUPS, MOST_STEPS, Pattern, Slot, Step, successors};

/// Why a text is no pattern.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message} (column {column} of the pattern)")]
pub struct PatternError {
    /// What is wrong, and what to write instead.
    pub message: String,
    /// Where, in characters from 1.
    pub column: usize,
    /// The same place in bytes from 0.
    pub offset: usize,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`PatternError`] for the first place that cannot be read.
    pub fn parse(written: &str) -> Result<Self, PatternError> {
        if written.len() > LONGEST {
            let message = format!("a pattern has at most {LONGEST} bytes, and this one has {}", written.len());
            return Err(PatternError { message, column: 1, offset: 0 });
        }
        let mut parser = Parser { text: written, at: 0, group: None, groups: 0, steps: Vec::new(), names: Vec::new() };
        while parser.step()? {}
        let Parser { steps, names, .. } = parser;
        let next = successors(&steps);
        let base = base_name(steps.first().and_then(Step::literal).unwrap_or_default()).to_owned();
        Ok(Self { written: written.to_owned(), base, steps, names, next })
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
    /// The group we are in, with the byte where it opened.
    group: Option<(usize, usize)>,
    groups: usize,
    steps: Vec<Step>,
    names: Vec<(String, usize)>,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, offset: usize, message: impl Into<String>) -> PatternError {
        let column = self.text.get(..offset).unwrap_or_default().chars().count() + 1;
        PatternError { message: message.into(), column, offset }
    }

    /// Reads one bracket or word; `false` at the end.
    fn step(&mut self) -> Result<bool, PatternError> {
        self.at = self.text.len() - self.rest().trim_start_matches(' ').len();
        let Some(c) = self.rest().chars().next() else { return self.finish() };
        match c {
            '[' => self.open()?,
            ']' => self.close()?,
            '\'' => self.quoted()?,
            '{' => self.parameter("")?,
            _ => self.plain()?,
        }
        if self.steps.len() > MOST_STEPS {
            return Err(self.error(self.at, format!("a pattern has at most {MOST_STEPS} words")));
        }
        Ok(true)
    }

    fn finish(&self) -> Result<bool, PatternError> {
        if let Some((_, opened)) = self.group {
            return Err(self.error(opened, "this group is never closed with `]`"));
        }
        if self.steps.is_empty() {
            return Err(self.error(0, "a pattern has at least one word"));
        }
        Ok(false)
    }

    fn open(&mut self) -> Result<(), PatternError> {
        if self.group.is_some() {
            return Err(self.error(self.at, "groups do not nest; close the one before with `]`"));
        }
        if self.groups == MOST_GROUPS {
            return Err(self.error(self.at, format!("a pattern has at most {MOST_GROUPS} groups")));
        }
        self.group = Some((self.groups, self.at));
        self.groups += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let Some((group, opened)) = self.group.take() else {
            return Err(self.error(self.at, "`]` closes no group; write `']'` for the character"));
        };
        if self.steps.last().and_then(|step| step.group) != Some(group) {
            return Err(self.error(opened, "a group holds at least one word"));
        }
        self.at += 1;
        match self.rest().chars().next() {
            None | Some(' ' | '[') => Ok(()),
            Some('.') => Err(self.error(self.at, "this build does not read repeated groups; write the group once")),
            Some(_) => Err(self.error(self.at, "a blank stands after `]`")),
        }
    }

    fn quoted(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let Some((word, _)) = self.text.get(start + 1..).unwrap_or_default().split_once('\'') else {
            return Err(self.error(start, "this quotation is never closed with `'`"));
        };
        if word.is_empty() {
            return Err(self.error(start, "a literal word is not empty"));
        }
        if let Some(found) = word.chars().find(|c| !is_printable(*c)) {
            return Err(self.error(start, format!("U+{:04X} cannot stand in a command line", u32::from(found))));
        }
        self.at = start + word.len() + 2;
        self.word_ends()?;
        self.push(Element::Literal(word.to_owned()));
        Ok(())
    }

    /// `{name}` or `{name...}`, after `prefix` in the same word.
    fn parameter(&mut self, prefix: &str) -> Result<(), PatternError> {
        let start = self.at;
        let Some((written, _)) = self.text.get(start + 1..).unwrap_or_default().split_once('}') else {
            return Err(self.error(start, "this parameter is never closed with `}`"));
        };
        let (name, repeated) = written.strip_suffix("...").map_or((written, false), |name| (name, true));
        if !is_name(name) {
            let message =
                format!("`{}` is no parameter name; write lower-case letters, digits and `_`", excerpt(name, 40));
            return Err(self.error(start + 1, message));
        }
        if self.names.iter().any(|(known, _)| known == name) {
            return Err(self.error(start, format!("`{{{name}}}` stands here twice; give each parameter its own name")));
        }
        if repeated && !prefix.is_empty() {
            let message = format!("a repeated parameter stands alone; write a blank before `{{{name}...}}`");
            return Err(self.error(start, message));
        }
        if let Some((group, opened)) = self.group
            && prefix.is_empty()
            && self.steps.last().and_then(|step| step.group) != Some(group)
        {
            return Err(
                self.error(opened, "a group begins with a literal word, so that it can be told from what follows")
            );
        }
        self.at = start + written.len() + 2;
        self.parameter_ends(name)?;
        let column = self.error(start, "").column;
        self.names.push((name.to_owned(), column));
        let slot = Slot { index: self.names.len() - 1, prefix: prefix.to_owned(), repeated };
        self.push(Element::Parameter(slot));
        Ok(())
    }

    fn plain(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let length = self.rest().find([' ', ']', '[', '{', '\'']).unwrap_or(self.rest().len());
        let word = self.text.get(start..start + length).unwrap_or_default();
        if let Some((at, found)) = word.char_indices().find(|&(_, c)| !is_plain(c)) {
            let message = if is_printable(found) {
                let meant = match found {
                    '*' | '?' => "; for any file there write `{file}` and `where.file = { path = \"/…/*\" }`",
                    _ => "",
                };
                format!(
                    "`{found}` is not read outside quotes; to mean the character itself write the word as '…'{meant}"
                )
            } else {
                format!("U+{:04X} cannot stand in a command line", u32::from(found))
            };
            return Err(self.error(start + at, message));
        }
        self.at = start + length;
        match self.rest().chars().next() {
            Some('{') => self.parameter(word),
            Some('[') => Err(self.error(self.at, "a blank stands before `[`; write '[' in quotes for the character")),
            Some('\'') => Err(self.error(self.at, "quotes go round a whole word")),
            _ => {
                self.push(Element::Literal(word.to_owned()));
                Ok(())
            }
        }
    }

    /// What stands right after a parameter would be a part of its value for some lines and not for others.
    fn parameter_ends(&self, name: &str) -> Result<(), PatternError> {
        match self.rest().chars().next() {
            None | Some(' ' | ']') => Ok(()),
            Some(_) => {
                let message = format!(
                    "nothing is glued behind a parameter: write a blank after `{{{name}}}`, or what stands there as a part of \
                     its values (`pattern`, `one_of`)"
                );
                Err(self.error(self.at, message))
            }
        }
    }

    fn word_ends(&self) -> Result<(), PatternError> {
        match self.rest().chars().next() {
            None | Some(' ' | ']') => Ok(()),
            Some(_) => Err(self.error(self.at, "a blank stands between two words; text glued to a word is not read")),
        }
    }

    fn push(&mut self, element: Element) {
        self.steps.push(Step { element, group: self.group.map(|(group, _)| group) });
    }
}

/// Whether `c` may stand in a literal word outside quotes.
pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./:,+=@%^".contains(c)
}

fn is_name(name: &str) -> bool {
    name.len() <= 32
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
