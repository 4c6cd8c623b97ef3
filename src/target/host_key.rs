//! Is this the machine of targets.toml? One pinned key, compared exactly; never trust on first use.

use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};

/// Whether the target showed the pinned key.
///
/// # Errors
/// Fingerprint of what it showed instead. A host certificate is never accepted here: none was asked for.
pub(super) fn check(pinned: &PublicKey, shown: &PublicKeyOrCertificate) -> Result<(), String> {
    match shown {
        PublicKeyOrCertificate::PublicKey { key, .. } if key.key_data() == pinned.key_data() => Ok(()),
        PublicKeyOrCertificate::PublicKey { key, .. } => Err(key.fingerprint(HashAlg::Sha256).to_string()),
        PublicKeyOrCertificate::Certificate(certificate) => {
            let key = certificate.public_key().fingerprint(HashAlg::Sha256);
            Err(format!("a certificate for {key}"))
        }
    }
}

/// The host key algorithms to ask for: only that of the pinned key, because a server with several keys shows the one that
/// was negotiated. RSA, where one key has several algorithms, is not in this build.
pub(super) fn algorithms(pinned: &PublicKey) -> Vec<Algorithm> {
    vec![pinned.algorithm()]
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
        assert_eq!(check(&pinned, &renamed.into()), Ok(()), "a comment is no part of a key");
        assert_eq!(check(&pinned, &other.clone().into()), Err(other.fingerprint(HashAlg::Sha256).to_string()));
    }
}
