//! Asking: file a request, look at it, wait for it, take it back.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::audit::event::What;
use crate::domain::{RequestId, RoleName, TargetName};
use crate::grant::activation::WrongState;
use crate::grant::eligibility::{AskError, AskTerms, Wish, admit};
use crate::grant::{AccessRequest, Filing, State};

use super::change_request::{ATTEMPTS, Announced, current, matching, take};
use super::conditions::until_open;
use super::ports::{OpenLimit, RequestQuery, StoreError};
use super::rights::{Approvers, Viewer, unseen};
use super::{Services, Session, Snapshot, Unavailable, UnseenRequest};

/// The most active grants of one user: their certificate lists all of them.
const ACTIVE_PER_USER: usize = 50;

/// How often a waiting request is looked at when nothing rings.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

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
pub async fn file_request(services: &Services, session: &Session, ask: Ask) -> Result<AccessRequest, RequestError> {
    let (filing, settings, until_open) = {
        let snapshot = services.snapshot.load();
        let filing = admitted(&snapshot, session, ask)?;
        let role = snapshot.roles.get(&filing.role).map(AsRef::as_ref);
        let until_open = until_open(role.into_iter(), services.clock.now());
        (filing, snapshot.settings.clone(), until_open)
    };
    let waiting = settings.pending_per_user;
    let limit = OpenLimit { waiting, all: waiting.saturating_add(ACTIVE_PER_USER) };
    have_room(services, session, limit).await?;
    for _ in 0..ATTEMPTS {
        let id = RequestId::from_bits(services.random.bits());
        if services.store.request(&id).await.map_err(Unavailable::from)?.is_some() {
            continue;
        }
        // Where nobody needs to approve: who asks in the evening for a role of the day finds it there in the morning.
        let (lapse, activate_within) = (settings.lapse, settings.activate_within.saturating_add(until_open));
        let request = AccessRequest::file(id, filing.clone(), services.clock.now(), lapse, activate_within);
        let announced = Announced::write(services, &request, session.event(requested(&request))).await?;
        match services.store.insert_request(&request, limit).await {
            Ok(()) => {
                announced.kept();
                services.changed.notify_waiters();
                return Ok(request);
            }
            Err(StoreError::Taken) => {}
            Err(StoreError::Full(open)) => return Err(RequestError::TooMany { open }),
            Err(error) => {
                announced.doubtful();
                return Err(Unavailable::from(error).into());
            }
        }
    }
    Err(Unavailable::from(StoreError::Taken).into())
}

/// Holds the ask against the role as loaded now.
fn admitted(snapshot: &Snapshot, session: &Session, ask: Ask) -> Result<Filing, RequestError> {
    // Unknown user, unknown role, role without `[request]`, not eligible: one answer.
    let not_eligible = || RequestError::NotEligible { role: ask.role.clone() };
    let person = snapshot.person(&session.user.name).ok_or_else(not_eligible)?;
    let role = snapshot.roles.get(&ask.role).ok_or_else(not_eligible)?;
    let terms = role.request().ok_or_else(not_eligible)?;
    let reach = snapshot.reach_of(role);
    let terms_of_role = AskTerms {
        role: role.name(),
        eligible: &terms.eligible,
        max_duration: terms.max_duration,
        default_duration: terms.default_duration,
        reason_required: terms.reason_required,
        ticket: terms.ticket.as_ref(),
        reach: &reach,
    };
    let wish =
        Wish { targets: &ask.targets, duration: ask.duration, reason: &ask.reason, ticket: ask.ticket.as_deref() };
    let admitted = admit(&person, &terms_of_role, &wish).map_err(|error| match error {
        AskError::NotEligible { .. } => not_eligible(),
        error => error.into(),
    })?;
    Ok(Filing {
        user: person.name,
        role: role.name().clone(),
        role_text: role.text().to_owned(),
        approvals_needed: terms.approvals,
        scope: admitted.scope,
        reason: ask.reason,
        ticket: admitted.ticket,
        source: session.peer.ip(),
    })
}

/// Keeps one user from filling the store and everybody's `pending`. What time has ended makes room, and who has none is told
/// before the log hears of it; of many at once the store lets only so many in.
async fn have_room(services: &Services, session: &Session, limit: OpenLimit) -> Result<(), RequestError> {
    let query = RequestQuery { user: Some(session.user.name.clone()), open: true, ..RequestQuery::default() };
    let open = matching(services, &query).await.map_err(Unavailable::from)?;
    let waiting = open.iter().filter(|request| !matches!(request.state, State::Active { .. })).count();
    if waiting >= limit.waiting {
        return Err(RequestError::TooMany { open: waiting });
    }
    if open.len() >= limit.all {
        return Err(RequestError::TooMany { open: open.len() });
    }
    Ok(())
}

fn requested(request: &AccessRequest) -> What {
    What::Requested {
        request: request.id.clone(),
        role: request.role.clone(),
        role_digest: request.role_digest,
        targets: request.scope.targets.iter().map(|(target, account)| (target.clone(), account.clone())).collect(),
        seconds: request.scope.duration.as_secs(),
        reason: request.reason.clone(),
        ticket: request.ticket.clone(),
    }
}

/// Takes back the session user's own request, while it is pending or approved and not used. Never blocked by the log.
///
/// # Errors
/// [`RequestError`].
pub async fn withdraw(services: &Services, session: &Session, id: &RequestId) -> Result<AccessRequest, RequestError> {
    let withdraw = |request: &AccessRequest, now| {
        if request.user != session.user.name {
            return Err(RequestError::from(unseen(id)));
        }
        Ok((request.withdraw(now)?, session.event(What::Withdrawn { request: id.clone() })))
    };
    take(services, id, withdraw).await?.ok_or_else(|| unseen(id).into())
}

/// The request `id`, if it is the session user's own, or they may approve it, or they are a reviewer.
///
/// # Errors
/// [`RequestError::Unseen`] for every other one, existing or not.
pub async fn status_of(services: &Services, session: &Session, id: &RequestId) -> Result<AccessRequest, RequestError> {
    let snapshot = services.snapshot.load_full();
    let viewer = Viewer::of(&snapshot, session).ok_or_else(|| unseen(id))?;
    let request = current(services, id).await.map_err(Unavailable::from)?.ok_or_else(|| unseen(id))?.value;
    let seen = viewer.sees(&request, &Approvers::of(services, &snapshot, &request));
    if seen { Ok(request) } else { Err(unseen(id).into()) }
}

/// The session user's own requests, newest first, those that are over included.
///
/// # Errors
/// [`RequestError::Unavailable`].
pub async fn my_requests(services: &Services, session: &Session) -> Result<Vec<AccessRequest>, RequestError> {
    let query = RequestQuery { user: Some(session.user.name.clone()), ..RequestQuery::default() };
    Ok(matching(services, &query).await.map_err(Unavailable::from)?)
}

/// Waits until the request is no longer as `seen` shows it, at most `within`, and gives it as it is now. Needs no rights
/// of its own: whoever has `seen` was allowed to see it.
///
/// # Errors
/// [`RequestError`].
pub async fn await_change(
    services: &Services,
    seen: &AccessRequest,
    within: Duration,
) -> Result<AccessRequest, RequestError> {
    let deadline = Instant::now().checked_add(within);
    loop {
        // Listening begins before the request is read: a change in between is not slept through.
        let rung = services.changed.notified();
        let found = current(services, &seen.id).await.map_err(Unavailable::from)?;
        let request = found.ok_or_else(|| unseen(&seen.id))?.value;
        let left = deadline.map_or(LOOK_AGAIN, |deadline| deadline.saturating_duration_since(Instant::now()));
        if request != *seen || left.is_zero() {
            return Ok(request);
        }
        // Rung or not, it looks again: other bastions on the same store ring no bell here, and time passes without one.
        let _ = timeout(left.min(LOOK_AGAIN), rung).await;
    }
}

#[cfg(test)]
mod tests;
