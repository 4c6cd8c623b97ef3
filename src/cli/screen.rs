//! The only place that writes to standard output and standard error.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::rc::Rc;

use crate::domain::text::is_printable;

/// Both streams. A failed write is kept until [`Screen::close`], so that verbs need not look after each line.
pub struct Screen {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    broken: Option<io::Error>,
}

impl Screen {
    /// The process's own streams. Not locked for good: the operator's messages of `serve` go to standard error too, from other
    /// threads.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(Box::new(io::BufWriter::new(io::stdout())), Box::new(io::stderr()))
    }

    /// Streams of the caller's.
    #[must_use]
    pub fn new(out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self { out, err, broken: None }
    }

    /// A screen in memory, and what will have been written to either stream: for verbs run by the demo.
    #[must_use]
    pub fn collecting() -> (Self, Collected) {
        let collected = Collected::default();
        (Self::new(Box::new(collected.clone()), Box::new(collected.clone())), collected)
    }

    /// One line (or several) of what was asked for.
    pub fn say(&mut self, text: impl Display) {
        if self.broken.is_none() {
            self.broken = writeln!(self.out, "{}", harmless(text)).err();
        }
    }

    /// Standard output itself, for a verb that tells a story as it happens.
    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut *self.out
    }

    /// One line (or several) about it, on standard error.
    pub fn note(&mut self, text: impl Display) {
        // Nothing can be done about a standard error that is gone; what matters is on standard output.
        let _ = self.out.flush();
        let _ = writeln!(self.err, "{}", harmless(text));
    }

    /// Flushes, and makes `code` the answer unless the output was lost. A reader that went away early (`| head`) had what it
    /// wanted.
    pub fn close(mut self, code: u8) -> u8 {
        let flushed = self.out.flush().err();
        match self.broken.take().or(flushed) {
            None => code,
            Some(error) if error.kind() == ErrorKind::BrokenPipe => code,
            Some(error) => {
                let _ = writeln!(self.err, "doorward: the output could not be written: {error}");
                code.max(1)
            }
        }
    }
}

/// What a terminal may be given: whoever puts words together escapes what is foreign in them, and this holds if one of them ever
/// did not. Line ends and tabs stay.
fn harmless(text: impl Display) -> String {
    let text = text.to_string();
    let safe = |c: char| matches!(c, '\n' | '\t') || is_printable(c);
    if text.chars().all(safe) {
        return text;
    }
    let escaped = |c: char| if safe(c) { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(escaped).collect()
}

/// What was written to a [`Screen::collecting`].
#[derive(Clone, Debug, Default)]
pub struct Collected(Rc<RefCell<Vec<u8>>>);

impl Collected {
    /// The text so far.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.borrow()).into_owned()
    }
}

impl Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_on_reaches_it() {
        let (mut screen, collected) = Screen::collecting();
        screen.say("a\u{9b}2J\tb\u{1b}[31m\r\n\u{202e}ü");
        screen.note("\u{85}c");
        assert_eq!(screen.close(0), 0);
        assert_eq!(collected.text(), "a\\u{9b}2J\tb\\u{1b}[31m\\r\n\\u{202e}ü\n\\u{85}c\n");
    }
}
