//! Reads a recording back: what passed, byte for byte, from a file that may say anything.

use std::io::{self, BufRead, Read as _};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::{Digest, text};

use super::{Header, HeaderLine, OURS, Track};

/// Longest line that the reader takes, in bytes: a chunk of which each byte is escaped, with room.
const LONGEST_LINE: u64 = 1024 * 1024;

/// Why a file cannot be read (on).
#[derive(Debug, thiserror::Error)]
pub enum CastError {
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Line `line` is not what it should be.
    #[error("line {line} of the recording: {what}")]
    Malformed {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

/// Something that happened in a recording.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// How long after the beginning.
    pub time: Duration,
    /// What.
    pub what: Happened,
}

/// See [`Event`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Happened {
    /// Bytes passed.
    Passed(Track, Vec<u8>),
    /// A stream of which only the beginning is recorded: its length in all, and its SHA-256.
    Whole(Track, u64, Digest),
    /// The command ended with this exit code; the recording is complete.
    Exit(u8),
}

/// Reads a recording line by line. Memory is bounded by the longest line, whatever the file says.
#[derive(Debug)]
pub struct Reader<R> {
    file: R,
    line: u64,
    terminal: bool,
    broken: bool,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`CastError`], also for a version other than 2 and for recordings that are not ours.
    pub fn open(file: R) -> Result<(Header, Self), CastError> {
        let mut reader = Self { file, line: 0, terminal: true, broken: false };
        let line = reader.next_line()?.unwrap_or_default();
        let HeaderLine { version, width, height, timestamp, title, doorward } =
            serde_json::from_slice(&line).map_err(|error| reader.malformed(error))?;
        if version != 2 {
            return Err(reader.malformed(format_args!("version {version}, and only version 2 is known here")));
        }
        reader.terminal = doorward.terminal;
        Ok((Header { width, height, timestamp, title, doorward }, reader))
    }

    fn malformed(&self, what: impl std::fmt::Display) -> CastError {
        CastError::Malformed { line: self.line, what: text::excerpt(&what.to_string(), 120) }
    }

    /// The next whole line; `None` at the end. A last line without a newline was cut off and does not count.
    fn next_line(&mut self) -> Result<Option<Vec<u8>>, CastError> {
        let mut line = Vec::new();
        self.line += 1;
        let read = self.file.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line)? as u64;
        if read > LONGEST_LINE {
            return Err(self.malformed("it is too long"));
        }
        Ok(line.pop_if(|last| *last == b'\n').map(|_| line))
    }

    fn next_event(&mut self) -> Result<Option<Event>, CastError> {
        let mut mark = Mark::default();
        while let Some(line) = self.next_line()? {
            let (seconds, code, data): (f64, String, String) =
                serde_json::from_slice(&line).map_err(|error| self.malformed(error))?;
            let time = Duration::try_from_secs_f64(seconds).map_err(|error| self.malformed(error))?;
            let time = Duration::from_micros(u64::try_from((time.as_nanos() + 500) / 1000).unwrap_or(u64::MAX));
            let track = match code.as_str() {
                "i" => Track::Input,
                "o" if mark.error => Track::Error,
                "o" => Track::Output,
                OURS => match Mark::parse(&data).ok_or_else(|| self.malformed("an unknown mark"))? {
                    Mark { exit: Some(exit), .. } => return Ok(Some(Event { time, what: Happened::Exit(exit) })),
                    Mark { whole: Some((track, bytes, digest)), .. } => {
                        return Ok(Some(Event { time, what: Happened::Whole(track, bytes, digest) }));
                    }
                    read => {
                        mark = read;
                        continue;
                    }
                },
                // Other codes (resize, marker) hold no bytes of the command.
                _ => continue,
            };
            let bytes = match mark.bytes {
                Some(exact) => exact,
                None if self.terminal || track == Track::Input => data.into_bytes(),
                None => data.replace("\r\n", "\n").into_bytes(),
            };
            return Ok(Some(Event { time, what: Happened::Passed(track, bytes) }));
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Event, CastError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let next = self.next_event().transpose();
        self.broken = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What an event of ours says: about the next event, or the end.
#[derive(Default)]
struct Mark {
    error: bool,
    bytes: Option<Vec<u8>>,
    whole: Option<(Track, u64, Digest)>,
    exit: Option<u8>,
}

impl Mark {
    fn parse(data: &str) -> Option<Self> {
        let mut mark = Self::default();
        let mut words = data.split(' ');
        while let Some(word) = words.next() {
            match word {
                "error" => mark.error = true,
                "bytes" => mark.bytes = Some(STANDARD.decode(words.next()?).ok()?),
                "whole" => {
                    let name = words.next()?;
                    let track = Track::ALL.into_iter().find(|track| track.name() == name)?;
                    mark.whole = Some((track, words.next()?.parse().ok()?, words.next()?.parse().ok()?));
                }
                "exit" => mark.exit = Some(words.next()?.parse().ok()?),
                _ => return None,
            }
        }
        Some(mark)
    }
}
