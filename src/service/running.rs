//! How many commands of each user run under each role now: what `max_sessions` bounds. In memory alone, because what it
//! counts lives no longer than this process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::{RoleName, UserName};

type Counts = BTreeMap<UserName, BTreeMap<RoleName, u32>>;

/// The commands that run, counted. Starts empty.
#[derive(Clone, Debug, Default)]
pub struct Running(Arc<Mutex<Counts>>);

/// The place of one command under each role that it stands on. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Places {
    running: Running,
    user: UserName,
    roles: Vec<RoleName>,
}

impl Running {
    /// How many commands of `user` run under each role.
    #[must_use]
    pub fn of(&self, user: &UserName) -> BTreeMap<RoleName, u32> {
        self.counts().get(user).cloned().unwrap_or_default()
    }

    /// Takes a place under each of these roles, or, where as many run as the role allows (`None`: any number), none at all.
    pub(super) fn take(&self, user: &UserName, roles: &BTreeMap<RoleName, Option<u32>>) -> Option<Places> {
        let mut counts = self.counts();
        let theirs = counts.entry(user.clone()).or_default();
        let full = |(role, most): (&RoleName, &Option<u32>)| {
            let running = theirs.get(role).copied().unwrap_or(0);
            most.is_some_and(|most| running >= most)
        };
        let room = !roles.iter().any(full);
        if room {
            for role in roles.keys() {
                let running = theirs.entry(role.clone()).or_default();
                *running = running.saturating_add(1);
            }
        }
        forget_nothing(&mut counts, user);
        room.then(|| Places { running: self.clone(), user: user.clone(), roles: roles.keys().cloned().collect() })
    }

    /// A panic while counting leaves a number behind that is at most one off; to refuse everybody would be worse.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What counts nothing takes no memory.
fn forget_nothing(counts: &mut Counts, user: &UserName) {
    if counts.get(user).is_some_and(BTreeMap::is_empty) {
        counts.remove(user);
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let mut counts = self.running.counts();
        if let Some(theirs) = counts.get_mut(&self.user) {
            for role in &self.roles {
                if let Some(running) = theirs.get_mut(role) {
                    *running = running.saturating_sub(1);
                }
            }
            theirs.retain(|_, running| *running > 0);
        }
        forget_nothing(&mut counts, &self.user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_all_or_none_and_given_back() {
        let (running, alice): (Running, UserName) = (Running::default(), "alice".parse().expect("a name"));
        let role = |name: &str| -> RoleName { name.parse().expect("a name") };
        let roles = |most: &[(&str, Option<u32>)]| most.iter().map(|&(name, most)| (role(name), most)).collect();
        let first = running.take(&alice, &roles(&[("web", Some(1)), ("db", None)])).expect("there is room");
        assert!(running.take(&alice, &roles(&[("web", Some(1)), ("db", None)])).is_none());
        assert_eq!(running.of(&alice), [(role("web"), 1), (role("db"), 1)].into(), "none was taken under db either");
        let second = running.take(&alice, &roles(&[("web", Some(2)), ("db", None)])).expect("there is room");
        assert_eq!(running.of(&alice), [(role("web"), 2), (role("db"), 2)].into());
        assert!(
            running.take(&"bob".parse().expect("a name"), &roles(&[("web", Some(1))])).is_some(),
            "others do not count"
        );
        drop((first, second));
        assert!(running.of(&alice).is_empty() && running.counts().is_empty());
    }
}
