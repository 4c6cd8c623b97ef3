//! The access request, its states, and what others read of it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::{AccountName, Digest, GrantId, RequestId, RoleName, TargetName, Timestamp, UserName, Window};

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

/// Why a grant ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Its time was up, or nobody used it within `activate_within`.
    Expired,
    /// Its holder typed `done`.
    GivenBack,
    /// Somebody took it away.
    Revoked {
        /// Who.
        by: UserName,
        /// What they said, empty if nothing.
        text: String,
    },
}

/// Where a request is in its life.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Waits for approvers until `lapses`.
    Pending {
        /// When it stops waiting.
        lapses: Timestamp,
    },
    /// Enough people said yes; the clock of the grant does not run yet.
    Approved {
        /// When the last of them did.
        at: Timestamp,
        /// Used by then or never.
        activate_by: Timestamp,
    },
    /// The grant lives.
    Active {
        /// `start` is the activation, `end` the expiry.
        window: Window,
    },
    /// The grant is over.
    Ended {
        /// When it ended.
        at: Timestamp,
        /// Why.
        why: EndReason,
    },
    /// An approver said no.
    Denied {
        /// Who.
        by: UserName,
        /// When.
        at: Timestamp,
        /// What they said, empty if nothing.
        text: String,
    },
    /// The requester took it back.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Lapsed {
        /// When.
        at: Timestamp,
    },
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

    /// First instant at which it is over.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        self.ends
    }
}
