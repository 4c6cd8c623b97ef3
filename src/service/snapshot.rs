//! The configuration in force, as one value: what a reload replaces whole.

use std::collections::BTreeMap;

use crate::domain::{AccountName, Digest, Person, RoleName, TargetName, UserName};
use crate::identity::Directory;
use crate::inventory::{Inventory, Target};
use crate::policy::{Role, Roles};

use super::settings::Settings;

/// Settings, users, targets and roles that were read together.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// `doorward.toml`.
    pub settings: Settings,
    /// `users.toml`.
    pub directory: Directory,
    /// `targets.toml`.
    pub inventory: Inventory,
    /// `roles/*.toml`.
    pub roles: Roles,
    /// Digest over all files, in each decision's entry.
    pub digest: Digest,
}

impl Snapshot {
    /// The user as rules see them; `None` if they are not enrolled (any more).
    #[must_use]
    pub fn person(&self, user: &UserName) -> Option<Person> {
        self.directory.user(user).map(crate::identity::User::person)
    }

    /// The account that `role` means on `target`, if the role is for that target and the target knows the account.
    #[must_use]
    pub fn account_on<'a>(&'a self, role: &Role, target: &'a Target) -> Option<&'a AccountName> {
        let meant = role.targets().matches(&target.name, &target.labels);
        meant.then(|| target.run_as.get(role.run_as())).flatten()
    }

    /// Every target the role reaches now, with the account there.
    #[must_use]
    pub fn reach_of(&self, role: &Role) -> BTreeMap<TargetName, AccountName> {
        let reached = |target| self.account_on(role, target).map(|account| (target.name.clone(), account.clone()));
        self.inventory.iter().filter_map(reached).collect()
    }

    /// Whether `person` may ask for `role`.
    #[must_use]
    pub fn may_ask(&self, person: &Person, role: &Role) -> bool {
        role.request().is_some_and(|terms| terms.eligible.iter().any(|subject| subject.covers(person)))
    }

    /// Whether `user` is enrolled and may ask for the role of that name as it is loaded.
    #[must_use]
    pub fn user_may_ask(&self, user: &UserName, role: &RoleName) -> bool {
        self.person(user).zip(self.roles.get(role)).is_some_and(|(person, role)| self.may_ask(&person, role))
    }

    /// Whether `person` is a reviewer.
    #[must_use]
    pub fn is_reviewer(&self, person: &Person) -> bool {
        self.settings.reviewers.iter().any(|subject| subject.covers(person))
    }
}
