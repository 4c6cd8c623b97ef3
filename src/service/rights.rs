//! Who may see, decide on and end a request. Read live: groups and roles as they are loaded now.

use crate::domain::{Person, Subject, UserName};
use crate::grant::AccessRequest;
use crate::grant::approval::is_approver;

use super::approved_roles::approved_role;
use super::{Services, Session, Snapshot, UnseenRequest};

/// The approvers of one request, twice: a right to approve needs both lists.
pub(super) struct Approvers {
    stored: Vec<Subject>,
    loaded: Vec<Subject>,
}

impl Approvers {
    pub(super) fn of(services: &Services, snapshot: &Snapshot, request: &AccessRequest) -> Self {
        // A stored role that cannot be read names nobody: such a request cannot be approved, only ended.
        let stored = approved_role(services, request).ok();
        let stored = stored.as_ref().and_then(|role| role.request());
        let loaded = snapshot.roles.get(&request.role).and_then(|role| role.request());
        Self {
            stored: stored.map(|terms| terms.approvers.clone()).unwrap_or_default(),
            loaded: loaded.map(|terms| terms.approvers.clone()).unwrap_or_default(),
        }
    }

    /// Whether `person` may approve: by the role as stored with the request and as loaded now.
    pub(super) fn may_approve(&self, person: &Person) -> bool {
        is_approver(person, &self.stored) && is_approver(person, &self.loaded)
    }

    /// Whether `person` may look, deny and revoke: either list will do, since that gives nothing to anybody.
    pub(super) fn may_take(&self, person: &Person) -> bool {
        is_approver(person, &self.stored) || is_approver(person, &self.loaded)
    }

    /// The list by which `person` may approve; empty if they may not.
    pub(super) fn to_approve(&self, person: &Person) -> &[Subject] {
        if self.may_approve(person) { &self.stored } else { &[] }
    }

    /// The list by which `person` may take away; empty if they may not.
    pub(super) fn to_take(&self, person: &Person) -> &[Subject] {
        if is_approver(person, &self.stored) { &self.stored } else { &self.loaded }
    }

    /// Those who have approved `request` and may still do so.
    pub(super) fn standing(&self, snapshot: &Snapshot, request: &AccessRequest) -> Vec<UserName> {
        let said = request.approvals.iter().filter_map(|approval| snapshot.person(&approval.by));
        said.filter(|person| self.may_approve(person)).map(|person| person.name).collect()
    }

    /// The people who could still approve.
    pub(super) fn left(&self, snapshot: &Snapshot, request: &AccessRequest) -> Vec<UserName> {
        let said = |name: &UserName| request.approvals.iter().any(|approval| approval.by == *name);
        let people = snapshot.people().into_iter();
        let can =
            people.filter(|person| person.name != request.user && !said(&person.name) && self.may_approve(person));
        can.map(|person| person.name).collect()
    }
}

/// Somebody who looks at requests.
pub(super) struct Viewer {
    pub(super) person: Person,
    pub(super) reviewer: bool,
}

impl Viewer {
    /// The session's user; nobody if they are no longer enrolled.
    pub(super) fn of(snapshot: &Snapshot, session: &Session) -> Option<Self> {
        let person = snapshot.person(&session.user.name)?;
        let reviewer = snapshot.is_reviewer(&person);
        Some(Self { person, reviewer })
    }

    /// Whether they may see `request`, of which `approvers` are the approvers.
    pub(super) fn sees(&self, request: &AccessRequest, approvers: &Approvers) -> bool {
        self.owns(request) || self.takes(approvers)
    }

    /// Whether they may take away what `approvers` may give.
    pub(super) fn takes(&self, approvers: &Approvers) -> bool {
        self.reviewer || approvers.may_take(&self.person)
    }

    pub(super) fn owns(&self, request: &AccessRequest) -> bool {
        self.person.name == request.user
    }
}

/// The answer about a request or grant that is not there, or not theirs.
pub(super) fn unseen(id: &impl ToString) -> UnseenRequest {
    UnseenRequest { id: id.to_string() }
}
