//! Every proof that we make is taken by us and by an implementation that we did not write; nothing else is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::LazyLock;

use proptest::prelude::*;
use tlog_tiles::tlog;

use super::*;
use crate::audit::merkle::tests::Stored;
use crate::audit::merkle::{Tree, hash_leaf};

/// A tree with all its nodes and all its roots.
struct Grown {
    nodes: BTreeMap<Node, Digest>,
    roots: Vec<Digest>,
    leaves: Vec<Digest>,
}

impl Grown {
    fn to(size: u64) -> Self {
        let (mut tree, mut nodes) = (Tree::default(), BTreeMap::new());
        let (mut roots, mut leaves) = (vec![tree.root()], Vec::new());
        for number in 0..size {
            let leaf = hash_leaf(format!("entry {number}").as_bytes());
            tree.push_seen(leaf, &mut |node, hash| assert!(nodes.insert(node, hash).is_none()));
            roots.push(tree.root());
            leaves.push(leaf);
        }
        Self { nodes, roots, leaves }
    }

    fn root(&self, size: u64) -> &Digest {
        &self.roots[usize::try_from(size).unwrap()]
    }

    fn leaf(&self, index: u64) -> &Digest {
        &self.leaves[usize::try_from(index).unwrap()]
    }

    fn node(&self) -> impl FnMut(Node) -> Result<Digest, Infallible> {
        |node| Ok(self.nodes[&node])
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Digest> {
        prove_inclusion(index, size, &mut self.node()).unwrap()
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Digest> {
        prove_consistency(old, new, &mut self.node()).unwrap()
    }
}

fn theirs(hashes: &[Digest]) -> Vec<tlog::Hash> {
    hashes.iter().map(|hash| tlog::Hash(*hash.as_bytes())).collect()
}

fn their(hash: &Digest) -> tlog::Hash {
    tlog::Hash(*hash.as_bytes())
}

#[test]
fn every_proof_in_small_trees_is_taken_here_and_elsewhere() {
    let tree = Grown::to(70);
    for size in 1..=70 {
        let root = tree.root(size);
        assert_eq!(super::root(size, &mut tree.node()).unwrap(), *root);
        for index in 0..size {
            let proof = tree.inclusion(index, size);
            check_inclusion(tree.leaf(index), index, size, &proof, root).unwrap();
            tlog::check_record(&theirs(&proof), size, their(root), index, their(tree.leaf(index))).unwrap();
        }
        for old in 0..=size {
            let proof = tree.consistency(old, size);
            check_consistency(old, tree.root(old), size, root, &proof).unwrap();
            if old > 0 {
                tlog::check_tree(&theirs(&proof), size, their(root), old, their(tree.root(old))).unwrap();
            }
        }
    }
}

#[test]
fn the_proofs_are_hash_for_hash_those_that_another_implementation_makes() {
    let (tree, stored) = (Grown::to(40), Stored::default());
    for size in 1..=40 {
        let leaf = format!("entry {}", size - 1);
        let more = tlog::stored_hashes(size - 1, leaf.as_bytes(), &stored).unwrap();
        stored.0.borrow_mut().extend(more);
        for index in 0..size {
            assert_eq!(theirs(&tree.inclusion(index, size)), tlog::prove_record(size, index, &stored).unwrap());
            let old = index + 1;
            assert_eq!(theirs(&tree.consistency(old, size)), tlog::prove_tree(size, old, &stored).unwrap());
        }
    }
}

#[test]
fn what_is_not_so_cannot_be_proven() {
    let tree = Grown::to(20);
    let none = |node: Node| -> Result<Digest, ()> { panic!("asked for {node:?}") };
    let outside = PathError::NoSuchLeaf { index: 7, size: 7 };
    assert_eq!(prove_inclusion(7, 7, &mut { none }), Err(NoProof::Path(outside.clone())));
    assert_eq!(check_inclusion(tree.leaf(7), 7, 7, &[], tree.root(7)), Err(outside));
    let shrunk = PathError::Shrunk { old: 9, new: 7 };
    assert_eq!(prove_consistency(9, 7, &mut { none }), Err(NoProof::Path(shrunk.clone())));
    assert_eq!(check_consistency(9, tree.root(9), 7, tree.root(7), &[]), Err(shrunk));
    let proof = tree.consistency(7, 20);
    assert_eq!(check_consistency(7, tree.root(8), 20, tree.root(20), &proof), Err(PathError::OldRoot));
    assert_eq!(check_consistency(7, tree.root(7), 20, tree.root(19), &proof), Err(PathError::Root));
    assert_eq!(check_consistency(20, tree.root(19), 20, tree.root(20), &[]), Err(PathError::Root));
    assert_eq!(check_consistency(0, tree.root(1), 20, tree.root(20), &[]), Err(PathError::OldRoot));
    let counted = Err(PathError::Count { found: 4, wanted: 5 });
    assert_eq!(check_inclusion(tree.leaf(3), 3, 20, &tree.inclusion(3, 20)[..4], tree.root(20)), counted);
    // The largest numbers there are.
    let many = vec![Digest::of(b"x"); LONGEST];
    assert_eq!(check_inclusion(tree.leaf(0), 0, u64::MAX, &many, tree.root(1)), Err(PathError::Root));
    assert!(check_consistency(u64::MAX - 1, tree.root(1), u64::MAX, tree.root(1), &many).is_err());
    assert!(check_consistency(1 << 63, tree.root(1), u64::MAX, tree.root(1), &many).is_err());
}

/// `hash` with bit `bit` of its 256 turned over.
fn flipped(hash: &Digest, bit: u16) -> Digest {
    let mut bytes = *hash.as_bytes();
    bytes[usize::from(bit / 8) % 32] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

static LARGE: LazyLock<Grown> = LazyLock::new(|| Grown::to(2000));

proptest! {

    #[test]
    fn any_proof_holds_for_what_it_proves_and_for_nothing_else(
        new in 1..=2000_u64, a in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..256_u16,
    ) {
        let tree = &*LARGE;
        let root = tree.root(new);
        let index = a.index(usize::try_from(new).unwrap()) as u64;
        let leaf = tree.leaf(index);
        let proof = tree.inclusion(index, new);
        prop_assert!(proof.len() <= 11, "the logarithm of 2000");
        prop_assert_eq!(check_inclusion(leaf, index, new, &proof, root), Ok(()));
        prop_assert!(check_inclusion(&flipped(leaf, bit), index, new, &proof, root).is_err());
        prop_assert!(check_inclusion(leaf, index, new, &proof, &flipped(root, bit)).is_err());
        for other in [index ^ 1, index + 1, new - 1 - index, index / 2].into_iter().filter(|&other| other != index) {
            prop_assert!(check_inclusion(leaf, other, new, &proof, root).is_err());
        }
        if !proof.is_empty() {
            let mut bad = proof;
            let place = at.index(bad.len());
            bad[place] = flipped(&bad[place], bit);
            prop_assert_eq!(check_inclusion(leaf, index, new, &bad, root), Err(PathError::Root));
        }

        let old = index + 1;
        let proof = tree.consistency(old, new);
        prop_assert_eq!(check_consistency(old, tree.root(old), new, root, &proof), Ok(()));
        prop_assert!(check_consistency(old, &flipped(tree.root(old), bit), new, root, &proof).is_err());
        prop_assert!(check_consistency(old, tree.root(old), new, &flipped(root, bit), &proof).is_err());
        if !proof.is_empty() {
            let mut bad = proof;
            let place = at.index(bad.len());
            bad[place] = flipped(&bad[place], bit);
            prop_assert!(check_consistency(old, tree.root(old), new, root, &bad).is_err());
        }
    }

    #[test]
    fn no_numbers_and_hashes_make_a_check_panic(
        a in any::<u64>(), b in any::<u64>(), proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof: Vec<Digest> = proof.into_iter().map(Digest::from_bytes).collect();
        let root = Digest::of(b"root");
        prop_assert!(check_inclusion(&root, a, b, &proof, &root).is_err() || (a, b) == (0, 1));
        let _ = check_consistency(a, &root, b, &root, &proof);
        let _ = check_consistency(b, &root, a, &root, &proof);
    }
}
