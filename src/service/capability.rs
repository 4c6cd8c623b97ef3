//! Everything that somebody may do where, by the configuration alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{AccountName, Person, TargetName};
use crate::inventory::Target;
use crate::policy::Role;

use super::Snapshot;
use super::quorum::Quorum;

/// A role that somebody may ask for, where, and who would approve.
#[derive(Clone, Debug)]
pub struct Capability {
    /// The role, with its rules.
    pub role: Arc<Role>,
    /// The targets it reaches, with the account there.
    pub targets: BTreeMap<TargetName, AccountName>,
    /// Who approves.
    pub quorum: Quorum,
}

/// What `person` may ask for, by role; with a target only what reaches it.
#[must_use]
pub fn capabilities(snapshot: &Snapshot, person: &Person, target: Option<&Target>) -> Vec<Capability> {
    let people = snapshot.people();
    let theirs = snapshot.roles.values().filter(|role| snapshot.may_ask(person, role));
    let reach = |role: &Role| match target {
        None => snapshot.reach_of(role),
        Some(target) => snapshot
            .account_on(role, target)
            .map(|account| (target.name.clone(), account.clone()))
            .into_iter()
            .collect(),
    };
    let found = theirs.filter_map(|role| {
        let quorum = Quorum::of(&people, &person.name, role.request()?);
        Some(Capability { role: Arc::clone(role), targets: reach(role), quorum })
    });
    found.filter(|capability| target.is_none() || !capability.targets.is_empty()).collect()
}
