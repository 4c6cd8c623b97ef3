//! The moment an approved request becomes a grant and its time begins.

use crate::domain::{RequestId, UserName};
use crate::grant::AccessRequest;
use crate::grant::activation::WrongState;

use super::{Services, Unavailable};

/// Why a request did not become active.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// There is no such request.
    #[error("there is no request {0}")]
    Gone(RequestId),
    /// It is not approved (any more).
    #[error(transparent)]
    State(#[from] WrongState),
    /// The role is gone or its user may no longer ask for it.
    #[error("{0} cannot be used: its role was changed or taken from you since; `roles` lists what you can ask for")]
    Outdated(RequestId),
    /// Log or store; nothing became active.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Activates one approved request. One that is active already is given back as it is.
///
/// # Errors
/// [`ActivateError`].
pub async fn activate(_services: &Services, _id: &RequestId) -> Result<AccessRequest, ActivateError> {
    todo!()
}

/// Activates every approved request of `user` and gives how many became active. Those that cannot be used any more are left
/// to expire.
///
/// # Errors
/// [`Unavailable`]: log or store.
pub async fn activate_approved(_services: &Services, _user: &UserName) -> Result<usize, Unavailable> {
    todo!()
}
