//! What a reload took away from whom, and that they are told: in commands that run, in a `request` that waits, and with
//! their next command, `status` or `whoami`.
//!
//! Kept in memory alone and bounded: it is a courtesy. What holds is decided anew at every command, told or not.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::domain::text::escape;
use crate::domain::{Digest, Timestamp, UserName};
use crate::grant::{AccessRequest, State};
use crate::policy::compare::{Change, Direction, keeps_all};

use super::approved_roles::approved_role;
use super::change_request::all_open;
use super::ports::StoreError;
use super::{Services, Snapshot, compare};

/// Lines about one grant or request and one reload; what is more is counted.
const MOST_LINES: usize = 4;
/// Lines kept for one user, and in all: beyond, the oldest go.
const MOST_PER_USER: usize = 40;
const MOST_USERS: usize = 10_000;
/// How often a running command looks without being rung.
const LOOK_EVERY: Duration = Duration::from_millis(1500);

/// One line for one user.
#[derive(Clone, Debug)]
struct Line {
    number: u64,
    /// After this it concerns nobody: the grant is over.
    ends: Timestamp,
    text: String,
    /// Whether their next command or `status` has said it.
    said: bool,
}

/// Everything that is to be told.
#[derive(Debug, Default)]
pub struct Told {
    /// The number of the last line.
    latest: AtomicU64,
    lines: Mutex<BTreeMap<UserName, VecDeque<Line>>>,
}

impl Told {
    /// The number of the last line there is: whoever begins now is told of what comes after.
    #[must_use]
    pub fn latest(&self) -> u64 {
        self.latest.load(Ordering::Acquire)
    }

    /// Adds a line for `user`, of interest until `ends`.
    pub fn add(&self, user: &UserName, ends: Timestamp, text: String) {
        let mut lines = self.lines();
        if lines.len() >= MOST_USERS && !lines.contains_key(user) {
            lines.pop_first();
        }
        let theirs = lines.entry(user.clone()).or_default();
        if theirs.len() >= MOST_PER_USER {
            theirs.pop_front();
        }
        let number = self.latest().saturating_add(1);
        theirs.push_back(Line { number, ends, text, said: false });
        self.latest.store(number, Ordering::Release);
    }

    /// What `user` has not been told by a command or verb that began since; said with this, and not again.
    #[must_use]
    pub fn take(&self, user: &UserName, now: Timestamp) -> Vec<String> {
        self.take_to_begin(user, now).1
    }

    /// As [`Self::take`], for something that begins now, with the number of the last line there is: what comes after is for
    /// [`Self::after`].
    #[must_use]
    pub fn take_to_begin(&self, user: &UserName, now: Timestamp) -> (u64, Vec<String>) {
        if self.latest() == 0 {
            return (0, Vec::new());
        }
        let mut lines = self.lines();
        let latest = self.latest();
        let Some(theirs) = lines.get_mut(user) else { return (latest, Vec::new()) };
        theirs.retain(|line| now < line.ends);
        let unsaid = theirs.iter_mut().filter(|line| !line.said);
        let said = |line: &mut Line| {
            line.said = true;
            line.text.clone()
        };
        (latest, unsaid.map(said).collect())
    }

    /// What is there for `user` after the line with the number `since`, for something of theirs that runs; and the new number.
    #[must_use]
    pub fn after(&self, user: &UserName, since: u64) -> (u64, Vec<String>) {
        if self.latest() <= since {
            return (since, Vec::new());
        }
        let lines = self.lines();
        // With the lines in hand, which nobody adds to now: the number is that of the last line which was looked at.
        let latest = self.latest();
        let theirs = lines.get(user).into_iter().flatten().filter(|line| line.number > since);
        (latest, theirs.map(|line| line.text.clone()).collect())
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<UserName, VecDeque<Line>>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends what comes after `since` to a running command, for as long as it is polled. Never resolves.
pub(super) async fn tell_running<T>(services: &Services, user: &UserName, since: u64, to: mpsc::Sender<Bytes>) -> T {
    match tell_for_ever(services, user, since, to).await {}
}

async fn tell_for_ever(services: &Services, user: &UserName, mut since: u64, to: mpsc::Sender<Bytes>) -> Infallible {
    loop {
        let rung = services.changed.notified();
        let (latest, lines) = services.told.after(user, since);
        since = latest;
        if !lines.is_empty() {
            let text: String = lines.iter().map(|line| format!("doorward: {}\n", escape(line))).collect();
            // Nobody reads any more: the command is over, and so will this be.
            let _ = to.send(Bytes::from(text)).await;
        }
        let _ = tokio::time::timeout(LOOK_EVERY, rung).await;
    }
}

/// Notes for everybody who holds or waits for something what `new` takes away from it, compared with `old`.
///
/// # Errors
/// The store's: then nobody is told, and everything holds all the same.
pub async fn note_what_shrank(services: &Services, old: &Snapshot, new: &Snapshot) -> Result<(), StoreError> {
    let now = services.clock.now();
    let mut of_role: BTreeMap<_, OfRole> = BTreeMap::new();
    for request in all_open(services).await? {
        // Two long roles are a while to compare, and there may be many: others go on, and so does the caller's deadline.
        tokio::task::yield_now().await;
        let ends = match &request.state {
            State::Active { window } => window.end,
            State::Pending { lapses } => *lapses,
            State::Approved { activate_by, .. } => *activate_by,
            _ => continue,
        };
        let known = of_role.entry(request.role.clone()).or_insert_with(|| {
            let role = |snapshot: &Snapshot| snapshot.roles.get(&request.role).cloned();
            let changes = compare::role(old, role(old).as_deref(), new, role(new).as_deref());
            OfRole { changes, kept: BTreeMap::new() }
        });
        for line in lost(services, &request, known, (old, new)) {
            let text = format!("since {} {}: {line}", now.time_of_day(), named(&request));
            services.told.add(&request.user, ends, text);
        }
    }
    Ok(())
}

/// What is found out once for a role.
struct OfRole {
    changes: Vec<Change>,
    /// Of each version that was approved whether all of it is still there.
    kept: BTreeMap<Digest, bool>,
}

fn named(request: &AccessRequest) -> String {
    match &request.state {
        State::Active { .. } => format!("your grant {} of {} gives less", request.grant_id(), request.role),
        _ => format!("your request {} for {} would give less", request.id, request.role),
    }
}

/// What of the changes of its role this request loses: a few lines, none if all it stands for is still there.
fn lost(
    services: &Services,
    request: &AccessRequest,
    known: &mut OfRole,
    (old, new): (&Snapshot, &Snapshot),
) -> Vec<String> {
    // What somebody may not ask for gave them nothing, and what becomes of it is not theirs to know.
    if !old.user_may_ask(&request.user, &request.role) {
        return Vec::new();
    }
    let role = new.roles.get(&request.role);
    if role.is_none() {
        return vec!["the role is gone".to_owned()];
    }
    if !new.user_may_ask(&request.user, &request.role) {
        return vec!["you may no longer ask for it, so it gives nothing".to_owned()];
    }
    let mut lines = Vec::new();
    let reach = |snapshot: &Snapshot| snapshot.roles.get(&request.role).map(|role| snapshot.reach_of(role));
    let (was, now) = (reach(old).unwrap_or_default(), reach(new).unwrap_or_default());
    for (target, account) in &request.scope.targets {
        if was.get(target) == Some(account) && now.get(target) != Some(account) {
            lines.push(format!("it no longer reaches {target} as {account}"));
        }
    }
    // A rule that was never approved is not lost by this grant.
    let approved = || approved_role(services, request).ok();
    let all_kept = || role.is_some_and(|role| approved().is_some_and(|approved| keeps_all(&approved, role)));
    if !*known.kept.entry(request.role_digest).or_insert_with(all_kept) {
        let rules = known.changes.iter().filter(|change| change.direction == Direction::Narrowed);
        lines.extend(rules.map(|change| &change.text).filter(|text| text.starts_with("rule ")).cloned());
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    if more > 0 {
        lines.push(format!("and {more} more; `roles {}` shows what it allows now", request.role));
    }
    lines
}

#[cfg(test)]
mod tests;
