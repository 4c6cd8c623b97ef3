//! Roles as approved, compiled again from the text stored with each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{Digest, RequestId, RoleName};
use crate::grant::AccessRequest;
use crate::policy::Role;
use crate::policy::file::path_of;

use super::Services;

/// Compiled roles by name and digest, bounded. A cache only: what is in it can be made again from the request.
#[derive(Default)]
pub struct ApprovedRoles {
    compiled: Mutex<HashMap<(RoleName, Digest), Arc<Role>>>,
}

/// A stored role text that is damaged, or from a version whose role language we do not read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the role stored with {request} cannot be read: {reason}")]
pub struct UnreadableRole {
    /// The request.
    pub request: RequestId,
    /// For the operator.
    pub reason: String,
}

impl ApprovedRoles {
    /// More than the roles of a large installation in several versions each.
    const MOST: usize = 512;

    fn find(&self, key: &(RoleName, Digest)) -> Option<Arc<Role>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: (RoleName, Digest), role: &Arc<Role>) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= Self::MOST {
            compiled.clear();
        }
        compiled.insert(key, Arc::clone(role));
    }
}

/// The role as stored with `request`.
///
/// # Errors
/// [`UnreadableRole`]; then nothing may be approved or run under it.
pub fn approved_role(services: &Services, request: &AccessRequest) -> Result<Arc<Role>, UnreadableRole> {
    let unreadable = |reason: &str| UnreadableRole { request: request.id.clone(), reason: reason.to_owned() };
    if Digest::of(request.role_text.as_bytes()) != request.role_digest {
        return Err(unreadable("its text is not the one that was approved"));
    }
    let key = (request.role.clone(), request.role_digest);
    if let Some(role) = services.approved_roles.find(&key) {
        return Ok(role);
    }
    let file = path_of(&request.role);
    // Warnings were for the operator when the file was loaded.
    let (role, _) = Role::parse(request.role.clone(), &file, &request.role_text)
        .map_err(|found| unreadable(found.first().map_or("unknown error", |first| first.message.as_str())))?;
    let role = Arc::new(role);
    services.approved_roles.keep(key, &role);
    Ok(role)
}
