//! The port to the targets.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc;

use crate::domain::{CommandIdentity, Timestamp};
use crate::inventory::Target;
use crate::policy::Permit;

use super::audit_log::Committed;
use super::recorder::Recorder;

/// A permit whose decision is on disk and whose recorder is open: the only thing a target accepts.
#[derive(Debug)]
pub struct Cleared {
    permit: Permit,
    identity: CommandIdentity,
    decided: Timestamp,
}

impl Cleared {
    /// Clears a permit. Invariant 2 in one signature: no proof of the log entry, no open recorder, no [`Cleared`].
    #[must_use]
    pub fn new(
        permit: Permit,
        identity: CommandIdentity,
        decided: Timestamp,
        _written: Committed,
        _recorder: &dyn Recorder,
    ) -> Self {
        Self { permit, identity, decided }
    }

    /// What may run.
    #[must_use]
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Whose it is.
    #[must_use]
    pub fn identity(&self) -> &CommandIdentity {
        &self.identity
    }

    /// When it was decided; the target certificate's minute counts from here.
    #[must_use]
    pub fn decided(&self) -> Timestamp {
        self.decided
    }
}

/// What comes back from a running command, in order. After [`Output::Exit`], [`Output::Signal`] or [`Output::Lost`] nothing
/// follows and the channel ends; every piece of output has come before.
#[derive(Debug)]
pub enum Output {
    /// Standard output.
    Stdout(Bytes),
    /// Standard error.
    Stderr(Bytes),
    /// It ended with this status.
    Exit(u32),
    /// A signal ended it.
    Signal(String),
    /// The connection to the target was lost; the outcome is unknown.
    Lost(String),
}

/// A command that runs. **Dropping it ends the command**: the adapter closes the connection, which the rendered line turns
/// into TERM and then KILL.
pub struct Running {
    /// Standard input of the program. While it is open the command may run: also a command without `stdin` needs it kept.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// What comes back; bounded, the adapter waits when it is full.
    pub output: mpsc::Receiver<Output>,
}

/// Why a command did not start.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TargetError {
    /// It cannot be reached, or said nothing in time.
    #[error("{target} cannot be reached: {reason}")]
    Unreachable {
        /// The target's name.
        target: String,
        /// For the user and the operator.
        reason: String,
    },
    /// It showed another host key than targets.toml has.
    #[error("{target} showed another host key ({shown}) than targets.toml has; the operator must look")]
    HostKey {
        /// The target's name.
        target: String,
        /// Fingerprint of what it showed.
        shown: String,
    },
    /// It did not show a host certificate that its host CA of targets.toml vouches for.
    #[error("{target} did not prove who it is: {problem}; the operator must look")]
    HostCertificate {
        /// The target's name.
        target: String,
        /// The check that failed, with what it showed.
        problem: String,
    },
    /// It did not accept our certificate.
    #[error("{target} did not accept doorward's certificate; `doorward target test {target}` tells the operator why")]
    Refused {
        /// The target's name.
        target: String,
    },
    /// Something of ours failed.
    #[error("doorward could not prepare the command: {reason}")]
    Internal {
        /// For the operator.
        reason: String,
    },
}

/// What became of a connection that was prepared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Preparation {
    /// A command took it.
    Used,
    /// No command took it in time; it is closed.
    Unused,
    /// It could not be made.
    Failed {
        /// Why, for the operator.
        reason: String,
    },
    /// None was begun: the target has as many as it may, or is not reached by a connection.
    NotMade,
}

/// Runs cleared commands.
#[async_trait]
pub trait Targets: Send + Sync {
    /// Starts exactly the cleared command on its target.
    ///
    /// # Errors
    /// [`TargetError`]; then nothing ran.
    async fn start(&self, cleared: Cleared, target: &Target) -> Result<Running, TargetError>;

    /// Makes a connection to `target` for a command that may come, keeps it a few seconds and says what became of it: a
    /// transport only, on which nothing authenticates before [`Self::start`]. At most `most` are kept for one target. Dropping
    /// this closes it. What cannot prepare does nothing.
    async fn prepare(&self, target: &Target, most: usize) -> Preparation {
        let _ = (target, most);
        Preparation::NotMade
    }
}
