//! One certificate for one command: the target CA behind the target room's port.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use russh::keys::{Certificate, PublicKey};

use crate::ca::profile::TargetFacts;
use crate::ca::serial::SerialSource;
use crate::ca::signer::TargetCa;
use crate::domain::{Clock, Timestamp};
use crate::service::ports::{Cleared, TargetError};
use crate::target::CommandCertifier;

/// The target CA with its numbers.
pub(super) struct Certifier {
    pub(super) authority: TargetCa,
    pub(super) serials: SerialSource,
    pub(super) bastion: String,
    pub(super) clock: Arc<dyn Clock>,
}

impl Certifier {
    /// The time of the decision by the clock that the target's is compared with: decision time may be ahead of it.
    fn decided(&self, cleared: &Cleared) -> Timestamp {
        let ahead = self.clock.wall().until(self.clock.now());
        cleared.decided().before(ahead)
    }
}

#[async_trait]
impl CommandCertifier for Certifier {
    async fn certify(&self, cleared: &Cleared, key: &PublicKey, source: IpAddr) -> Result<Certificate, TargetError> {
        let internal = |reason: String| TargetError::Internal { reason };
        let serial = self.serials.next().await.map_err(|error| internal(error.to_string()))?;
        let permit = cleared.permit();
        let request = TargetFacts {
            serial,
            identity: cleared.identity(),
            target: permit.target(),
            account: permit.account(),
            bastion: &self.bastion,
            key,
            force_command: permit.line(),
            source_address: source,
            at: self.decided(cleared),
            pty: false,
        };
        self.authority.issue(&request).map_err(|error| internal(error.to_string()))
    }
}
