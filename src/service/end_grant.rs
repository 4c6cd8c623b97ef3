//! Ending: give back, revoke, expire. These act first and are logged afterwards, so a failing log never keeps power alive.

use crate::domain::GrantId;
use crate::grant::AccessRequest;
use crate::grant::activation::WrongState;

use super::ports::StoreError;
use super::{Services, Session, Unavailable, UnseenRequest};

/// What `done` gives back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Which {
    /// Everything the user holds, approved and not yet used included.
    All,
    /// This one.
    One(GrantId),
}

/// Why nothing ended. `Display` is shown to whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The grant is unknown *or* not theirs to see. Exit code 3.
    #[error(transparent)]
    Unseen(#[from] UnseenRequest),
    /// It is their own, and they are neither approver nor reviewer. Exit code 1.
    #[error("{0} is your own: `done {0}` gives it back")]
    Own(GrantId),
    /// Its state does not allow it. Exit code 1.
    #[error(transparent)]
    State(#[from] WrongState),
    /// The store; the log never stands in the way. Exit code 4.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Gives back what the session's user holds; the requests that ended. Empty if [`Which::All`] was nothing.
///
/// # Errors
/// [`EndError`].
pub async fn done(_services: &Services, _session: &Session, _which: &Which) -> Result<Vec<AccessRequest>, EndError> {
    todo!()
}

/// Takes a grant away: for an approver of its role, or a reviewer.
///
/// # Errors
/// [`EndError`].
pub async fn revoke(
    _services: &Services,
    _session: &Session,
    _id: &GrantId,
    _text: &str,
) -> Result<AccessRequest, EndError> {
    todo!()
}

/// The approved and active grants that the session's user may revoke, newest first.
///
/// # Errors
/// [`EndError::Unavailable`].
pub async fn grants(_services: &Services, _session: &Session) -> Result<Vec<AccessRequest>, EndError> {
    todo!()
}

/// Ends everything whose time is up and gives how many that were. For a sweep every few seconds; reads do the same for
/// what they find.
///
/// # Errors
/// The store's.
pub async fn expire_due(_services: &Services) -> Result<usize, StoreError> {
    todo!()
}
