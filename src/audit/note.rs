//! Signed checkpoints in the formats of C2SP: signed-note, tlog-checkpoint and the textual verifier key.
//!
//! Owns the bytes that are signed and the judgement of bytes that claim to be signed, which may come from anybody. Refuses
//! to know files. Verifiers that others wrote accept what [`sign`] gives: <https://c2sp.org/signed-note>,
//! <https://c2sp.org/tlog-checkpoint>.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::domain::Digest;

/// Longest note that is parsed, in bytes.
const LONGEST_NOTE: usize = 64 * 1024;
/// Most signatures that are looked at.
const MOST_SIGNATURES: usize = 100;
/// Longest name of a key, in bytes.
const LONGEST_NAME: usize = 255;
/// The algorithm byte of Ed25519 in signed-note.
const ED25519: u8 = 0x01;

/// Why a text is not a verifier key, or a name not the name of one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyError {
    /// Not `NAME+HASH+BASE64`.
    #[error("a verifier key looks like `bastion.example.com/audit+1a2b3c4d+Abc…=`")]
    Malformed,
    /// The name is empty, too long, or has a blank, a `+` or a control character.
    #[error("the name of a log has 1 to {LONGEST_NAME} printable characters, and neither a blank nor `+`")]
    Name,
    /// Another algorithm.
    #[error("only Ed25519 keys (algorithm 1) are known here, and this one says {0}")]
    Algorithm(u8),
    /// The bytes are no key, or one that accepts signatures of others.
    #[error("the key is not a good Ed25519 public key")]
    Key,
    /// The hash in the middle is not that of name and key.
    #[error("the hash inside the verifier key does not fit its name and key; a character may be lost")]
    Hash,
}

/// The public key of a log and the log's name: all that is needed to verify.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// The verifier key of the log called `name`. The name of a key and the origin of its log are one here.
    ///
    /// # Errors
    /// [`KeyError::Name`], or [`KeyError::Key`] for a key of small order.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        let odd = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(odd) {
            return Err(KeyError::Name);
        }
        if key.is_weak() {
            return Err(KeyError::Key);
        }
        Ok(Self { name: name.to_owned(), key })
    }

    /// The log's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// signed-note: the first four bytes of SHA-256(name || 0x0A || algorithm || key).
    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', ED25519])
            .chain_update(self.key.as_bytes())
            .finalize();
        hash.first_chunk().copied().unwrap_or_default()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id()), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > LONGEST_NOTE {
            return Err(KeyError::Malformed);
        }
        // The base64 part may hold `+`; name and hash cannot.
        let mut parts = text.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(hash), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Malformed);
        };
        let key = STANDARD.decode(key).map_err(|_| KeyError::Malformed)?;
        let (&algorithm, key) = key.split_first().ok_or(KeyError::Malformed)?;
        if algorithm != ED25519 {
            return Err(KeyError::Algorithm(algorithm));
        }
        let key: [u8; 32] = key.try_into().map_err(|_| KeyError::Key)?;
        let found = Self::new(name, VerifyingKey::from_bytes(&key).map_err(|_| KeyError::Key)?)?;
        if hash != format!("{:08x}", u32::from_be_bytes(found.id())) {
            return Err(KeyError::Hash);
        }
        Ok(found)
    }
}

/// The state of a log: how many entries, and the root of their tree.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Root of their RFC 6962 tree.
    pub root: Digest,
}

impl Checkpoint {
    /// What is signed: origin, size, root, each with its newline.
    fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    fn parse(body: &str) -> Result<Self, NoteError> {
        let bad = NoteError::Body;
        let mut lines = body.strip_suffix('\n').ok_or(bad("it does not end with a newline"))?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(bad("it has fewer than three lines"));
        };
        if lines.next().is_some() {
            return Err(bad("it has extension lines, which this version does not know"));
        }
        let number: u64 = size.parse().map_err(|_| bad("its size is no number"))?;
        if number.to_string() != size {
            return Err(bad("its size is not written plainly"));
        }
        let root = STANDARD.decode(root).map_err(|_| bad("its root is not base64"))?;
        let root: [u8; 32] = root.try_into().map_err(|_| bad("its root has not 32 bytes"))?;
        Ok(Self { origin: origin.to_owned(), size: number, root: Digest::from_bytes(root) })
    }
}

/// Why a note is not a checkpoint of the log asked for.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoteError {
    /// Not a signed note at all.
    #[error("it is not a signed note: {0}")]
    Malformed(&'static str),
    /// No signature is by this key.
    #[error("it is not signed by the key of {0} but by another")]
    SignedByAnother(String),
    /// A signature claims this key and is wrong.
    #[error("the signature does not fit the text")]
    BadSignature,
    /// Well signed, but no checkpoint.
    #[error("it is signed but no checkpoint: {0}")]
    Body(&'static str),
    /// Well signed, for another log.
    #[error("it is of the log {found:?}, not of {wanted:?}")]
    WrongOrigin {
        /// The log it speaks of.
        found: String,
        /// The log asked for.
        wanted: String,
    },
}

/// `checkpoint` as a note signed with `key`, whose name is the checkpoint's origin.
///
/// # Errors
/// [`KeyError`] when the origin cannot be the name of a key.
pub fn sign(checkpoint: &Checkpoint, key: &SigningKey) -> Result<String, KeyError> {
    let verifier = VerifierKey::new(&checkpoint.origin, key.verifying_key())?;
    let body = checkpoint.body();
    let mut signature = verifier.id().to_vec();
    signature.extend_from_slice(&key.sign(body.as_bytes()).to_bytes());
    Ok(format!("{body}\n\u{2014} {} {}\n", verifier.name, STANDARD.encode(signature)))
}

/// The checkpoint in `note`, if it is signed by `key` and speaks of that key's log.
///
/// Signatures by other keys beside ours (witnesses) are passed over, as signed-note asks.
///
/// # Errors
/// [`NoteError`]; nothing in the note is believed before its signature is.
pub fn open(note: &[u8], key: &VerifierKey) -> Result<Checkpoint, NoteError> {
    let bad = NoteError::Malformed;
    if note.len() > LONGEST_NOTE {
        return Err(bad("it is too long"));
    }
    let text = std::str::from_utf8(note).map_err(|_| bad("it is not UTF-8"))?;
    if text.contains(|c: char| c < ' ' && c != '\n') {
        return Err(bad("it has control characters"));
    }
    let split = text.rfind("\n\n").ok_or(bad("the blank line before the signatures is missing"))?;
    let (body, signatures) = text.split_at_checked(split + 1).ok_or(bad("it ends too early"))?;
    let signatures = signatures.strip_prefix('\n').and_then(|rest| rest.strip_suffix('\n'));
    let signatures = signatures.ok_or(bad("it does not end with a newline"))?;
    if signatures.split('\n').count() > MOST_SIGNATURES {
        return Err(bad("it has too many signatures"));
    }
    let mut signed = false;
    for line in signatures.split('\n') {
        let line = line.strip_prefix("\u{2014} ").ok_or(bad("a signature does not begin with a dash"))?;
        let (name, bytes) = line.split_once(' ').ok_or(bad("a signature has no name"))?;
        let bytes = STANDARD.decode(bytes).map_err(|_| bad("a signature is not base64"))?;
        let (id, signature) = bytes.split_first_chunk::<4>().ok_or(bad("a signature is too short"))?;
        if name != key.name || *id != key.id() {
            continue;
        }
        let signature = Signature::from_slice(signature).map_err(|_| NoteError::BadSignature)?;
        // Strict: one signature has one encoding, and keys of small order sign nothing.
        key.key.verify_strict(body.as_bytes(), &signature).map_err(|_| NoteError::BadSignature)?;
        signed = true;
    }
    if !signed {
        return Err(NoteError::SignedByAnother(key.name.clone()));
    }
    let checkpoint = Checkpoint::parse(body)?;
    if checkpoint.origin != key.name {
        return Err(NoteError::WrongOrigin { found: checkpoint.origin, wanted: key.name.clone() });
    }
    Ok(checkpoint)
}

#[cfg(test)]
mod tests;
