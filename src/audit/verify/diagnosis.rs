//! Which entry of a log that is not whole is the first bad one, and how.

use std::io;
use std::path::Path;

use super::Problem;
use crate::audit::entry;
use crate::audit::merkle::{Tree, hash_leaf};
use crate::audit::note::Checkpoint;
use crate::audit::segments::{Leaves, Lines, Piece};
use crate::domain::Digest;

/// Names the first bad entry of a log whose root is not the checkpoint's.
pub(super) fn first_bad_entry(dir: &Path, checkpoint: &Checkpoint) -> io::Result<Problem> {
    let mut judge = Judge::of(dir, checkpoint)?;
    let mut lines = Lines::open(dir)?;
    for number in 0..checkpoint.size {
        let found = match lines.next()? {
            Some(Piece::Line(line)) => judge.identify(line)?,
            Some(Piece::Gap { found }) if found > number => {
                return Ok(Problem::Dropped { first: number, last: found - 1 });
            }
            // The segment before ends with lines that the next one has too.
            Some(Piece::Gap { found }) => return Ok(Problem::Inserted { number: found }),
            Some(Piece::TooLong) => return Ok(Problem::Changed { number }),
            Some(Piece::Torn { last: false }) => return Ok(Problem::Changed { number }),
            Some(Piece::Torn { last: true }) | None => {
                return Ok(Problem::Truncated { found: number, expected: checkpoint.size });
            }
        };
        if found == Some(number) {
            continue;
        }
        let later = stands_later(dir, number, &mut judge)?;
        return Ok(match found {
            Some(other) if other > number && later => Problem::Reordered { number, found: other },
            Some(other) if other > number => Problem::Dropped { first: number, last: other - 1 },
            _ if later => Problem::Inserted { number },
            _ => Problem::Changed { number },
        });
    }
    Ok(Problem::ChangedSomewhere { last: checkpoint.size.saturating_sub(1) })
}

/// Whether a line after place `number` is entry `number`.
fn stands_later(dir: &Path, number: u64, judge: &mut Judge) -> io::Result<bool> {
    let mut lines = Lines::open(dir)?;
    let mut place = 0;
    while let Some(piece) = lines.next()? {
        match piece {
            Piece::Line(line) if place > number && judge.identify(line)? == Some(number) => return Ok(true),
            Piece::Line(_) => place += 1,
            Piece::Gap { .. } => {}
            Piece::Torn { .. } | Piece::TooLong => return Ok(false),
        }
    }
    Ok(false)
}

/// Tells which entry a line is.
enum Judge {
    /// By its hash: the side file has the checkpoint's root, so each hash in it is that of the true entry.
    Hashes { leaves: Leaves, size: u64 },
    /// By the number it carries, which a forger can write too.
    Numbers,
}

impl Judge {
    fn of(dir: &Path, checkpoint: &Checkpoint) -> io::Result<Self> {
        let Some(mut leaves) = Leaves::open(dir)? else { return Ok(Self::Numbers) };
        let mut tree = Tree::default();
        while tree.size() < checkpoint.size {
            let Some(leaf) = leaves.next()? else { return Ok(Self::Numbers) };
            tree.push(leaf);
        }
        let size = checkpoint.size;
        Ok(if tree.root() == checkpoint.root { Self::Hashes { leaves, size } } else { Self::Numbers })
    }

    /// The number of the entry that `line` is; `None` if it is none.
    fn identify(&mut self, line: &[u8]) -> io::Result<Option<u64>> {
        let Ok(stamp) = entry::stamp(line) else { return Ok(None) };
        let Self::Hashes { leaves, size } = self else { return Ok(Some(stamp.sequence)) };
        let claimed: Option<Digest> = if stamp.sequence < *size { leaves.at(stamp.sequence)? } else { None };
        Ok((claimed == Some(hash_leaf(line))).then_some(stamp.sequence))
    }
}
