//! The clock of a request: lapse, activation, expiry, and the ends that people bring about. Pure.

use std::time::Duration;

use crate::domain::{GrantId, RequestId, Timestamp, UserName, Window};

use super::request::AccessRequest;
use super::state::{EndReason, State};

/// A transition that the state of a request does not allow. `Display` says what state that is.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{id} cannot be {wanted}: it {state}{}", hint(.state, .wanted, .id))]
pub struct WrongState {
    /// The request.
    pub id: RequestId,
    /// What was to be done, as a participle.
    pub wanted: &'static str,
    /// Where it stands.
    pub state: State,
}

/// What to type instead, where there is something.
fn hint(state: &State, wanted: &str, id: &RequestId) -> String {
    let grant = GrantId::from(id);
    match (state, wanted) {
        (State::Active { .. } | State::Approved { .. }, "denied") => format!("; `revoke {grant}` takes it away"),
        (State::Active { .. }, "withdrawn") => format!("; `done {grant}` gives it back"),
        (State::Pending { .. }, "given back") => format!("; `withdraw {id}` takes it back"),
        (State::Pending { .. }, "revoked") => format!("; an approver can `deny {id}`"),
        _ => String::new(),
    }
}

impl AccessRequest {
    /// What has become of the request by `now` without anybody's doing: a pending one lapses, an approved one that nobody
    /// used and an active one whose time is up end. `None` when nothing is due.
    ///
    /// The new state carries the instant at which it was due, not the one at which somebody looked.
    #[must_use]
    pub fn settled(&self, now: Timestamp) -> Option<Self> {
        let over = |at| State::Ended { at, why: EndReason::Expired };
        match self.state {
            State::Pending { lapses } if now >= lapses => Some(self.with(State::Lapsed { at: lapses })),
            State::Approved { activate_by, .. } if now >= activate_by => Some(self.with(over(activate_by))),
            State::Active { window } if now >= window.end => Some(self.with(over(window.end))),
            _ => None,
        }
    }

    /// `Approved -> Active`: the grant's time begins at `now` and lasts as approved, or `longest` where the role allows less
    /// by now.
    ///
    /// # Errors
    /// [`WrongState`].
    pub fn activate(&self, now: Timestamp, longest: Duration) -> Result<Self, WrongState> {
        match self.now_in(now).state {
            State::Approved { .. } => {
                let window = Window { start: now, end: now.after(self.scope.duration.min(longest)) };
                Ok(self.with(State::Active { window }))
            }
            state => Err(self.wrong("activated", state)),
        }
    }

    /// `Pending | Approved -> Withdrawn`, by the requester.
    ///
    /// # Errors
    /// [`WrongState`].
    pub fn withdraw(&self, now: Timestamp) -> Result<Self, WrongState> {
        match self.now_in(now).state {
            State::Pending { .. } | State::Approved { .. } => Ok(self.with(State::Withdrawn { at: now })),
            state => Err(self.wrong("withdrawn", state)),
        }
    }

    /// `Approved | Active -> Ended{given back}`, by the requester.
    ///
    /// # Errors
    /// [`WrongState`].
    pub fn give_back(&self, now: Timestamp) -> Result<Self, WrongState> {
        self.end("given back", EndReason::GivenBack, now)
    }

    /// `Approved | Active -> Ended{revoked}`.
    ///
    /// # Errors
    /// [`WrongState`].
    pub fn revoke(&self, by: &UserName, text: &str, now: Timestamp) -> Result<Self, WrongState> {
        self.end("revoked", EndReason::Revoked { by: by.clone(), text: text.to_owned() }, now)
    }

    fn end(&self, wanted: &'static str, why: EndReason, now: Timestamp) -> Result<Self, WrongState> {
        match self.now_in(now).state {
            State::Approved { .. } | State::Active { .. } => Ok(self.with(State::Ended { at: now, why })),
            state => Err(self.wrong(wanted, state)),
        }
    }

    /// The request as it is at `now`.
    pub(super) fn now_in(&self, now: Timestamp) -> Self {
        self.settled(now).unwrap_or_else(|| self.clone())
    }

    pub(super) fn with(&self, state: State) -> Self {
        Self { state, ..self.clone() }
    }

    pub(super) fn wrong(&self, wanted: &'static str, state: State) -> WrongState {
        WrongState { id: self.id.clone(), wanted, state }
    }
}
