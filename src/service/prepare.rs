//! Has a connection to a target made while the client still says what to run there, so that a command need not wait for it.
//!
//! A transport and no more: nothing authenticates on it before the command's decision is on disk. Only for targets that the
//! user holds an active grant for, read live; nothing is activated, issued or decided here.

use tracing::{debug, info, warn};

use crate::audit::event::{AuditEvent, What};
use crate::domain::TargetName;

use super::ports::{Preparation, StoreError};
use super::{Services, Session, requestable};

/// Prepares a connection to `target` for the next command of `session` there, if its user may use that target now; ends when
/// a command has taken it, or it was closed unused, which is logged. To be spawned: nothing waits for it.
pub async fn prepare(services: &Services, session: &Session, target: &TargetName) {
    let snapshot = services.snapshot.load_full();
    let most = snapshot.settings.prepared_connections;
    // Most login names are no target's: then the database is not asked either.
    let Some(known) = snapshot.inventory.target(target).filter(|_| most > 0) else { return };
    if services.stopping.is_cancelled() {
        return;
    }
    match is_usable(services, session, target).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => {
            // The command itself will say so to its user.
            debug!(%error, "no connection was prepared");
            return;
        }
    }
    let outcome = tokio::select! {
        () = services.stopping.cancelled() => return,
        outcome = services.targets.prepare(known, most) => outcome,
    };
    let (session_id, user) = (&session.id, &session.user.name);
    let reason = match outcome {
        Preparation::NotMade => return,
        Preparation::Used => {
            info!(session = %session_id, %user, %target, "a command took the prepared connection");
            return;
        }
        Preparation::Unused => "no command came in time".to_owned(),
        Preparation::Failed { reason } => reason,
    };
    warn!(session = %session_id, %user, %target, reason, "a connection was prepared and not used");
    let what = What::TargetConnectionUnused { reason };
    services.audit.append_later(AuditEvent { target: Some(target.clone()), ..session.event(what) });
}

/// Whether a role of an active grant of the user reaches the target, as approved and as configured now.
async fn is_usable(services: &Services, session: &Session, target: &TargetName) -> Result<bool, StoreError> {
    let seen = requestable::targets_for(services, &session.user.name).await?;
    Ok(seen.iter().any(|seen| seen.name == *target && !seen.active.is_empty()))
}

#[cfg(test)]
mod tests;
