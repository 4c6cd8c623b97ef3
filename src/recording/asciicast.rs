//! asciicast v2 (<https://docs.asciinema.org/manual/asciicast/v2/>): an encoder, and a [`Reader`] for files from anywhere.
//!
//! Every byte that is recorded is in the file, and any player shows it. What the format has no word for stands in events of
//! our own code `d`, which players pass over: which output was standard error, the exact bytes where they were not UTF-8, the
//! length and digest of a stream that was recorded in part, the exit code. `docs/audit-log-format.md` has the grammar.
//! Refuses to know files and clocks.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::domain::{Digest, text};

mod reader;

pub use reader::{CastError, Event, Happened, Reader};

/// Most bytes of a command's stream in one event.
const CHUNK: usize = 32 * 1024;
/// From so many bytes on, an event of which much is no text shows one U+FFFD for all of it: nobody reads it, and each byte
/// would cost three.
const BINARY: usize = 1024;
/// The code of our own events.
const OURS: &str = "d";

/// Which way bytes went.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Track {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
    /// Standard error; shown as output.
    Error,
}

impl Track {
    /// Every track, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Input, Self::Output, Self::Error];

    fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Error => "error",
        }
    }
}

/// The first line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// Columns of the terminal.
    pub width: u16,
    /// Its lines.
    pub height: u16,
    /// When it began, in seconds since the Unix epoch.
    pub timestamp: i64,
    /// The command line as typed.
    pub title: String,
    /// What is ours in it.
    pub doorward: Origin,
}

/// Where a recording comes from.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The connection.
    pub session: String,
    /// The command.
    pub command: String,
    /// Whose.
    pub user: String,
    /// On which target.
    pub target: String,
    /// Whether the command had a terminal. Without one, each newline of its output is recorded as carriage return and
    /// newline, as a terminal would have shown it.
    pub terminal: bool,
}

#[derive(Serialize, Deserialize)]
struct HeaderLine {
    version: u8,
    width: u16,
    height: u16,
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    title: String,
    doorward: Origin,
}

/// Turns what passes into lines of the file.
#[derive(Debug)]
pub struct Encoder {
    terminal: bool,
    last: Duration,
    /// The beginning of a character whose end has not come yet, for each track.
    begun: [Vec<u8>; 3],
}

impl Encoder {
    /// The encoder of one recording, and its header line.
    #[must_use]
    pub fn new(header: &Header) -> (Self, String) {
        let Header { width, height, timestamp, ref title, ref doorward } = *header;
        let fields =
            HeaderLine { version: 2, width, height, timestamp, title: title.clone(), doorward: doorward.clone() };
        let encoder = Self { terminal: doorward.terminal, last: Duration::ZERO, begun: Default::default() };
        (encoder, json(&fields) + "\n")
    }

    /// Adds `bytes` that passed `elapsed` after the beginning to `file`. Time never runs back in it.
    pub fn passed(&mut self, elapsed: Duration, track: Track, bytes: &[u8], file: &mut String) {
        self.last = self.last.max(elapsed);
        let mut all = std::mem::take(self.begun_mut(track));
        all.extend_from_slice(bytes);
        let unfinished = unfinished_character(&all);
        let rest = all.split_off(all.len() - unfinished);
        *self.begun_mut(track) = rest;
        let mut left: &[u8] = &all;
        while !left.is_empty() {
            // Cut between characters where there are any.
            let most = left.len().min(CHUNK);
            let cut = most - left.get(..most).map_or(0, unfinished_character);
            let Some((now, later)) = left.split_at_checked(if cut == 0 { most } else { cut }) else { break };
            self.event(track, now, file);
            left = later;
        }
    }

    /// Says of a stream that was recorded in part how many bytes passed in all, and their SHA-256.
    pub fn whole(&mut self, track: Track, bytes: u64, digest: Digest, file: &mut String) {
        self.line(OURS, &format!("whole {} {bytes} {digest}", track.name()), file);
    }

    /// Ends the recording with the exit code that the client got.
    pub fn finish(&mut self, elapsed: Duration, exit: u8, file: &mut String) {
        self.last = self.last.max(elapsed);
        for track in Track::ALL {
            let rest = std::mem::take(self.begun_mut(track));
            if !rest.is_empty() {
                self.event(track, &rest, file);
            }
        }
        self.line(OURS, &format!("exit {exit}"), file);
    }

    fn begun_mut(&mut self, track: Track) -> &mut Vec<u8> {
        let [input, output, error] = &mut self.begun;
        match track {
            Track::Input => input,
            Track::Output => output,
            Track::Error => error,
        }
    }

    fn event(&self, track: Track, bytes: &[u8], file: &mut String) {
        let text = std::str::from_utf8(bytes);
        let shown = match text {
            Ok(text) => Cow::Borrowed(text),
            Err(_) if is_binary(bytes) => Cow::Borrowed("\u{fffd}"),
            Err(_) => String::from_utf8_lossy(bytes),
        };
        match (track == Track::Error, text.is_err()) {
            (false, false) => {}
            (true, false) => self.line(OURS, "error", file),
            (error, true) => self.exact(if error { "error bytes " } else { "bytes " }, bytes, file),
        }
        match track {
            Track::Input => self.line("i", &shown, file),
            Track::Output | Track::Error if self.terminal => self.line("o", &shown, file),
            Track::Output | Track::Error => self.line("o", &shown.replace('\n', "\r\n"), file),
        }
    }

    fn line(&self, code: &str, data: &str, file: &mut String) {
        self.begin_line(code, file);
        file.push_str(&json(&data));
        file.push_str("]\n");
    }

    /// The mark that holds `bytes` as they are. Base64 needs no escaping, so it is written in place.
    fn exact(&self, mark: &str, bytes: &[u8], file: &mut String) {
        self.begin_line(OURS, file);
        file.push('"');
        file.push_str(mark);
        STANDARD.encode_string(bytes, file);
        file.push_str("\"]\n");
    }

    fn begin_line(&self, code: &str, file: &mut String) {
        let (seconds, micros) = (self.last.as_secs(), self.last.subsec_micros());
        // Writing to a String does not fail.
        let _ = write!(file, "[{seconds}.{micros:06}, \"{code}\", ");
    }
}

fn json(value: &impl Serialize) -> String {
    // Strings and numbers alone: there is nothing that could fail.
    text::escape_json(&serde_json::to_string(value).unwrap_or_default()).into_owned()
}

/// Whether more than a sixteenth of a long `bytes` is no text. Looks no further than it must.
fn is_binary(bytes: &[u8]) -> bool {
    let mut wrong = 0;
    bytes.len() >= BINARY
        && bytes.utf8_chunks().any(|chunk| {
            wrong += chunk.invalid().len();
            wrong > bytes.len() / 16
        })
}

/// How many bytes at the end of `bytes` are the beginning of a character that more bytes could complete.
fn unfinished_character(bytes: &[u8]) -> usize {
    let tail = bytes.get(bytes.len().saturating_sub(3)..).unwrap_or(bytes);
    (1..=tail.len())
        .rev()
        .find(|&length| {
            let end = tail.get(tail.len() - length..).unwrap_or_default();
            matches!(std::str::from_utf8(end), Err(error) if error.valid_up_to() == 0 && error.error_len().is_none())
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests;
