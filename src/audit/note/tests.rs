use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{checkpoint, tlog};

use super::*;

const ORIGIN: &str = "bastion.example.com/audit";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier(seed: u8, origin: &str) -> VerifierKey {
    VerifierKey::new(origin, key(seed).verifying_key()).unwrap()
}

fn some_checkpoint() -> Checkpoint {
    Checkpoint { origin: ORIGIN.to_owned(), size: 42, root: Digest::of(b"root") }
}

#[test]
fn verifiers_that_we_did_not_write_accept_our_checkpoint() {
    let text = sign(&some_checkpoint(), &key(1)).unwrap();
    let theirs = StandardVerifier::new(&verifier(1, ORIGIN).to_string()).unwrap();
    let note = Note::from_bytes(text.as_bytes()).unwrap();
    let (good, unknown) = note.verify(&VerifierList::new(vec![Box::new(theirs)])).unwrap();
    assert_eq!((good.len(), unknown.len()), (1, 0));
    let read = checkpoint::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((read.origin(), read.size(), read.extension()), (ORIGIN, 42, ""));
    assert_eq!(read.hash().0, *Digest::of(b"root").as_bytes());
}

#[test]
fn we_accept_a_checkpoint_that_others_signed_and_refuse_it_tampered() {
    // The signer key format of Go's sumdb/note: PRIVATE+KEY+name+hash+base64(0x01 || seed).
    let ours = verifier(1, ORIGIN);
    let (id, seed) = (u32::from_be_bytes(ours.id()), [&[1_u8][..], &[1; 32]].concat());
    let skey = format!("PRIVATE+KEY+{ORIGIN}+{id:08x}+{}", STANDARD.encode(seed));
    let signer = signed_note::StandardSigner::new(&skey).unwrap();
    let body = checkpoint::Checkpoint::new(ORIGIN, 42, tlog::Hash(*Digest::of(b"root").as_bytes()), "").unwrap();
    let mut note = Note::new(&body.to_bytes(), &[]).unwrap();
    note.add_sigs(&[&signer]).unwrap();
    let text = note.to_bytes();
    assert_eq!(open(&text, &ours), Ok(some_checkpoint()));
    assert_eq!(text, sign(&some_checkpoint(), &key(1)).unwrap().into_bytes(), "Ed25519 has one signature a text");
    for at in 0..text.len() {
        let mut tampered = text.clone();
        tampered[at] ^= 1;
        assert!(open(&tampered, &ours).is_err(), "byte {at}: {:?}", String::from_utf8_lossy(&tampered));
        assert!(open(&text[..at], &ours).is_err(), "cut at {at}");
    }
}

#[test]
fn what_is_wrong_with_a_note_is_said_in_its_own_words() {
    let text = sign(&some_checkpoint(), &key(1)).unwrap();
    let (body, signature) = text.split_once("\n\n").unwrap();
    let resigned = |body: &str| {
        let mut bytes = verifier(1, ORIGIN).id().to_vec();
        bytes.extend_from_slice(&key(1).sign(body.as_bytes()).to_bytes());
        format!("{body}\n\u{2014} {ORIGIN} {}\n", STANDARD.encode(bytes))
    };
    let foreign = sign(&some_checkpoint(), &key(2)).unwrap();
    let cases: Vec<(String, NoteError)> = vec![
        (foreign.clone(), NoteError::SignedByAnother(ORIGIN.to_owned())),
        (text.replace("\n42\n", "\n43\n"), NoteError::BadSignature),
        (
            resigned(&format!("other\n42\n{}\n", STANDARD.encode([0; 32]))),
            NoteError::WrongOrigin { found: "other".to_owned(), wanted: ORIGIN.to_owned() },
        ),
        (
            resigned(&format!("{body}\nextension\n")),
            NoteError::Body("it has extension lines, which this version does not know"),
        ),
        (
            resigned(&format!("{ORIGIN}\n042\n{}\n", STANDARD.encode([0; 32]))),
            NoteError::Body("its size is not written plainly"),
        ),
        (
            resigned(&format!("{ORIGIN}\n42\n{}\n", STANDARD.encode([0; 31]))),
            NoteError::Body("its root has not 32 bytes"),
        ),
        ("x".repeat(LONGEST_NOTE + 1), NoteError::Malformed("it is too long")),
        (format!("{body}\n\n{}", signature.repeat(101)), NoteError::Malformed("it has too many signatures")),
        (format!("{body}\r\n\n{signature}"), NoteError::Malformed("it has control characters")),
    ];
    for (note, wanted) in cases {
        assert_eq!(open(note.as_bytes(), &verifier(1, ORIGIN)), Err(wanted), "{note}");
    }
    // A witness's signature beside ours does no harm.
    let witness = foreign.rsplit_once("\n\n").unwrap().1;
    assert_eq!(open(format!("{text}{witness}").as_bytes(), &verifier(1, ORIGIN)), Ok(some_checkpoint()));
}

#[test]
fn a_verifier_key_is_read_back_and_every_lost_character_is_noticed() {
    let key = verifier(1, ORIGIN);
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key));
    for at in 0..text.len() {
        let cut = [&text[..at], &text[at + 1..]].concat();
        assert!(cut.parse::<VerifierKey>().is_err(), "{cut}");
    }
    let identity = format!("a+00000000+{}", STANDARD.encode([&[1_u8, 1][..], &[0; 31]].concat()));
    assert_eq!(identity.parse::<VerifierKey>(), Err(KeyError::Key), "a key of small order signs everything");
    for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b"] {
        assert_eq!(VerifierKey::new(name, super::tests::key(1).verifying_key()), Err(KeyError::Name), "{name:?}");
    }
    assert_eq!("a+00000000+AgAA".parse::<VerifierKey>(), Err(KeyError::Algorithm(2)));
}
