//! The port to the session CA.

use std::collections::BTreeSet;

use async_trait::async_trait;
use ipnet::IpNet;
use russh::keys::{Certificate, PublicKey};

use crate::domain::{CertificateId, GrantId, Serial, UserName, Window};
use crate::identity::SessionCertificate;
use crate::identity::certificate::CertificateError;

/// What a session certificate is to say.
#[derive(Clone, Debug)]
pub struct SessionCertificateRequest {
    /// Its identifier, for the key ID.
    pub id: CertificateId,
    /// Its number.
    pub serial: Serial,
    /// The user it names.
    pub user: UserName,
    /// The key that user proved.
    pub key: PublicKey,
    /// The grants it lists; never empty.
    pub grants: BTreeSet<GrantId>,
    /// `now` and the end of the last grant; the profile's skew is taken off the start.
    pub validity: Window,
    /// The user's own networks, for `source-address`.
    pub networks: Vec<IpNet>,
}

/// Why no certificate was made.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the certificate could not be signed: {reason}")]
pub struct AuthorityError {
    /// For the operator.
    pub reason: String,
}

/// Makes and checks session certificates.
#[async_trait]
pub trait SessionAuthority: Send + Sync {
    /// Signs a session certificate.
    ///
    /// # Errors
    /// [`AuthorityError`] when the profile refuses the request (key type) or the signer fails.
    async fn issue(&self, request: SessionCertificateRequest) -> Result<Certificate, AuthorityError>;

    /// Every check of `docs/certificates.md` that needs no store: type, our CA key exactly, signature, dates, one principal that is a
    /// current user, known options once each and met.
    ///
    /// # Errors
    /// [`CertificateError`] names the first check that failed.
    fn verify(
        &self,
        certificate: &Certificate,
        presented: &crate::identity::certificate::Presented<'_>,
    ) -> Result<SessionCertificate, CertificateError>;
}
