//! The log's files as a stream of lines: what writer, verifier and search all read through.
//!
//! Owns the names of the files and the bounded, constant-memory way through them. Refuses to judge: whether the lines are
//! the right ones is `verify`'s business.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::entry::LONGEST_LINE;
use crate::domain::Digest;

mod find;

pub(super) use find::find;

/// The signed state of the log.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// The leaf hashes, 32 bytes each: derived, so that a changed entry can be named. Bound to the checkpoint by its root.
pub(super) const LEAVES: &str = "leaves";
/// Space on the disk that is given up when it is full.
pub(super) const RESERVE: &str = "reserve";
/// Bytes of one leaf hash.
pub(super) const LEAF: u64 = 32;

/// Name of the segment whose first entry is `first`. Twenty digits, so that the names sort like the numbers.
pub(super) fn segment_name(first: u64) -> String {
    format!("{first:020}.jsonl")
}

/// A file of entries.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    /// Number of its first entry.
    pub(super) first: u64,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// The segments in `dir`, in order. Files with other names are none of ours.
pub(super) fn list(dir: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(dir)? {
        let file = file?;
        let Some(name) = file.file_name().to_str().map(str::to_owned) else { continue };
        let Some(first) = name.strip_suffix(".jsonl").and_then(|digits| digits.parse().ok()) else { continue };
        // Only plain files: a pipe of that name would make a reader wait for ever.
        if name == segment_name(first) && file.file_type()?.is_file() {
            found.push(Segment { first, path: file.path() });
        }
    }
    found.sort_by_key(|segment| segment.first);
    Ok(found)
}

/// What stands next in the log.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Piece<'a> {
    /// A line, without its newline.
    Line(&'a [u8]),
    /// The end of a segment without a newline.
    Torn {
        /// Whether no segment follows.
        last: bool,
    },
    /// A line longer than any of ours.
    TooLong,
    /// The next segment begins with another entry than the one that is due.
    Gap {
        /// The number in its name.
        found: u64,
    },
}

/// Reads the lines of all segments one after the other.
pub(super) struct Lines {
    rest: std::vec::IntoIter<Segment>,
    current: Option<(Segment, BufReader<File>)>,
    /// Number of the entry that is due.
    due: u64,
    /// Where in the current segment the entry that is due begins.
    offset: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// From the first entry on.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self::of(list(dir)?, 0))
    }

    /// From entry `due` on, which the first of `segments` begins with.
    pub(super) fn of(segments: Vec<Segment>, due: u64) -> Self {
        Self { rest: segments.into_iter(), current: None, due, offset: 0, buffer: Vec::new() }
    }

    /// The segment being read, and how much of it was read as whole lines.
    pub(super) fn position(&self) -> Option<(&Segment, u64)> {
        self.current.as_ref().map(|(segment, _)| (segment, self.offset))
    }

    /// The segments not begun yet.
    pub(super) fn unread(&self) -> &[Segment] {
        self.rest.as_slice()
    }

    /// The next piece; `None` at the end. After a piece that is not a line, only a gap can be read past.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece<'_>>> {
        loop {
            let Some((_, reader)) = &mut self.current else {
                let Some(segment) = self.rest.next() else { return Ok(None) };
                let found = segment.first;
                self.current = Some((segment.clone(), BufReader::with_capacity(64 * 1024, File::open(&segment.path)?)));
                self.offset = 0;
                if found != self.due {
                    self.due = found;
                    return Ok(Some(Piece::Gap { found }));
                }
                continue;
            };
            self.buffer.clear();
            let longest = LONGEST_LINE as u64 + 1;
            let read = reader.by_ref().take(longest).read_until(b'\n', &mut self.buffer)? as u64;
            if read == 0 && !self.rest.as_slice().is_empty() {
                self.current = None;
                continue;
            }
            if read == 0 {
                return Ok(None);
            }
            if self.buffer.pop_if(|last| *last == b'\n').is_some() {
                self.offset += read;
                self.due += 1;
                return Ok(Some(Piece::Line(&self.buffer)));
            }
            let last = self.rest.as_slice().is_empty();
            return Ok(Some(if read == longest { Piece::TooLong } else { Piece::Torn { last } }));
        }
    }
}

/// The side file of leaf hashes, read in order or at one place.
pub(super) struct Leaves(BufReader<File>);

impl Leaves {
    /// From the first leaf on; `None` if there is no such file.
    pub(super) fn open(dir: &Path) -> io::Result<Option<Self>> {
        match File::open(dir.join(LEAVES)) {
            Ok(file) => Ok(Some(Self(BufReader::with_capacity(64 * 1024, file)))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The next leaf; `None` where the file ends.
    pub(super) fn next(&mut self) -> io::Result<Option<Digest>> {
        let mut leaf = [0; 32];
        match self.0.read_exact(&mut leaf) {
            Ok(()) => Ok(Some(Digest::from_bytes(leaf))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The leaf of entry `number`; the next one read is the one after it.
    pub(super) fn at(&mut self, number: u64) -> io::Result<Option<Digest>> {
        self.seek(number)?;
        self.next()
    }

    /// Makes the leaf of entry `number` the next one.
    pub(super) fn seek(&mut self, number: u64) -> io::Result<()> {
        self.0.seek(SeekFrom::Start(number.saturating_mul(LEAF))).map(drop)
    }
}
