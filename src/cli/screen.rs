//! The only place that writes to standard output and standard error.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

/// Both streams. A failed write is kept until [`Screen::close`], so that verbs need not look after each line.
pub struct Screen {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    broken: Option<io::Error>,
}

impl Screen {
    /// The process's own streams.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(Box::new(io::BufWriter::new(io::stdout().lock())), Box::new(io::stderr().lock()))
    }

    /// Streams of the caller's.
    #[must_use]
    pub fn new(out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self { out, err, broken: None }
    }

    /// One line (or several) of what was asked for.
    pub fn say(&mut self, text: impl Display) {
        if self.broken.is_none() {
            self.broken = writeln!(self.out, "{text}").err();
        }
    }

    /// One line (or several) about it, on standard error.
    pub fn note(&mut self, text: impl Display) {
        // Nothing can be done about a standard error that is gone; what matters is on standard output.
        let _ = self.out.flush();
        let _ = writeln!(self.err, "{text}");
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
