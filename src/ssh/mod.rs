//! The front door: the only module that speaks SSH with clients.
//!
//! [`listener`] accepts, [`lobby`] bounds who has not proved anything yet, [`handler`] answers russh's callbacks and finds out who
//! it is, [`door`] reads the login name, [`channel`] runs one line through `control` or `service::run_command`, [`client`] is the
//! client's side of it. [`jump`] answers connections to targets inside a connection, in the name that [`host`] has certified, over
//! a [`tunnel`]. [`proxy`] reads what a load balancer says before all that.
//! Refuses to know roles, grants and SQL; decides nothing.

use std::sync::Arc;

use arc_swap::ArcSwap;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::Certificate;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::control::ControlContext;
use crate::domain::UserName;
use crate::service::Services;
use crate::session::{Budgets, SpoolLimits};

mod algorithms;
mod channel;
mod client;
mod connection;
mod crowd;
mod cutoff;
pub mod door;
mod failures;
mod handler;
mod host;
mod jump;
mod limits;
mod listener;
mod lobby;
pub mod proxy;
mod refusals;
pub mod terminal;
mod tunnel;

pub use failures::Failures;
pub use host::{HostConfigs, RENEW};
pub use limits::Limits;
pub use listener::Gate;

/// What every connection shares.
pub struct FrontDoor {
    /// The use cases' ports and the configuration in force.
    pub services: Arc<Services>,
    /// What the control verbs need besides.
    pub control: ControlContext,
    /// What bounds connections.
    pub limits: Limits,
    /// The networks whose connections must begin with a PROXY header, and are believed.
    pub proxies: Vec<ipnet::IpNet>,
    /// Who is on the way in.
    pub gate: Gate,
    /// What bounds input that waits for a target.
    pub spool: SpoolLimits,
    /// How much of it may wait for each user and for all.
    pub waiting: Budgets,
    /// russh's configuration; replaced when the host certificate is renewed.
    pub config: ArcSwap<ServerConfig>,
    /// In whose name connections to targets are answered.
    pub hosts: HostConfigs,
    /// Cancelled to cut every connection at once.
    pub cut: CancellationToken,
    /// How many connections each user has.
    pub users: Users,
    /// The authentication failures, so that strangers do not fill the log.
    pub failures: Failures,
    /// Every connection's task.
    pub connections: TaskTracker,
    /// Every channel's task: who still has something running.
    pub conversations: TaskTracker,
}

/// How many connections each user has.
#[derive(Debug, Default)]
pub struct Users(crowd::Crowd<UserName>);

impl FrontDoor {
    /// Serves `listener` until `services.stopping` is cancelled.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        listener::accept(self, listener).await;
    }
}

/// russh's own configuration, for those who may not name russh's server.
pub type ServerConfig = russh::server::Config;

/// When we ask a client for new keys: later than any client that we know asks us.
///
/// russh ends a connection on which more than 4 MiB arrive between its request and the client's answer (`Error::Pending`). So
/// much is under way when a user sends on three channels at once, and every transfer was then lost. A client that asks stops
/// sending first. Stock `ssh` asks after 1 GiB with ChaCha20-Poly1305 and after 64 GiB with AES-GCM, and never because of the
/// time unless its user says so (`RekeyLimit`). 16 GiB are fewer than 2^31 packets, so that no nonce of either cipher comes
/// twice (RFC 4344, section 3.1) whatever the client does.
fn rekey() -> russh::Limits {
    const LIMIT: usize = 16 << 30;
    russh::Limits { rekey_write_limit: LIMIT, rekey_read_limit: LIMIT, rekey_time_limit: std::time::Duration::MAX }
}

/// russh's configuration for a host key and its certificate.
#[must_use]
pub fn server_config(host_key: PrivateKey, certificate: Certificate, limits: &Limits) -> ServerConfig {
    russh::server::Config {
        // The version stays our secret: scanners get nothing to look up.
        server_id: russh::SshId::Standard("SSH-2.0-doorward".into()),
        methods: russh::MethodSet::from(&[russh::MethodKind::PublicKey][..]),
        auth_rejection_time: std::time::Duration::from_millis(100),
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        keys: vec![host_key],
        certificates: vec![certificate],
        preferred: algorithms::offered(),
        max_auth_attempts: limits.attempts,
        channel_buffer_size: limits.queue,
        // The grace timer bounds the unproven, keepalives find the dead; a session that waits for an approver is neither.
        inactivity_timeout: None,
        keepalive_interval: Some(std::time::Duration::from_secs(30)),
        keepalive_max: 3,
        nodelay: true,
        limits: rekey(),
        ..russh::server::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use russh::keys::ssh_key::certificate::Builder;

    #[test]
    fn the_limits_reach_russh() {
        let key = PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
        let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), key.public_key().clone(), 0, 1).unwrap();
        builder.valid_principal("bastion.test").unwrap();
        let certificate = builder.sign(&key).unwrap();
        let limits = Limits { queue: 7, attempts: 3, ..Limits::default() };
        let config = server_config(key, certificate, &limits);
        assert_eq!((config.channel_buffer_size, config.max_auth_attempts), (7, 3));
        assert_eq!(config.inactivity_timeout, None, "what waits for an approver is not idle");
    }
}
