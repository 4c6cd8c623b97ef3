//! From the commands of the past to the lines that were run, counted. Memory is bounded, whatever the log holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::audit::history::{Answer, Outcome, PastCommand, Ran};
use crate::audit::search::SearchError;
use crate::domain::{AccountName, RoleName, TargetName};
use crate::policy::Role;
use crate::policy::learn::Sample;
use crate::service::Snapshot;

/// Most different lines that are kept of one kind.
const MOST_LINES: usize = 20_000;
/// Most bytes of these.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Which commands count for what.
pub(super) struct Source<'a> {
    snapshot: &'a Snapshot,
    role: &'a RoleName,
    /// The role as it is, if it is one of rules.
    existing: Option<&'a Role>,
    /// Whether only what was observed under the role itself counts.
    only_its_own: bool,
    any_exit: bool,
}

/// What was run.
#[derive(Default)]
pub(super) struct Gathered {
    /// What was observed and succeeded.
    pub(super) lines: Vec<Sample>,
    /// What the existing role allowed.
    pub(super) used: Vec<Sample>,
    /// The role's word for the account it ran as.
    pub(super) run_as: Option<AccountName>,
    /// Where.
    pub(super) targets: BTreeSet<TargetName>,
    /// The roles that observed it.
    pub(super) observers: BTreeSet<RoleName>,
    /// Lines that never succeeded.
    pub(super) failed: u64,
    /// Runs as another account, or where the role does not reach.
    pub(super) elsewhere: u64,
    /// Runs that there was no room for, or whose vector this version cannot read.
    pub(super) uncounted: u64,
    /// Runs with a secret in them, which the log has not.
    pub(super) withheld: u64,
}

type Line = (bool, Vec<String>);

/// Lines with how often they were run.
#[derive(Default)]
struct Tally {
    runs: BTreeMap<Line, u64>,
    bytes: usize,
}

impl Tally {
    /// `false` if there is no room for one more line.
    fn add(&mut self, line: Line) -> bool {
        let bytes: usize = line.1.iter().map(|word| word.len() + 24).sum();
        if let Some(known) = self.runs.get_mut(&line) {
            *known += 1;
            return true;
        }
        if self.runs.len() >= MOST_LINES || self.bytes + bytes > MOST_BYTES {
            return false;
        }
        self.bytes += bytes;
        self.runs.insert(line, 1);
        true
    }

    fn total(&self) -> u64 {
        self.runs.values().sum()
    }

    /// The most used first.
    fn samples(self) -> Vec<Sample> {
        let sample = |((sudo, vector), runs)| Sample { sudo, vector, runs };
        let mut samples: Vec<Sample> = self.runs.into_iter().map(sample).collect();
        samples.sort_by(|a, b| b.runs.cmp(&a.runs).then_with(|| a.cmp(b)));
        samples
    }
}

/// What was observed as one account.
#[derive(Default)]
struct Bucket {
    succeeded: Tally,
    failed: Tally,
    targets: BTreeSet<TargetName>,
    observers: BTreeSet<RoleName>,
}

impl<'a> Source<'a> {
    pub(super) fn of(snapshot: &'a Snapshot, role: &'a RoleName, any_exit: bool) -> Self {
        let known = snapshot.roles.get(role).map(AsRef::as_ref);
        let existing = known.filter(|role| !role.observes());
        Self { snapshot, role, existing, only_its_own: known.is_some_and(Role::observes), any_exit }
    }

    pub(super) fn gather(
        &self,
        past: impl Iterator<Item = Result<PastCommand, SearchError>>,
    ) -> Result<Gathered, SearchError> {
        let mut gathered = Gathered::default();
        let mut used = Tally::default();
        let mut buckets: BTreeMap<AccountName, Bucket> = BTreeMap::new();
        for command in past {
            let command = command?;
            let Answer::Allowed(ran) = &command.answer else { continue };
            let mine = self.existing.is_some() && ran.role == *self.role;
            if command.withheld {
                gathered.withheld += 1;
                continue;
            }
            if if ran.observed { self.only_its_own && ran.role != *self.role } else { !mine } {
                continue;
            }
            let Some(line) = ran.executed.as_ref().map(|executed| (executed.sudo, executed.vector.clone())) else {
                gathered.uncounted += 1;
                continue;
            };
            if !ran.observed {
                gathered.uncounted += u64::from(!used.add(line));
                continue;
            }
            let Some(account) = self.account_of(&command.target, ran) else {
                gathered.elsewhere += 1;
                continue;
            };
            let bucket = buckets.entry(account).or_default();
            let kept = if self.succeeded(ran) { bucket.succeeded.add(line) } else { bucket.failed.add(line) };
            gathered.uncounted += u64::from(!kept);
            bucket.targets.insert(command.target);
            bucket.observers.insert(ran.role.clone());
        }
        gathered.used = used.samples();
        Ok(gathered.with(buckets))
    }

    fn succeeded(&self, ran: &Ran) -> bool {
        ran.succeeded() || (self.any_exit && matches!(ran.outcome, Some(Outcome::Finished { .. })))
    }

    /// The role's word for the account it ran as; `None` if the existing role does not mean that account there.
    fn account_of(&self, target: &TargetName, ran: &Ran) -> Option<AccountName> {
        if let Some(role) = self.existing {
            let means =
                self.snapshot.inventory.target(target).and_then(|target| self.snapshot.account_on(role, target));
            return means.filter(|account| **account == ran.account).map(|_| role.run_as().clone());
        }
        let observer = self.snapshot.roles.get(&ran.role);
        Some(observer.map_or_else(|| ran.account.clone(), |role| role.run_as().clone()))
    }
}

impl Gathered {
    /// A role runs as one account: that with the most lines.
    fn with(mut self, buckets: BTreeMap<AccountName, Bucket>) -> Self {
        let most = buckets.iter().max_by_key(|(_, bucket)| bucket.succeeded.runs.len()).map(|(name, _)| name.clone());
        for (account, bucket) in buckets {
            if Some(&account) != most.as_ref() {
                self.elsewhere += bucket.succeeded.total();
                continue;
            }
            let never = bucket.failed.runs.keys().filter(|line| !bucket.succeeded.runs.contains_key(*line)).count();
            self.failed = never as u64;
            self.lines = bucket.succeeded.samples();
            (self.targets, self.observers, self.run_as) = (bucket.targets, bucket.observers, Some(account));
        }
        self
    }
}
