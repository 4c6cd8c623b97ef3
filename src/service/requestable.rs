//! What a person may see: the roles and targets they may ask for or hold.
//!
//! Roles and targets outside these lists do not exist for them (design invariant 9).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::{AccountName, Person, RoleName, TargetName, UserName};
use crate::policy::{Role, Words};

use super::asking::people;
use super::change_request::matching;
use super::ports::{RequestQuery, StoreError};
use super::quorum::Quorum;
use super::{Services, Snapshot};

/// A role that somebody may ask for.
#[derive(Clone, Debug)]
pub struct RequestableRole {
    /// The role, with its rules and usages and its request terms (always there).
    pub role: Arc<Role>,
    /// Every target it reaches now, with the account there.
    pub targets: BTreeMap<TargetName, AccountName>,
    /// Who approves, in words: `nobody needs to approve`, `bob or dan can approve`, `2 of bob, dan or eve must approve`.
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
pub fn roles_for(snapshot: &Snapshot, person: &Person) -> Vec<RequestableRole> {
    let people = people(snapshot);
    let quorum = |terms| Quorum::of(&people, &person.name, terms).to_string();
    let theirs = snapshot.roles.values().filter(|role| snapshot.may_ask(person, role));
    let described = theirs.map(|role| RequestableRole {
        role: Arc::clone(role),
        targets: snapshot.reach_of(role),
        approvers: role.request().map(quorum).unwrap_or_default(),
    });
    described.collect()
}

/// The targets that `user` may ask for, or has an active grant for (as approved, whether or not it reaches them still), by name. None, when the user is not enrolled.
///
/// # Errors
/// The store's.
pub async fn targets_for(services: &Services, user: &UserName) -> Result<Vec<VisibleTarget>, StoreError> {
    let snapshot = services.snapshot.load_full();
    let Some(person) = snapshot.person(user) else { return Ok(Vec::new()) };
    let mut visible: BTreeMap<TargetName, VisibleTarget> = BTreeMap::new();
    for found in roles_for(&snapshot, &person) {
        for target in found.targets.keys() {
            entry(&mut visible, target).requestable.insert(found.role.name().clone());
        }
    }
    let query = RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() };
    let now = services.clock.now();
    for grant in matching(services, &query).await?.iter().filter_map(|request| request.active_grant(now)) {
        // Usable is what was approved and is reached now by a role that is still theirs; what was approved and is not reached any more stays visible, so
        // that a command there is denied with the reason.
        let role = snapshot.roles.get(grant.role()).filter(|role| snapshot.may_ask(&person, role));
        let reach = role.map(|role| snapshot.reach_of(role)).unwrap_or_default();
        for (target, account) in grant.targets() {
            let seen = entry(&mut visible, target);
            if reach.get(target) == Some(account) {
                seen.active.insert(grant.role().clone());
            }
        }
    }
    Ok(visible.into_values().collect())
}

fn entry<'a>(visible: &'a mut BTreeMap<TargetName, VisibleTarget>, name: &TargetName) -> &'a mut VisibleTarget {
    let unseen_yet = || VisibleTarget { name: name.clone(), active: BTreeSet::new(), requestable: BTreeSet::new() };
    visible.entry(name.clone()).or_insert_with(unseen_yet)
}

/// The request to type, when a role that `person` may ask for allows exactly `words` on `target`: of several, the one that
/// needs the fewest approvals.
#[must_use]
pub fn role_allowing(snapshot: &Snapshot, person: &Person, target: &TargetName, words: &Words) -> Option<Suggestion> {
    let place = snapshot.inventory.target(target)?;
    let allowing = snapshot.roles.with_rules_for(words).filter(|role| {
        role.allows_on(target, words) && snapshot.may_ask(person, role) && snapshot.account_on(role, place).is_some()
    });
    let found = allowing.min_by_key(|role| role.request().map(|terms| terms.approvals))?;
    Some(Suggestion { role: found.name().clone(), line: line_to_ask(snapshot, found, target)? })
}

/// The request to type for `role` on `target`; `None` if nobody may ask for it.
#[must_use]
pub fn line_to_ask(snapshot: &Snapshot, role: &Role, target: &TargetName) -> Option<String> {
    let (alias, terms) = (&snapshot.settings.alias, role.request()?);
    let ticket = if terms.ticket.is_some() { " --ticket TICKET" } else { "" };
    let reason = if terms.reason_required { " --reason WHY" } else { "" };
    Some(format!("ssh {alias} request {} --on {target}{ticket}{reason}", role.name()))
}

#[cfg(test)]
mod tests;
