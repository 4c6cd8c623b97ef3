//! The way to the targets: runs one cleared command on one machine.
//!
//! Owns the connection to a target from the TCP handshake to its end, the proof of who it is, the key and login of one command,
//! and the `local` target of the demo. It takes a [`Cleared`] and nothing else, so it cannot run what was not decided, logged
//! and recorded; only [`probe`], the operator's test of a target, runs harmless lines of its own. It refuses to know roles, grants and the client; what comes back goes to `service::pump`. This is the only
//! room that may import `russh::client`.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use russh::keys::{Certificate, PublicKey};

use crate::domain::Clock;
use crate::inventory::{Reach, Target};
use crate::service::ports::{Cleared, Preparation, Running, TargetError, Targets};

mod connect;
mod host_key;
mod local;
mod prepared;
pub mod probe;
mod relay;
mod ssh;
mod wire;

use ssh::SshTargets;

/// Certifies the key of one command. The wiring implements it over the target CA.
#[async_trait]
pub trait CommandCertifier: Send + Sync {
    /// A certificate for `key` that opens one command on one target: `cleared`'s line as `force-command`, its target and
    /// account as principal, `source` as `source-address`, about a minute of validity from [`Cleared::decided`].
    ///
    /// # Errors
    /// [`TargetError::Internal`] when it cannot be signed.
    async fn certify(&self, cleared: &Cleared, key: &PublicKey, source: IpAddr) -> Result<Certificate, TargetError>;
}

/// How long a target may take for each step before the command fails.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Name lookup and TCP handshake.
    pub connect: Duration,
    /// Identification, key exchange and login, together: one deadline that begins with the open connection.
    pub login: Duration,
    /// Opening the channel and answering `exec`.
    pub exec: Duration,
    /// Silence after the exit status while the end of the output is still to come.
    pub tail: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        let ten = Duration::from_secs(10);
        Self { connect: ten, login: ten, exec: ten, tail: Duration::from_secs(5) }
    }
}

/// All targets: picks the way by [`Reach`].
pub struct TargetRouter {
    ssh: SshTargets,
}

impl TargetRouter {
    /// A router that logs in to `ssh` targets with certificates of `certifier`, and judges theirs by `clock`.
    #[must_use]
    pub fn new(certifier: Arc<dyn CommandCertifier>, deadlines: Deadlines, clock: Arc<dyn Clock>) -> Self {
        Self { ssh: SshTargets::new(certifier, deadlines, clock) }
    }
}

#[async_trait]
impl Targets for TargetRouter {
    async fn start(&self, cleared: Cleared, target: &Target) -> Result<Running, TargetError> {
        // The permit names the target; the inventory entry only says how to reach it.
        if cleared.permit().target() != &target.name {
            let reason = format!("a command for {} was about to go to {}", cleared.permit().target(), target.name);
            return Err(TargetError::Internal { reason });
        }
        match &target.reach {
            Reach::Ssh(reach) => self.ssh.start(&cleared, reach).await,
            Reach::Local => local::start(&cleared),
        }
    }

    async fn prepare(&self, target: &Target, most: usize) -> Preparation {
        match &target.reach {
            Reach::Ssh(reach) => self.ssh.prepare(&target.name, reach, most).await,
            Reach::Local => Preparation::NotMade,
        }
    }
}
