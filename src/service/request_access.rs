//! Asking: file a request, look at it, wait for it, take it back.

use std::time::Duration;

use crate::domain::{RequestId, RoleName, TargetName};
use crate::grant::AccessRequest;
use crate::grant::activation::WrongState;
use crate::grant::eligibility::AskError;

use super::{Services, Session, Unavailable, UnseenRequest};

/// What `request` asks for, as typed.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The role.
    pub role: RoleName,
    /// `--on`; empty: every target of the role, if they are few.
    pub targets: Vec<TargetName>,
    /// `--for`.
    pub duration: Option<Duration>,
    /// `--reason`; empty if unsaid.
    pub reason: String,
    /// `--ticket`.
    pub ticket: Option<String>,
}

/// Why nothing was filed, found or taken back. `Display` is shown to the requester.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The role is unknown *or* not theirs to ask for: one variant, so one answer. Exit code 3.
    #[error("you cannot ask for a role named {role}; `roles` lists the ones you can ask for")]
    NotEligible {
        /// As typed.
        role: RoleName,
    },
    /// The terms of the role are not met. Exit code 1.
    #[error(transparent)]
    Terms(#[from] AskError),
    /// Too many are open already. Exit code 1.
    #[error("you have {open} open requests, which is the most; `withdraw` or `done` makes room")]
    TooMany {
        /// How many.
        open: usize,
    },
    /// The request is unknown *or* not theirs to see. Exit code 3.
    #[error(transparent)]
    Unseen(#[from] UnseenRequest),
    /// Its state does not allow it. Exit code 1.
    #[error(transparent)]
    State(#[from] WrongState),
    /// Log or store. Exit code 4.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Files a request of the session's user. With `approvals = 0` it is approved at once (and becomes active by
/// [`super::activate_grant::activate`]).
///
/// # Errors
/// [`RequestError`]; then nothing was filed and nobody was asked.
pub async fn file_request(_services: &Services, _session: &Session, _ask: Ask) -> Result<AccessRequest, RequestError> {
    todo!()
}

/// Takes back the session user's own request, while it is pending or approved and not used. Never blocked by the log.
///
/// # Errors
/// [`RequestError`].
pub async fn withdraw(
    _services: &Services,
    _session: &Session,
    _id: &RequestId,
) -> Result<AccessRequest, RequestError> {
    todo!()
}

/// The request `id`, if it is the session user's own, or they may approve it, or they are a reviewer.
///
/// # Errors
/// [`RequestError::Unseen`] for every other one, existing or not.
pub async fn status_of(
    _services: &Services,
    _session: &Session,
    _id: &RequestId,
) -> Result<AccessRequest, RequestError> {
    todo!()
}

/// The session user's own requests, newest first, those that are over included.
///
/// # Errors
/// [`RequestError::Unavailable`].
pub async fn my_requests(_services: &Services, _session: &Session) -> Result<Vec<AccessRequest>, RequestError> {
    todo!()
}

/// Waits until the request is no longer as `seen` shows it, at most `within`, and gives it as it is now. Needs no rights
/// of its own: whoever has `seen` was allowed to see it.
///
/// # Errors
/// [`RequestError`].
pub async fn await_change(
    _services: &Services,
    _seen: &AccessRequest,
    _within: Duration,
) -> Result<AccessRequest, RequestError> {
    todo!()
}
