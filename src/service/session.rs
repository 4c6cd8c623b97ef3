//! One authenticated connection, as the use cases see it.

use std::net::SocketAddr;

use crate::audit::event::{AuditEvent, What};
use crate::domain::SessionId;
use crate::identity::VerifiedUser;

/// Who connected, from where.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its identifier.
    pub id: SessionId,
    /// Who, and by what proof.
    pub user: VerifiedUser,
    /// Where from.
    pub peer: SocketAddr,
    /// The login name they gave; never an identity.
    pub login: String,
}

impl Session {
    /// An audit event of this session and user.
    #[must_use]
    pub fn event(&self, what: What) -> AuditEvent {
        AuditEvent { session: Some(self.id.clone()), user: Some(self.user.name.clone()), ..AuditEvent::of(what) }
    }
}
