//! A cleared command on an OpenSSH target: connect (or take a connection that was prepared), check the host key, make a key
//! and have it certified for this one command, log in, run.
//!
//! The private key lives in this function's memory and is gone when the login is over.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{AuthResult, Handle, Msg};
use russh::keys::{Algorithm, Certificate, PrivateKey};
use russh::{Channel, ChannelMsg};
use tokio::time::Instant;
use tracing::debug;

use crate::domain::{AccountName, Clock, TargetName};
use crate::inventory::SshReach;
use crate::service::ports::{Cleared, Preparation, Running, TargetError};

use super::connect::{self, Lifeline};
use super::prepared::Pool;
use super::wire::{Fault, Watch, config};
use super::{CommandCertifier, Deadlines, relay};

/// Runs cleared commands on OpenSSH targets.
pub(super) struct SshTargets {
    certifier: Arc<dyn CommandCertifier>,
    deadlines: Deadlines,
    clock: Arc<dyn Clock>,
    prepared: Pool,
}

impl SshTargets {
    /// Runs commands with certificates of `certifier`, on targets whose own are judged by `clock`.
    pub(super) fn new(certifier: Arc<dyn CommandCertifier>, deadlines: Deadlines, clock: Arc<dyn Clock>) -> Self {
        Self { certifier, deadlines, clock, prepared: Pool::default() }
    }

    /// Starts the command; see [`crate::service::ports::Targets::start`].
    pub(super) async fn start(&self, cleared: &Cleared, reach: &SshReach) -> Result<Running, TargetError> {
        let target = cleared.permit().target();
        if let Some(mut connection) = self.prepared.take(target, reach).await.transpose()? {
            connection.restart_login(self.deadlines.login);
            match self.log_in(&mut connection, cleared, reach).await {
                // It died while it waited, and its end came with our login: nothing ran on it.
                Err(error) if connection.is_closed() => debug!(%target, %error, "a prepared connection was of no use"),
                result => {
                    result?;
                    return self.run(connection, cleared).await;
                }
            }
        }
        let mut connection = Connection::open(target, reach, &self.deadlines, &self.clock).await?;
        self.log_in(&mut connection, cleared, reach).await?;
        self.run(connection, cleared).await
    }

    /// Makes a connection for a command that may come; see [`crate::service::ports::Targets::prepare`].
    pub(super) async fn prepare(&self, target: &TargetName, reach: &SshReach, most: usize) -> Preparation {
        let open = Connection::open(target, reach, &self.deadlines, &self.clock);
        self.prepared.keep(target, reach, most, open).await
    }

    /// A new key, a certificate for this one command, and the login with both.
    async fn log_in(
        &self,
        connection: &mut Connection,
        cleared: &Cleared,
        reach: &SshReach,
    ) -> Result<(), TargetError> {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
            .map_err(|error| TargetError::Internal { reason: format!("no new key: {error}") })?;
        let source = reach.from.unwrap_or(connection.local);
        let certificate = self.certifier.certify(cleared, key.public_key(), source).await?;
        connection.login(cleared.permit().account(), key, certificate).await
    }

    async fn run(&self, connection: Connection, cleared: &Cleared) -> Result<Running, TargetError> {
        let channel = connection.exec(cleared.permit().line(), self.deadlines.exec).await?;
        Ok(relay::spawn(connection, channel, self.deadlines.tail))
    }
}

/// When something must be over, and how long that was at its beginning.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    limit: Duration,
}

/// One connection to a target, which carries one command. Dropping it cuts it.
pub(super) struct Connection {
    target: TargetName,
    pub(super) handle: Handle<Watch>,
    login: Deadline,
    ended: Arc<OnceLock<String>>,
    /// The address the target sees.
    pub(super) local: IpAddr,
    _lifeline: Lifeline,
}

impl Connection {
    /// Connects and exchanges keys. Nothing is authenticated yet on our side; the target has proved who it is.
    pub(super) async fn open(
        target: &TargetName,
        reach: &SshReach,
        deadlines: &Deadlines,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, TargetError> {
        let opened = connect::open(reach, deadlines.connect).await.map_err(|reason| unreachable(target, reason))?;
        let login = Deadline { at: Instant::now() + deadlines.login, limit: deadlines.login };
        let (watch, ended) = Watch::new(reach.identity.clone(), Arc::clone(clock));
        let handshake = russh::client::connect_stream(config(&reach.identity), opened.stream, watch);
        let handle = match tokio::time::timeout_at(login.at, handshake).await.ok() {
            Some(Ok(handle)) => handle,
            Some(Err(Fault::HostKey(shown))) => {
                return Err(TargetError::HostKey { target: target.to_string(), shown });
            }
            Some(Err(Fault::HostCertificate(problem))) => {
                return Err(TargetError::HostCertificate { target: target.to_string(), problem });
            }
            Some(Err(fault)) => return Err(unreachable(target, format!("the key exchange failed: {fault}"))),
            None => return Err(unreachable(target, silent(login.limit, "the key exchange"))),
        };
        Ok(Self { target: target.clone(), handle, login, ended, local: opened.local, _lifeline: opened.lifeline })
    }

    /// Gives the login its time from now on: what the key exchange took, and the wait since, are not counted.
    pub(super) fn restart_login(&mut self, limit: Duration) {
        self.login = Deadline { at: Instant::now() + limit, limit };
    }

    /// Whether it has ended, as far as is known.
    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Logs in as `account`, within what the key exchange left of the deadline. Prompts of the target are never answered: they
    /// run into it.
    pub(super) async fn login(
        &mut self,
        account: &AccountName,
        key: PrivateKey,
        certificate: Certificate,
    ) -> Result<(), TargetError> {
        let login = self.handle.authenticate_openssh_cert(account.as_str(), Arc::new(key), certificate);
        match tokio::time::timeout_at(self.login.at, login).await.ok() {
            Some(Ok(AuthResult::Success)) => Ok(()),
            Some(Ok(AuthResult::Failure { .. })) if self.is_closed() => Err(self.lost("the login")),
            Some(Ok(AuthResult::Failure { .. })) => Err(TargetError::Refused { target: self.target.to_string() }),
            Some(Err(_)) => Err(self.lost("the login")),
            None => {
                let after = self.login.limit.as_secs();
                Err(unreachable(
                    &self.target,
                    format!("the login was not done {after} s after the connection was open"),
                ))
            }
        }
    }

    /// Opens the one channel and asks for `line`. The certificate forces the same line, so this can only agree with it.
    pub(super) async fn exec(&self, line: &str, limit: Duration) -> Result<Channel<Msg>, TargetError> {
        let asking = async {
            let mut channel = self.handle.channel_open_session().await.map_err(|error| error.to_string())?;
            channel.exec(true, line).await.map_err(|error| error.to_string())?;
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => return Ok(channel),
                    Some(ChannelMsg::WindowAdjusted { .. }) => {}
                    Some(ChannelMsg::Failure) => return Err("it refuses to run commands".to_owned()),
                    Some(_) => return Err("it spoke before it answered".to_owned()),
                    None => return Err(self.why_ended()),
                }
            }
        };
        match within(limit, asking).await {
            Some(answer) => answer.map_err(|reason| unreachable(&self.target, reason)),
            None => {
                let reason = format!("{}; whether the command began is unknown", silent(limit, "the command"));
                Err(unreachable(&self.target, reason))
            }
        }
    }

    /// Why the connection ended, as far as is known.
    pub(super) fn why_ended(&self) -> String {
        self.ended.get().cloned().unwrap_or_else(|| "the connection was closed".to_owned())
    }

    /// Takes leave, so that the target's log shows an orderly end. Bounded; the cut follows anyway.
    pub(super) async fn part(self) {
        let leave = self.handle.disconnect(russh::Disconnect::ByApplication, "", "");
        if let Some(Ok(())) = within(Duration::from_secs(1), leave).await {
            let _ = within(Duration::from_secs(1), self.handle).await;
        }
    }

    fn lost(&self, during: &str) -> TargetError {
        unreachable(&self.target, format!("the connection ended during {during}: {}", self.why_ended()))
    }
}

fn unreachable(target: &TargetName, reason: String) -> TargetError {
    TargetError::Unreachable { target: target.to_string(), reason }
}

fn silent(limit: Duration, step: &str) -> String {
    format!("it did not answer {step} within {} s", limit.as_secs())
}

async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}
