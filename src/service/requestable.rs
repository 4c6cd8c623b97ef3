//! What a person may see: the roles and targets they may ask for or hold.
//!
//! Roles and targets outside these lists do not exist for them (design invariant 9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{AccountName, Person, RoleName, TargetName, UserName};
use crate::policy::{Role, Words};

use super::ports::StoreError;
use super::{Services, Snapshot};

/// A role that somebody may ask for.
#[derive(Clone, Debug)]
pub struct RequestableRole {
    /// The role, with its rules and usages and its request terms (always there).
    pub role: Arc<Role>,
    /// Every target it reaches now, with the account there.
    pub targets: BTreeMap<TargetName, AccountName>,
    /// Who approves, in words: `nobody needs to approve`, `bob or dan approves`, `2 of bob, dan and eve approve`.
    pub approvers: String,
}

/// A target that somebody may see, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VisibleTarget {
    /// Its name.
    pub name: TargetName,
    /// Roles of active grants that reach it.
    pub active: BTreeSet<RoleName>,
    /// Roles that may be asked for and reach it.
    pub requestable: BTreeSet<RoleName>,
}

/// A request that would make a denied command possible.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Suggestion {
    /// The role.
    pub role: RoleName,
    /// What to type: `ssh bastion request web-restart --on web-1 --reason WHY`.
    pub line: String,
}

/// The roles `person` may ask for, by name.
#[must_use]
pub fn roles_for(_snapshot: &Snapshot, _person: &Person) -> Vec<RequestableRole> {
    todo!()
}

/// The targets that `user` may use (by an active grant) or ask for, by name. Nobody, when the user is not enrolled.
///
/// # Errors
/// The store's.
pub async fn targets_for(_services: &Services, _user: &UserName) -> Result<Vec<VisibleTarget>, StoreError> {
    todo!()
}

/// The request to type, when a role that `person` may ask for allows exactly `words` on `target`.
#[must_use]
pub fn role_allowing(
    _snapshot: &Snapshot,
    _person: &Person,
    _target: &TargetName,
    _words: &Words,
) -> Option<Suggestion> {
    todo!()
}
