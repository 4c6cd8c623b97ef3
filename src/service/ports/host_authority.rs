//! The port to the host CA.

use async_trait::async_trait;
use russh::keys::Certificate;

use super::AuthorityError;

/// Certifies the bastion's host key.
#[async_trait]
pub trait HostAuthority: Send + Sync {
    /// Signs a certificate for the bastion's host key that is valid from now on, for as long as the profile of host
    /// certificates says. `names` are what clients look up, and nothing else.
    ///
    /// # Errors
    /// [`AuthorityError`] when the profile refuses a name, the store gives no serial number or the signer fails.
    async fn certify(&self, names: &[String]) -> Result<Certificate, AuthorityError>;
}
