//! The grammar of a control line: the one string that `ssh bastion …` delivers.
//!
//! ssh joins the caller's words with blanks and their quotes are gone by then, so this grammar is forgiving on purpose: words
//! split at blanks, a quote groups only where it opens a word and is closed at a word's end, every other quote is a plain
//! character, and nothing is expanded or refused but control characters. Free text runs to the next ` --option` or the end.
//! Owns the cutting; what a piece means is [`super::verb`]'s. Nothing cut here ever reaches a shell or a target.

use crate::domain::limits;

/// Why a line cannot be read. Columns are characters, from 1.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LineError {
    /// Longer than [`limits::LINE`] bytes.
    #[error("a line has at most {longest} bytes, and this one has {length}", longest = limits::LINE)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("column {column}: this is not UTF-8 text")]
    NotUtf8 {
        /// Where.
        column: usize,
    },
    /// A control character; a tab and a newline too.
    #[error("column {column}: the control character {found} cannot be part of a line; use a blank", found = found.escape_default())]
    Control {
        /// Where.
        column: usize,
        /// Which.
        found: char,
    },
}

/// A piece of the line and where it began.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The text, without the quotes that grouped it.
    pub text: String,
    /// The column of its first character, from 1.
    pub column: usize,
    /// Whether quotes grouped it: then it is never an option.
    pub quoted: bool,
}

impl Piece {
    /// The name, if this is written like an option: `--` and a letter first.
    #[must_use]
    pub fn option(&self) -> Option<&str> {
        if self.quoted {
            return None;
        }
        self.text.strip_prefix("--").filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
    }
}

/// Reads a line piece by piece; whoever reads says what kind of piece comes next.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Line<'a> {
    /// Takes the bytes as they came over the wire.
    ///
    /// # Errors
    /// [`LineError`] for what is no line of text.
    pub fn new(bytes: &'a [u8]) -> Result<Self, LineError> {
        if bytes.len() > limits::LINE {
            return Err(LineError::TooLong { length: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
            LineError::NotUtf8 { column: valid.map_or(0, |valid| valid.chars().count()) + 1 }
        })?;
        match text.chars().enumerate().find(|(_, c)| c.is_control()) {
            Some((index, found)) => Err(LineError::Control { column: index + 1, found }),
            None => Ok(Self { text, at: 0 }),
        }
    }

    /// What has not been read yet, without the blanks before it.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("").trim_start_matches(' ')
    }

    /// The column where [`Self::rest`] begins.
    #[must_use]
    pub fn column(&self) -> usize {
        let at = self.text.len() - self.rest().len();
        self.text.get(..at).map_or(0, |before| before.chars().count()) + 1
    }

    /// Whether nothing but blanks is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    fn advance_past(&mut self, length: usize) {
        self.at = self.text.len() - self.rest().len() + length;
    }

    /// The next word; `None` at the end.
    pub fn word(&mut self) -> Option<Piece> {
        let (rest, column) = (self.rest(), self.column());
        rest.chars().next()?;
        // A quote opens at the start of a word, or after the `=` of `--option=`.
        let value_at = if rest.starts_with("--") { value_offset(rest) } else { 0 };
        let (head, tail) = rest.split_at_checked(value_at).unwrap_or(("", rest));
        if let Some((inside, length)) = quoted(tail, |after| after.is_empty() || after.starts_with(' ')) {
            self.advance_past(value_at + length);
            return Some(Piece { text: format!("{head}{inside}"), column, quoted: value_at == 0 });
        }
        let word = rest.split(' ').next().unwrap_or(rest);
        self.advance_past(word.len());
        Some(Piece { text: word.to_owned(), column, quoted: false })
    }

    /// Free text: everything to the next ` --option` or the end, without the blanks around it. Quotes around all of it are
    /// taken off, and then it may contain what looks like an option. Empty if nothing is there.
    pub fn text(&mut self) -> Piece {
        let (rest, column) = (self.rest(), self.column());
        if let Some((inside, length)) = quoted(rest, ends_text) {
            self.advance_past(length);
            return Piece { text: inside.to_owned(), column, quoted: true };
        }
        let end = if begins_option(rest) { 0 } else { next_option(rest) };
        let text = rest.get(..end).unwrap_or(rest).trim_end_matches(' ');
        self.advance_past(end);
        Piece { text: text.to_owned(), column, quoted: false }
    }

    /// Everything that is left, exactly as it came (without the blanks before it).
    pub fn verbatim(&mut self) -> Piece {
        let (rest, column) = (self.rest(), self.column());
        self.at = self.text.len();
        Piece { text: rest.to_owned(), column, quoted: false }
    }

    /// Goes back to a column: to the value of `--option=value`, when that turns out to be free text.
    pub(super) fn go_back_to(&mut self, column: usize) {
        self.at = self.text.char_indices().nth(column.saturating_sub(1)).map_or(self.text.len(), |(at, _)| at);
    }
}

/// The text inside the quotes that `text` begins with, and the length with both quotes, if what follows the closing one
/// satisfies `closes`.
fn quoted(text: &str, closes: impl Fn(&str) -> bool) -> Option<(&str, usize)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = text.get(1..)?;
    let close = inside.match_indices(quote).map(|(at, _)| at).find(|at| inside.get(at + 1..).is_some_and(&closes))?;
    Some((inside.get(..close)?, close + 2))
}

fn begins_option(text: &str) -> bool {
    text.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()))
}

fn ends_text(after: &str) -> bool {
    let next = after.trim_start_matches(' ');
    next.is_empty() || (next.len() < after.len() && begins_option(next))
}

/// Where the next ` --option` begins, or the end.
fn next_option(text: &str) -> usize {
    text.match_indices(" --")
        .map(|(at, _)| at)
        .find(|at| text.get(at + 1..).is_some_and(begins_option))
        .unwrap_or(text.len())
}

/// Where the value of `--option=value` begins; 0 if there is no `=` in the word.
fn value_offset(text: &str) -> usize {
    let word = text.split(' ').next().unwrap_or(text);
    word.find('=').map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        let mut line = Line::new(line.as_bytes()).unwrap();
        std::iter::from_fn(|| line.word()).map(|piece| piece.text).collect()
    }

    #[test]
    fn words_split_at_blanks_and_only_balanced_quotes_group() {
        let rows: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("   ", &[]),
            ("whoami", &["whoami"]),
            ("  request   web  ", &["request", "web"]),
            ("a 'b c' d", &["a", "b c", "d"]),
            ("a \"b 'c\" d", &["a", "b 'c", "d"]),
            ("it's Bob's", &["it's", "Bob's"]),
            ("'open and never closed", &["'open", "and", "never", "closed"]),
            ("--on='web-1, web-2' x", &["--on=web-1, web-2", "x"]),
            ("$HOME `id` ; | > *", &["$HOME", "`id`", ";", "|", ">", "*"]),
            ("'a'b c'", &["a'b c"]),
            ("'' x", &["", "x"]),
        ];
        for (line, expected) in rows {
            assert_eq!(words(line), expected, "{line:?}");
        }
    }

    #[test]
    fn free_text_runs_to_the_next_option_or_the_end() {
        let rows = [
            ("INC-4711 nginx stuck", "INC-4711 nginx stuck", ""),
            ("nginx won't start --on web-1", "nginx won't start", "--on web-1"),
            ("a -- b --for 5m", "a -- b", "--for 5m"),
            ("a --5 b", "a --5 b", ""),
            ("\"try --now first\" --for 5m", "try --now first", "--for 5m"),
            ("\"nginx\" is stuck", "\"nginx\" is stuck", ""),
            ("  two  blanks  ", "two  blanks", ""),
            ("--on web-1", "", "--on web-1"),
            ("", "", ""),
        ];
        for (line, text, rest) in rows {
            let mut line = Line::new(line.as_bytes()).unwrap();
            assert_eq!((line.text().text.as_str(), line.rest()), (text, rest), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_column() {
        assert_eq!(Line::new("ä b\tc".as_bytes()).unwrap_err(), LineError::Control { column: 4, found: '\t' });
        assert_eq!(Line::new(b"a\0b").unwrap_err(), LineError::Control { column: 2, found: '\0' });
        assert_eq!(Line::new(b"\xc3\xa4\xff").unwrap_err(), LineError::NotUtf8 { column: 2 });
        let long = vec![b'a'; limits::LINE + 1];
        assert_eq!(Line::new(&long).unwrap_err(), LineError::TooLong { length: limits::LINE + 1 });
        assert!(Line::new(&long[1..]).is_ok());
    }

    #[test]
    fn columns_count_characters() {
        let mut line = Line::new("ää  b 'c d' e".as_bytes()).unwrap();
        let columns: Vec<_> = std::iter::from_fn(|| line.word()).map(|piece| piece.column).collect();
        assert_eq!(columns, [1, 5, 7, 13]);
    }
}
