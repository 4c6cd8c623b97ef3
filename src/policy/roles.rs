//! All roles of a configuration, and which of them a line may be for: so that to look for a role costs what the roles for that
//! program cost, and not what the policy does. Knows nothing of who may ask for one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Deref;
use std::sync::Arc;

use crate::domain::RoleName;

use super::role::Role;
use super::rule::after_sudo;
use super::words::Words;

/// Roles by name. Reads as the map that it holds; what changes it keeps the rest in step.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    by_name: BTreeMap<RoleName, Arc<Role>>,
    /// For what a line may begin with, after a `sudo`, the roles with a rule for it.
    by_first: HashMap<Box<str>, BTreeSet<RoleName>>,
    /// Those with a secret.
    secret: BTreeSet<RoleName>,
}

impl Roles {
    /// Adds `role` as `name`; the one that had the name, if one did.
    pub fn insert(&mut self, name: RoleName, role: Arc<Role>) -> Option<Arc<Role>> {
        let before = self.remove(&name);
        for word in role.index.words() {
            self.by_first.entry(word.into()).or_default().insert(name.clone());
        }
        if role.has_secret() {
            self.secret.insert(name.clone());
        }
        self.by_name.insert(name, role);
        before
    }

    /// Takes `name` out; what it was, if it was there.
    pub fn remove(&mut self, name: &RoleName) -> Option<Arc<Role>> {
        let role = self.by_name.remove(name)?;
        for word in role.index.words() {
            if let Some(roles) = self.by_first.get_mut(word) {
                roles.remove(name);
            }
        }
        self.secret.remove(name);
        Some(role)
    }

    /// Every role that may have a rule which allows `words`, by name.
    pub fn with_rules_for(&self, words: &Words) -> impl Iterator<Item = &Arc<Role>> {
        let (_, rest) = after_sudo(words.as_slice());
        let names = rest.first().and_then(|word| self.by_first.get(word.text()));
        names.into_iter().flatten().filter_map(|name| self.by_name.get(name))
    }

    /// Every role that has a secret, by name.
    pub fn with_secrets(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.secret.iter().filter_map(|name| self.by_name.get(name))
    }
}

impl Deref for Roles {
    type Target = BTreeMap<RoleName, Arc<Role>>;

    fn deref(&self) -> &Self::Target {
        &self.by_name
    }
}

impl Extend<(RoleName, Arc<Role>)> for Roles {
    fn extend<T: IntoIterator<Item = (RoleName, Arc<Role>)>>(&mut self, roles: T) {
        roles.into_iter().for_each(|(name, role)| drop(self.insert(name, role)));
    }
}

impl FromIterator<(RoleName, Arc<Role>)> for Roles {
    fn from_iter<T: IntoIterator<Item = (RoleName, Arc<Role>)>>(roles: T) -> Self {
        let mut all = Self::default();
        all.extend(roles);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(name: &str, rules: &str) -> (RoleName, Arc<Role>) {
        let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
        let (role, _) = Role::parse(name.parse().unwrap(), "roles/x.toml", &text).unwrap();
        (role.name().clone(), Arc::new(role))
    }

    const RULES: [(&str, &str); 4] = [
        ("a", "[[command]]\nrun = \"/bin/a x\"\n[[command]]\nrun = \"/bin/b\"\nalias = \"c d\"\n"),
        ("b", "[[command]]\nrun = \"/opt/a\"\nsudo = true\n"),
        ("c", "[[command]]\nrun = \"/bin/p {x}\"\nwhere.x = { text = 9, secret = true }\n"),
        ("d", "[[command]]\nrun = \"/bin/b y\"\n"),
    ];
    const LINES: [&str; 8] = ["a x", "sudo -n a", "/opt/a", "b", "c d", "b y", "p q", "rm"];

    fn shown<'r>(roles: impl Iterator<Item = &'r Arc<Role>>) -> String {
        roles.map(|role| role.name().as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_is_found_by_the_first_word_is_every_role_that_allows_the_line() {
        let check = |roles: &Roles| {
            for line in LINES {
                let words = Words::split(line.as_bytes()).unwrap();
                let allows = |role: &&Arc<Role>| role.allows(&words);
                assert_eq!(
                    shown(roles.with_rules_for(&words).filter(allows)),
                    shown(roles.values().filter(allows)),
                    "{line}"
                );
            }
            let secret = |role: &&Arc<Role>| role.has_secret();
            assert_eq!(shown(roles.with_secrets()), shown(roles.values().filter(secret)));
        };
        let mut roles: Roles = RULES.iter().map(|(name, rules)| role(name, rules)).collect();
        check(&roles);
        for (name, rules) in [("b", RULES[2].1), ("c", RULES[1].1), ("a", RULES[3].1), ("e", RULES[0].1)] {
            let (name, role) = role(name, rules);
            roles.insert(name, role);
            check(&roles);
        }
        for name in ["b", "d", "d", "a"] {
            roles.remove(&name.parse().unwrap());
            check(&roles);
        }
        assert_eq!(shown(roles.values()), "c e");
    }

    #[test]
    fn only_the_roles_for_a_program_are_looked_at() {
        let roles: Roles = RULES.iter().map(|(name, rules)| role(name, rules)).collect();
        let found = |line: &str| shown(roles.with_rules_for(&Words::split(line.as_bytes()).unwrap()));
        assert_eq!(LINES.map(found), ["a b", "a b", "b", "a d", "a", "a d", "c", ""]);
    }
}
