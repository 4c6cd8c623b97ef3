//! Makes proofs from the log's files: few bytes of tiles and one line, however long the log is.
//!
//! What is derived is not believed: each proof is checked against the signed checkpoint before it is handed out, and if it
//! does not hold, the log itself is read from the start instead, which also finds the first bad entry if it is the log that
//! is wrong. Synchronous: callers put it on a blocking thread.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::merkle::path::{self, NoProof, PathError};
use super::merkle::{Node, hash_children, hash_leaf};
use super::note::{Checkpoint, VerifierKey};
use super::proof::{ConsistencyProof, InclusionProof};
use super::segments::{self, Leaves};
use super::tile::{self, HEIGHT};
use super::tiles::Tiles;
use super::verify::{self, Problem, Watch};
use crate::domain::Digest;

/// Why there is no proof.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProveError {
    /// The log cannot be believed or read.
    #[error(transparent)]
    Log(#[from] Problem),
    /// What is asked for is not so.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Well signed, and not the log that the kept checkpoint speaks of.
    #[error(
        "the log was rewritten: its first {old} entries are not those of the checkpoint that was kept. Both are signed by \
         the log's key, so whoever did it has that key"
    )]
    Rewritten {
        /// How many entries the kept checkpoint covers.
        old: u64,
    },
}

/// A proof, and where its hashes come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proved<P> {
    /// The proof. It holds: it was checked.
    pub proof: P,
    /// Whether the derived files did not lead to the signed root, so that all of the log had to be read.
    pub derived_is_wrong: bool,
}

/// The signed checkpoint of the log in `dir`, to be kept elsewhere.
///
/// # Errors
/// [`Problem`] when it is not signed by `key`.
pub fn checkpoint(dir: &Path, key: &VerifierKey) -> Result<String, Problem> {
    verify::signed_checkpoint(dir, key).map(|(_, note)| note)
}

/// The proof that entry `index` is in the log in `dir`.
///
/// # Errors
/// [`ProveError`].
pub fn prove_entry(dir: &Path, key: &VerifierKey, index: u64) -> Result<Proved<InclusionProof>, ProveError> {
    let (at, note) = verify::signed_checkpoint(dir, key)?;
    let proof = |entry, hashes| InclusionProof { index, entry: Some(entry), hashes, checkpoint: note };
    if let (Some(entry), Some(hashes)) =
        (segments::find(dir, index).ok().flatten(), derived(dir, |node| path::prove_inclusion(index, at.size, node))?)
        && path::check_inclusion(&hash_leaf(&entry), index, at.size, &hashes, &at.root).is_ok()
    {
        return Ok(Proved { proof: proof(entry, hashes), derived_is_wrong: false });
    }
    let read = FromLog::read(dir, &at, Some(index), |node| path::prove_inclusion(index, at.size, node).map(drop))?;
    let hashes = read.prove(|node| path::prove_inclusion(index, at.size, node))?;
    let entry = read.line.unwrap_or_default();
    path::check_inclusion(&hash_leaf(&entry), index, at.size, &hashes, &at.root)?;
    Ok(Proved { proof: proof(entry, hashes), derived_is_wrong: true })
}

/// The proof that the log in `dir` begins with the `old` entries of an earlier checkpoint; `old_root` is the root in it, if
/// that is at hand.
///
/// # Errors
/// [`ProveError`]: among others that the log is shorter now, or begins with something else.
pub fn prove_growth(
    dir: &Path,
    key: &VerifierKey,
    old: u64,
    old_root: Option<&Digest>,
) -> Result<Proved<ConsistencyProof>, ProveError> {
    let (at, checkpoint) = verify::signed_checkpoint(dir, key)?;
    let holds = |(root, hashes): &Beginning| path::check_consistency(old, root, at.size, &at.root, hashes);
    let from_tiles = derived(dir, |node| beginning(old, at.size, node))?.filter(|found| holds(found).is_ok());
    let derived_is_wrong = from_tiles.is_none();
    let (root, hashes) = match from_tiles {
        Some(found) => found,
        None => {
            let read = FromLog::read(dir, &at, None, |node| beginning(old, at.size, node).map(drop))?;
            let found = read.prove(|node| beginning(old, at.size, node))?;
            holds(&found)?;
            found
        }
    };
    if old_root.is_some_and(|kept| *kept != root) {
        return Err(ProveError::Rewritten { old });
    }
    Ok(Proved { proof: ConsistencyProof { old, hashes, checkpoint }, derived_is_wrong })
}

type Beginning = (Digest, Vec<Digest>);

/// The root of the first `old` entries as they are now, with the proof that it is theirs.
fn beginning(old: u64, size: u64, node: &mut Source<'_>) -> Result<Beginning, NoProof<Missing>> {
    let hashes = path::prove_consistency(old, size, node)?;
    let root = path::root(old, node).map_err(NoProof::Source)?;
    Ok((root, hashes))
}

/// A hash that could not be had.
#[derive(Debug)]
struct Missing;

impl From<io::Error> for Missing {
    fn from(_: io::Error) -> Self {
        Self
    }
}

type Source<'a> = dyn FnMut(Node) -> Result<Digest, Missing> + 'a;

/// What the derived files give; `None` if they lack something. What is asked for and is not so is an error.
fn derived<T>(
    dir: &Path,
    ask: impl FnOnce(&mut Source<'_>) -> Result<T, NoProof<Missing>>,
) -> Result<Option<T>, PathError> {
    let mut files = Derived { tiles: Tiles::of(dir, "none"), leaves: Leaves::open(dir).ok().flatten() };
    match ask(&mut |node| files.node(node)) {
        Ok(found) => Ok(Some(found)),
        Err(NoProof::Path(why)) => Err(why),
        Err(NoProof::Source(Missing)) => Ok(None),
    }
}

/// Tiles, and the leaf hashes where the tiles have not come that far.
struct Derived {
    tiles: Tiles,
    leaves: Option<Leaves>,
}

impl Derived {
    fn node(&mut self, node: Node) -> Result<Digest, Missing> {
        let (level, index, at, count) = tile::place_of(node);
        if let Some(hashes) = self.tiles.read(level, index, at + count)? {
            return hashes.get(at..at + count).and_then(tile::top).ok_or(Missing);
        }
        if node.level < HEIGHT {
            return self.of_leaves(node, count);
        }
        // Only what was written since the tiles were: at most as deep as the tree.
        let [left, right] = node.children().ok_or(Missing)?;
        Ok(hash_children(&self.node(left)?, &self.node(right)?))
    }

    fn of_leaves(&mut self, node: Node, count: usize) -> Result<Digest, Missing> {
        let leaves = self.leaves.as_mut().ok_or(Missing)?;
        leaves.seek(node.index << node.level)?;
        let hashes = (0..count).map(|_| leaves.next()?.ok_or(Missing)).collect::<Result<Vec<_>, Missing>>()?;
        tile::top(&hashes).ok_or(Missing)
    }
}

/// The same from the entries themselves: the log is read once, and what the proof needs is kept.
struct FromLog {
    wanted: BTreeMap<Node, Option<Digest>>,
    index: Option<u64>,
    line: Option<Vec<u8>>,
}

impl FromLog {
    fn read(
        dir: &Path,
        at: &Checkpoint,
        index: Option<u64>,
        ask: impl FnOnce(&mut Source<'_>) -> Result<(), NoProof<Missing>>,
    ) -> Result<Self, ProveError> {
        let mut wanted = BTreeMap::new();
        let asked = ask(&mut |node| {
            wanted.insert(node, None);
            Ok(Digest::of(b""))
        });
        if let Err(NoProof::Path(why)) = asked {
            return Err(why.into());
        }
        let mut read = Self { wanted, index, line: None };
        verify::scan(dir, at, &mut read)?;
        Ok(read)
    }

    fn prove<T>(&self, ask: impl FnOnce(&mut Source<'_>) -> Result<T, NoProof<Missing>>) -> Result<T, ProveError> {
        let found = ask(&mut |node| self.wanted.get(&node).copied().flatten().ok_or(Missing));
        // The log was read to its end and its root is right, so no hash is missing.
        found.map_err(|error| match error {
            NoProof::Path(why) => why.into(),
            NoProof::Source(Missing) => PathError::Root.into(),
        })
    }
}

impl Watch for FromLog {
    fn line(&mut self, number: u64, line: &[u8]) {
        if self.index == Some(number) {
            self.line = Some(line.to_vec());
        }
    }

    fn node(&mut self, node: Node, hash: Digest) {
        if let Some(place) = self.wanted.get_mut(&node) {
            *place = Some(hash);
        }
    }
}
