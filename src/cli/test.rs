//! `doorward test DIR [FILE…]`: the examples of all roles, and files of scenarios, against the files of DIR.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::{Value, json};

use crate::config::load;
use crate::config::scenarios::{Expect, NOT_WORDS, Scenario, default_files, scenarios};
use crate::control::asking::{against, rule_place};
use crate::control::console::json_line;
use crate::domain::Diagnostic;
use crate::domain::text::escape;
use crate::domain::wording::plural;
use crate::policy::observe::NO_RULE;
use crate::policy::{Denial, Role, Words, WordsError, explain};
use crate::service::Snapshot;
use crate::service::asking::{Outcome, Question, Supposed, suppose};

use super::check::finding_json;
use super::why::supposed;
use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct Test {
    #[command(flatten)]
    dir: Dir,
    /// Files of scenarios; DIR/tests/*.toml if unsaid
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What came of one scenario.
struct Tried {
    scenario: Scenario,
    came: Came,
    /// What is wrong with it; `None`: it came out as expected.
    failure: Option<Diagnostic>,
}

enum Came {
    /// By each of these.
    Allowed(Vec<Outcome>),
    Denied(Denial),
    NotWords(WordsError),
}

impl Test {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = match load(&self.dir.dir) {
            Ok(loaded) => loaded,
            Err(findings) if self.json => {
                let findings: Vec<Value> = findings.iter().map(finding_json).collect();
                screen.say(json_line(&json!({"ok": false, "findings": findings})).trim_end());
                return Err(CliError::Reported);
            }
            Err(findings) => return Err(CliError::Findings(findings)),
        };
        let snapshot = &loaded.snapshot;
        let files = match self.files.as_slice() {
            [] => default_files(&self.dir.dir).map_err(CliError::Findings)?,
            named => named.iter().map(|path| (path.clone(), escape(&path.to_string_lossy()).into_owned())).collect(),
        };
        let mut findings = Vec::new();
        let read: Vec<Scenario> =
            files.iter().flat_map(|(path, name)| scenarios(path, name, snapshot, &mut findings)).collect();
        let tried: Vec<Tried> = read.into_iter().map(|scenario| try_out(snapshot, scenario)).collect();
        let examples: usize = snapshot.roles.values().map(|role| examples(role)).sum();
        let ok = findings.is_empty() && tried.iter().all(|tried| tried.failure.is_none());
        if self.json {
            screen.say(json_line(&as_json(ok, examples, &findings, &tried)).trim_end());
        } else {
            let failures = tried.iter().filter_map(|tried| tried.failure.as_ref());
            findings.iter().chain(failures).for_each(|finding| screen.say(format_args!("{finding}\n")));
            screen.say(summary(snapshot, files.len(), examples, &findings, &tried));
        }
        if ok { Ok(()) } else { Err(CliError::Reported) }
    }
}

/// Examples are run when a role loads: one that came out otherwise would not be here.
fn examples(role: &Role) -> usize {
    let Ok(document) = toml::de::DeTable::parse(role.text()) else { return 0 };
    let table = document.get_ref().get("examples").and_then(|value| value.get_ref().as_table());
    let lists = table.map(|table| table.values().filter_map(|value| value.get_ref().as_array()).map(|list| list.len()));
    lists.map(Iterator::sum).unwrap_or_default()
}

fn summary(snapshot: &Snapshot, files: usize, examples: usize, findings: &[Diagnostic], tried: &[Tried]) -> String {
    let failed = tried.iter().filter(|tried| tried.failure.is_some()).count();
    let examples = format!("{} of {}", plural(examples, "example"), plural(snapshot.roles.len(), "role"));
    let wrong = match findings.len() {
        0 => String::new(),
        some => format!("{} in the files of scenarios; ", plural(some, "error")),
    };
    match (files, failed) {
        (0, _) => format!("{wrong}{examples} came out as they should; there is no file of scenarios in DIR/tests"),
        (_, 0) => {
            let scenarios = format!("{} of {}", plural(tried.len(), "scenario"), plural(files, "file"));
            format!("{wrong}{examples} and {scenarios} came out as they should")
        }
        (_, failed) => format!("{wrong}{failed} of {} came out otherwise", plural(tried.len(), "scenario")),
    }
}

fn try_out(snapshot: &Snapshot, scenario: Scenario) -> Tried {
    let around = supposed(scenario.at, scenario.source);
    let came = match Words::split(scenario.command.as_bytes()) {
        Err(error) => Came::NotWords(error),
        Ok(words) => {
            let (person, target, asked_from) = (&scenario.person, &scenario.target, scenario.asked_from);
            let question = Question { person, target, words: &words, around: &around, asked_from };
            if let Some(failure) = timeless(snapshot, &question, &scenario) {
                let came = outcome(snapshot, &question, &scenario);
                return Tried { scenario, came, failure: Some(failure) };
            }
            outcome(snapshot, &question, &scenario)
        }
    };
    let failure = failure(snapshot, &scenario, &came);
    Tried { scenario, came, failure }
}

/// A scenario that does not say when, and whose answer may be another tomorrow.
fn timeless(snapshot: &Snapshot, question: &Question<'_>, scenario: &Scenario) -> Option<Diagnostic> {
    let counts = |role: &&Arc<Role>| match &scenario.roles {
        Some(named) => named.iter().any(|one| one.name() == role.name()),
        None => snapshot.may_ask(question.person, role),
    };
    let asks =
        |role: &&Arc<Role>| role.conditions().asks_for_time() && role.takes_on(&question.target.name, question.words);
    let here = |role: &&Arc<Role>| snapshot.account_on(role, question.target).is_some();
    let role = snapshot.roles.values().filter(counts).filter(here).find(asks).filter(|_| scenario.at.is_none())?;
    let message = format!("{} allows this at some times only, and the scenario does not say when", role.name());
    let help = "write at = \"2026-01-31T09:00:00Z\"";
    Some(scenario.place.of_command(&scenario.command, None, message).help(help))
}

fn outcome(snapshot: &Snapshot, question: &Question<'_>, scenario: &Scenario) -> Came {
    if let Some(roles) = &scenario.roles {
        let roles: Vec<&Role> = roles.iter().map(AsRef::as_ref).collect();
        return match suppose(snapshot, question, &roles) {
            Supposed::Allowed(outcome) => Came::Allowed(vec![outcome]),
            Supposed::Denied(denial) => Came::Denied(denial),
        };
    }
    let theirs: Vec<&Role> =
        snapshot.roles.values().filter(|role| snapshot.may_ask(question.person, role)).map(AsRef::as_ref).collect();
    let alone = theirs.iter().filter_map(|role| match suppose(snapshot, question, &[role]) {
        Supposed::Allowed(outcome) => Some(outcome),
        Supposed::Denied(_) => None,
    });
    let allowing: Vec<Outcome> = alone.collect();
    if !allowing.is_empty() {
        return Came::Allowed(allowing);
    }
    match suppose(snapshot, question, &theirs) {
        Supposed::Denied(denial) => Came::Denied(denial),
        // Roles never merge: what none of them allows alone, all of them do not either.
        Supposed::Allowed(outcome) => Came::Allowed(vec![outcome]),
    }
}

/// What is wrong, if it did not come out as expected.
fn failure(snapshot: &Snapshot, scenario: &Scenario, came: &Came) -> Option<Diagnostic> {
    let (place, typed) = (&scenario.place, scenario.command.as_str());
    let called = if scenario.name.is_empty() { String::new() } else { format!("{}: ", scenario.name) };
    let whom = format!("{} on {}", scenario.person.name, scenario.target.name);
    match (&scenario.expect, came) {
        (Expect::Allow(None), Came::Allowed(_)) | (Expect::Deny(None), Came::Denied(_) | Came::NotWords(_)) => None,
        (Expect::Allow(Some(wanted)), Came::Allowed(by)) => {
            let is_it =
                |one: &Outcome| one.rule == wanted.number && wanted.role.as_ref().is_none_or(|role| *role == one.role);
            let by_what = by.iter().map(|one| rule(snapshot, one)).collect::<Vec<_>>().join(", and by ");
            let message = format!("{called}another rule than expected allows this for {whom}: {by_what}");
            (!by.iter().any(is_it)).then(|| place.of_rule_or_reason(message))
        }
        (Expect::Deny(Some(wanted)), came @ (Came::Denied(_) | Came::NotWords(_))) => {
            let reason = reason(came)?;
            let message = format!("{called}this is denied for {whom}, but for another reason: {reason}");
            (reason != *wanted).then(|| place.of_rule_or_reason(message).help(why(came)))
        }
        (Expect::Deny(_), Came::Allowed(by)) => {
            let by_what = by.iter().map(|one| rule(snapshot, one)).collect::<Vec<_>>().join(", and by ");
            let message = format!("{called}this should be denied for {whom}, and is allowed by {by_what}");
            Some(place.of_command(typed, None, message))
        }
        (Expect::Allow(_), Came::NotWords(error)) => {
            let message = format!("{called}this should be allowed for {whom}, and is not a line of plain words");
            Some(place.of_command(typed, error.column().map(|column| (column, 1)), message).help(error.to_string()))
        }
        (Expect::Allow(_), Came::Denied(denial)) => {
            let message = format!("{called}this should be allowed for {whom}, and is denied: {}", denial.word());
            let at = denial.nearest().map(|nearest| {
                let length = nearest.miss.found.as_ref().map_or(1, |found| found.chars().count());
                (nearest.miss.column, length.max(1))
            });
            Some(place.of_command(typed, at, message).help(why(came)))
        }
    }
}

/// `rule 1 of web-restart (roles/web-restart.toml:14), systemctl restart {unit}`.
fn rule(snapshot: &Snapshot, outcome: &Outcome) -> String {
    let role = snapshot.roles.get(&outcome.role);
    if outcome.rule == NO_RULE {
        return format!("{}, which observes", outcome.role);
    }
    let place = role.and_then(|role| rule_place(role, outcome.rule)).unwrap_or_default();
    let usage = role.and_then(|role| role.rule(outcome.rule)).map_or("", |rule| rule.usage());
    format!("rule {} of {} ({place}), `{}`", outcome.rule, outcome.role, escape(usage))
}

/// The reason in a word.
fn reason(came: &Came) -> Option<&'static str> {
    match came {
        Came::Allowed(_) => None,
        Came::Denied(denial) => Some(denial.word()),
        Came::NotWords(_) => Some(NOT_WORDS),
    }
}

/// Why it was denied, for people.
fn why(came: &Came) -> String {
    match came {
        Came::Allowed(_) => String::new(),
        Came::NotWords(error) => error.to_string(),
        Came::Denied(Denial::NoGrant) => "no role that counts here reaches the target".to_owned(),
        Came::Denied(denial) => match denial.nearest() {
            Some(nearest) => format!(
                "the nearest is rule {} of {}, `{}`: {}; allowed there: {}",
                nearest.rule,
                nearest.role,
                escape(&nearest.usage),
                explain::place(&nearest.miss),
                explain::wanted_there(&nearest.miss)
            ),
            None => against(denial),
        },
    }
}

fn as_json(ok: bool, examples: usize, findings: &[Diagnostic], tried: &[Tried]) -> Value {
    let result = |tried: &Tried| {
        let Tried { scenario, came, failure } = tried;
        let (file, line) = scenario.place.file_line();
        let rules: Vec<String> = match came {
            Came::Allowed(by) => by.iter().map(|one| format!("{}:{}", one.role, one.rule)).collect(),
            _ => Vec::new(),
        };
        json!({
            "file": &*file,
            "line": line,
            "name": scenario.name,
            "user": scenario.person.name.as_str(),
            "target": scenario.target.name.as_str(),
            "command": scenario.command,
            "expected": match scenario.expect { Expect::Allow(_) => "allow", Expect::Deny(_) => "deny" },
            "came": match came { Came::Allowed(_) => "allow", _ => "deny" },
            "rules": rules,
            "reason": reason(came),
            "passed": failure.is_none(),
            "finding": failure.as_ref().map(finding_json),
        })
    };
    json!({
        "ok": ok,
        "examples": examples,
        "scenarios": tried.len(),
        "failed": tried.iter().filter(|tried| tried.failure.is_some()).count(),
        "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
        "results": tried.iter().map(result).collect::<Vec<_>>(),
    })
}
