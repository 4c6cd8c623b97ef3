//! Caps on waiting bytes that several commands share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::domain::UserName;

/// How much input may wait for targets. `docs/configuration.md` has the key and the range of each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InputLimits {
    /// Bytes of one command that wait in memory before files are used.
    pub memory: usize,
    /// Bytes of one command, in memory and files.
    pub per_command: u64,
    /// Bytes of all commands of one user.
    pub per_user: u64,
    /// Bytes of all.
    pub in_all: u64,
}

impl Default for InputLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        // A client sends faster than a target and a slow reader of its output take, and nothing can ask it to wait: of a
        // gigabyte most may be here at some time.
        Self { memory: 1024 * 1024, per_command: 2048 * MIB, per_user: 2048 * MIB, in_all: 4096 * MIB }
    }
}

/// Bytes of each command, or of each connection inside another one, that may wait whatever others have waiting: what they use
/// up is no reason to end somebody who has little. As many channels as there may be have 64 KiB each, and a channel's own window
/// is wider than that.
pub(super) const OWN: u64 = 64 * 1024;

/// A cap: of one user over all their commands, with the cap of all users as its parent.
#[derive(Debug)]
pub struct Budget {
    cap: u64,
    used: AtomicU64,
    parent: Option<Arc<Self>>,
}

impl Budget {
    /// A budget of `cap` bytes, which also count in `parent`.
    #[must_use]
    pub fn new(cap: u64, parent: Option<Arc<Self>>) -> Arc<Self> {
        Arc::new(Self { cap, used: AtomicU64::new(0), parent })
    }

    /// How many bytes are taken.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes `bytes` here and in every parent, or nowhere.
    fn take(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|&sum| sum <= self.cap);
        if self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return false;
        }
        let granted = self.parent.as_ref().is_none_or(|parent| parent.take(bytes));
        if !granted {
            self.used.fetch_sub(bytes, Ordering::Relaxed);
        }
        granted
    }

    fn give_back(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        if let Some(parent) = &self.parent {
            parent.give_back(bytes);
        }
    }
}

/// The budgets of all users: each as much as one may have, together as much as there is.
#[derive(Debug)]
pub struct Budgets {
    each: u64,
    all: Arc<Budget>,
    users: Mutex<HashMap<UserName, Weak<Budget>>>,
}

impl Budgets {
    /// At most `each` bytes for a user, at most `all` for all of them.
    #[must_use]
    pub fn new(each: u64, all: u64) -> Self {
        Self { each, all: Budget::new(all, None), users: Mutex::default() }
    }

    /// The one budget of `user`, over all their connections.
    #[must_use]
    pub fn of(&self, user: &UserName) -> Arc<Budget> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = users.get(user).and_then(Weak::upgrade) {
            return budget;
        }
        users.retain(|_, budget| budget.strong_count() > 0);
        let budget = Budget::new(self.each, Some(Arc::clone(&self.all)));
        users.insert(user.clone(), Arc::downgrade(&budget));
        budget
    }
}

/// What waits for one command; what of it is beyond [`OWN`] counts in its budget. Given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    held: u64,
    cap: u64,
}

impl Share {
    /// An empty share of at most `cap` bytes.
    #[must_use]
    pub fn new(budget: Arc<Budget>, cap: u64) -> Self {
        Self { budget, held: 0, cap }
    }

    /// Takes `bytes`; `false` when that is over a cap, and then nothing was taken.
    #[must_use]
    pub fn take(&mut self, bytes: u64) -> bool {
        let Some(held) = self.held.checked_add(bytes).filter(|&held| held <= self.cap) else { return false };
        let taken = self.budget.take(counted(held) - counted(self.held));
        if taken {
            self.held = held;
        }
        taken
    }

    /// How many bytes wait.
    #[cfg(test)]
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Gives everything back.
    pub fn give_all_back(&mut self) {
        self.give_back(self.held);
    }

    /// Gives `bytes` back.
    pub fn give_back(&mut self, bytes: u64) {
        let held = self.held.saturating_sub(bytes);
        self.budget.give_back(counted(self.held) - counted(held));
        self.held = held;
    }
}

/// How many of the bytes that wait for one command count in the caps that it shares with others.
fn counted(held: u64) -> u64 {
    held.saturating_sub(OWN)
}

impl Drop for Share {
    fn drop(&mut self) {
        self.give_all_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_what_is_for_all() {
        let budgets = Budgets::new(6, 10);
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let mut first = Share::new(budgets.of(&alice), u64::MAX);
        let mut second = Share::new(budgets.of(&alice), u64::MAX);
        let mut third = Share::new(budgets.of(&bob), u64::MAX);
        for share in [&mut first, &mut second, &mut third] {
            assert!(share.take(OWN), "a little each has of its own");
        }
        assert!(first.take(5));
        assert!(!second.take(2), "over what alice may have in all her connections");
        assert!(third.take(5), "bob has his own");
        assert!(!third.take(1), "over what there is");
        drop(first);
        assert!(second.take(5));
    }

    #[test]
    fn who_has_little_waiting_has_room_whatever_others_use_up() {
        let all = Budget::new(10, None);
        let mut greedy = Share::new(Arc::clone(&all), u64::MAX);
        assert!(greedy.take(OWN + 10) && !greedy.take(1), "everything is taken");
        let mut modest = Share::new(Arc::clone(&all), u64::MAX);
        assert!(modest.take(1) && modest.take(OWN - 1));
        assert!(!modest.take(1), "and no more than a little");
        modest.give_back(1);
        assert!(modest.take(1));
        assert_eq!(all.used(), 10);
        greedy.give_back(4);
        assert!(modest.take(3));
        assert_eq!(all.used(), 9);
        modest.give_back(OWN);
        assert_eq!(all.used(), 6, "what is beyond goes first");
        drop((greedy, modest));
        assert_eq!(all.used(), 0);
    }

    #[test]
    fn a_share_counts_in_every_cap_above_it_and_is_given_back() {
        let all = Budget::new(10, None);
        let (alice, bob) = (Budget::new(8, Some(Arc::clone(&all))), Budget::new(8, Some(Arc::clone(&all))));
        let mut first = Share::new(Arc::clone(&alice), OWN + 6);
        let mut second = Share::new(bob, u64::MAX);
        assert!(first.take(OWN) && second.take(OWN));
        assert!(first.take(6));
        assert!(!first.take(1), "over the command's own cap");
        assert!(!second.take(5), "over the cap of all");
        assert!(second.take(4));
        assert_eq!((alice.used(), all.used()), (6, 10));
        first.give_back(2);
        drop(second);
        assert_eq!((alice.used(), all.used()), (4, 4));
        assert!(!first.take(u64::MAX));
        drop(first);
        assert_eq!((alice.used(), all.used()), (0, 0));
    }
}
