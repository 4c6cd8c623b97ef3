//! Caps on waiting bytes that several commands share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::domain::UserName;

/// One budget a user under one budget of all: nobody can use up the place of others.
#[derive(Debug)]
pub struct UserBudgets {
    all: Arc<Budget>,
    each: u64,
    users: Mutex<HashMap<UserName, Weak<Budget>>>,
}

impl UserBudgets {
    /// Budgets of `each` bytes a user and `all` bytes together.
    #[must_use]
    pub fn new(each: u64, all: u64) -> Self {
        Self { all: Budget::new(all, None), each, users: Mutex::default() }
    }

    /// The budget of `user`, shared by everything of theirs that runs.
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

/// What one command has taken of its budget; given back when dropped.
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
        let fits = self.held.checked_add(bytes).is_some_and(|sum| sum <= self.cap);
        let taken = fits && self.budget.take(bytes);
        if taken {
            self.held += bytes;
        }
        taken
    }

    /// Gives `bytes` back.
    pub fn give_back(&mut self, bytes: u64) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        self.budget.give_back(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.give_back(self.held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_the_place_of_others() {
        let budgets = UserBudgets::new(6, 10);
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let mut first = Share::new(budgets.of(&alice), 100);
        let mut second = Share::new(budgets.of(&alice), 100);
        assert!(first.take(4) && !second.take(3) && second.take(2), "six bytes for all of alice's commands");
        let mut other = Share::new(budgets.of(&bob), 100);
        assert!(other.take(4) && !other.take(1), "ten for everybody");
        drop((first, second));
        assert!(Share::new(budgets.of(&alice), 100).take(6), "given back");
    }

    #[test]
    fn a_share_counts_in_every_cap_above_it_and_is_given_back() {
        let all = Budget::new(10, None);
        let (alice, bob) = (Budget::new(8, Some(Arc::clone(&all))), Budget::new(8, Some(Arc::clone(&all))));
        let mut first = Share::new(Arc::clone(&alice), 6);
        let mut second = Share::new(bob, 100);
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
