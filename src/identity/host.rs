//! Is this the machine that we mean? Believes a host certificate for one name, or says which check failed.
//!
//! Pure: the authority, the name and the time come in as arguments. Whether the peer holds the certified key is the
//! transport's to prove; everything that the certificate itself says is checked here and nowhere else.

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKey};

use crate::domain::Timestamp;
use crate::domain::limits::EXCERPT;
use crate::domain::text::excerpt;

use super::authority::{NotSigned, OutOfTime, signed_by, within_time};

/// The kinds of keys that a host certificate may be for, the preferred first. What else exists is weak (DSA), not in this
/// build (RSA) or no host's (keys on security devices).
pub const HOST_KEYS: [Algorithm; 4] = [
    Algorithm::Ed25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
];

/// How many of a certificate's names a message shows.
const NAMES_SHOWN: usize = 4;

/// The first check that failed. `Display` is for the operator and for whoever wanted to run something; what comes from the
/// certificate is escaped.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HostCertificateError {
    /// A certificate for a person.
    #[error("its certificate is a user certificate")]
    UserType,
    /// The certified key is of a kind that is not believed.
    #[error("its certificate is for a {shown} key")]
    KeyAlgorithm {
        /// The kind.
        shown: String,
    },
    /// Signed by another key than the host CA's.
    #[error("its certificate is signed by {shown}, and the host CA of targets.toml is {wanted}")]
    ForeignAuthority {
        /// Fingerprint of the signature key in it.
        shown: String,
        /// That of the one that was wanted.
        wanted: String,
    },
    /// The signature does not fit.
    #[error("the signature of its certificate is not valid")]
    BadSignature,
    /// Not yet valid.
    #[error("its certificate is not valid before {}", .from.to_the_second())]
    NotYetValid {
        /// First instant at which it is.
        from: Timestamp,
    },
    /// Not valid any more.
    #[error("its certificate expired at {}", .at.to_the_second())]
    Expired {
        /// First instant at which it was not valid.
        at: Timestamp,
    },
    /// A certificate without names is one for every name; OpenSSH's clients refuse it too.
    #[error("its certificate names no host")]
    NoNames,
    /// It is another host's.
    #[error("its certificate is for {names}, and {wanted} was wanted")]
    OtherName {
        /// The name that was looked for.
        wanted: String,
        /// The first of the names that are there.
        names: String,
    },
    /// A restriction that we do not know and therefore cannot keep.
    #[error("its certificate has the critical option `{name}`, which host certificates do not carry")]
    CriticalOption {
        /// Its name.
        name: String,
    },
}

/// Decides whether a machine that holds the certified key is `name`. In this order: it is a host certificate, for a kind of
/// key that we believe; its signature key is `authority`, byte for byte, and the signature is valid; `valid after <= now <
/// valid before`; one of its names is `name`, exactly; it has no critical option.
///
/// A name in a certificate is a name and no pattern: `*` stands for nothing. Names are compared as bytes, so `name` must be in
/// lower case, as `ssh` writes what people type. Extensions never fail; there are none for hosts.
///
/// # Errors
/// [`HostCertificateError`] names the first check that failed.
///
/// # Source
/// draft-ietf-sshm-cert-01. russh checks none of this for a server's certificate.
pub fn verify_host_certificate(
    certificate: &Certificate,
    authority: &PublicKey,
    name: &str,
    now: Timestamp,
) -> Result<(), HostCertificateError> {
    if certificate.cert_type() != CertType::Host {
        return Err(HostCertificateError::UserType);
    }
    let algorithm = certificate.public_key().algorithm();
    if !HOST_KEYS.contains(&algorithm) {
        return Err(HostCertificateError::KeyAlgorithm { shown: excerpt(algorithm.as_ref(), EXCERPT) });
    }
    signed_by(certificate, authority).map_err(|why| match why {
        NotSigned::Foreign(shown) => HostCertificateError::ForeignAuthority {
            shown: shown.to_string(),
            wanted: authority.fingerprint(HashAlg::Sha256).to_string(),
        },
        NotSigned::Invalid => HostCertificateError::BadSignature,
    })?;
    within_time(certificate, now).map_err(|why| match why {
        OutOfTime::NotBefore(from) => HostCertificateError::NotYetValid { from },
        OutOfTime::Since(at) => HostCertificateError::Expired { at },
    })?;
    check_name(certificate.valid_principals(), name)?;
    match certificate.critical_options().iter().next() {
        Some((name, _)) => Err(HostCertificateError::CriticalOption { name: excerpt(name, EXCERPT) }),
        None => Ok(()),
    }
}

fn check_name(names: &[String], wanted: &str) -> Result<(), HostCertificateError> {
    if names.is_empty() {
        return Err(HostCertificateError::NoNames);
    }
    if names.iter().any(|name| name == wanted) {
        return Ok(());
    }
    let mut shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(|name| excerpt(name, EXCERPT)).collect();
    if names.len() > NAMES_SHOWN {
        shown.push(format!("{} more", names.len() - NAMES_SHOWN));
    }
    Err(HostCertificateError::OtherName { wanted: wanted.to_owned(), names: shown.join(", ") })
}

#[cfg(test)]
mod tests {
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::certificate::Builder;

    use super::*;

    const FROM: u64 = 1_000;
    const END: u64 = 2_000;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap()
    }

    /// A host certificate for `names`, as `change` has it, signed by `authority`.
    fn certificate(authority: &PrivateKey, names: &[&str], change: impl FnOnce(&mut Builder)) -> Certificate {
        let host = key();
        let mut builder =
            Builder::new_with_random_nonce(&mut rand::rng(), host.public_key().key_data().clone(), FROM, END).unwrap();
        builder.serial(1).unwrap().key_id("host").unwrap().cert_type(CertType::Host).unwrap();
        for name in names {
            builder.valid_principal(*name).unwrap();
        }
        if names.is_empty() {
            builder.all_principals_valid().unwrap();
        }
        change(&mut builder);
        builder.sign(authority).unwrap()
    }

    fn says(certificate: &Certificate, authority: &PrivateKey, now: i64) -> Result<(), String> {
        verify_host_certificate(certificate, authority.public_key(), "web-1.example.com", Timestamp::from_secs(now))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_certificate_of_the_host_ca_for_that_name_is_believed_in_its_time_and_not_a_microsecond_longer() {
        let ca = key();
        let good = certificate(&ca, &["other", "web-1.example.com"], |_| {});
        for (now, wanted) in [
            (1_000, Ok(())),
            (1_999, Ok(())),
            (999, Err("its certificate is not valid before 1970-01-01T00:16:40Z".to_owned())),
            (2_000, Err("its certificate expired at 1970-01-01T00:33:20Z".to_owned())),
        ] {
            assert_eq!(says(&good, &ca, now), wanted, "{now}");
        }
        let last = Timestamp::from_micros(2_000_000_000 - 1);
        assert_eq!(verify_host_certificate(&good, ca.public_key(), "other", last), Ok(()));
    }

    #[test]
    fn a_name_is_the_whole_name_and_never_a_pattern() {
        let ca = key();
        for names in
            [&["web-1"][..], &["*"], &["*.example.com"], &["WEB-1.example.com"], &["web-1.example.com."], &[""]]
        {
            let said = says(&certificate(&ca, names, |_| {}), &ca, 1_500).unwrap_err();
            assert!(said.ends_with("and web-1.example.com was wanted"), "{names:?}: {said}");
        }
        let many = ["a", "b", "c", "d", "e", "\u{1b}[2J"];
        let said = says(&certificate(&ca, &many, |_| {}), &ca, 1_500).unwrap_err();
        assert_eq!(said, "its certificate is for a, b, c, d, 2 more, and web-1.example.com was wanted");
        let said = says(&certificate(&ca, &many[4..], |_| {}), &ca, 1_500).unwrap_err();
        assert!(said.contains("\\u{1b}[2J"), "{said}");
    }

    #[test]
    fn what_else_is_wrong_with_it_is_named() {
        let (ca, other) = (key(), key());
        let name = ["web-1.example.com"];
        let option = |builder: &mut Builder| {
            builder.critical_option("force-command", "id").unwrap();
        };
        for (shown, says_so) in [
            (certificate(&ca, &[], |_| {}), "names no host"),
            (certificate(&ca, &name, option), "the critical option `force-command`"),
            (certificate(&other, &name, |_| {}), "and the host CA of targets.toml is SHA256:"),
        ] {
            let said = says(&shown, &ca, 1_500).unwrap_err();
            assert!(said.contains(says_so), "{said}");
        }
    }
}
