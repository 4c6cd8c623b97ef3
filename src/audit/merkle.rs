//! The Merkle tree of RFC 6962 section 2.1, grown one leaf at a time.
//!
//! Owns the two hashes and the right edge of the tree (at most 64 nodes, whatever the size); [`path`] has the proofs, which
//! need inner nodes as well. Refuses to know files and what a leaf says.

use sha2::{Digest as _, Sha256};

use crate::domain::Digest;

pub mod path;

/// Hash of a leaf: SHA-256(0x00 || data).
#[must_use]
pub fn hash_leaf(data: &[u8]) -> Digest {
    // The prefixes keep a leaf from being passed off as an inner node (second preimage).
    let hash = Sha256::new_with_prefix([0x00]).chain_update(data).finalize();
    Digest::from_bytes(hash.into())
}

/// Hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn hash_children(left: &Digest, right: &Digest) -> Digest {
    let hash = Sha256::new_with_prefix([0x01]).chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize();
    Digest::from_bytes(hash.into())
}

/// A complete subtree: that of the leaves from `index << level` on, `1 << level` of them. Its hash never changes, however
/// large the tree grows.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Node {
    /// Its height; 0 is a leaf.
    pub level: u8,
    /// How many of its height stand before it.
    pub index: u64,
}

impl Node {
    /// The two it is made of; `None` for a leaf.
    #[must_use]
    pub fn children(self) -> Option<[Self; 2]> {
        let level = self.level.checked_sub(1)?;
        let left = self.index.checked_mul(2)?;
        Some([Self { level, index: left }, Self { level, index: left.checked_add(1)? }])
    }
}

/// A tree that can grow: its size and the roots of its complete subtrees, the largest (leftmost) first.
///
/// There is one such root for each 1 in the binary size.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    size: u64,
    edge: Vec<Digest>,
}

impl Tree {
    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the leaf whose [`hash_leaf`] is `leaf`.
    pub fn push(&mut self, leaf: Digest) {
        self.push_seen(leaf, &mut |_, _| ());
    }

    /// As [`push`](Self::push), and shows each subtree that this leaf completes, the leaf itself first.
    pub fn push_seen(&mut self, leaf: Digest, seen: &mut dyn FnMut(Node, Digest)) {
        let (mut node, mut place) = (leaf, Node { level: 0, index: self.size });
        seen(place, node);
        // As in binary addition: each trailing 1 of the size is a complete subtree that the new one joins.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                node = hash_children(&left, &node);
                place = Node { level: place.level.saturating_add(1), index: place.index >> 1 };
                seen(place, node);
            }
        }
        self.edge.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The tree's hash (`MTH`). That of the empty tree is SHA-256 of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let from_the_right = self.edge.iter().rev().copied();
        from_the_right.reduce(|right, left| hash_children(&left, &right)).unwrap_or_else(|| Digest::of(b""))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tlog_tiles::tlog;

    use super::*;

    /// The leaves and roots of Google's certificate-transparency reference tests (`merkle_tree_test.cc`).
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_roots_are_those_of_the_published_vectors() {
        let mut tree = Tree::default();
        for (size, root) in ROOTS.iter().enumerate() {
            assert_eq!(tree.root().to_string(), *root, "size {size}");
            if let Some(leaf) = LEAVES.get(size) {
                tree.push(hash_leaf(leaf));
            }
        }
    }

    /// Stored hashes as Cloudflare's implementation wants to keep them.
    #[derive(Default)]
    pub(super) struct Stored(pub(super) RefCell<Vec<tlog::Hash>>);

    impl tlog::HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
            let stored = self.0.borrow();
            Ok(indexes.iter().map(|&index| stored[usize::try_from(index).unwrap()]).collect())
        }
    }

    #[test]
    fn an_independent_implementation_finds_the_same_root_at_every_size() {
        let (mut ours, theirs) = (Tree::default(), Stored::default());
        for number in 0_u64..300 {
            let leaf = format!("entry {number}");
            ours.push(hash_leaf(leaf.as_bytes()));
            let more = tlog::stored_hashes(number, leaf.as_bytes(), &theirs).unwrap();
            theirs.0.borrow_mut().extend(more);
            let root = tlog::tree_hash(number + 1, &theirs).unwrap();
            assert_eq!(ours.root().as_bytes(), &root.0, "size {}", number + 1);
        }
        assert!(ours.edge.len() <= 9, "the edge grows with the logarithm");
    }
}
