//! Roles as approved, compiled again from the text stored with each request.

use std::sync::Arc;

use crate::domain::RequestId;
use crate::grant::AccessRequest;
use crate::policy::Role;

use super::Services;

/// Compiled roles by name and digest, bounded. A cache only: what is in it can be made again from the request.
#[derive(Default)]
pub struct ApprovedRoles {}

/// A stored role text that is damaged, or from a version whose role language we do not read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the role stored with {request} cannot be read: {reason}")]
pub struct UnreadableRole {
    /// The request.
    pub request: RequestId,
    /// For the operator.
    pub reason: String,
}

/// The role as stored with `request`.
///
/// # Errors
/// [`UnreadableRole`]; then nothing may be approved or run under it.
pub fn approved_role(_services: &Services, _request: &AccessRequest) -> Result<Arc<Role>, UnreadableRole> {
    todo!()
}
