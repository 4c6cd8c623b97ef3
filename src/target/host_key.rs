//! Is this the machine of targets.toml? One pinned key, or a certificate of its host CA for its name; never trust on first
//! use, and never the one in the place of the other.

use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};

use crate::domain::Timestamp;
use crate::identity::host::{HOST_KEYS, verify_host_certificate};
use crate::inventory::HostIdentity;

use super::wire::Fault;

/// Whether the target is who it must be. It has proved already that it holds the key it showed.
///
/// # Errors
/// [`Fault::HostKey`] or [`Fault::HostCertificate`], with what it showed instead.
pub(super) fn check(identity: &HostIdentity, now: Timestamp, shown: &PublicKeyOrCertificate) -> Result<(), Fault> {
    match (identity, shown) {
        (HostIdentity::Pinned(pinned), PublicKeyOrCertificate::PublicKey { key, .. }) => {
            if key.key_data() == pinned.key_data() {
                return Ok(());
            }
            Err(Fault::HostKey(key.fingerprint(HashAlg::Sha256).to_string()))
        }
        // None was asked for.
        (HostIdentity::Pinned(_), PublicKeyOrCertificate::Certificate(certificate)) => {
            let key = certificate.public_key().fingerprint(HashAlg::Sha256);
            Err(Fault::HostKey(format!("a certificate for {key}")))
        }
        (HostIdentity::Certified { authority, name }, PublicKeyOrCertificate::Certificate(certificate)) => {
            verify_host_certificate(certificate, authority, name, now)
                .map_err(|error| Fault::HostCertificate(error.to_string()))
        }
        (HostIdentity::Certified { authority, name }, PublicKeyOrCertificate::PublicKey { key, .. }) => {
            let (key, authority) = (key.fingerprint(HashAlg::Sha256), authority.fingerprint(HashAlg::Sha256));
            Err(Fault::HostCertificate(format!(
                "it showed the plain key {key}, and a certificate of {authority} for {name} was wanted"
            )))
        }
    }
}

/// The host key algorithms to ask for.
pub(super) struct Asked {
    /// As certificates, which come before the plain ones.
    pub(super) certificates: Vec<Algorithm>,
    /// As plain keys.
    pub(super) plain: Vec<Algorithm>,
}

/// Of a pinned key only its own algorithm, because a server with several keys shows the one that was negotiated. (RSA, where
/// one key has several algorithms, is not in this build.) Of a host CA certificates first, whatever key they are for; plain
/// keys too, only so that a target without a certificate can be told which key it showed instead.
pub(super) fn asked(identity: &HostIdentity) -> Asked {
    match identity {
        HostIdentity::Pinned(pinned) => Asked { certificates: Vec::new(), plain: vec![PublicKey::algorithm(pinned)] },
        HostIdentity::Certified { .. } => Asked { certificates: HOST_KEYS.to_vec(), plain: HOST_KEYS.to_vec() },
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;

    use super::*;

    #[test]
    fn only_the_pinned_key_itself_passes() {
        let fresh = || PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).expect("key").public_key().clone();
        let (pinned, other) = (fresh(), fresh());
        let mut renamed = pinned.clone();
        renamed.set_comment("another comment");
        let identity = HostIdentity::Pinned(pinned);
        let now = Timestamp::from_secs(0);
        let check = |shown: PublicKey| check(&identity, now, &shown.into()).map_err(|fault| fault.to_string());
        assert_eq!(check(renamed), Ok(()), "a comment is no part of a key");
        let shown = other.fingerprint(HashAlg::Sha256);
        assert_eq!(check(other), Err(format!("it showed the host key {shown}")));
    }
}
