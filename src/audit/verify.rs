//! Verification offline: the files and the public key, nothing else.
//!
//! The checkpoint's root decides whether the log is whole. Which entry is the bad one is then found with the side file of
//! leaf hashes, if its own root is the checkpoint's; a forged or missing side file makes the answer less exact, never
//! different. Memory does not grow with the log.

use std::path::Path;

use super::entry::{self, EntryError};
use super::merkle::{Node, Tree, hash_leaf};
use super::note::{self, Checkpoint, NoteError, VerifierKey};
use super::segments::{CHECKPOINT, Leaves, Lines, Piece, Segment};
use super::tiles::{TileCheck, TileState, Tiles};
use crate::domain::{Digest, Timestamp};

mod diagnosis;

/// Longest checkpoint file that is read, in bytes.
const LONGEST_CHECKPOINT: u64 = 128 * 1024;

/// What a whole log is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The log's name.
    pub origin: String,
    /// How many entries are under the checkpoint.
    pub entries: u64,
    /// Root of their tree.
    pub root: Digest,
    /// Time of the first entry.
    pub first: Option<Timestamp>,
    /// Time of the last one.
    pub last: Option<Timestamp>,
    /// Bytes after them that no checkpoint covers. A running bastion may be about to sign them; in a log at rest they are
    /// the remains of a crash, or the checkpoint was replaced by an older one.
    pub uncovered: u64,
    /// What was found of the tiles, which are derived: whatever it is, the log verifies.
    pub tiles: TileState,
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A file cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file or folder.
        path: String,
        /// What the system says.
        reason: String,
    },
    /// There is no checkpoint.
    #[error("there is no checkpoint; without it nothing shows which entries belong to the log")]
    NoCheckpoint,
    /// The checkpoint is not one of this log by this key.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(#[from] NoteError),
    /// An entry says something else than it did.
    #[error("entry {number} was changed")]
    Changed {
        /// Its number.
        number: u64,
    },
    /// Entries are missing, and later ones are there.
    #[error("entries {first} to {last} were dropped")]
    Dropped {
        /// The first missing one.
        first: u64,
        /// The last one in a row.
        last: u64,
    },
    /// An entry stands elsewhere.
    #[error("entries were reordered: where entry {number} belongs stands entry {found}")]
    Reordered {
        /// The first place that is wrong.
        number: u64,
        /// What stands there.
        found: u64,
    },
    /// A line that never was an entry, or a copy of one, stands before an entry.
    #[error("a foreign line was inserted before entry {number}")]
    Inserted {
        /// The entry behind it.
        number: u64,
    },
    /// The end is missing.
    #[error("the log was truncated: it holds {found} entries, and its checkpoint covers {expected}")]
    Truncated {
        /// How many are there.
        found: u64,
        /// How many there were.
        expected: u64,
    },
    /// Something was changed, and the side file that would tell what is missing or forged too.
    #[error(
        "at least one of the entries 0 to {last} was changed; which one cannot be said, because the file `leaves` is \
         missing or does not fit the checkpoint either"
    )]
    ChangedSomewhere {
        /// The last entry of the log.
        last: u64,
    },
    /// Signed as it stands, and yet no entry of ours: a newer version, or a fault.
    #[error("entry {number} cannot be read: {why}")]
    BadEntry {
        /// Its place.
        number: u64,
        /// Why not.
        why: EntryError,
    },
    /// Signed as it stands, with a number or time out of order.
    #[error("entry {number} is signed but numbered {found}, or earlier than the one before it")]
    OutOfOrder {
        /// Its place.
        number: u64,
        /// The number it has.
        found: u64,
    },
}

impl Problem {
    pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable { path: path.display().to_string(), reason: error.to_string() }
    }
}

/// Checks the log in `dir` against its checkpoint and `key`.
///
/// A log and a checkpoint that were both replaced by older ones pass: from the files alone nobody can tell. Keep
/// checkpoints elsewhere to compare (`docs/audit-log-format.md`).
///
/// # Errors
/// The first [`Problem`].
pub fn verify(dir: &Path, key: &VerifierKey) -> Result<Report, Problem> {
    let checkpoint = checkpoint(dir, key)?;
    let mut tiles = TileCheck::new(Tiles::of(dir, "none"));
    let scan = scan(dir, &checkpoint, &mut tiles)?;
    Ok(Report {
        tiles: tiles.finish(checkpoint.size),
        origin: checkpoint.origin,
        entries: checkpoint.size,
        root: checkpoint.root,
        first: scan.first,
        last: scan.last,
        uncovered: scan.uncovered(dir)?,
    })
}

/// The checkpoint in `dir`, if `key` signed it.
pub(super) fn checkpoint(dir: &Path, key: &VerifierKey) -> Result<Checkpoint, Problem> {
    signed_checkpoint(dir, key).map(|(checkpoint, _)| checkpoint)
}

/// As [`checkpoint`], with the note that it stands in.
pub(super) fn signed_checkpoint(dir: &Path, key: &VerifierKey) -> Result<(Checkpoint, String), Problem> {
    use std::io::Read as _;
    let path = dir.join(CHECKPOINT);
    let mut note = Vec::new();
    match std::fs::File::open(&path).and_then(|file| file.take(LONGEST_CHECKPOINT).read_to_end(&mut note)) {
        Ok(_) => Ok((note::open(&note, key)?, String::from_utf8_lossy(&note).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && dir.is_dir() => Err(Problem::NoCheckpoint),
        Err(error) => Err(Problem::unreadable(&path, &error)),
    }
}

/// What a whole log was found to be.
#[derive(Default)]
pub(super) struct Scan {
    /// The tree of its entries.
    pub(super) tree: Tree,
    /// The tree before the last segment.
    pub(super) before_segment: Tree,
    /// Time of the first entry.
    pub(super) first: Option<Timestamp>,
    /// Time of the last entry.
    pub(super) last: Option<Timestamp>,
    /// How many leading hashes of the side file are right.
    pub(super) good_leaves: u64,
    /// The segment of the last entry, and where in it that entry ends.
    pub(super) end: Option<(Segment, u64)>,
    /// Segments after it.
    pub(super) beyond: Vec<Segment>,
}

impl Scan {
    /// Bytes that no checkpoint covers.
    fn uncovered(&self, dir: &Path) -> Result<u64, Problem> {
        let length = |segment: &Segment| std::fs::metadata(&segment.path).map(|data| data.len());
        let tail = self.end.iter().map(|(segment, end)| length(segment).map(|all| all.saturating_sub(*end)));
        tail.chain(self.beyond.iter().map(length)).sum::<Result<u64, _>>().map_err(|e| Problem::unreadable(dir, &e))
    }
}

/// Who looks on while a log is read. What is shown may be an attacker's until [`scan`] has succeeded.
pub(super) trait Watch {
    /// The line of entry `number`.
    fn line(&mut self, _number: u64, _line: &[u8]) {}

    /// A subtree that is complete, leaves among them.
    fn node(&mut self, _node: Node, _hash: Digest) {}
}

/// Reads the entries that `checkpoint` covers, shows them to `watch`, and compares the root.
pub(super) fn scan(dir: &Path, checkpoint: &Checkpoint, watch: &mut dyn Watch) -> Result<Scan, Problem> {
    let unreadable = |error: std::io::Error| Problem::unreadable(dir, &error);
    let mut lines = Lines::open(dir).map_err(unreadable)?;
    let mut leaves = Leaves::open(dir).map_err(unreadable)?;
    let mut found = Scan::default();
    // Believed only if the root is right: until then it may be an attacker's.
    let mut fault = None;
    while found.tree.size() < checkpoint.size {
        let number = found.tree.size();
        let Some(Piece::Line(line)) = lines.next().map_err(unreadable)? else { break };
        let leaf = hash_leaf(line);
        let noted = leaves.as_mut().map(Leaves::next).transpose().map_err(unreadable)?;
        if noted == Some(Some(leaf)) {
            found.good_leaves += 1;
        } else {
            leaves = None;
        }
        match entry::stamp(line) {
            Ok(stamp) if stamp.sequence == number && found.last.is_none_or(|last| last <= stamp.time) => {
                found.first.get_or_insert(stamp.time);
                found.last = Some(stamp.time);
            }
            Ok(stamp) => fault = fault.or(Some(Problem::OutOfOrder { number, found: stamp.sequence })),
            Err(why) => fault = fault.or(Some(Problem::BadEntry { number, why })),
        }
        watch.line(number, line);
        if lines.position().is_some_and(|(segment, _)| segment.first == number) {
            found.before_segment = found.tree.clone();
        }
        found.tree.push_seen(leaf, &mut |node, hash| watch.node(node, hash));
    }
    if found.tree.size() != checkpoint.size || found.tree.root() != checkpoint.root {
        return Err(diagnosis::first_bad_entry(dir, checkpoint).map_err(unreadable)?);
    }
    found.end = lines.position().map(|(segment, end)| (segment.clone(), end));
    found.beyond = lines.unread().to_vec();
    fault.map_or(Ok(found), Err)
}
