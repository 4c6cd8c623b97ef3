//! Waiting for the audit log, but not for ever. A disk or network file system that hangs instead of failing gives no answer at all,
//! and whoever asked must hear that nothing was done.

use std::time::Duration;

use super::ports::{AuditError, AuditLog, Committed};
use crate::audit::event::AuditEvent;

/// How long the log and the recorder may take to say that something is written down. Far more than a busy disk needs; a decision
/// is too old to act on long before.
pub(super) const WRITTEN_WITHIN: Duration = Duration::from_secs(30);

/// Why there is no proof that an entry is written.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    /// It is not.
    #[error(transparent)]
    Failed(#[from] AuditError),
    /// Nobody knows: it may be written later. The caller does not do what it speaks of, and tells the log so: the log keeps the
    /// order in which entries come.
    #[error("the audit log has not answered for {} s", WRITTEN_WITHIN.as_secs())]
    Silent,
}

impl From<NotWritten> for AuditError {
    fn from(why: NotWritten) -> Self {
        match why {
            NotWritten::Failed(error) => error,
            NotWritten::Silent => Self { reason: NotWritten::Silent.to_string() },
        }
    }
}

/// Appends `event` and waits until it is written, at most [`WRITTEN_WITHIN`].
///
/// # Errors
/// [`NotWritten`]: then nothing that needs the entry may go on.
pub(super) async fn append(audit: &dyn AuditLog, event: AuditEvent) -> Result<Committed, NotWritten> {
    match tokio::time::timeout(WRITTEN_WITHIN, audit.append(event)).await {
        Ok(written) => written.map_err(NotWritten::Failed),
        Err(_) => Err(NotWritten::Silent),
    }
}
