//! `keys/`: are the private keys there, ours alone, whole, and the counterparts of `certs/*.pub`?
//!
//! Checks only. What signs is `ca::signer`; no key leaves this file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use russh::keys::{Algorithm, PrivateKey, PublicKey};

use crate::domain::Diagnostic;

use super::paths::{KEYS, Paths};
use super::source::{self, Source, Trust};

/// Checks `keys/` and every key in it. Every problem goes to `out`.
pub(super) fn check(paths: &Paths, out: &mut Vec<Diagnostic>) {
    if !is_private(&paths.keys(), "keys/", out) {
        return;
    }
    let mut seen: Vec<(&str, PublicKey)> = Vec::new();
    for name in KEYS {
        let path = paths.key(name);
        let shown = format!("keys/{name}");
        if !is_private(&path, &shown, out) {
            continue;
        }
        let Some(key) = check_key(&path, &paths.public_key(name), name, out) else { continue };
        // One key with two offices signs for the one what only the other may.
        if let Some((other, _)) = seen.iter().find(|(_, known)| known.key_data() == key.key_data()) {
            let message = format!("this is the same key as keys/{other}; each of the bastion's keys has one office");
            let help = format!("make another: ssh-keygen -t ed25519 -N '' -f {shown}");
            out.push(Source::unread(&shown).error(message).help(help));
        }
        seen.push((name, key));
    }
    let path = paths.digest_key();
    if is_private(&path, "keys/digest_key", out) {
        out.extend(super::digest_key::read(&path).err().map(|finding| *finding));
    }
}

/// Whether only we may read what is at `path`; a finding if not.
fn is_private(path: &Path, shown: &str, out: &mut Vec<Diagnostic>) -> bool {
    let unread = Source::unread(shown);
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let help = "`doorward init` makes the keys of a new bastion; restore those of an old one from its backup";
            out.push(unread.error("this does not exist").help(help));
            return false;
        }
        Err(error) => {
            out.push(unread.error(format!("this cannot be read: {error}")));
            return false;
        }
    };
    let us = nix::unistd::geteuid().as_raw();
    let path = crate::domain::text::escape(&path.to_string_lossy()).into_owned();
    let (mode, right) = (metadata.mode() & 0o7777, if metadata.is_dir() { "0700" } else { "0600" });
    if metadata.uid() != us {
        let message = format!("this belongs to user number {}, and doorward runs as {us}", metadata.uid());
        out.push(unread.error(message).help(format!("run doorward as its owner, or chown {us} {path}")));
        return false;
    }
    if mode & 0o077 != 0 {
        let message = format!("others may reach this private key: its mode is {mode:04o}, and must be {right}");
        let help = format!("chmod {right} {path} - and if others had access, replace the key");
        out.push(unread.error(message).help(help));
        return false;
    }
    true
}

/// The public part of a key that can be used; what is wrong goes to `out`.
fn check_key(path: &Path, public: &Path, name: &str, out: &mut Vec<Diagnostic>) -> Option<PublicKey> {
    let text = match source::read_secret(path, &format!("keys/{name}")) {
        Ok(text) => text,
        Err(finding) => {
            out.push(*finding);
            return None;
        }
    };
    // From here on the finding must not carry the text: it is the secret.
    let unread = Source::unread(&format!("keys/{name}"));
    let key = match PrivateKey::from_openssh(text.as_bytes()) {
        Ok(key) if key.is_encrypted() => {
            let help = "`ssh-keygen -p -f` takes the passphrase off";
            out.push(unread.error("this key has a passphrase, and nobody is there to type it").help(help));
            return None;
        }
        Ok(key) => key,
        Err(_) => {
            let help = "it is what `ssh-keygen -t ed25519` writes";
            out.push(unread.error("this is not a private key in OpenSSH's format").help(help));
            return None;
        }
    };
    if key.algorithm() != Algorithm::Ed25519 {
        let message = format!("this key is {}, and the bastion's own keys are ed25519", key.algorithm());
        out.push(unread.error(message).help("make one with `ssh-keygen -t ed25519 -N ''`"));
        return None;
    }
    // The log key's public part is written in another format (a C2SP verifier key), which the log itself checks.
    if name != "log_key" {
        compare(public, name, key.public_key(), out);
    }
    Some(key.public_key().clone())
}

fn compare(path: &Path, name: &str, key: &PublicKey, out: &mut Vec<Diagnostic>) {
    let file = match source::read(path, &format!("certs/{name}.pub"), Trust::Host) {
        Ok(file) => file,
        Err(finding) => return out.push(*finding),
    };
    let same = PublicKey::from_openssh(file.text.trim()).is_ok_and(|public| public.key_data() == key.key_data());
    if !same {
        let message = format!("this is not the public part of keys/{name}");
        let help = format!("write it anew: ssh-keygen -y -f {} > {}", path_of_key(path, name), path.display());
        out.push(file.error(message).help(help));
    }
}

fn path_of_key(public: &Path, name: &str) -> String {
    let dir = public.parent().and_then(Path::parent).unwrap_or(Path::new("DIR"));
    dir.join("keys").join(name).display().to_string()
}
