//! Splits a command line into words. Shell syntax is an error that names character and column, never interpreted.
//!
//! Nothing is expanded: what comes out is what stood there, with quotes and backslashes taken away. Whether the words may
//! run is for [`mod@super::decide`]; how they reach a shell again is for [`super::render`].

mod refused;

use std::fmt;

use crate::domain::limits::LINE;
use crate::domain::text::{is_printable, is_printable_ascii};

pub use refused::WordsError;

/// What a shell would act on, outside quotes. A newline is a control character and refused as one.
const SHELL: &str = ";&|<>()$`*?[]{}~#!";

/// One word and where it began. Its `Debug` does not show it: it may be a secret.
#[derive(Clone, Eq, PartialEq)]
pub struct Word {
    text: String,
    column: usize,
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Word(at {})", self.column)
    }
}

impl Word {
    /// The word, without the quoting it was typed in.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it began: characters of the line, from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }
}

/// A command line, split.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Words {
    words: Vec<Word>,
}

impl Words {
    /// Splits `line`, at most [`crate::domain::limits::LINE`] bytes.
    ///
    /// Words split at blanks; `'…'` and `"…"` group, `\` before a printable ASCII character takes its meaning away.
    ///
    /// # Errors
    /// [`WordsError`] names the first character that is not plain words.
    pub fn split(line: &[u8]) -> Result<Self, WordsError> {
        if line.len() > LINE {
            return Err(WordsError::TooLong { bytes: line.len() });
        }
        let text = std::str::from_utf8(line).map_err(|error| {
            let valid = line.get(..error.valid_up_to()).unwrap_or_default();
            WordsError::NotUtf8 { column: String::from_utf8_lossy(valid).chars().count() + 1 }
        })?;
        // First, because these are refused wherever they stand, so that no message below has to care.
        if !is_printable_ascii(text)
            && let Some((at, found)) = text.chars().enumerate().find(|&(_, c)| !is_plain(c))
        {
            return Err(WordsError::Unprintable { column: at + 1, found });
        }
        let mut splitter = Splitter::default();
        let (mut rest, mut column) = (text, 1);
        while let Some(c) = rest.chars().next() {
            let run = splitter.run(rest, c);
            splitter.take(column, c, run)?;
            column += run.chars().count();
            rest = rest.get(run.len()..).unwrap_or_default();
        }
        splitter.finish()
    }

    /// The words as text, in order. Never empty.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(Word::text)
    }

    /// The words with their columns, in order. Never empty.
    #[must_use]
    pub fn as_slice(&self) -> &[Word] {
        &self.words
    }
}

/// Whether `c` may stand anywhere in a line: printable, and no blank other than the plain one, which would look like the end
/// of a word and not be it.
fn is_plain(c: char) -> bool {
    is_printable(c) && (c == ' ' || !c.is_whitespace())
}

/// Whether `byte` means itself wherever it stands, but behind a backslash.
fn is_ordinary(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-' | b',' | b':' | b'@' | b'%' | b'+')
}

/// What the next character belongs to.
#[derive(Clone, Copy, Debug, Default)]
enum Inside {
    #[default]
    Nothing,
    Single {
        opened: usize,
    },
    Double {
        opened: usize,
    },
    Backslash {
        at: usize,
    },
}

#[derive(Default)]
struct Splitter {
    words: Vec<Word>,
    word: Option<Word>,
    /// Whether the word so far could be the `NAME` of an assignment: letters, digits, `_`, all unquoted.
    name: bool,
    inside: Inside,
}

impl Splitter {
    /// What of `rest`, which begins with `c`, is taken in one piece: all that means itself, because a line may be long.
    fn run<'l>(&self, rest: &'l str, c: char) -> &'l str {
        let escaped = matches!(self.inside, Inside::Backslash { .. });
        let ordinary = rest.bytes().take_while(|byte| !escaped && is_ordinary(*byte)).count();
        rest.get(..ordinary.max(c.len_utf8())).unwrap_or(rest)
    }

    /// `run` begins with `c`, and is no more unless all of it is ordinary.
    fn take(&mut self, column: usize, c: char, run: &str) -> Result<(), WordsError> {
        match (self.inside, c) {
            (Inside::Single { .. }, '\'') | (Inside::Double { .. }, '"') => self.inside = Inside::Nothing,
            (Inside::Single { .. }, _) => self.push(column, run),
            (Inside::Double { .. }, '$' | '`' | '\\') => return Err(WordsError::InDouble { column, found: c }),
            (Inside::Double { .. }, _) => self.push(column, run),
            (Inside::Backslash { .. }, ' '..='~') => {
                self.push(column, run);
                self.inside = Inside::Nothing;
            }
            (Inside::Backslash { at }, _) => return Err(WordsError::Backslash { column: at }),
            (Inside::Nothing, ' ') => self.words.extend(self.word.take()),
            (Inside::Nothing, '\'') => self.quote(column, Inside::Single { opened: column }),
            (Inside::Nothing, '"') => self.quote(column, Inside::Double { opened: column }),
            (Inside::Nothing, '\\') => self.quote(column, Inside::Backslash { at: column }),
            (Inside::Nothing, '=') if self.assigns() => {
                let name = self.word.as_ref().map(|word| word.text.clone()).unwrap_or_default();
                let column = self.word.as_ref().map_or(column, Word::column);
                return Err(WordsError::Assignment { column, name });
            }
            (Inside::Nothing, _) if SHELL.contains(c) => return Err(WordsError::Shell { column, found: c }),
            (Inside::Nothing, _) => self.plain(column, run),
        }
        Ok(())
    }

    /// Opens a quotation; the word exists from here on, be it empty, and is no assignment.
    fn quote(&mut self, column: usize, inside: Inside) {
        self.word.get_or_insert_with(|| Word { text: String::new(), column });
        self.name = false;
        self.inside = inside;
    }

    fn push(&mut self, column: usize, run: &str) {
        self.word.get_or_insert_with(|| Word { text: String::new(), column }).text.push_str(run);
    }

    /// `run`, at least one character, outside quotes.
    fn plain(&mut self, column: usize, run: &str) {
        let begins = |c: char| c.is_ascii_alphabetic() || c == '_';
        // `NAME+=` assigns too, in some shells.
        let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '+';
        let mut characters = run.chars();
        let first =
            characters.next().is_some_and(|c| if self.word.is_some() { self.name && goes_on(c) } else { begins(c) });
        self.name = first && characters.all(goes_on);
        self.push(column, run);
    }

    /// Only before the program does a shell read `NAME=` as an assignment.
    fn assigns(&self) -> bool {
        self.words.is_empty() && self.word.is_some() && self.name
    }

    fn finish(mut self) -> Result<Words, WordsError> {
        match self.inside {
            Inside::Single { opened } => return Err(WordsError::Open { column: opened, quote: '\'' }),
            Inside::Double { opened } => return Err(WordsError::Open { column: opened, quote: '"' }),
            Inside::Backslash { at } => return Err(WordsError::Backslash { column: at }),
            Inside::Nothing => self.words.extend(self.word.take()),
        }
        if self.words.is_empty() { Err(WordsError::Empty) } else { Ok(Words { words: self.words }) }
    }
}

#[cfg(test)]
mod tests;
