//! Inclusion and consistency proofs of RFC 6962, sections 2.1.1 and 2.1.2.
//!
//! Owns which hashes a proof has and what follows from them. Whoever proves says where hashes of complete subtrees come
//! from; whoever checks needs nothing but the proof. Refuses to know files and formats. All numbers here may come from
//! anybody: no proof has more than [`LONGEST`] hashes, and nothing grows beyond that.

use std::ops::Range;

use super::{Node, hash_children};
use crate::domain::Digest;

/// Most hashes that a proof can have.
pub const LONGEST: usize = 64;

/// Why a proof shows nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathError {
    /// The leaf's number is not one of the tree's.
    #[error("entry {index} is not among the {size} that the checkpoint covers")]
    NoSuchLeaf {
        /// The leaf.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// A tree cannot be the beginning of a smaller one.
    #[error("the earlier checkpoint covers {old} entries and the later one only {new}: the log was rolled back")]
    Shrunk {
        /// Leaves of the earlier tree.
        old: u64,
        /// Leaves of the later one.
        new: u64,
    },
    /// Too few or too many hashes.
    #[error("the proof has {found} hashes where {wanted} belong")]
    Count {
        /// How many there are.
        found: usize,
        /// How many there must be.
        wanted: usize,
    },
    /// The hashes do not lead to the root of the tree.
    #[error("the hashes do not lead to the root in the checkpoint")]
    Root,
    /// The hashes do not lead to the root of the earlier tree.
    #[error("the hashes do not lead to the root in the earlier checkpoint")]
    OldRoot,
}

/// On which side of what was hashed so far the next hash stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Left,
    Right,
}

/// The subtrees whose hashes make a proof, from the leaf to the root.
#[derive(Debug, Default)]
struct Route {
    /// For consistency: the part of the earlier tree at which it starts, unless that is the whole earlier tree.
    start: Option<Range<u64>>,
    steps: Vec<(Side, Range<u64>)>,
}

impl Route {
    /// From leaf `index` to the root of a tree of `size` leaves.
    fn of_leaf(index: u64, size: u64) -> Result<Self, PathError> {
        if index >= size {
            return Err(PathError::NoSuchLeaf { index, size });
        }
        let (_, steps) = descend(size, |range| range.end - range.start == 1, |middle| index < middle);
        Ok(Self { start: None, steps })
    }

    /// From the end of a tree of `old` leaves to the root of one of `new`.
    fn of_growth(old: u64, new: u64) -> Result<Self, PathError> {
        if old > new {
            return Err(PathError::Shrunk { old, new });
        }
        if old == 0 {
            // Everything begins with nothing: there is nothing to show.
            return Ok(Self::default());
        }
        let (end, steps) = descend(new, |range| range.end == old, |middle| old <= middle);
        Ok(Self { start: (end.start > 0).then_some(end), steps })
    }

    fn ranges(&self) -> impl Iterator<Item = &Range<u64>> {
        self.start.iter().chain(self.steps.iter().map(|(_, range)| range))
    }
}

/// Goes down the tree of `size` leaves to where `arrived`, left where `left` of the middle, and gives the end of the way and
/// what stands beside it, the last first.
fn descend(
    size: u64,
    arrived: impl Fn(&Range<u64>) -> bool,
    left: impl Fn(u64) -> bool,
) -> (Range<u64>, Vec<(Side, Range<u64>)>) {
    let (mut here, mut beside) = (0..size, Vec::new());
    while !arrived(&here) && here.end - here.start > 1 {
        let middle = here.start + split(here.end - here.start);
        if left(middle) {
            beside.push((Side::Right, middle..here.end));
            here.end = middle;
        } else {
            beside.push((Side::Left, here.start..middle));
            here.start = middle;
        }
    }
    beside.reverse();
    (here, beside)
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The complete subtrees that `range` is made of, the largest first. `range` begins where a subtree of its size may.
fn complete(range: &Range<u64>) -> Vec<Node> {
    let (mut at, mut nodes) = (range.start, Vec::new());
    while at < range.end {
        let level = (range.end - at).ilog2();
        nodes.push(Node { level: u8::try_from(level).unwrap_or(u8::MAX), index: at >> level });
        at += 1 << level;
    }
    nodes
}

fn hash_of<E>(range: &Range<u64>, node: &mut dyn FnMut(Node) -> Result<Digest, E>) -> Result<Digest, E> {
    let hashes = complete(range).into_iter().map(node).collect::<Result<Vec<_>, E>>()?;
    let all = hashes.into_iter().rev().reduce(|right, left| hash_children(&left, &right));
    Ok(all.unwrap_or_else(|| Digest::of(b"")))
}

/// Why there is no proof.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NoProof<E> {
    /// What is asked for is not so.
    Path(PathError),
    /// A hash is missing.
    Source(E),
}

/// The root of a tree of `size` leaves.
///
/// # Errors
/// What `node` says when a hash cannot be had.
pub fn root<E>(size: u64, node: &mut dyn FnMut(Node) -> Result<Digest, E>) -> Result<Digest, E> {
    hash_of(&(0..size), node)
}

/// The proof that leaf `index` is in the tree of `size` leaves: hashes from the leaf's neighbour upwards.
///
/// `node` gives the hash of a complete subtree; it is asked for fewer than `2 * LONGEST` of them.
///
/// # Errors
/// [`NoProof`].
pub fn prove_inclusion<E>(
    index: u64,
    size: u64,
    node: &mut dyn FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, NoProof<E>> {
    prove(&Route::of_leaf(index, size).map_err(NoProof::Path)?, node)
}

/// The proof that the tree of `old` leaves is how the one of `new` leaves begins.
///
/// # Errors
/// [`NoProof`].
pub fn prove_consistency<E>(
    old: u64,
    new: u64,
    node: &mut dyn FnMut(Node) -> Result<Digest, E>,
) -> Result<Vec<Digest>, NoProof<E>> {
    prove(&Route::of_growth(old, new).map_err(NoProof::Path)?, node)
}

fn prove<E>(route: &Route, node: &mut dyn FnMut(Node) -> Result<Digest, E>) -> Result<Vec<Digest>, NoProof<E>> {
    route.ranges().map(|range| hash_of(range, node)).collect::<Result<_, E>>().map_err(NoProof::Source)
}

/// Checks that the leaf with this hash is number `index` in the tree of `size` leaves with this `root`.
///
/// # Errors
/// [`PathError`].
pub fn check_inclusion(leaf: &Digest, index: u64, size: u64, proof: &[Digest], root: &Digest) -> Result<(), PathError> {
    let route = Route::of_leaf(index, size)?;
    expect(route.steps.len(), proof)?;
    let found = route.steps.iter().zip(proof).fold(*leaf, |hash, ((side, _), beside)| join(*side, &hash, beside));
    if found == *root { Ok(()) } else { Err(PathError::Root) }
}

/// Checks that the tree of `old` leaves with `old_root` is how the one of `new` leaves with `new_root` begins.
///
/// # Errors
/// [`PathError`].
pub fn check_consistency(
    old: u64,
    old_root: &Digest,
    new: u64,
    new_root: &Digest,
    proof: &[Digest],
) -> Result<(), PathError> {
    let route = Route::of_growth(old, new)?;
    expect(route.ranges().count(), proof)?;
    if old == 0 {
        return if *old_root == Digest::of(b"") { Ok(()) } else { Err(PathError::OldRoot) };
    }
    let (start, beside) = match (&route.start, proof.split_first()) {
        (Some(_), Some((first, rest))) => (*first, rest),
        _ => (*old_root, proof),
    };
    let (mut before, mut after) = (start, start);
    for ((side, _), hash) in route.steps.iter().zip(beside) {
        after = join(*side, &after, hash);
        // What stands to the right came later.
        if *side == Side::Left {
            before = join(*side, &before, hash);
        }
    }
    match (before == *old_root, after == *new_root) {
        (true, true) => Ok(()),
        (false, _) => Err(PathError::OldRoot),
        (true, false) => Err(PathError::Root),
    }
}

fn expect(wanted: usize, proof: &[Digest]) -> Result<(), PathError> {
    let found = proof.len();
    if found == wanted { Ok(()) } else { Err(PathError::Count { found, wanted }) }
}

fn join(side: Side, hash: &Digest, beside: &Digest) -> Digest {
    match side {
        Side::Left => hash_children(beside, hash),
        Side::Right => hash_children(hash, beside),
    }
}

#[cfg(test)]
mod tests;
