//! `audit::proof` and `audit::tile`: files that travel, judged far away from the log with its public key alone.

use std::sync::LazyLock;

use doorward::audit::merkle::{hash_children, hash_leaf};
use doorward::audit::note::{Checkpoint, VerifierKey, sign};
use doorward::audit::proof::Proof;
use doorward::audit::tile;
use doorward::domain::Digest;
use ed25519_dalek::SigningKey;

use super::shown_safely;

const OLD: usize = 7;
const SIZE: usize = 21;

/// A log of [`SIZE`] entries whose key has signed it twice.
struct Log {
    verifier: VerifierKey,
    entries: Vec<Vec<u8>>,
    kept: String,
    now: String,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let key = SigningKey::from_bytes(&[9; 32]);
    let verifier = VerifierKey::new("bastion.test/log", key.verifying_key()).expect("a good name");
    let entries: Vec<Vec<u8>> = (0..SIZE).map(|at| format!("{{\"seq\":{at}}}").into_bytes()).collect();
    let leaves: Vec<Digest> = entries.iter().map(|entry| hash_leaf(entry)).collect();
    let signed = |size: usize| {
        let checkpoint =
            Checkpoint { origin: verifier.name().to_owned(), size: size as u64, root: root(&leaves[..size]) };
        sign(&checkpoint, &key).expect("a note")
    };
    let (kept, now) = (signed(OLD), signed(SIZE));
    Log { verifier, entries, kept, now }
});

/// The root of a tree, as RFC 6962 section 2.1 says it.
fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash_children(&root(left), &root(right))
        }
    }
}

/// A proof that is believed says what is so: this entry, at this number, in the log that was signed; or that the log which
/// was kept is its beginning. It has one writing. A tile is its hashes and nothing else.
pub(super) fn audit_proof(data: &[u8]) -> bool {
    if let Some(hashes) = tile::parse(data) {
        assert_eq!(tile::bytes(&hashes), data);
        if hashes.len().is_power_of_two() {
            assert_eq!(tile::top(&hashes), Some(root(&hashes)));
        }
    }
    let proof = match Proof::parse(data) {
        Ok(proof) => proof,
        Err(error) => {
            shown_safely(&error.to_string(), 500);
            return false;
        }
    };
    let Log { verifier, entries, kept, now } = &*LOG;
    let signed = |text: &str| text.split_once("\n\n").expect("a note").0.to_owned();
    let refused = match &proof {
        Proof::Inclusion(proof) => {
            let checked = proof.check(verifier);
            if let Ok(checkpoint) = &checked {
                let leaves = if checkpoint.size == SIZE as u64 { &entries[..] } else { &entries[..OLD] };
                let entry = leaves.get(usize::try_from(proof.index).expect("a small number"));
                assert_eq!(proof.entry.as_ref(), entry, "another entry than that of number {}", proof.index);
                assert!([kept, now].iter().any(|note| signed(note) == signed(&proof.checkpoint)));
            }
            checked.err()
        }
        Proof::Consistency(proof) => {
            let checked = proof.check(kept.as_bytes(), verifier);
            if let Ok((earlier, later)) = &checked {
                assert_eq!((earlier.size, proof.old), (OLD as u64, OLD as u64));
                assert!(later.size == SIZE as u64 || later.size == OLD as u64);
            }
            checked.err()
        }
    };
    match (&refused, &proof) {
        (Some(error), _) => shown_safely(&error.to_string(), 2000),
        (None, Proof::Inclusion(proof)) => assert_eq!(proof.to_string().as_bytes(), data),
        (None, Proof::Consistency(proof)) => assert_eq!(proof.to_string().as_bytes(), data),
    }
    refused.is_none()
}
