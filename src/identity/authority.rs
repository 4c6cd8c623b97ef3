//! What every certificate must pass, whatever it is for: signed by the one key that we trust, and within its time.

use russh::keys::{Certificate, HashAlg, PublicKey};

use crate::domain::Timestamp;

use super::Fingerprint;

/// Why a signature does not count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum NotSigned {
    /// It is another key's; this is its fingerprint.
    Foreign(Fingerprint),
    /// It does not fit the certificate.
    Invalid,
}

/// Why a certificate does not count now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OutOfTime {
    /// It begins to count then.
    NotBefore(Timestamp),
    /// It ceased to count then.
    Since(Timestamp),
}

/// Whether `authority` signed it. The keys are compared whole, not by fingerprint, and a certificate in place of the key is
/// another key: no chains in SSH.
pub(super) fn signed_by(certificate: &Certificate, authority: &PublicKey) -> Result<(), NotSigned> {
    if certificate.signature_key() != authority.key_data() {
        return Err(NotSigned::Foreign(certificate.signature_key().fingerprint(HashAlg::Sha256)));
    }
    let fits = certificate.signature().algorithm() == authority.algorithm() && certificate.verify_signature().is_ok();
    if fits { Ok(()) } else { Err(NotSigned::Invalid) }
}

/// Whether `valid after <= now < valid before`, as OpenSSH has it.
pub(super) fn within_time(certificate: &Certificate, now: Timestamp) -> Result<(), OutOfTime> {
    let instant = |seconds: u64| Timestamp::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    let (from, end) = (instant(certificate.valid_after()), instant(certificate.valid_before()));
    if now < from {
        return Err(OutOfTime::NotBefore(from));
    }
    if now >= end {
        return Err(OutOfTime::Since(end));
    }
    Ok(())
}
