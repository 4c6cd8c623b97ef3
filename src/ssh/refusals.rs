//! What one client's connection asked for and did not get. A connection and those inside it count together, so that jumping
//! gives nobody more room in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::audit::event::{AuditEvent, What};
use crate::domain::{limits, text};
use crate::service::ports::AuditLog;

/// Most refusals of one connection that get an entry each; the rest are counted.
const LOGGED: u64 = 50;

/// The count of one connection.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    refused: AtomicU64,
    dropped_env: AtomicU64,
}

impl Refusals {
    /// Logs that something was asked for which we do not serve. `event` makes an entry of whose it is.
    pub(super) fn refused(&self, audit: &dyn AuditLog, what: &str, event: impl FnOnce(What) -> AuditEvent) {
        let what = What::Refused { what: text::excerpt(what, limits::EXCERPT) };
        self.log(audit, || event(what));
    }

    /// Logs what was refused, as long as there is room for it.
    pub(super) fn log(&self, audit: &dyn AuditLog, event: impl FnOnce() -> AuditEvent) {
        if self.refused.fetch_add(1, Ordering::Relaxed) < LOGGED {
            audit.append_later(event());
        }
    }

    /// An `env` request was dropped.
    pub(super) fn dropped_env(&self) {
        self.dropped_env.fetch_add(1, Ordering::Relaxed);
    }

    /// The last entry of the connection.
    pub(super) fn disconnected(&self) -> What {
        What::Disconnected {
            dropped_env: self.dropped_env.load(Ordering::Relaxed),
            refusals_left_out: self.refused.load(Ordering::Relaxed).saturating_sub(LOGGED),
        }
    }
}
