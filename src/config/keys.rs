//! Public keys as operators paste them, with an answer for each thing that people paste by mistake.

use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, PublicKey};

/// Why a text is no key that a user or target may have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeyProblem {
    /// What is wrong.
    pub message: String,
    /// What to do instead.
    pub help: String,
}

fn problem(message: impl Into<String>, help: impl Into<String>) -> KeyProblem {
    KeyProblem { message: message.into(), help: help.into() }
}

const MAKE_ONE: &str = "make one with `ssh-keygen -t ed25519`";

/// Reads one line `TYPE BASE64 [COMMENT]`, as in an `id_….pub` file, and refuses keys that this build cannot trust.
///
/// # Errors
/// [`KeyProblem`], in words for the operator; it never repeats the text, which may be a private key.
pub fn public_key(text: &str) -> Result<PublicKey, KeyProblem> {
    let line = text.trim();
    if line.contains("PRIVATE KEY") {
        return Err(problem("this is a private key", "take the line of the `.pub` file, and replace that private key"));
    }
    if line.lines().count() > 1 {
        return Err(problem("a key is one line, and this has several", "list each key as a text of its own"));
    }
    let kind = line.split_ascii_whitespace().next().unwrap_or_default();
    if kind.contains("-cert-v0") {
        let help = "take the line of the `.pub` file without `-cert`";
        return Err(problem("this is a certificate, and a key belongs here", help));
    }
    if kind == "ssh-dss" {
        return Err(problem("DSA keys are too weak", MAKE_ONE));
    }
    if kind == "ssh-rsa" {
        return Err(problem("RSA keys are not supported by this build", MAKE_ONE));
    }
    if kind.starts_with('@') {
        let help = "take the line from its `ssh-…` or `ecdsa-…` on";
        return Err(problem("this is a line of known_hosts, and a key belongs here", help));
    }
    let known = kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-");
    if !known && line.contains(" AAAA") {
        let help = "take the line from its `ssh-…` or `ecdsa-…` on; for addresses there is `networks` in users.toml";
        return Err(problem("options before a key have no effect here", help));
    }
    let wanted = "it looks like `ssh-ed25519 AAAA… comment`; copy the whole line of the `.pub` file";
    let key = PublicKey::from_openssh(line).map_err(|_| problem("this is not a public key", wanted))?;
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Ecdsa { .. } | Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Ok(key),
        other => Err(problem(format!("{other} keys are not supported by this build"), MAKE_ONE)),
    }
}

/// Whether the key is on a FIDO2 device. Its signature counts here even if nobody touched the device.
#[must_use]
pub fn on_security_key(key: &PublicKey) -> bool {
    matches!(key.key_data(), KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_))
}
