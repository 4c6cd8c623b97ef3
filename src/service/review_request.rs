//! Deciding: what waits for an approver, yes, no.
//!
//! An approver is listed by the role *as stored with the request* and by the role *as loaded now*: a right that the
//! operator took away is gone at once, one that was added holds for new requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::audit::event::What;
use crate::domain::limits::FREE_TEXT;
use crate::domain::{RequestId, Timestamp, UserName};
use crate::grant::approval::{ApprovalError, Approved, Narrowing, Yes};
use crate::grant::{AccessRequest, EndReason, State};
use crate::policy::Role;

use super::approved_roles::approved_role;
use super::change_request::{all_open, give, take};
use super::conditions::until_open;
use super::ports::RequestQuery;
use super::rights::{Approvers, Viewer, unseen};
use super::{Services, Session, Snapshot, Unavailable, UnseenRequest};

/// How many earlier requests an approver hears about.
const HISTORY: usize = 50;

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
    /// How many of them were approved (and not revoked).
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

/// The pending requests that the session's user may decide, or look at as a reviewer; oldest first. Their own only if they
/// are a reviewer.
///
/// # Errors
/// [`ReviewError::Unavailable`].
pub async fn pending(services: &Services, session: &Session) -> Result<Vec<PendingRequest>, ReviewError> {
    let snapshot = services.snapshot.load_full();
    let Some(viewer) = Viewer::of(&snapshot, session) else { return Ok(Vec::new()) };
    let mut waiting = Vec::new();
    for request in all_open(services).await.map_err(Unavailable::from)? {
        let approvers = Approvers::of(services, &snapshot, &request);
        let theirs = viewer.reviewer || (!viewer.owns(&request) && viewer.takes(&approvers));
        if !theirs || !matches!(request.state, State::Pending { .. }) {
            continue;
        }
        let history = history(services, &request).await?;
        let decidable = !viewer.owns(&request) && approvers.may_approve(&viewer.person);
        waiting.push(PendingRequest { role: approved_role(services, &request).ok(), request, decidable, history });
    }
    Ok(waiting)
}

async fn history(services: &Services, request: &AccessRequest) -> Result<History, ReviewError> {
    let (user, role) = (Some(request.user.clone()), Some(request.role.clone()));
    let query = RequestQuery { user, role, open: false, limit: HISTORY };
    let earlier = services.store.requests(&query).await.map_err(Unavailable::from)?;
    let mut history = History::default();
    for other in earlier.iter().map(|stored| &stored.value).filter(|other| other.id != request.id) {
        history.filed = history.filed.saturating_add(1);
        history.last = history.last.max(Some(other.filed));
        let counter = match &other.state {
            State::Denied { .. } => &mut history.denied,
            State::Ended { why: EndReason::Revoked { .. }, .. } => &mut history.revoked,
            State::Approved { .. } | State::Active { .. } | State::Ended { .. } => &mut history.granted,
            State::Pending { .. } | State::Withdrawn { .. } | State::Lapsed { .. } => continue,
        };
        *counter = counter.saturating_add(1);
    }
    Ok(history)
}

/// Says yes to `id`, of which the approver saw the digest that begins with `seen` (at least four hexadecimal digits).
/// Saying it again changes nothing.
///
/// # Errors
/// [`ReviewError`]; a refusal of somebody who may see the request is in the log.
pub async fn approve(
    services: &Services,
    session: &Session,
    id: &RequestId,
    seen: &str,
    narrowing: &Narrowing,
) -> Result<ApprovalReport, ReviewError> {
    let snapshot = services.snapshot.load_full();
    let viewer = Viewer::of(&snapshot, session).ok_or_else(|| unseen(id))?;
    let judge = Judge { services, snapshot: &snapshot, viewer: &viewer };
    let repeated = AtomicBool::new(false);
    let decide = |request: &AccessRequest, now| {
        let after = judge.yes(request, seen, narrowing, now)?;
        repeated.store(after.is_none(), Ordering::Relaxed);
        Ok(after.map(|after| {
            let event = session.event(approved(request, &after));
            (after, event)
        }))
    };
    match give(services, id, decide).await {
        Ok(Some(request)) => Ok(ApprovalReport { request, repeated: repeated.into_inner() }),
        Ok(None) => Err(unseen(id).into()),
        Err(error) => {
            if let ReviewError::Refused(_) | ReviewError::Outdated { .. } = &error {
                let what = What::ApprovalRefused { request: id.clone(), reason: error.to_string() };
                services.audit.append_later(session.event(what));
            }
            Err(error)
        }
    }
}

/// Somebody who decides, with what the decision is held against.
struct Judge<'a> {
    services: &'a Services,
    snapshot: &'a Snapshot,
    viewer: &'a Viewer,
}

impl Judge<'_> {
    /// The request with one more yes; `None` if that yes was there already.
    fn yes(
        &self,
        request: &AccessRequest,
        seen: &str,
        narrowing: &Narrowing,
        now: Timestamp,
    ) -> Result<Option<AccessRequest>, ReviewError> {
        let approvers = self.approvers(request)?;
        let loaded = self.snapshot.roles.get(&request.role).and_then(|role| Some((role, role.request()?)));
        let standing = approvers.standing(self.snapshot, request);
        let yes = Yes {
            by: &self.viewer.person,
            approvers: approvers.to_approve(&self.viewer.person),
            standing: &standing,
            needed: loaded.map_or(request.approvals_needed, |(_, terms)| terms.approvals),
            seen,
            narrowing,
        };
        // The time to begin in counts from when the role can be used.
        let approved = approved_role(self.services, request).ok();
        let roles = approved.as_deref().into_iter().chain(loaded.map(|(role, _)| role.as_ref()));
        let within = self.snapshot.settings.activate_within.saturating_add(until_open(roles, now));
        let counted = request.approve(&yes, now, within).map_err(|error| self.naming(error, request, &approvers))?;
        let Approved::Counted(after) = counted else { return Ok(None) };
        let person = self.snapshot.person(&request.user);
        let eligible = person.zip(loaded).is_some_and(|(person, (role, _))| self.snapshot.may_ask(&person, role));
        if !eligible {
            let why = format!("{} may no longer ask for {}", request.user, request.role);
            return Err(ReviewError::Outdated { id: request.id.clone(), why });
        }
        Ok(Some(*after))
    }

    fn no(&self, request: &AccessRequest, text: &str, now: Timestamp) -> Result<AccessRequest, ReviewError> {
        let approvers = self.approvers(request)?;
        let person = &self.viewer.person;
        let denied = request.deny(person, approvers.to_take(person), text, now);
        denied.map_err(|error| self.naming(error, request, &approvers))
    }

    /// The approvers, for somebody who may see the request.
    fn approvers(&self, request: &AccessRequest) -> Result<Approvers, ReviewError> {
        let approvers = Approvers::of(self.services, self.snapshot, request);
        if self.viewer.sees(request, &approvers) { Ok(approvers) } else { Err(unseen(&request.id).into()) }
    }

    fn naming(&self, error: ApprovalError, request: &AccessRequest, approvers: &Approvers) -> ReviewError {
        error.naming(approvers.left(self.snapshot, request)).into()
    }
}

fn approved(before: &AccessRequest, after: &AccessRequest) -> What {
    What::Approved {
        request: after.id.clone(),
        digest: before.digest(),
        targets: after.scope.targets.keys().cloned().collect(),
        seconds: after.scope.duration.as_secs(),
        complete: matches!(after.state, State::Approved { .. }),
    }
}

/// Says no to `id`. Never blocked by the log. `text` is kept up to [`FREE_TEXT`] bytes.
///
/// # Errors
/// [`ReviewError`].
pub async fn deny(
    services: &Services,
    session: &Session,
    id: &RequestId,
    text: &str,
) -> Result<AccessRequest, ReviewError> {
    let snapshot = services.snapshot.load_full();
    let viewer = Viewer::of(&snapshot, session).ok_or_else(|| unseen(id))?;
    let judge = Judge { services, snapshot: &snapshot, viewer: &viewer };
    let text = text.get(..text.floor_char_boundary(FREE_TEXT)).unwrap_or_default();
    let decide = |request: &AccessRequest, now| {
        let what = What::Denied { request: id.clone(), text: text.to_owned() };
        judge.no(request, text, now).map(|after| (after, session.event(what)))
    };
    take(services, id, decide).await?.ok_or_else(|| unseen(id).into())
}

/// The people who could still approve `request`: never its requester, nobody who has already.
#[must_use]
pub fn possible_approvers(services: &Services, request: &AccessRequest) -> Vec<UserName> {
    let snapshot = services.snapshot.load();
    Approvers::of(services, &snapshot, request).left(&snapshot, request)
}

#[cfg(test)]
mod tests;
