//! The port to the audit log.

use async_trait::async_trait;
use tokio::sync::oneshot;

use crate::audit::event::AuditEvent;

/// Proof that entries are on disk under a signed checkpoint. Only the log makes one.
#[must_use]
#[derive(Debug)]
pub struct Committed {
    sequence: u64,
}

impl Committed {
    /// For `audit::log` alone (`tests/architecture.rs` holds it to that): the entry with this number is durable.
    pub(crate) fn at(sequence: u64) -> Self {
        Self { sequence }
    }

    /// The entry's sequence number, from 0.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }
}

/// Why nothing could be written. Nothing that needs the entry may go on; the log tries to mend itself, so a later one may
/// succeed.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the audit log cannot be written: {reason}")]
pub struct AuditError {
    /// For the operator.
    pub reason: String,
}

/// The append-only, signed record.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Appends one entry and returns when it is synced and under a signed checkpoint (group commit).
    ///
    /// # Errors
    /// [`AuditError`] when it is not; the caller must then not do what the entry speaks of.
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError>;

    /// Hands over an entry about something that is done whether or not the log works: taking power away, endings. Never
    /// waits for the disk. If the log cannot take it now it is kept (bounded) and is the first written afterwards.
    fn append_later(&self, event: AuditEvent);

    /// As [`append_later`](Self::append_later), always with the room of endings, for an entry that the store keeps until it
    /// is written. What it returns resolves once the entry is durable, however long that takes, and to an error if it never
    /// will be: the log was closed before, or held too much already.
    fn append_owed(&self, event: AuditEvent) -> oneshot::Receiver<()>;
}
