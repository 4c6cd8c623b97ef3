//! Why a line is not plain words, and what to type instead.

use std::fmt;

use crate::domain::limits::LINE;
use crate::domain::text::excerpt;

/// Why a line is not plain words. Columns count characters from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum WordsError {
    /// Nothing but blanks.
    Empty,
    /// More than [`LINE`] bytes.
    TooLong {
        /// How many there were.
        bytes: usize,
    },
    /// Bytes that are not UTF-8.
    NotUtf8 {
        /// Where the first of them stands.
        column: usize,
    },
    /// A control character, or one that shows as nothing, as something else, or as a blank that it is not.
    Unprintable {
        /// Where.
        column: usize,
        /// The character.
        found: char,
    },
    /// Something a shell would act on, outside quotes.
    Shell {
        /// Where.
        column: usize,
        /// The character.
        found: char,
    },
    /// `NAME=` before the program.
    Assignment {
        /// Where the name begins.
        column: usize,
        /// The name.
        name: String,
    },
    /// `$`, a backtick or `\` between double quotes.
    InDouble {
        /// Where.
        column: usize,
        /// The character.
        found: char,
    },
    /// A quotation mark without its partner.
    Open {
        /// Where it stands.
        column: usize,
        /// The mark.
        quote: char,
    },
    /// `\` at the end, or before something that is not printable ASCII.
    Backslash {
        /// Where it stands.
        column: usize,
    },
}

impl WordsError {
    /// Where, in characters from 1; `None` when the whole line is meant.
    #[must_use]
    pub fn column(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::TooLong { .. } => None,
            Self::NotUtf8 { column }
            | Self::Unprintable { column, .. }
            | Self::Shell { column, .. }
            | Self::Assignment { column, .. }
            | Self::InDouble { column, .. }
            | Self::Open { column, .. }
            | Self::Backslash { column } => Some(*column),
        }
    }

    /// What stands where, then what to type instead: a line of a terminal each. Nothing in it needs escaping.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.fact()];
        lines.extend(self.advice());
        if self.quotes_may_be_gone() {
            lines.push("ssh removed the quotes you typed: quote the whole command once more".to_owned());
        }
        lines
    }

    /// The same of a line that stands in a file, where nobody took quotes away.
    #[must_use]
    pub fn in_a_file(&self) -> String {
        std::iter::once(self.fact()).chain(self.advice()).collect::<Vec<_>>().join("; ")
    }

    fn fact(&self) -> String {
        match self {
            Self::Empty => "the line has no words".to_owned(),
            Self::TooLong { bytes } => format!("the line has {bytes} bytes, and at most {LINE} are read"),
            Self::NotUtf8 { column } => format!("the line is not UTF-8 from character {column} on"),
            Self::Unprintable { column, found } => {
                format!("character {column} is U+{:04X}, a control or invisible one", u32::from(*found))
            }
            Self::Shell { column, found } => {
                format!("`{found}` at character {column} is shell syntax; no shell reads this line")
            }
            Self::Assignment { column, name } => {
                format!("`{}=` at character {column} would set a variable", excerpt(name, 40))
            }
            Self::InDouble { column, found } => {
                format!("`{found}` at character {column} stands between double quotes")
            }
            Self::Open { column, quote } => {
                format!("the quotation that {quote} opens at character {column} is never closed")
            }
            Self::Backslash { column } => {
                format!("`\\` at character {column} must stand before printable ASCII")
            }
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unprintable { .. } => Some("no command line may hold it; take it out".to_owned()),
            Self::Shell { found, .. } => Some(format!("to mean the character itself write '{found}'")),
            Self::Assignment { .. } => Some("the environment of a command is fixed by its role".to_owned()),
            Self::InDouble { .. } => Some("use single quotes there".to_owned()),
            Self::Empty | Self::TooLong { .. } | Self::NotUtf8 { .. } | Self::Open { .. } | Self::Backslash { .. } => {
                None
            }
        }
    }

    /// Whether the caller's own shell may have taken quotes away that would have made the line plain.
    fn quotes_may_be_gone(&self) -> bool {
        matches!(self, Self::Shell { .. } | Self::InDouble { .. } | Self::Open { .. } | Self::Backslash { .. })
    }
}

/// [`WordsError::lines`] as one sentence, for a log.
impl fmt::Display for WordsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("; "))
    }
}

impl std::error::Error for WordsError {}
