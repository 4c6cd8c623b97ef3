//! What to tell somebody who holds no grant: what they wait for, what they had, or what they can ask for.

use std::fmt;

use crate::domain::wording::series;
use crate::domain::{GrantId, RequestId, RoleName, Subject, Timestamp, UserName};
use crate::grant::{AccessRequest, EndReason, State};
use crate::policy::Unmet;

use super::super::conditions::unmet;
use super::super::ports::{RequestQuery, StoreError};
use super::super::{Services, Session, Snapshot};

/// So many names are listed before `…`.
const LISTED: usize = 6;

/// Why a user holds no grant. `Display` is one line for them: what is so, and what to type.
#[derive(Debug)]
pub struct NoGrant {
    alias: String,
    what: What,
}

#[derive(Debug)]
enum What {
    /// Asked for, and not decided.
    Pending { request: RequestId, role: RoleName, approvers: Vec<UserName> },
    /// Approved, and not begun, because only `cert` begins it here.
    Approved { role: RoleName },
    /// Approved, but by fewer than the role asks for by now.
    Short { request: RequestId, role: RoleName, have: usize, needed: u8 },
    /// Approved, and a condition of its role does not hold, so that it has not begun.
    Unmet { grant: GrantId, role: RoleName, what: Box<Unmet> },
    /// The last one is over.
    Over { grant: GrantId, role: RoleName, at: Timestamp, why: &'static str },
    /// Nothing at all.
    Nothing { askable: Vec<RoleName> },
}

impl NoGrant {
    /// Looks why the user of `session` holds nothing, who was found to hold nothing.
    pub(crate) async fn of(services: &Services, snapshot: &Snapshot, session: &Session) -> Result<Self, StoreError> {
        let user = &session.user.name;
        let query = RequestQuery { user: Some(user.clone()), limit: 50, ..RequestQuery::default() };
        let newest: Vec<AccessRequest> =
            services.store.requests(&query).await?.into_iter().map(|row| row.value).collect();
        let (source, now) = (session.peer.ip(), services.clock.now());
        let not_now = |request: &AccessRequest| unmet(services, snapshot, request, source, now);
        let what = newest.iter().find_map(|request| waiting(snapshot, request, not_now));
        let what = what.or_else(|| newest.first().and_then(over)).unwrap_or_else(|| nothing(snapshot, user));
        Ok(Self { alias: snapshot.settings.alias.clone(), what })
    }

    /// What is so.
    #[must_use]
    pub fn fact(&self) -> String {
        match &self.what {
            What::Pending { request, role, approvers } if approvers.is_empty() => {
                format!("your request {request} for {role} waits, and nobody can approve it now")
            }
            What::Pending { request, role, approvers } => {
                format!("your request {request} for {role} waits until {} says yes", listed(approvers))
            }
            What::Approved { role } => format!("your request for {role} is approved and has not begun"),
            What::Short { request, role, have, needed } => {
                format!("your request {request} has {have} approvals, and {role} needs {needed} by now")
            }
            What::Unmet { grant, role, what } => {
                format!("your grant {grant} is approved and has not begun: {role} {what}")
            }
            What::Over { grant, role, at, why } => {
                format!("your grant {grant} of {role} ended at {} ({why})", at.to_the_second())
            }
            What::Nothing { .. } => "no role of yours is active".to_owned(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        let alias = &self.alias;
        match &self.what {
            What::Pending { approvers, .. } if approvers.is_empty() => "tell the operator".to_owned(),
            What::Pending { request, .. } => format!("`ssh {alias} status {request}` shows it"),
            What::Approved { .. } => format!("`ssh {alias} cert > ~/.ssh/doorward-cert.pub` begins it"),
            What::Unmet { what, .. } if what.opens.is_some() => {
                format!("your first command then, or `ssh {alias} cert`, begins it")
            }
            What::Unmet { what, .. } if matches!(what.key, "networks" | "same_source") => {
                "your first command from there begins it".to_owned()
            }
            What::Unmet { grant, .. } => format!("`ssh {alias} done {grant}` gives it back"),
            What::Short { role, .. } | What::Over { role, .. } => {
                format!("`ssh {alias} request {role} --reason WHY` asks again")
            }
            What::Nothing { askable } if askable.is_empty() => {
                "there is none that you may ask for; tell the operator what you need".to_owned()
            }
            What::Nothing { askable } => {
                format!("`ssh {alias} request ROLE --reason WHY` asks for one; you may ask for {}", listed(askable))
            }
        }
    }

    /// Whether asking for `role` would get them on: not while they wait for that very role.
    #[must_use]
    pub fn helped_by(&self, role: &RoleName) -> bool {
        match &self.what {
            What::Pending { role: asked, .. } | What::Approved { role: asked } | What::Unmet { role: asked, .. } => {
                asked != role
            }
            What::Short { .. } | What::Over { .. } | What::Nothing { .. } => true,
        }
    }

    /// The request that waits for approvers, if that is why.
    #[must_use]
    pub fn pending(&self) -> Option<&RequestId> {
        match &self.what {
            What::Pending { request, .. } => Some(request),
            What::Approved { .. }
            | What::Short { .. }
            | What::Unmet { .. }
            | What::Over { .. }
            | What::Nothing { .. } => None,
        }
    }
}

fn waiting(
    snapshot: &Snapshot,
    request: &AccessRequest,
    not_now: impl Fn(&AccessRequest) -> Option<Unmet>,
) -> Option<What> {
    let role = request.role.clone();
    match &request.state {
        State::Pending { .. } => {
            let approvers = approvers(snapshot, request);
            Some(What::Pending { request: request.id.clone(), role, approvers })
        }
        // Elsewhere a command begins what is approved; if that did not happen the role is not theirs any more.
        State::Approved { .. } => short(snapshot, request)
            .or_else(|| {
                let what = not_now(request).filter(|_| snapshot.user_may_ask(&request.user, &role))?;
                Some(What::Unmet { grant: request.grant_id(), role: role.clone(), what: Box::new(what) })
            })
            .or_else(|| snapshot.settings.require_presented_certificate.then_some(What::Approved { role })),
        _ => None,
    }
}

/// Whether the role was changed to need more approvals than an approved request has.
fn short(snapshot: &Snapshot, request: &AccessRequest) -> Option<What> {
    let (id, role, have) = (request.id.clone(), request.role.clone(), request.approvals.len());
    let needed = snapshot.roles.get(&role)?.request()?.approvals;
    let theirs = snapshot.user_may_ask(&request.user, &role);
    (theirs && have < usize::from(needed)).then_some(What::Short { request: id, role, have, needed })
}

fn over(request: &AccessRequest) -> Option<What> {
    let (at, why) = match &request.state {
        State::Ended { at, why } => match why {
            EndReason::Expired => (*at, "its time was up"),
            EndReason::GivenBack => (*at, "you gave it back"),
            EndReason::Revoked { .. } => (*at, "it was revoked"),
        },
        // Nobody may have written the end down yet.
        State::Active { window } => (window.end, "its time was up"),
        _ => return None,
    };
    Some(What::Over { grant: request.grant_id(), role: request.role.clone(), at, why })
}

fn nothing(snapshot: &Snapshot, user: &UserName) -> What {
    let person = snapshot.person(user);
    let may = |role: &crate::policy::Role| person.as_ref().is_some_and(|person| snapshot.may_ask(person, role));
    let askable = snapshot.roles.iter().filter(|(_, role)| may(role)).map(|(name, _)| name.clone()).collect();
    What::Nothing { askable }
}

/// Everybody who could still say yes.
fn approvers(snapshot: &Snapshot, request: &AccessRequest) -> Vec<UserName> {
    let named: &[Subject] =
        snapshot.roles.get(&request.role).and_then(|role| role.request()).map_or(&[], |terms| &terms.approvers);
    let said = |name: &UserName| request.approvals.iter().any(|approval| approval.by == *name);
    let people = snapshot.directory.iter().filter(|user| user.name != request.user && !said(&user.name));
    let may = people.filter(|user| named.iter().any(|subject| subject.covers(&user.person())));
    may.map(|user| user.name.clone()).collect()
}

/// `a, b or c`, or the first few of many.
fn listed<T: fmt::Display>(names: &[T]) -> String {
    if names.len() <= LISTED {
        return series(names, "or");
    }
    let shown: Vec<String> = names.iter().take(LISTED - 1).map(T::to_string).collect();
    format!("{}, …", shown.join(", "))
}

/// What is so, and what to type: one line.
impl fmt::Display for NoGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.fact(), self.advice())
    }
}

impl std::error::Error for NoGrant {}
