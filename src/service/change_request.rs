//! How a stored request changes: read, settle what time has done, decide, compare-and-set, and again if somebody was faster.
//!
//! The order of log and store is the point. What *gives* power is in the log before the store shows it; what *takes* power
//! away acts first and is logged as soon as the log can take it; until then the store owes the entry ([`super::owed`]).

use crate::audit::event::{AuditEvent, What};
use crate::domain::{RequestId, Timestamp};
use crate::grant::{AccessRequest, State};

use super::owed::replace_owing;
use super::ports::{AuditError, RequestQuery, StoreError, Stored};
use super::{Services, Unavailable, written};

/// How often a change is tried before it counts as unavailable. Each lost race means that somebody else's change was stored.
pub(super) const ATTEMPTS: usize = 16;

/// The request as it is now; a transition that time has brought about is stored and logged by whoever sees it first.
pub(super) async fn current(services: &Services, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
    for _ in 0..ATTEMPTS {
        let Some(stored) = services.store.request(id).await? else { return Ok(None) };
        match settle(services, &stored).await {
            Ok(None) => return Ok(Some(stored)),
            Ok(Some(next)) => return Ok(Some(next)),
            Err(StoreError::Changed) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Changed)
}

/// Requests that match, as they are now; with `query.open` none that is over.
pub(super) async fn matching(services: &Services, query: &RequestQuery) -> Result<Vec<AccessRequest>, StoreError> {
    let mut found = Vec::new();
    for stored in services.store.requests(query).await? {
        let Some(request) = as_it_is(services, stored).await? else { continue };
        if !(query.open && request.state.is_over()) {
            found.push(request);
        }
    }
    Ok(found)
}

/// Everybody's requests that are not over, as they are now, oldest first; however many there are.
pub(super) async fn all_open(services: &Services) -> Result<Vec<AccessRequest>, StoreError> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = services.store.open_requests(after).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some((last.value.filed, last.value.id.clone()));
        for stored in page {
            found.extend(as_it_is(services, stored).await?.filter(|request| !request.state.is_over()));
        }
    }
}

async fn as_it_is(services: &Services, stored: Stored<AccessRequest>) -> Result<Option<AccessRequest>, StoreError> {
    match settle(services, &stored).await {
        Ok(settled) => Ok(Some(settled.unwrap_or(stored).value)),
        Err(StoreError::Changed) => Ok(current(services, &stored.value.id).await?.map(|stored| stored.value)),
        Err(error) => Err(error),
    }
}

/// Stores and logs what is due by now, if anything.
pub(super) async fn settle(
    services: &Services,
    stored: &Stored<AccessRequest>,
) -> Result<Option<Stored<AccessRequest>>, StoreError> {
    let Some(next) = stored.value.settled(services.clock.now()) else { return Ok(None) };
    let what = match &next.state {
        State::Lapsed { .. } => What::Lapsed { request: next.id.clone() },
        _ => What::Ended { why: "expired".to_owned(), text: String::new() },
    };
    let event = AuditEvent { user: Some(next.user.clone()), ..AuditEvent::of(what) };
    replace_owing(services, stored, &next, about(&next, event)).await?;
    services.changed.notify_waiters();
    Ok(Some(Stored { version: stored.version.saturating_add(1), value: next }))
}

/// `event` with the grant that `request` is or would be.
pub(super) fn about(request: &AccessRequest, event: AuditEvent) -> AuditEvent {
    AuditEvent { grant: Some(request.grant_id()), ..event }
}

/// Takes power away: stores what `decide` makes of the request and hands its event to the log, which cannot stop it. `None`
/// if there is no such request.
pub(super) async fn take<E: From<Unavailable>>(
    services: &Services,
    id: &RequestId,
    decide: impl Fn(&AccessRequest, Timestamp) -> Result<(AccessRequest, AuditEvent), E>,
) -> Result<Option<AccessRequest>, E> {
    for _ in 0..ATTEMPTS {
        let Some(before) = current(services, id).await.map_err(Unavailable::from)? else { return Ok(None) };
        let (after, event) = decide(&before.value, services.clock.now())?;
        match replace_owing(services, &before, &after, about(&after, event)).await {
            Ok(()) => {
                services.changed.notify_waiters();
                return Ok(Some(after));
            }
            Err(StoreError::Changed) => {}
            Err(error) => return Err(Unavailable::from(error).into()),
        }
    }
    Err(Unavailable::from(StoreError::Changed).into())
}

/// Gives power: the event of what `decide` makes of the request is on disk before the store shows it. `decide` says `None`
/// when nothing has to change. `None` if there is no such request.
pub(super) async fn give<E: From<Unavailable>>(
    services: &Services,
    id: &RequestId,
    decide: impl Fn(&AccessRequest, Timestamp) -> Result<Option<(AccessRequest, AuditEvent)>, E>,
) -> Result<Option<AccessRequest>, E> {
    for _ in 0..ATTEMPTS {
        let Some(before) = current(services, id).await.map_err(Unavailable::from)? else { return Ok(None) };
        let Some((after, event)) = decide(&before.value, services.clock.now())? else { return Ok(Some(before.value)) };
        let announced = Announced::write(services, &after, event).await?;
        match services.store.replace_request(&before, &after).await {
            Ok(()) => {
                announced.kept();
                services.changed.notify_waiters();
                return Ok(Some(after));
            }
            Err(StoreError::Changed) => {}
            Err(error) => {
                announced.doubtful();
                return Err(Unavailable::from(error).into());
            }
        }
    }
    Err(Unavailable::from(StoreError::Changed).into())
}

/// A change that the log is told of before the store. Unless it is [kept](Self::kept), the log is told that too: when the
/// store failed, when somebody was faster, and when the client went away in between and the future was dropped.
pub(super) struct Announced<'a> {
    services: &'a Services,
    entry: AuditEvent,
    about: RequestId,
    sequence: Option<u64>,
    kept: bool,
    doubtful: bool,
}

impl<'a> Announced<'a> {
    /// Writes `event`, which speaks of what `request` is about to become.
    pub(super) async fn write(
        services: &'a Services,
        request: &AccessRequest,
        event: AuditEvent,
    ) -> Result<Self, Unavailable> {
        let entry = about(request, event);
        let about = request.id.clone();
        // Before the entry is: a future dropped while the disk works may leave one behind as well.
        let mut announced =
            Self { services, entry: entry.clone(), about, sequence: None, kept: false, doubtful: false };
        let written = written::append(&*services.audit, entry).await.map_err(AuditError::from)?;
        announced.sequence = Some(written.sequence());
        Ok(announced)
    }

    pub(super) fn kept(mut self) {
        self.kept = true;
    }

    /// The store failed, and a store that fails while it commits may have stored it all the same.
    pub(super) fn doubtful(mut self) {
        self.doubtful = true;
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let which = match self.sequence {
            Some(sequence) => format!("entry {sequence}"),
            None => "an entry of this session that may stand before".to_owned(),
        };
        let stored = if self.doubtful { "may not have been stored: the database failed" } else { "was not stored" };
        let message = format!("{which} speaks of a change of {} that {stored}", self.about);
        self.services.audit.append_later(AuditEvent { what: What::Error { message }, ..self.entry.clone() });
    }
}
