//! The access request, and what others read of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{AccountName, Digest, GrantId, RequestId, RoleName, TargetName, Timestamp, UserName, Window};

use super::state::State;

/// Where and for how long: what an approver may narrow.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    /// Each target with the account that the role's `run_as` means there, resolved when the request was filed.
    pub targets: BTreeMap<TargetName, AccountName>,
    /// How long the grant lives, counted from its activation.
    pub duration: Duration,
}

/// One yes of one approver.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct Approval {
    /// Who said it.
    pub by: UserName,
    /// When.
    pub at: Timestamp,
    /// The digest of what they saw; see [`AccessRequest::digest`].
    pub digest: Digest,
}

/// What a new request says.
#[derive(Clone, Debug)]
pub struct Filing {
    /// Who asks.
    pub user: UserName,
    /// For which role.
    pub role: RoleName,
    /// The role's whole text.
    pub role_text: String,
    /// How many different people must say yes.
    pub approvals_needed: u8,
    /// Where and for how long.
    pub scope: Scope,
    /// The justification.
    pub reason: String,
    /// The ticket.
    pub ticket: Option<String>,
    /// The address it comes from.
    pub source: IpAddr,
}

/// One ask for one role, and the grant that it becomes.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub struct AccessRequest {
    /// Its identifier; the grant keeps the digits.
    pub id: RequestId,
    /// Who asks.
    pub user: UserName,
    /// For which role.
    pub role: RoleName,
    /// The role's file as it was when the request was filed. What is granted is never more than this.
    pub role_text: String,
    /// Digest of `role_text`.
    pub role_digest: Digest,
    /// Where and for how long, as narrowed so far.
    pub scope: Scope,
    /// The justification, verbatim; empty if none.
    pub reason: String,
    /// The ticket, where one was given.
    pub ticket: Option<String>,
    /// The address the request came from.
    pub source: IpAddr,
    /// When it was filed.
    pub filed: Timestamp,
    /// How many different people must say yes.
    pub approvals_needed: u8,
    /// Who said yes so far.
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub state: State,
}

impl AccessRequest {
    /// A request filed at `now`: pending for `lapse`, or, where nobody needs to approve, approved at once and to be used
    /// within `activate_within`.
    #[must_use]
    pub fn file(id: RequestId, filing: Filing, now: Timestamp, lapse: Duration, activate_within: Duration) -> Self {
        let state = if filing.approvals_needed == 0 {
            State::Approved { at: now, activate_by: now.after(activate_within) }
        } else {
            State::Pending { lapses: now.after(lapse) }
        };
        Self {
            id,
            user: filing.user,
            role: filing.role,
            role_digest: Digest::of(filing.role_text.as_bytes()),
            role_text: filing.role_text,
            scope: filing.scope,
            reason: filing.reason,
            ticket: filing.ticket,
            source: filing.source,
            filed: now,
            approvals_needed: filing.approvals_needed,
            approvals: Vec::new(),
            state,
        }
    }

    /// A request that nobody made, active in `window`: what a question about a policy supposes (`why`, `test`, `what-if`). Named
    /// only by use cases that let no permit out; `tests/architecture.rs` knows which room they are in.
    #[must_use]
    pub fn supposed(
        id: RequestId,
        user: UserName,
        (role, role_digest): (RoleName, Digest),
        targets: BTreeMap<TargetName, AccountName>,
        source: IpAddr,
        window: Window,
    ) -> Self {
        Self {
            id,
            user,
            role,
            role_text: String::new(),
            role_digest,
            scope: Scope { targets, duration: window.start.until(window.end) },
            reason: String::new(),
            ticket: None,
            source,
            filed: window.start,
            approvals_needed: 0,
            approvals: Vec::new(),
            state: State::Active { window },
        }
    }

    /// Digest of what an approver says yes to: who asks for which role, as it reads now, where, for how long and why. Its
    /// first four hexadecimal digits are what they type, so that what they approve is what they saw.
    ///
    /// SHA-256 over a label and the fields in a fixed order, each behind its length, so that no two requests share an
    /// encoding.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut bytes = b"doorward access request 1\n".to_vec();
        let mut put = |field: &[u8]| {
            bytes.extend_from_slice(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(field);
        };
        put(self.id.to_string().as_bytes());
        put(self.user.as_str().as_bytes());
        put(self.role.as_str().as_bytes());
        put(self.role_digest.as_bytes());
        put(&u64::try_from(self.scope.targets.len()).unwrap_or(u64::MAX).to_be_bytes());
        for (target, account) in &self.scope.targets {
            put(target.as_str().as_bytes());
            put(account.as_str().as_bytes());
        }
        put(&self.scope.duration.as_nanos().to_be_bytes());
        put(self.reason.as_bytes());
        // A missing ticket and an empty one are different fields, not different values of one.
        put(&[u8::from(self.ticket.is_some())]);
        put(self.ticket.as_deref().unwrap_or_default().as_bytes());
        Digest::of(&bytes)
    }

    /// The grant's identifier.
    #[must_use]
    pub fn grant_id(&self) -> GrantId {
        GrantId::from(&self.id)
    }

    /// The grant, if it lives at `now`.
    #[must_use]
    pub fn active_grant(&self, now: Timestamp) -> Option<ActiveGrant> {
        match &self.state {
            State::Active { window } if window.contains(now) => Some(ActiveGrant {
                id: self.grant_id(),
                user: self.user.clone(),
                role: self.role.clone(),
                role_digest: self.role_digest,
                targets: self.scope.targets.clone(),
                source: self.source,
                ends: window.end,
            }),
            _ => None,
        }
    }
}

/// A grant that lives: only [`AccessRequest::active_grant`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ActiveGrant {
    id: GrantId,
    user: UserName,
    role: RoleName,
    role_digest: Digest,
    targets: BTreeMap<TargetName, AccountName>,
    source: IpAddr,
    ends: Timestamp,
}

impl ActiveGrant {
    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &GrantId {
        &self.id
    }

    /// Who holds it.
    #[must_use]
    pub fn user(&self) -> &UserName {
        &self.user
    }

    /// The role it gives.
    #[must_use]
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// Digest of the role as approved.
    #[must_use]
    pub fn role_digest(&self) -> Digest {
        self.role_digest
    }

    /// The targets as approved, with the account on each.
    #[must_use]
    pub fn targets(&self) -> &BTreeMap<TargetName, AccountName> {
        &self.targets
    }

    /// Where the request for it came from.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// First instant at which it is over.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.ends
    }
}
