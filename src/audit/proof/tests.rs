//! A proof holds as it was made, and in no other way; what is no proof is refused with its line.

use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::audit::merkle::{Node, Tree};

const ORIGIN: &str = "bastion.example.com/audit";

fn key() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn verifier() -> VerifierKey {
    VerifierKey::new(ORIGIN, key().verifying_key()).unwrap()
}

fn line(number: u64) -> Vec<u8> {
    format!("{{\"seq\":{number}}}").into_bytes()
}

fn checkpoint(size: u64) -> String {
    let mut tree = Tree::default();
    (0..size).for_each(|number| tree.push(hash_leaf(&line(number))));
    note::sign(&Checkpoint { origin: ORIGIN.to_owned(), size, root: tree.root() }, &key()).unwrap()
}

fn node(size: u64) -> impl FnMut(Node) -> Result<Digest, ()> {
    move |wanted| {
        let (mut tree, mut found) = (Tree::default(), Err(()));
        for number in 0..size {
            tree.push_seen(hash_leaf(&line(number)), &mut |node, hash| {
                if node == wanted {
                    found = Ok(hash);
                }
            });
        }
        found
    }
}

fn inclusion(index: u64, size: u64) -> InclusionProof {
    let hashes = path::prove_inclusion(index, size, &mut node(size)).unwrap();
    InclusionProof { index, entry: Some(line(index)), hashes, checkpoint: checkpoint(size) }
}

fn consistency(old: u64, size: u64) -> ConsistencyProof {
    let hashes = path::prove_consistency(old, size, &mut node(size)).unwrap();
    ConsistencyProof { old, hashes, checkpoint: checkpoint(size) }
}

/// Whether somebody who reads these bytes would take them for a proof.
fn holds(bytes: &[u8], kept: &str) -> bool {
    match Proof::parse(bytes) {
        Ok(Proof::Inclusion(proof)) => proof.check(&verifier()).is_ok(),
        Ok(Proof::Consistency(proof)) => proof.check(kept.as_bytes(), &verifier()).is_ok(),
        Err(_) => false,
    }
}

#[test]
fn a_proof_reads_back_as_it_was_written_and_holds() {
    for size in 1..20 {
        for index in 0..size {
            let proof = inclusion(index, size);
            assert_eq!(Proof::parse(proof.to_string().as_bytes()), Ok(Proof::Inclusion(proof.clone())));
            assert_eq!(proof.check(&verifier()).unwrap().size, size);
        }
        for old in 0..=size {
            let proof = consistency(old, size);
            assert_eq!(Proof::parse(proof.to_string().as_bytes()), Ok(Proof::Consistency(proof.clone())));
            let (kept, now) = proof.check(checkpoint(old).as_bytes(), &verifier()).unwrap();
            assert_eq!((kept.size, now.size), (old, size));
        }
    }
}

#[test]
fn no_single_bit_of_a_proof_can_change() {
    let kept = checkpoint(5);
    for text in [inclusion(3, 11).to_string(), consistency(5, 11).to_string()] {
        assert!(holds(text.as_bytes(), &kept));
        // Signatures are slow to check in a debug build: there one bit of each byte, in a release build all.
        let bits = |at: usize| if cfg!(debug_assertions) { at % 8..at % 8 + 1 } else { 0..8 };
        for at in 0..text.len() {
            for bit in bits(at) {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                assert!(!holds(&bytes, &kept), "byte {at} bit {bit} of\n{text}");
            }
        }
        for end in (0..text.len()).step_by(11) {
            assert!(!holds(&text.as_bytes()[..end], &kept), "cut at {end}:\n{text}");
        }
        assert!(!holds(format!("{text}\n").as_bytes(), &kept));
    }
}

#[test]
fn what_is_wrong_is_said_precisely() {
    let says = |error: ProofError| error.to_string();
    let good = inclusion(3, 11);
    let cases = [
        (InclusionProof { entry: None, ..good.clone() }, "holds no entry"),
        (InclusionProof { index: 11, ..good.clone() }, "entry 11 is not among the 11"),
        (InclusionProof { index: 2, ..good.clone() }, "do not lead to the root"),
        (InclusionProof { entry: Some(line(4)), ..good.clone() }, "do not lead to the root"),
        (InclusionProof { hashes: Vec::new(), ..good.clone() }, "0 hashes where 4 belong"),
        (InclusionProof { checkpoint: checkpoint(12), ..good.clone() }, "do not lead to the root"),
        (InclusionProof { checkpoint: checkpoint(11).replace("11", "12"), ..good.clone() }, "signature does not fit"),
        (InclusionProof { checkpoint: String::new(), ..good.clone() }, "not a signed note"),
    ];
    for (proof, wanted) in cases {
        let said = says(proof.check(&verifier()).unwrap_err());
        assert!(said.contains(wanted), "{said}");
    }
    let another = VerifierKey::new(ORIGIN, SigningKey::from_bytes(&[2; 32]).verifying_key()).unwrap();
    assert!(says(good.check(&another).unwrap_err()).contains("signed by the key"));

    let good = consistency(5, 11);
    let cases = [
        (good.clone(), checkpoint(6), "about a checkpoint of 5 entries, and the one that was kept covers 6"),
        (good.clone(), checkpoint(5).replace('5', "6"), "the checkpoint that was kept cannot be believed"),
        (ConsistencyProof { checkpoint: checkpoint(4), ..good.clone() }, checkpoint(5), "rolled back"),
        (ConsistencyProof { hashes: consistency(5, 12).hashes, ..good.clone() }, checkpoint(5), "do not lead to"),
        (ConsistencyProof { checkpoint: "x".to_owned(), ..good }, checkpoint(5), "checkpoint in the proof"),
    ];
    for (proof, kept, wanted) in cases {
        let said = says(proof.check(kept.as_bytes(), &verifier()).unwrap_err());
        assert!(said.contains(wanted), "{said}");
    }
}

#[test]
fn what_is_no_proof_is_refused_with_its_line() {
    let hash = STANDARD.encode([7; 32]);
    let many = format!("old 1\n{}\n\n", vec![hash.as_str(); 65].join("\n"));
    let cases = [
        ("", 1),
        ("c2sp.org/tlog-proof@v2\nindex 0\n\n", 1),
        ("c2sp.org/tlog-proof@v1", 2),
        ("c2sp.org/tlog-proof@v1\nextra !\nindex 0\n\n", 2),
        ("c2sp.org/tlog-proof@v1\nindex 01\n\n", 2),
        ("c2sp.org/tlog-proof@v1\nindex -1\n\n", 2),
        ("c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\n", 2),
        ("c2sp.org/tlog-proof@v1\nextra AAAA\nextra AAAA\nindex 0\n\n", 3),
        ("c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n", 3),
        ("c2sp.org/tlog-proof@v1\nindex 0", 3),
        ("old +1\n\n", 1),
        ("old 1\r\n\n", 1),
        (many.as_str(), 66),
    ];
    for (text, line) in cases {
        assert_eq!(Proof::parse(text.as_bytes()).unwrap_err().line, line, "{text}");
    }
    assert_eq!(Proof::parse(b"\xff").unwrap_err().what, "it is not UTF-8 text");
    assert_eq!(Proof::parse(&vec![b'a'; LONGEST_PROOF + 1]).unwrap_err().what, "it is too long for a proof");
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = Proof::parse(&bytes);
    }

    #[test]
    fn nothing_that_looks_like_a_proof_makes_the_reader_panic(
        text in "(c2sp.org/tlog-proof@v1\n|old [0-9]{0,21}\n)(extra [A-Za-z0-9+/=]{0,40}\n)?(index [0-9]{0,21}\n)?([A-Za-z0-9+/]{43}=\n){0,5}\n?.*",
    ) {
        if let Ok(Proof::Inclusion(proof)) = Proof::parse(text.as_bytes()) {
            prop_assert!(proof.check(&verifier()).is_err());
        }
    }

    #[test]
    fn entries_and_numbers_of_any_kind_survive_the_file(
        index in any::<u64>(), entry in prop::collection::vec(any::<u8>(), 0..200),
        hashes in prop::collection::vec(any::<[u8; 32]>(), 0..64),
    ) {
        let hashes = hashes.into_iter().map(Digest::from_bytes).collect();
        let proof = InclusionProof { index, entry: Some(entry), hashes, checkpoint: checkpoint(1) };
        prop_assert_eq!(Proof::parse(proof.to_string().as_bytes()), Ok(Proof::Inclusion(proof)));
    }
}
