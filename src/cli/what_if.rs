//! `doorward what-if DIR NEW`: the commands of the past, asked of a changed set.
//!
//! Reads the log once, holds one entry at a time and the differences, which are counted when they repeat and bounded in number.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::audit::history::{Answer, HistoryQuery, PastCommand, Ran, past_commands};
use crate::control::arguments::{When, time};
use crate::control::console::json_line;
use crate::domain::text::{escape, excerpt};
use crate::domain::wording::{entries, plural};
use crate::service::Snapshot;
use crate::service::replay::{Question, Reply, Yes, under_any, under_role};

use super::audit::{LogKey, verified};
use super::diff::set_in;
use super::input::is_there;
use super::{CliError, Dir, Screen};

/// Different differences that are kept; of more only their number is said.
const MOST: usize = 10_000;
/// So much is shown of a line and of a reason, in characters.
const SHOWN: usize = 300;

/// What every answer here rests on, in the order in which it matters.
const ASSUMED: [&str; 4] = [
    "a line that was allowed is asked again under the role of its entry, as NEW has it, freshly approved for that user and target",
    "a line that was denied counts if no role that the user may ask for in DIR allows it now, and one in NEW would; roles that observe are left out",
    "time and source are those of the entry; whether somebody would have asked or approved is not known",
    "only what was typed is asked: a line that nobody typed is in no log, and `doorward diff` speaks of those",
];

#[derive(Debug, Args)]
pub(super) struct WhatIf {
    #[command(flatten)]
    dir: Dir,
    /// The directory with the changed set
    #[arg(value_name = "NEW")]
    new: PathBuf,
    #[command(flatten)]
    key: LogKey,
    /// From when on: 30d (ago), 2026-01-31, 2026-01-31T09:00:00Z
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = time)]
    since: When,
    /// Do not verify the whole log first
    #[arg(long)]
    unverified: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// A kind of difference between two answers.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Turn {
    Denied,
    Allowed,
    Otherwise,
}

impl Turn {
    fn word(self) -> &'static str {
        match self {
            Self::Denied => "now-denied",
            Self::Allowed => "now-allowed",
            Self::Otherwise => "allowed-otherwise",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Denied => "Allowed then, denied by NEW",
            Self::Allowed => "Denied then, allowed by NEW",
            Self::Otherwise => "Allowed by both, and not the same",
        }
    }
}

/// One difference; how often it came and the entry it came with last.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Difference {
    turn: Turn,
    user: String,
    role: String,
    target: String,
    line: String,
    why: String,
}

#[derive(Debug, Default)]
struct Found {
    asked: u64,
    differ: u64,
    unkept: u64,
    /// Lines with a placeholder for a secret: what NEW would answer cannot be told.
    withheld: u64,
    differences: BTreeMap<Difference, (u64, u64)>,
}

impl WhatIf {
    /// Exit codes: 0 no answer would change, 1 some would, 2 trouble.
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let found = self.ask(screen).map_err(|error| CliError::Trouble(Box::new(error)))?;
        if self.json {
            screen.say(json_line(&as_json(&found, !self.unverified)).trim_end());
        } else {
            show(&found, screen);
        }
        if found.differ > 0 { Err(CliError::Reported) } else { Ok(()) }
    }

    fn ask(&self, screen: &mut Screen) -> Result<Found, CliError> {
        [&self.dir.dir, &self.new].into_iter().try_for_each(|path| is_there(path))?;
        let new = set_in(&self.new)?.snapshot;
        let old = set_in(&self.dir.dir)?.snapshot;
        let (dir, key) = self.key.open(&self.dir.dir, screen)?;
        let broken = |problem: String| CliError::failed(format!("the log cannot be read: {}", escape(&problem)));
        if self.unverified {
            screen.note("doorward: the log was not verified; `doorward audit verify` does that");
        } else {
            let report = verified(&dir, &key)?;
            screen.note(format_args!("doorward: the log verifies, {}", entries(report.entries)));
        }
        let since = self.since.from(chrono::Utc::now().into());
        let query = HistoryQuery { since: Some(since), ..HistoryQuery::default() };
        let mut found = Found::default();
        for command in past_commands(&dir, &key, query).map_err(|error| broken(error.to_string()))? {
            let command = command.map_err(|error| broken(error.to_string()))?;
            if command.withheld {
                found.withheld += 1;
                continue;
            }
            found.asked += 1;
            if let Some((turn, role, why)) = compared(&old, &new, &command) {
                found.note(turn, &command, role, &why);
            }
        }
        Ok(found)
    }
}

impl Found {
    fn note(&mut self, turn: Turn, command: &PastCommand, role: String, why: &str) {
        self.differ += 1;
        let difference = Difference {
            turn,
            user: command.user.to_string(),
            role,
            target: command.target.to_string(),
            line: excerpt(&command.line, SHOWN),
            why: excerpt(why, SHOWN),
        };
        let room = self.differences.len() < MOST || self.differences.contains_key(&difference);
        if !room {
            self.unkept += 1;
            return;
        }
        let (times, last) = self.differences.entry(difference).or_default();
        *times += 1;
        *last = command.sequence;
    }

    /// How many differences there are of each `key`, most first.
    fn counts(&self, key: impl Fn(&Difference) -> &str) -> Vec<(String, u64)> {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for (difference, (times, _)) in &self.differences {
            *counts.entry(key(difference)).or_default() += times;
        }
        let mut counts: Vec<(String, u64)> = counts.into_iter().map(|(key, count)| (key.to_owned(), count)).collect();
        counts.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        counts
    }
}

/// How NEW answers otherwise than the log; `None` if it does not.
fn compared(old: &Snapshot, new: &Snapshot, command: &PastCommand) -> Option<(Turn, String, String)> {
    let question = Question {
        user: &command.user,
        target: &command.target,
        line: &command.line,
        at: command.time,
        source: command.source,
    };
    match &command.answer {
        Answer::Allowed(ran) => match under_role(new, &ran.role, &question) {
            Reply::No(why) => Some((Turn::Denied, ran.role.to_string(), why)),
            Reply::Yes(now) => {
                let before = under_role(old, &ran.role, &question);
                let why = otherwise(ran, &before, &now);
                (!why.is_empty()).then(|| (Turn::Otherwise, ran.role.to_string(), why.join("; ")))
            }
        },
        Answer::Denied { .. } => {
            let now = under_any(new, &question)?;
            let why = format!("rule {} of {} allows it, `{}`, as {}", now.rule, now.role, now.usage, now.account);
            under_any(old, &question).is_none().then(|| (Turn::Allowed, now.role.to_string(), why))
        }
    }
}

/// What is not the same of two yeses. The rule and its terms are compared with those of DIR, because the log has not their text.
fn otherwise(ran: &Ran, before: &Reply, now: &Yes) -> Vec<String> {
    let mut why = Vec::new();
    if ran.account != now.account {
        why.push(format!("as {} now, was as {}", now.account, ran.account));
    }
    if ran.executed.is_some() && ran.executed != now.executed {
        why.push("another program, environment or sudo runs".to_owned());
    }
    if ran.observed != (now.rule == 0) {
        why.push(if ran.observed { "a rule allows it now, it was observed" } else { "it is observed now" }.to_owned());
    }
    if let Reply::Yes(before) = before {
        if before.usage != now.usage {
            why.push(format!("by rule {} `{}`, in DIR by `{}`", now.rule, now.usage, before.usage));
        }
        if before.terms != now.terms {
            let (was, is) = (&before.terms, &now.terms);
            let span = crate::domain::time::for_people;
            why.push(format!(
                "input {}, {} and {} bytes at most; in DIR input {}, {} and {} bytes",
                if is.stdin { "open" } else { "closed" },
                span(is.timeout),
                is.max_output,
                if was.stdin { "open" } else { "closed" },
                span(was.timeout),
                was.max_output
            ));
        }
    }
    why
}

fn show(found: &Found, screen: &mut Screen) {
    for turn in [Turn::Denied, Turn::Allowed, Turn::Otherwise] {
        let these: Vec<_> = found.differences.iter().filter(|(difference, _)| difference.turn == turn).collect();
        if these.is_empty() {
            continue;
        }
        screen.say(format_args!("{}:", turn.title()));
        for (Difference { user, role, target, line, why, .. }, (times, last)) in these {
            screen.say(format_args!("  {times} x  {user} on {target} under {role}: {line}"));
            screen.say(format_args!("       {why} (last: entry {last})"));
        }
    }
    screen.say(format_args!("{} of {} answers would change", found.differ, found.asked));
    for (title, counts) in tables(found) {
        let counts: Vec<String> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
        if !counts.is_empty() {
            screen.say(format_args!("  by {title}: {}", counts.join(", ")));
        }
    }
    if found.unkept > 0 {
        screen.say(format_args!("  {} of these are not listed, because there are too many", found.unkept));
    }
    if found.withheld > 0 {
        screen
            .say(format_args!("  not asked: {} with a secret, which the log has not", plural(found.withheld, "line")));
    }
    screen.say("assumed:");
    ASSUMED.iter().for_each(|line| screen.say(format_args!("  {line}")));
}

fn tables(found: &Found) -> [(&'static str, Vec<(String, u64)>); 3] {
    [
        ("user", found.counts(|difference| &difference.user)),
        ("role", found.counts(|difference| &difference.role)),
        ("target", found.counts(|difference| &difference.target)),
    ]
}

fn as_json(found: &Found, verified: bool) -> serde_json::Value {
    let each = found.differences.iter().map(|(difference, (times, last))| {
        json!({
            "change": difference.turn.word(),
            "user": difference.user,
            "role": difference.role,
            "target": difference.target,
            "line": difference.line,
            "why": difference.why,
            "times": times,
            "last_entry": last,
        })
    });
    let [users, roles, targets] = tables(found).map(|(_, counts)| counts.into_iter().collect::<BTreeMap<_, _>>());
    json!({
        "asked": found.asked,
        "change": found.differ,
        "not_listed": found.unkept,
        "cannot_be_told": found.withheld,
        "verified": verified,
        "by": { "user": users, "role": roles, "target": targets },
        "changes": each.collect::<Vec<_>>(),
        "assumed": ASSUMED,
    })
}
