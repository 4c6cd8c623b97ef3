//! What power taken away owes to the audit log: the entry is stored in the same step as the change, and forgotten only once
//! the log has it. So neither a crash nor a log that cannot be written loses it.
//!
//! A crash between the two leaves an entry in the log that the store still owes: it is then written once more.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::audit::event::AuditEvent;
use crate::grant::AccessRequest;

use super::ports::{AuditLog, Store, StoreError, Stored};
use super::{Services, Unavailable};

/// Replaces `before` by `after` and hands `entry` to the log, which cannot stop it. Both happen in a task of their own: who
/// asked may go away at any moment.
pub(super) async fn replace_owing(
    services: &Services,
    before: &Stored<AccessRequest>,
    after: &AccessRequest,
    entry: AuditEvent,
) -> Result<(), StoreError> {
    let (store, audit) = (Arc::clone(&services.store), Arc::clone(&services.audit));
    let (before, after) = (before.clone(), after.clone());
    let (answer, stored) = oneshot::channel();
    services.owing.spawn(async move {
        let outcome = store.replace_request_owing(&before, &after, &entry).await;
        let handed_over = outcome.map(|id| (id, audit.append_owed(entry)));
        let (told, owed) = match handed_over {
            Ok(owed) => (Ok(()), Some(owed)),
            Err(error) => (Err(error), None),
        };
        // Nobody may be waiting any more.
        let _ = answer.send(told);
        let Some((id, written)) = owed else { return };
        // Not written while this process lives: the next start does it.
        if written.await.is_ok()
            && let Err(error) = store.entry_written(id).await
        {
            tracing::warn!(%error, "an entry of the audit log will be written again at the next start");
        }
    });
    stored.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the change was given up".to_owned())))
}

/// Writes what an earlier process still owed. For the start, before anybody is served.
///
/// # Errors
/// [`Unavailable`]: what is left is still owed, and the bastion must not start.
pub async fn write_owed(store: &dyn Store, audit: &dyn AuditLog) -> Result<usize, Unavailable> {
    let mut count = 0_usize;
    loop {
        let owed = store.owed_entries().await?;
        if owed.is_empty() {
            return Ok(count);
        }
        for entry in owed {
            // Not `append_owed`: a log that cannot be written now is a reason not to start, not one to wait.
            let _written = audit.append(entry.event).await?;
            store.entry_written(entry.id).await?;
            count = count.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
