//! Deciding: what waits for an approver, yes, no.
//!
//! An approver is listed by the role *as stored with the request* and by the role *as loaded now*: a right that the
//! operator took away is gone at once, one that was added holds for new requests.

use std::sync::Arc;

use crate::domain::{RequestId, Timestamp, UserName};
use crate::grant::AccessRequest;
use crate::grant::approval::{ApprovalError, Narrowing};
use crate::policy::Role;

use super::{Services, Session, Unavailable, UnseenRequest};

/// A request that waits, with what an approver looks at.
#[derive(Clone, Debug)]
pub struct PendingRequest {
    /// The request; `request.digest().short()` is what `approve` wants to see.
    pub request: AccessRequest,
    /// The role as stored with it: its commands are what is asked for. `None` if it can no longer be read (then it cannot
    /// be approved either).
    pub role: Option<Arc<Role>>,
    /// Whether this viewer may approve or deny it (a reviewer may only look).
    pub decidable: bool,
    /// What became of the requester's earlier requests for this role.
    pub history: History,
}

/// Earlier requests of the same user for the same role.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct History {
    /// How many (of the latest fifty).
    pub filed: usize,
    /// How many of them were approved.
    pub granted: usize,
    /// How many of them were denied.
    pub denied: usize,
    /// How many of them were revoked.
    pub revoked: usize,
    /// When the latest was filed.
    pub last: Option<Timestamp>,
}

/// What `approve` did.
#[derive(Clone, Debug)]
pub struct ApprovalReport {
    /// The request afterwards, its scope as approved.
    pub request: AccessRequest,
    /// Whether the same person had said yes before, so that nothing changed.
    pub repeated: bool,
}

/// Why a request was not decided. `Display` is shown to the approver.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The request is unknown *or* not theirs to see. Exit code 3.
    #[error(transparent)]
    Unseen(#[from] UnseenRequest),
    /// They may see it and may not do this. Exit code 1.
    #[error(transparent)]
    Refused(#[from] ApprovalError),
    /// The role cannot be granted any more. Exit code 1.
    #[error("{id} cannot be approved: {why}; its requester must ask again")]
    Outdated {
        /// The request.
        id: RequestId,
        /// What changed.
        why: String,
    },
    /// Log or store; nothing was granted. Exit code 4.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The pending requests that the session's user may decide, or look at as a reviewer; oldest first.
///
/// # Errors
/// [`ReviewError::Unavailable`].
pub async fn pending(_services: &Services, _session: &Session) -> Result<Vec<PendingRequest>, ReviewError> {
    todo!()
}

/// Says yes to `id`, of which the approver saw the digest that begins with `seen` (at least four hexadecimal digits).
/// Saying it again changes nothing.
///
/// # Errors
/// [`ReviewError`]; a refusal of somebody who may see the request is in the log.
pub async fn approve(
    _services: &Services,
    _session: &Session,
    _id: &RequestId,
    _seen: &str,
    _narrowing: &Narrowing,
) -> Result<ApprovalReport, ReviewError> {
    todo!()
}

/// Says no to `id`. Never blocked by the log.
///
/// # Errors
/// [`ReviewError`].
pub async fn deny(
    _services: &Services,
    _session: &Session,
    _id: &RequestId,
    _text: &str,
) -> Result<AccessRequest, ReviewError> {
    todo!()
}

/// The people who could still approve `request`: never its requester, nobody who has already.
#[must_use]
pub fn possible_approvers(_services: &Services, _request: &AccessRequest) -> Vec<UserName> {
    todo!()
}
