//! The port to the log for those who read it. `app` implements it over the log's files, away from the async threads.

use async_trait::async_trait;

use crate::audit::event::AuditEvent;
use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::domain::{Digest, GrantId, RequestId, SessionId, TargetName, Timestamp, UserName};

/// Which entries: every condition that is set must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AuditQuery {
    /// Of this user.
    pub user: Option<UserName>,
    /// About this target.
    pub target: Option<TargetName>,
    /// About this grant, alone or among others.
    pub grant: Option<GrantId>,
    /// About this request, or the grant it became.
    pub request: Option<RequestId>,
    /// Of this connection.
    pub session: Option<SessionId>,
    /// Of this kind, as in the log: `command-denied`.
    pub kind: Option<String>,
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// With this text anywhere in them, upper and lower case being different.
    pub text: Option<String>,
    /// The newest so many; as many as the reader gives if `None`.
    pub limit: Option<usize>,
}

/// An entry that was found.
#[derive(Clone, Debug)]
pub struct FoundEntry {
    /// Its number, from 0.
    pub sequence: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What it says.
    pub event: AuditEvent,
}

/// What a verification found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Every entry is as it was written, under the signed checkpoint.
    Sound {
        /// How many entries.
        entries: u64,
        /// Root of their tree, as in the checkpoint.
        root: Digest,
        /// Time of the last one.
        last: Option<Timestamp>,
        /// Bytes after them that are not signed yet; a running bastion may be about to.
        uncovered: u64,
    },
    /// Something was changed, dropped, reordered or truncated, or is signed by another.
    Broken {
        /// What, and which entry is the first.
        problem: String,
    },
}

/// Why the log could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit log cannot be read: {reason}")]
pub struct AuditReadError {
    /// For the operator.
    pub reason: String,
}

/// Why there is no proof.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AuditProofError {
    /// What is asked for is not in the log.
    #[error("{0}")]
    NotSo(String),
    /// The log does not verify.
    #[error("the audit log does not verify: {0}")]
    Broken(String),
    /// The log could not be read.
    #[error(transparent)]
    Unreadable(#[from] AuditReadError),
}

/// Reads the audit log.
#[async_trait]
pub trait AuditReader: Send + Sync {
    /// The newest entries that match, oldest first.
    ///
    /// # Errors
    /// [`AuditReadError`].
    async fn search(&self, query: AuditQuery) -> Result<Vec<FoundEntry>, AuditReadError>;

    /// Checks the whole log.
    ///
    /// # Errors
    /// [`AuditReadError`] when the files cannot be read at all; a log that does not verify is a [`Verdict`].
    async fn verify(&self) -> Result<Verdict, AuditReadError>;

    /// The signed checkpoint as it is now, to be kept elsewhere.
    ///
    /// # Errors
    /// [`AuditProofError`].
    async fn checkpoint(&self) -> Result<String, AuditProofError>;

    /// The proof that entry `index` is in the log.
    ///
    /// # Errors
    /// [`AuditProofError`].
    async fn prove(&self, index: u64) -> Result<InclusionProof, AuditProofError>;

    /// The proof that the log begins with its first `old` entries: whoever kept the checkpoint of those can tell whether
    /// they are still the same.
    ///
    /// # Errors
    /// [`AuditProofError`].
    async fn prove_growth(&self, old: u64) -> Result<ConsistencyProof, AuditProofError>;
}
