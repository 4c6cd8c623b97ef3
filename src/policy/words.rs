//! Splits a command line into words. Shell syntax is an error that names character and column, never interpreted.

/// A command line, split.
#[derive(Clone, Debug)]
pub struct Words {}

impl Words {
    /// Splits `line`, at most [`crate::domain::limits::LINE`] bytes.
    ///
    /// # Errors
    /// [`WordsError`] names the first character that is not plain words.
    pub fn split(_line: &[u8]) -> Result<Self, WordsError> {
        todo!()
    }

    /// The words as text, in order. Never empty.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
}

/// Why a line is not plain words.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("")]
pub struct WordsError {}
