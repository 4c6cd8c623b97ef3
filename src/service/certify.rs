//! Issues session certificates.

use super::ports::CertificateRecord;
use super::{Services, session::Session};

/// Why no certificate was issued. `Display` is shown to the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// The user holds no grant.
    #[error("")]
    NoGrant,
}

/// Activates what is approved for the session's user, and issues a certificate for the key this session proved that covers
/// every grant they hold now. It is logged, then filed (superseding the key's earlier ones), then returned. If the one on
/// file already covers exactly these grants with the same end, that one is returned.
///
/// # Errors
/// [`CertifyError`].
pub async fn certify(_services: &Services, _session: &Session) -> Result<CertificateRecord, CertifyError> {
    todo!()
}
