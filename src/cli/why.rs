//! `doorward why DIR USER TARGET COMMAND…`: what the files say of a command line, without asking the running bastion.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;
use serde_json::{Value, json};

use crate::config::load;
use crate::config::scenarios::Instant;
use crate::control::asking::{self, Line};
use crate::control::console::{Table, json_line};
use crate::domain::{Person, TargetName, Timestamp, UserName};
use crate::inventory::Target;
use crate::policy::{Surroundings, Words, WordsError, explain};
use crate::service::Snapshot;
use crate::service::asking::{Candidate, Question, Supposed, candidates, not_theirs, suppose};
use crate::service::requestable::line_to_ask;

use super::{CliError, Dir, Screen};

/// So many roles that allow the line are shown with every word.
const BLOCKS: usize = 5;
/// So many roles are shown in the table.
const ROWS: usize = 30;
/// Said where a condition asks for an address that was not given.
const SAY_SOURCE: &str = "say from where they come, before COMMAND: --source ADDRESS";
/// Said of a line that no role can be asked about.
pub(super) const NO_LINE: &str = "this is not a line of plain words, so no role allows it";

#[derive(Debug, Args)]
pub(super) struct Why {
    #[command(flatten)]
    dir: Dir,
    /// Who
    user: UserName,
    /// Where
    target: TargetName,
    /// The command line, as they would type it after `ssh TARGET@bastion`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// When, for conditions that ask for it; now if unsaid. Options stand before COMMAND
    #[arg(long, value_name = "TIME")]
    at: Option<Instant>,
    /// From where, for conditions that ask for it
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    source: Option<IpAddr>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Why {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load(&self.dir.dir).map_err(CliError::Findings)?;
        let snapshot = &loaded.snapshot;
        let person = enrolled(snapshot, &self.user)?;
        let target = known(snapshot, &self.target)?;
        // ssh joins its words with blanks in the same way.
        let text = self.command.join(" ");
        let words = match Words::split(text.as_bytes()) {
            Ok(words) => words,
            Err(error) => return self.not_words(&text, &error, screen),
        };
        let around = supposed(self.at.map(|at| at.0), self.source);
        let question = Question { person: &person, target, words: &words, around: &around, asked_from: self.source };
        let line = Line { text: &text, words: &words, files: true };
        let mut theirs = candidates(snapshot, &question);
        // Those that lead there first, then those that would but for a condition; of these the ones that need the fewest people.
        theirs.sort_by_key(|one| {
            (!one.leads_there(), one.rule(&words).is_none(), one.quorum.as_ref().map(|quorum| quorum.needed))
        });
        let report = Report { snapshot, question, line, theirs, others: not_theirs(snapshot, &question) };
        let allowed = report.theirs.iter().any(Candidate::leads_there);
        if self.json {
            screen.say(json_line(&report.as_json(allowed)).trim_end());
        } else {
            report.in_words(allowed).iter().for_each(|line| screen.say(line));
        }
        if allowed { Ok(()) } else { Err(CliError::Reported) }
    }

    fn not_words(&self, text: &str, error: &WordsError, screen: &mut Screen) -> Result<(), CliError> {
        if self.json {
            let document = json!({
                "user": self.user.as_str(), "target": self.target.as_str(), "line": text, "allowed": false,
                "problem": asking::problem_json(error), "roles": [],
            });
            screen.say(json_line(&document).trim_end());
        } else {
            screen.say(format_args!("no: {NO_LINE}"));
            asking::problem(text, error).iter().for_each(|line| screen.say(format_args!("  {line}")));
        }
        Err(CliError::Reported)
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "write one address, as 192.0.2.7 or 2001:db8::7".to_owned())
}

/// At that time or now, from there, while nothing of the user runs.
pub(super) fn supposed(at: Option<Timestamp>, source: Option<IpAddr>) -> Surroundings {
    Surroundings { now: at.unwrap_or_else(|| chrono::Utc::now().into()), source, running: Some(BTreeMap::new()) }
}

pub(super) fn enrolled(snapshot: &Snapshot, user: &UserName) -> Result<Person, CliError> {
    let unknown = || CliError::failed(format!("there is no user {user} in users.toml"));
    snapshot.person(user).ok_or_else(unknown)
}

pub(super) fn known<'s>(snapshot: &'s Snapshot, target: &TargetName) -> Result<&'s Target, CliError> {
    let unknown = || CliError::failed(format!("there is no target {target} in targets.toml"));
    snapshot.inventory.target(target).ok_or_else(unknown)
}

/// The whole answer.
struct Report<'a> {
    snapshot: &'a Snapshot,
    question: Question<'a>,
    line: Line<'a>,
    theirs: Vec<Candidate>,
    others: Vec<Candidate>,
}

impl Report<'_> {
    fn in_words(&self, allowed: bool) -> Vec<String> {
        let (user, target) = (&self.question.person.name, &self.question.target.name);
        let allowing = |one: &&Candidate| one.rule(self.line.words).is_some();
        let mut lines = Vec::new();
        for candidate in self.theirs.iter().filter(allowing).take(BLOCKS) {
            lines.extend(self.block(candidate));
        }
        if !allowed && lines.is_empty() {
            lines.push(format!("no: nothing that {user} may ask for allows this on {target}"));
            lines.extend(self.nearest().iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.table());
        lines
    }

    /// A role that allows the line: what each word is, what would run, who approves, what to type.
    fn block(&self, candidate: &Candidate) -> Vec<String> {
        let Some(rule) = candidate.rule(self.line.words) else { return Vec::new() };
        let (user, target, role) = (&self.question.person.name, &self.question.target.name, &candidate.role);
        let yes = match &candidate.answer {
            Supposed::Denied(_) => "no, a condition does not hold",
            Supposed::Allowed(_) if candidate.leads_there() => "yes",
            Supposed::Allowed(_) => "no, for want of approvers",
        };
        let mut lines = vec![format!("{yes}: {user} may ask for {}, which allows this on {target}", role.name())];
        let mut more = self.line.allowing(role, rule);
        if let Supposed::Allowed(outcome) = &candidate.answer {
            more.push(format!("runs on {target} as {}: {}", outcome.account, explain::command(&outcome.command)));
            more.push(explain::terms(&outcome.terms));
        }
        more.extend(asking::conditions(&candidate.conditions));
        more.extend(self.source_is_missing(candidate).then(|| SAY_SOURCE.to_owned()));
        if let Some(quorum) = &candidate.quorum {
            let listed: Vec<String> = quorum.listed.iter().map(ToString::to_string).collect();
            let named = if quorum.needed == 0 { String::new() } else { format!(" ({})", listed.join(", ")) };
            more.push(format!("approval: {quorum}{named}"));
        }
        more.extend(line_to_ask(self.snapshot, role, target).map(|line| format!("to ask for it: {line}")));
        lines.extend(more.iter().map(|line| format!("  {line}")));
        lines
    }

    /// Whether a condition does not hold because nobody said where the user is.
    fn source_is_missing(&self, candidate: &Candidate) -> bool {
        let asks = |key: &str| ["networks", "same_source"].contains(&key);
        self.question.asked_from.is_none() && candidate.conditions.iter().any(|one| !one.holds && asks(one.key))
    }

    /// What came nearest, of all that may be asked for and reaches the target.
    fn nearest(&self) -> Vec<String> {
        let reaching: Vec<_> = self.theirs.iter().filter(|one| one.account.is_some()).map(|one| &*one.role).collect();
        match suppose(self.snapshot, &self.question, &reaching) {
            Supposed::Denied(denial) => denial.nearest().map_or_else(Vec::new, |nearest| {
                self.line.nearest(nearest, self.snapshot.roles.get(&nearest.role).map(AsRef::as_ref))
            }),
            Supposed::Allowed(_) => Vec::new(),
        }
    }

    fn table(&self) -> Vec<String> {
        let user = &self.question.person.name;
        let mut table = Table::new(&["ROLE", "STANDING", "ANSWER"]);
        let row = |standing: String, one: &Candidate| {
            [one.role.name().to_string(), standing, asking::verdict(one, self.line.words)]
        };
        let theirs = self.theirs.iter().map(|one| row(format!("{user} may ask"), one));
        let others = self.others.iter().map(|one| {
            let eligible = one.role.request().map(|terms| &terms.eligible);
            let whose = eligible.map_or_else(
                || "nobody may ask".to_owned(),
                |eligible| format!("for {}", eligible.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            );
            let answer = match one.account {
                Some(_) => "no: it allows the line there, but is somebody else's",
                None => "no: it allows the line, but does not reach the target",
            };
            [one.role.name().to_string(), whose, answer.to_owned()]
        });
        theirs.chain(others).take(ROWS).for_each(|cells| table.row(cells));
        let mut lines: Vec<String> = table.render().lines().map(str::to_owned).collect();
        let total = self.theirs.len() + self.others.len();
        if total > ROWS {
            lines.push(format!("and {} roles more; `--json` has them all", total - ROWS));
        }
        match self.snapshot.roles.len().saturating_sub(total) {
            0 => {}
            1 => lines.push(format!("one other role is not for {user} and does not allow this line")),
            more => lines.push(format!("{more} other roles are not for {user} and do not allow this line")),
        }
        lines
    }

    fn as_json(&self, allowed: bool) -> Value {
        let target = &self.question.target.name;
        let theirs = self.theirs.iter().map(|one| {
            asking::candidate_json(&self.line, one, "may-ask", line_to_ask(self.snapshot, &one.role, target).as_deref())
        });
        let others = self.others.iter().map(|one| asking::candidate_json(&self.line, one, "not-theirs", None));
        json!({
            "user": self.question.person.name.as_str(),
            "target": target.as_str(),
            "line": self.line.text,
            "allowed": allowed,
            "problem": Value::Null,
            "roles": theirs.chain(others).collect::<Vec<_>>(),
        })
    }
}
