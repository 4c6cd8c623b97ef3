//! `doorward learn DIR --role ROLE`: the least role for what was observed, and what of a role nobody used.
//!
//! Reads DIR and its log, and writes to nothing but its own output: a role becomes wider when somebody puts the text there.

use clap::Args;

use crate::audit::history::{HistoryQuery, past_commands};
use crate::audit::search::SearchError;
use crate::config::{Loaded, load};
use crate::control::arguments::{When, time};
use crate::control::console::json_line;
use crate::domain::{RoleName, TargetName, Timestamp, UserName};
use crate::policy::Role;
use crate::policy::learn::unused::{Use, unused};
use crate::policy::learn::{Frame, Proposal, propose};
use crate::service::Snapshot;

use super::audit::{LogKey, unverified, verified};
use super::{CliError, Dir, Screen};

mod gather;
mod head;
mod show;

use gather::{Gathered, Source};

#[derive(Debug, Args)]
pub(super) struct Learn {
    #[command(flatten)]
    dir: Dir,
    #[command(flatten)]
    key: LogKey,
    /// The role to propose or to add to; of a role that observes, what was observed under it
    #[arg(long)]
    role: RoleName,
    /// From when on: 14d (ago), 2026-01-31, 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", default_value = "14d", value_parser = time)]
    since: When,
    /// Until when
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<When>,
    /// What this user ran, and nobody else
    #[arg(long)]
    user: Option<UserName>,
    /// What was run on this target, and on no other
    #[arg(long)]
    target: Option<TargetName>,
    /// Allow no line that was not run; else every product of the values seen
    #[arg(long)]
    exact: bool,
    /// Take what ended with another exit code than 0 too, or was ended
    #[arg(long)]
    any_exit: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What came of it.
struct Learned<'a> {
    asked: &'a Learn,
    /// The name that the proposal has.
    name: RoleName,
    existing: Option<&'a Role>,
    since: Timestamp,
    until: Option<Timestamp>,
    /// How many entries the log has.
    entries: u64,
    gathered: Gathered,
    proposal: Proposal,
    /// What of an existing role nobody used.
    used: Option<Use>,
}

impl Learn {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load(&self.dir.dir).map_err(CliError::Findings)?;
        self.gone(&loaded.snapshot).iter().for_each(|gone| screen.note(gone));
        let now = Timestamp::from(chrono::Utc::now());
        let (since, until) = (self.since.from(now), self.until.map(|until| until.from(now)));
        let (log, key) = self.key.open(&self.dir.dir, screen)?;
        let report = verified(&log, &key)?;
        let unsound = |problem: SearchError| CliError::failed(unverified(&problem));
        let query = HistoryQuery { user: self.user.clone(), target: self.target.clone(), since: Some(since), until };
        let past = past_commands(&log, &key, query).map_err(unsound)?;
        let source = Source::of(&loaded.snapshot, &self.role, self.any_exit);
        let gathered = source.gather(past).map_err(unsound)?;
        let learned = self.learn(&loaded, gathered, (since, until), report.entries)?;
        if self.json {
            screen.say(json_line(&show::json(&learned)).trim_end());
        } else {
            screen.say(show::text(&learned));
        }
        Ok(())
    }

    /// A word about who or what is asked for and is not there: they may be in the log all the same, or be misspelt.
    fn gone(&self, snapshot: &Snapshot) -> Vec<String> {
        let user = self.user.as_ref().filter(|user| snapshot.person(user).is_none());
        let target = self.target.as_ref().filter(|target| snapshot.inventory.target(target).is_none());
        let user = user.map(|user| format!("doorward: there is no user {user} in users.toml now"));
        user.into_iter()
            .chain(target.map(|name| format!("doorward: there is no target {name} in targets.toml now")))
            .collect()
    }

    fn learn<'a>(
        &'a self,
        loaded: &'a Loaded,
        gathered: Gathered,
        (since, until): (Timestamp, Option<Timestamp>),
        entries: u64,
    ) -> Result<Learned<'a>, CliError> {
        let role = loaded.snapshot.roles.get(&self.role).map(AsRef::as_ref);
        let existing = role.filter(|role| !role.observes());
        let name = if role.is_some_and(Role::observes) { head::name_after(&self.role) } else { self.role.clone() };
        let head = match existing {
            Some(role) => role.text().to_owned(),
            None => head::of(&loaded.snapshot, &gathered),
        };
        let frame = Frame { name: name.clone(), head: &head, existing, exact: self.exact };
        let proposal = propose(gathered.lines.clone(), &frame).map_err(CliError::Findings)?;
        let used = existing.map(|role| unused(role, &gathered.used, &gathered.lines));
        Ok(Learned { asked: self, name, existing, since, until, entries, gathered, proposal, used })
    }
}
