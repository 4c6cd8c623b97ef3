//! Who is this? Pure: keys and certificates in, a [`VerifiedUser`] or a reason out.
//!
//! Identity is the key or certificate that the connection proved, never the login name. Refuses to know SSH messages (those
//! end in `ssh/`) and grants (a certificate lists grants; whether they live is `grant/`'s and the store's business).

use std::collections::BTreeSet;

use crate::domain::{CertificateId, GrantId, Serial, UserName};

mod authority;
pub mod certificate;
pub mod host;
pub mod user;

pub use user::{Directory, User};

/// `SHA256:…`, the fingerprint of a public key.
pub type Fingerprint = russh::keys::ssh_key::Fingerprint;

/// What a session certificate says, once every check of [`certificate`] has passed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionCertificate {
    /// Its number.
    pub serial: Serial,
    /// Its identifier, from the key ID.
    pub id: CertificateId,
    /// The user it names.
    pub user: UserName,
    /// The key it certifies.
    pub key: Fingerprint,
    /// The grants it lists.
    pub grants: BTreeSet<GrantId>,
}

/// How a connection proved who it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proof {
    /// By an enrolled key alone.
    Key,
    /// By a session certificate for an enrolled key.
    Certificate(SessionCertificate),
}

/// Somebody whose key signed this connection's challenge.
#[derive(Clone, Debug)]
pub struct VerifiedUser {
    /// Who.
    pub name: UserName,
    /// The key that signed.
    pub key: russh::keys::PublicKey,
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// What was presented with it.
    pub proof: Proof,
}
