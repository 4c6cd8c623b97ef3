//! What a session holds now: the certificate it stands on and the grants that live. Read live for every command.

use std::sync::Arc;

use crate::domain::UserName;
use crate::grant::ActiveGrant;
use crate::identity::SessionCertificate;
use crate::policy::Role;

use super::{Services, session::Session};

/// The certificate under which a session may run commands.
#[derive(Clone, Debug)]
pub struct CurrentCertificate {
    /// What it says.
    pub certificate: SessionCertificate,
    /// Whether the client presented it (else it was on file for the key the client proved).
    pub presented: bool,
}

/// A grant with the role as approved, compiled.
#[derive(Clone, Debug)]
pub struct HeldGrant {
    /// The grant.
    pub grant: ActiveGrant,
    /// Its role as approved.
    pub role: Arc<Role>,
}

/// Why a session has no certificate to run commands under. `Display` is shown to the user: what to type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// Nothing approved, or everything over.
    #[error("")]
    None,
}

/// The certificate of `session`: the presented one, else the one on file for its key. Both pass the same verification and are
/// then checked live: serial known and not superseded, key still enrolled for that user. Approved requests of the user are
/// activated first, and a new certificate put on file if that changed anything (and the session did not present one).
///
/// # Errors
/// [`NoCertificate`].
pub async fn current_certificate(
    _services: &Services,
    _session: &Session,
) -> Result<CurrentCertificate, NoCertificate> {
    todo!()
}

/// Every grant of `user` that lives now, with its role as approved.
///
/// # Errors
/// The store's, in words.
pub async fn held_grants(_services: &Services, _user: &UserName) -> Result<Vec<HeldGrant>, super::ports::StoreError> {
    todo!()
}
