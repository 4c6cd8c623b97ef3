//! The use cases: the only place that puts the pure core and the ports together.
//!
//! One file a use case, free functions over [`Services`]. The order inside [`run_command`] is the product: decide, write the
//! decision to the log, open the recording, and only then touch a target.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::Clock;
use crate::policy::SecretKey;

pub mod activate_grant;
pub mod approved_roles;
pub mod asking;
pub mod capability;
pub mod certify;
mod change_request;
pub mod compare;
pub mod conditions;
pub mod end_grant;
mod ending;
pub mod failure;
pub mod held;
pub mod owed;
pub mod ports;
pub mod prepare;
mod pump;
pub mod quorum;
pub mod replay;
pub mod request_access;
pub mod requestable;
pub mod review_request;
mod rights;
pub mod run_command;
pub mod running;
pub mod selection;
pub mod session;
pub mod settings;
pub mod snapshot;
mod supervise;
pub mod told;
pub mod unspoken;
mod written;

#[cfg(test)]
mod faults;
#[cfg(test)]
pub(crate) mod rehearsal;

pub use approved_roles::ApprovedRoles;
pub use ending::{COULD_NOT_RUN, DENIED};
pub use failure::{Unavailable, UnseenRequest};
pub use running::Running;
pub use session::Session;
pub use settings::Settings;
pub use snapshot::Snapshot;
pub use told::Told;

use ports::{AuditLog, Random, Recorders, SessionAuthority, Store, Targets};

/// What every use case works with. Wired once, in `app`.
pub struct Services {
    /// The configuration in force; replaced whole by a reload.
    pub snapshot: ArcSwap<Snapshot>,
    /// Requests, grants, certificates.
    pub store: Arc<dyn Store>,
    /// The evidence.
    pub audit: Arc<dyn AuditLog>,
    /// The recordings.
    pub recorders: Arc<dyn Recorders>,
    /// The way to the targets.
    pub targets: Arc<dyn Targets>,
    /// Who signs session certificates.
    pub authority: Arc<dyn SessionAuthority>,
    /// Decision time.
    pub clock: Arc<dyn Clock>,
    /// Random bits for identifiers.
    pub random: Arc<dyn Random>,
    /// Rung after every change of a request or grant, so that waiting `request`s and running commands look again at once.
    /// They also look by themselves every second or two: this is a short cut, not the truth.
    pub changed: Notify,
    /// What reloads took away, for those who are to be told. Starts empty (`Told::default()`).
    pub told: Told,
    /// Compiled roles of requests and grants, by digest. Starts empty (`ApprovedRoles::default()`).
    pub approved_roles: ApprovedRoles,
    /// How many commands run, by user and role. Starts empty (`Running::default()`).
    pub running: Running,
    /// Makes the placeholders for secrets in what is written down.
    pub secrets: SecretKey,
    /// Cancelled when the bastion stops: from then on no command begins, and those that run are ended after
    /// [`Settings::drain`].
    pub stopping: CancellationToken,
    /// Changes being stored whose entry is not known to be written. Waited for once the log is closed.
    pub owing: TaskTracker,
}
