//! `audit::entry` and `audit::note`: lines of the log and signed checkpoints, as anybody may have written them.

use std::sync::LazyLock;

use doorward::audit::entry::{Body, line, parse, stamp};
use doorward::audit::note::{Checkpoint, VerifierKey, open, sign};
use doorward::domain::Digest;
use doorward::domain::text::is_printable;
use ed25519_dalek::SigningKey;

use super::shown_safely;

/// What is read as an entry is written again as one line that can be shown, and read again as the same event.
pub(super) fn audit_entry(data: &[u8]) -> bool {
    let entry = match parse(data) {
        Ok(entry) => entry,
        Err(error) => {
            shown_safely(&error.to_string(), 2000);
            if let Err(error) = stamp(data) {
                shown_safely(&error.to_string(), 2000);
            }
            return false;
        }
    };
    let stamped = stamp(data).expect("what is an entry has a stamp");
    assert_eq!((stamped.sequence, stamped.time), (entry.sequence, entry.time));
    assert_eq!(entry.line.as_bytes(), data);
    let Ok(body) = Body::of(&entry.event) else { return false };
    let written = line(entry.sequence, entry.time, &body);
    assert!(written.chars().all(is_printable), "{written:?}");
    let again = parse(written.as_bytes()).unwrap_or_else(|error| panic!("{written}: {error}"));
    assert_eq!((again.sequence, &again.event), (entry.sequence, &entry.event), "{written}");
    let written_again = line(again.sequence, again.time, &Body::of(&again.event).expect("as before"));
    assert_eq!(written, written_again);
    true
}

struct Notary {
    key: SigningKey,
    verifier: VerifierKey,
    /// The one text it is known to have signed, and its note.
    checkpoint: Checkpoint,
    note: String,
}

static NOTARY: LazyLock<Notary> = LazyLock::new(|| {
    let key = SigningKey::from_bytes(&[7; 32]);
    let verifier = VerifierKey::new("bastion.test/log", key.verifying_key()).expect("a good name");
    let checkpoint = Checkpoint { origin: "bastion.test/log".to_owned(), size: 6, root: Digest::of(b"root") };
    let note = sign(&checkpoint, &key).expect("a note");
    Notary { key, verifier, checkpoint, note }
});

/// A note is believed only if its text is the one that was signed, and says only what that text says. What we sign we
/// believe. A verifier key has one writing.
pub(super) fn audit_note(data: &[u8]) -> bool {
    let Notary { key, verifier, checkpoint, note } = &*NOTARY;
    let believed = open(data, verifier);
    match &believed {
        Ok(found) => {
            assert_eq!(found, checkpoint, "changed, and believed");
            let signed = note.split_once("\n\n").expect("a note").0;
            assert!(data.starts_with(signed.as_bytes()), "{:?}", String::from_utf8_lossy(data));
        }
        Err(error) => {
            shown_safely(&error.to_string(), 2000);
            assert_ne!(data, note.as_bytes());
        }
    }
    let size = data.iter().take(8).fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    let ours = Checkpoint { origin: verifier.name().to_owned(), size, root: Digest::of(data) };
    let signed = sign(&ours, key).expect("a note");
    assert_eq!(open(signed.as_bytes(), verifier), Ok(ours));

    let Ok(text) = std::str::from_utf8(data) else { return false };
    match text.parse::<VerifierKey>() {
        Ok(key) => assert_eq!(key.to_string(), text.trim_end_matches('\n')),
        Err(error) => shown_safely(&error.to_string(), 500),
    }
    believed.is_ok()
}
