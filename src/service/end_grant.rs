//! Ending: give back, revoke, expire. These act first and are logged afterwards, so a failing log never keeps power alive.

use crate::audit::event::What;
use crate::domain::limits::FREE_TEXT;
use crate::domain::{GrantId, RequestId};
use crate::grant::activation::WrongState;
use crate::grant::{AccessRequest, State};

use super::change_request::{all_open, matching, settle, take};
use super::ports::{RequestQuery, StoreError};
use super::rights::{Approvers, Viewer, unseen};
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
pub async fn done(services: &Services, session: &Session, which: &Which) -> Result<Vec<AccessRequest>, EndError> {
    let user = &session.user.name;
    let query = match which {
        Which::One(id) => return give_back(services, session, id).await.map(|ended| vec![ended]),
        Which::All => RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() },
    };
    let mut ended = Vec::new();
    for request in matching(services, &query).await.map_err(Unavailable::from)?.iter().filter(|request| holds(request))
    {
        match give_back(services, session, &request.grant_id()).await {
            Ok(request) => ended.push(request),
            // It ended by itself or by somebody else since it was listed.
            Err(EndError::State(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}

async fn give_back(services: &Services, session: &Session, id: &GrantId) -> Result<AccessRequest, EndError> {
    let end = |request: &AccessRequest, now| {
        if request.user != session.user.name {
            return Err(EndError::from(unseen(id)));
        }
        let after = request.give_back(now)?;
        let event = session.event(ended(&after));
        Ok((after, event))
    };
    take(services, &RequestId::from(id), end).await?.ok_or_else(|| unseen(id).into())
}

/// Takes a grant away: for an approver of its role, or a reviewer. `text` is kept up to [`FREE_TEXT`] bytes: too many words
/// are no reason to leave power where it is.
///
/// # Errors
/// [`EndError`].
pub async fn revoke(
    services: &Services,
    session: &Session,
    id: &GrantId,
    text: &str,
) -> Result<AccessRequest, EndError> {
    let snapshot = services.snapshot.load_full();
    let viewer = Viewer::of(&snapshot, session).ok_or_else(|| unseen(id))?;
    let text = text.get(..text.floor_char_boundary(FREE_TEXT)).unwrap_or_default();
    let end = |request: &AccessRequest, now| {
        let approvers = Approvers::of(services, &snapshot, request);
        if !viewer.sees(request, &approvers) {
            return Err(EndError::from(unseen(id)));
        }
        if !viewer.takes(&approvers) {
            return Err(EndError::Own(id.clone()));
        }
        let after = request.revoke(&viewer.person.name, text, now)?;
        let event = session.event(ended(&after));
        Ok((after, event))
    };
    take(services, &RequestId::from(id), end).await?.ok_or_else(|| unseen(id).into())
}

/// The approved and active grants that the session's user may revoke, newest first.
///
/// # Errors
/// [`EndError::Unavailable`].
pub async fn grants(services: &Services, session: &Session) -> Result<Vec<AccessRequest>, EndError> {
    let snapshot = services.snapshot.load_full();
    let Some(viewer) = Viewer::of(&snapshot, session) else { return Ok(Vec::new()) };
    let mut found = all_open(services).await.map_err(Unavailable::from)?;
    found.retain(|request| holds(request) && viewer.takes(&Approvers::of(services, &snapshot, request)));
    found.reverse();
    Ok(found)
}

/// Ends everything whose time is up and gives how many that were. For a sweep every few seconds; reads do the same for
/// what they find.
///
/// # Errors
/// The store's.
pub async fn expire_due(services: &Services) -> Result<usize, StoreError> {
    let (mut ended, mut after) = (0_usize, None);
    loop {
        let page = services.store.open_requests(after).await?;
        let Some(last) = page.last() else { return Ok(ended) };
        after = Some((last.value.filed, last.value.id.clone()));
        for stored in page {
            match settle(services, &stored).await {
                Ok(settled) => ended = ended.saturating_add(usize::from(settled.is_some())),
                // Whoever changed it looked at the time as well.
                Err(StoreError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the request is a grant, used or not.
fn holds(request: &AccessRequest) -> bool {
    matches!(request.state, State::Approved { .. } | State::Active { .. })
}

fn ended(request: &AccessRequest) -> What {
    match &request.state {
        State::Ended { why, .. } => What::Ended { why: why.word().to_owned(), text: why.text().to_owned() },
        state => What::Error { message: format!("{} was to end and {state}", request.id) },
    }
}

#[cfg(test)]
mod tests;
