//! Certificates of every sort for tests: `ssh-keygen -s` for what it can make, and the wire format taken apart and put
//! together again for what it cannot.

use std::fs;
use std::path::{Path, PathBuf};

use doorward::ca::signer::{KeyFileSigner, Signer};
use russh::keys::Certificate;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::public::KeyData;

use super::sshd::{keygen, text};

/// Runs `ssh-keygen -s CA … KEY.pub` with these further arguments and reads the certificate, which stays at `KEY-cert.pub`.
pub fn sign(ca: &Path, key: &Path, arguments: &[&str]) -> String {
    let public = format!("{}.pub", text(key));
    let mut all = vec!["-q", "-s", text(ca)];
    all.extend(arguments);
    all.push(&public);
    keygen(&all);
    fs::read_to_string(certificate_of(key)).expect("the certificate")
}

/// Where `ssh` and `ssh-keygen` look for the certificate of a key file.
pub fn certificate_of(key: &Path) -> PathBuf {
    PathBuf::from(format!("{}-cert.pub", text(key)))
}

/// The fields of an ed25519 certificate as they stand on the wire (draft-ietf-sshm-cert-01, "Certificate format"), each
/// string without its length.
#[derive(Clone, Debug)]
pub struct Wire {
    pub algorithm: Vec<u8>,
    pub nonce: Vec<u8>,
    pub key: Vec<u8>,
    pub serial: u64,
    pub kind: u32,
    pub key_id: Vec<u8>,
    pub principals: Vec<u8>,
    pub valid_after: u64,
    pub valid_before: u64,
    pub critical: Vec<u8>,
    pub extensions: Vec<u8>,
    pub reserved: Vec<u8>,
    pub authority: Vec<u8>,
    pub signature: Vec<u8>,
}

impl Wire {
    /// Takes a certificate apart.
    pub fn of(certificate: &Certificate) -> Self {
        let bytes = certificate.to_bytes().expect("an encoded certificate");
        let mut rest = bytes.as_slice();
        Self {
            algorithm: take_string(&mut rest),
            nonce: take_string(&mut rest),
            key: take_string(&mut rest),
            serial: u64::from_be_bytes(take(&mut rest)),
            kind: u32::from_be_bytes(take(&mut rest)),
            key_id: take_string(&mut rest),
            principals: take_string(&mut rest),
            valid_after: u64::from_be_bytes(take(&mut rest)),
            valid_before: u64::from_be_bytes(take(&mut rest)),
            critical: take_string(&mut rest),
            extensions: take_string(&mut rest),
            reserved: take_string(&mut rest),
            authority: take_string(&mut rest),
            signature: take_string(&mut rest),
        }
    }

    fn signed_part(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [&self.algorithm, &self.nonce, &self.key] {
            bytes.extend(string(part));
        }
        bytes.extend(self.serial.to_be_bytes());
        bytes.extend(self.kind.to_be_bytes());
        bytes.extend(string(&self.key_id));
        bytes.extend(string(&self.principals));
        bytes.extend(self.valid_after.to_be_bytes());
        bytes.extend(self.valid_before.to_be_bytes());
        for part in [&self.critical, &self.extensions, &self.reserved, &self.authority] {
            bytes.extend(string(part));
        }
        bytes
    }

    /// The certificate's bytes, whatever they are worth.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.signed_part();
        bytes.extend(string(&self.signature));
        bytes
    }

    /// The same fields, signed by `ca`, whose key also becomes the signature key.
    pub fn signed_by(mut self, ca: &KeyFileSigner) -> Self {
        self.authority = blob(ca.public_key().key_data());
        self.sign(ca);
        self
    }

    /// Signs what is there; the signature key stays what it is.
    pub fn sign(&mut self, ca: &KeyFileSigner) {
        let signature: Signature = ca.sign(&self.signed_part()).expect("a signature");
        self.signature = signature.encode_vec().expect("an encoded signature");
    }
}

/// A key as it stands on the wire.
pub fn blob(key: &KeyData) -> Vec<u8> {
    key.encode_vec().expect("an encoded key")
}

/// An SSH string: its length and its bytes.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("a short string");
    [&length.to_be_bytes()[..], bytes].concat()
}

/// A list of options; a value is a string inside a string, an empty one is nothing inside a string.
pub fn options(pairs: &[(&str, &str)]) -> Vec<u8> {
    let value = |value: &str| if value.is_empty() { Vec::new() } else { string(value.as_bytes()) };
    pairs.iter().flat_map(|&(name, data)| [string(name.as_bytes()), string(&value(data))].concat()).collect()
}

fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let (head, tail) = rest.split_at(N);
    *rest = tail;
    head.try_into().expect("N bytes")
}

fn take_string(rest: &mut &[u8]) -> Vec<u8> {
    let length = usize::try_from(u32::from_be_bytes(take(rest))).expect("a length");
    let (head, tail) = rest.split_at(length);
    *rest = tail;
    head.to_vec()
}
