//! The host key and the CA that speaks for it: whose names the bastion answers in. Whether it may answer is `ssh`'s to know.

use std::sync::Arc;

use async_trait::async_trait;
use russh::keys::{Certificate, PrivateKey};

use crate::ca::serial::SerialSource;
use crate::ca::signer::HostCa;
use crate::domain::Clock as _;
use crate::service::ports::{AuthorityError, HostAuthority};
use crate::ssh;

use super::clock::WallClock;
use super::start::StartError;

/// The bastion's host key and the CA that speaks for it.
pub(super) struct HostKeys {
    pub(super) authority: HostCa,
    pub(super) key: PrivateKey,
    pub(super) serials: SerialSource,
    pub(super) clock: Arc<WallClock>,
}

impl HostKeys {
    /// russh's configuration with a fresh host certificate.
    pub(super) async fn certified(
        &self,
        names: &[String],
        limits: &ssh::Limits,
    ) -> Result<ssh::ServerConfig, StartError> {
        let certificate = self.certify(names).await.map_err(|error| StartError::Other(error.to_string()))?;
        Ok(ssh::server_config(self.key.clone(), certificate, limits))
    }
}

#[async_trait]
impl HostAuthority for HostKeys {
    async fn certify(&self, names: &[String]) -> Result<Certificate, AuthorityError> {
        let serial = self.serials.next().await.map_err(|error| AuthorityError { reason: error.to_string() })?;
        // By the clock that clients compare it with: decision time may be ahead.
        self.authority.issue(serial, self.key.public_key(), names, self.clock.wall())
    }
}
