//! The moment an approved request becomes a grant and its time begins.

use std::net::IpAddr;
use std::time::Duration;

use crate::audit::event::{AuditEvent, What};
use crate::domain::{RequestId, RoleName, UserName};
use crate::grant::activation::WrongState;
use crate::grant::{AccessRequest, State};
use crate::policy::Unmet;

use super::approved_roles::approved_role;
use super::change_request::{give, matching};
use super::conditions::unmet;
use super::ports::RequestQuery;
use super::{Services, Snapshot, Unavailable};

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
    /// Its role asks for more approvals by now than it has.
    #[error("{id} cannot be used: its role needs {needed} approvals by now, and it has {have}; ask again")]
    MoreNeeded {
        /// The request.
        id: RequestId,
        /// How many the role needs as it is loaded now.
        needed: u8,
        /// How many there are.
        have: usize,
    },
    /// A condition of its role does not hold, so its time does not begin.
    #[error("{id} cannot be used now: {role} {what}")]
    Unmet {
        /// The request.
        id: RequestId,
        /// Its role.
        role: RoleName,
        /// The condition, and how it stands.
        what: Box<Unmet>,
    },
    /// Log or store; nothing became active.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Activates one approved request, whose user comes from `source`. One that is active already is given back as it is.
///
/// # Errors
/// [`ActivateError`].
pub async fn activate(services: &Services, id: &RequestId, source: IpAddr) -> Result<AccessRequest, ActivateError> {
    let begin = |request: &AccessRequest, now| {
        if matches!(request.state, State::Active { .. }) {
            return Ok(None);
        }
        // One configuration says what the terms are and is named for it.
        let snapshot = services.snapshot.load();
        let terms = terms_now(services, &snapshot, request);
        let after = request.activate(now, terms.map(|(longest, _)| longest).unwrap_or_default())?;
        let State::Active { window } = &after.state else { return Ok(None) };
        let Some((_, needed)) = terms else { return Err(ActivateError::Outdated(request.id.clone())) };
        let have = request.approvals.len();
        if have < usize::from(needed) {
            return Err(ActivateError::MoreNeeded { id: request.id.clone(), needed, have });
        }
        if let Some(what) = unmet(services, &snapshot, request, source, now) {
            let (id, role) = (request.id.clone(), request.role.clone());
            return Err(ActivateError::Unmet { id, role, what: Box::new(what) });
        }
        let what = What::Activated { ends: window.end };
        let event = AuditEvent { user: Some(request.user.clone()), ..AuditEvent::of(what) }.under(snapshot.digest);
        Ok(Some((after, event)))
    };
    give(services, id, begin).await?.ok_or_else(|| ActivateError::Gone(id.clone()))
}

/// How long the role may be active and how many must approve it as loaded now, if its user may still ask for it and it can be
/// read as approved.
fn terms_now(services: &Services, snapshot: &Snapshot, request: &AccessRequest) -> Option<(Duration, u8)> {
    approved_role(services, request).ok()?;
    let role = snapshot.roles.get(&request.role)?;
    let person = snapshot.person(&request.user)?;
    let terms = role.request()?;
    snapshot.may_ask(&person, role).then_some((terms.max_duration, terms.approvals))
}

/// Activates every approved request of `user`, who comes from `source`, and gives how many became active. Those that cannot
/// be used any more are left to expire; those whose conditions do not hold now, to wait.
///
/// # Errors
/// [`Unavailable`]: log or store.
pub async fn activate_approved(services: &Services, user: &UserName, source: IpAddr) -> Result<usize, Unavailable> {
    let query = RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() };
    let mut activated = 0_usize;
    for request in matching(services, &query).await? {
        if !matches!(request.state, State::Approved { .. }) {
            continue;
        }
        match activate(services, &request.id, source).await {
            Ok(_) => activated = activated.saturating_add(1),
            Err(ActivateError::Unavailable(error)) => return Err(error),
            Err(
                ActivateError::Gone(_)
                | ActivateError::State(_)
                | ActivateError::Outdated(_)
                | ActivateError::MoreNeeded { .. }
                | ActivateError::Unmet { .. },
            ) => {}
        }
    }
    Ok(activated)
}

#[cfg(test)]
mod tests;
