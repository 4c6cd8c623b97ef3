//! `doorward can DIR USER [TARGET]`: everything that a user may do where. `doorward can DIR --who TARGET COMMAND…`: everybody who
//! may run a line. By the files; who holds what now, only the running bastion knows.

use clap::Args;
use serde_json::{Value, json};

use crate::config::load;
use crate::control::asking::{self, Line};
use crate::control::console::{Table, json_line};
use crate::domain::text::{escape, excerpt};
use crate::domain::time::for_people;
use crate::domain::wording::plural;
use crate::domain::{TargetName, UserName};
use crate::inventory::Target;
use crate::policy::file::path_of;
use crate::policy::observe::{self, NO_RULE};
use crate::policy::{RequestTerms, Role, Rule, Words, explain};
use crate::service::Snapshot;
use crate::service::asking::{Way, who_can};
use crate::service::capability::{Capability, capabilities};

use super::why::{NO_LINE, enrolled, known, supposed};
use super::{CliError, Dir, Screen};

mod table;

/// So many targets of a role are named in words.
const TARGETS: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Can {
    #[command(flatten)]
    dir: Dir,
    /// Who
    #[arg(required_unless_present = "who")]
    user: Option<UserName>,
    /// Only there
    target: Option<TargetName>,
    /// Ask the other way round: who may run this line there. Takes the rest of the words
    #[arg(long, num_args = 2.., allow_hyphen_values = true, value_names = ["TARGET", "COMMAND"], conflicts_with = "user")]
    who: Option<Vec<String>>,
    /// A table with a row for each rule on each target
    #[arg(long, conflicts_with_all = ["json", "who"])]
    table: bool,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Can {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load(&self.dir.dir).map_err(CliError::Findings)?;
        let snapshot = &loaded.snapshot;
        match (&self.user, self.who.as_deref()) {
            (Some(user), _) => self.rights(snapshot, user, screen),
            (None, Some([target, command @ ..])) => self.people(snapshot, target, &command.join(" "), screen),
            (None, _) => Err(CliError::Usage(
                "write `doorward can DIR USER [TARGET]`, or `doorward can DIR --who TARGET COMMAND`".into(),
            )),
        }
    }

    fn rights(&self, snapshot: &Snapshot, user: &UserName, screen: &mut Screen) -> Result<(), CliError> {
        let person = enrolled(snapshot, user)?;
        let target = self.target.as_ref().map(|name| known(snapshot, name)).transpose()?;
        let found = capabilities(snapshot, &person, target);
        if self.json {
            let document = json!({
                "user": user.as_str(),
                "groups": person.groups.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "target": self.target.as_ref().map(TargetName::as_str),
                "roles": found.iter().map(capability_json).collect::<Vec<_>>(),
            });
            screen.say(json_line(&document).trim_end());
            return Ok(());
        }
        let there = self.target.as_ref().map(|target| format!(" on {target}")).unwrap_or_default();
        if found.is_empty() {
            screen.say(format_args!("{user} may ask for nothing{there}"));
            return Ok(());
        }
        if self.table {
            screen.say(table::render(&found).trim_end());
            return Ok(());
        }
        screen.say(format_args!("{user} may ask for {}{there}:", plural(found.len(), "role")));
        for capability in &found {
            screen.say("");
            screen.say(in_words(capability).trim_end());
        }
        Ok(())
    }

    fn people(&self, snapshot: &Snapshot, target: &str, text: &str, screen: &mut Screen) -> Result<(), CliError> {
        let name: TargetName = target.parse().map_err(|error| CliError::Usage(format!("--who: {error}")))?;
        let target = known(snapshot, &name)?;
        let words = Words::split(text.as_bytes()).map_err(|error| {
            CliError::failed(format!("{}\n  {}", NO_LINE, asking::problem(text, &error).join("\n  ")))
        })?;
        let line = Line { text, words: &words, files: true };
        let ways = who_can(snapshot, target, &words, &supposed(None, None));
        if self.json {
            screen.say(json_line(&ways_json(&line, target, &ways)).trim_end());
        } else if ways.is_empty() {
            screen.say(format_args!("nobody may run this on {name}"));
        } else {
            screen.say(ways_in_words(&words, &ways).trim_end());
        }
        Ok(())
    }
}

fn ways_in_words(words: &Words, ways: &[Way]) -> String {
    let mut table = Table::new(&["WHO", "ROLE", "RULE", "AS", "APPROVAL", "WHEN"]);
    for Way { user, candidate } in ways {
        let Some(number) = candidate.rule(words) else { continue };
        let sudo = match number {
            NO_RULE => words.iter().next() == Some("sudo"),
            _ => candidate.role.rule(number).is_some_and(Rule::sudo),
        };
        let rule = if number == NO_RULE { "none, it observes".to_owned() } else { number.to_string() };
        let account = candidate.account.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row([
            user.to_string(),
            candidate.role.name().to_string(),
            asking::rule_place(&candidate.role, number).unwrap_or(rule),
            format!("{account}{}", if sudo { ", root by sudo" } else { "" }),
            candidate.quorum.as_ref().map(ToString::to_string).unwrap_or_default(),
            candidate.role.conditions().in_words().join("; "),
        ]);
    }
    table.render()
}

fn ways_json(line: &Line<'_>, target: &Target, ways: &[Way]) -> Value {
    let each = ways.iter().map(|Way { user, candidate }| {
        let rule = candidate.rule(line.words).map(|rule| asking::rule_json(line, &candidate.role, rule));
        json!({
            "user": user.as_str(),
            "account": candidate.account.as_ref().map(|account| account.as_str()),
            "rule": rule,
            "conditions": candidate.role.conditions().in_words(),
            "approval": candidate.quorum.as_ref().map(asking::quorum_json),
        })
    });
    json!({"target": target.name.as_str(), "line": line.text, "people": each.collect::<Vec<_>>()})
}

fn in_words(capability: &Capability) -> String {
    let role = &capability.role;
    let mut out = format!("{}  {}\n", role.name(), escape(role.description()));
    let mut field = |label: &str, text: &str| out.push_str(&format!("  {label:<10}{text}\n"));
    let mut named: Vec<String> =
        capability.targets.iter().take(TARGETS).map(|(target, account)| format!("{target} as {account}")).collect();
    match capability.targets.len().saturating_sub(TARGETS) {
        0 => {}
        more => named.push(format!("{more} more")),
    }
    if named.is_empty() {
        named.push("no target, for it reaches none".to_owned());
    }
    field("on", &named.join(", "));
    field("approval", &capability.quorum.to_string());
    if let Some(terms) = role.request() {
        field("time", &time(terms));
    }
    let conditions = role.conditions().in_words();
    if !conditions.is_empty() {
        field("when", &escape(&conditions.join("; ")));
    }
    if role.observes() {
        out.push_str(&format!("  {}\n", observe::IN_WORDS));
    }
    for (number, rule) in (1..).zip(role.rules()).filter(|(_, rule)| holds(capability, rule)) {
        out.push_str(&rule_in_words(number, rule));
    }
    for line in transfers(role) {
        out.push_str(&format!("  not served by this build: {}\n", escape(&line)));
    }
    out
}

/// Whether a rule holds on one of the targets that are shown.
fn holds(capability: &Capability, rule: &Rule) -> bool {
    rule.targets().is_none() || capability.targets.keys().any(|target| rule.is_for(target))
}

/// Its `[[file]]` and `[[forward]]`, in words.
fn transfers(role: &Role) -> Vec<String> {
    let forwards = role.forwards().iter().map(ToString::to_string);
    role.files().iter().map(ToString::to_string).chain(forwards).collect()
}

/// `30m, 1h at most; with a reason; with a ticket like INC-\d+`: how long it lives if they do not say, and what they must give.
fn time(terms: &RequestTerms) -> String {
    let mut text = for_people(terms.default_duration);
    if terms.default_duration != terms.max_duration {
        text.push_str(&format!(", {} at most", for_people(terms.max_duration)));
    }
    if terms.reason_required {
        text.push_str("; with a reason");
    }
    if let Some(ticket) = &terms.ticket {
        text.push_str(&format!("; with a ticket like {}", escape(ticket.as_str())));
    }
    text
}

fn rule_in_words(number: usize, rule: &Rule) -> String {
    let help = if rule.help().is_empty() { String::new() } else { format!("   # {}", escape(rule.help())) };
    let mut out = format!("  rule {number:<4} {}{help}\n", escape(rule.usage()));
    if rule.alias().is_some() {
        out.push_str(&format!("            runs {}\n", escape(rule.run())));
    }
    for (name, meaning) in rule.parameters() {
        out.push_str(&format!("            {{{}}}: {}\n", escape(&name), excerpt(&meaning, 200)));
    }
    if let Some(targets) = rule.targets() {
        out.push_str(&format!("            only on {}\n", escape(&targets.to_string())));
    }
    let root = if rule.sudo() { "as root by sudo, " } else { "" };
    out.push_str(&format!("            {root}{}\n", explain::terms(&rule.terms())));
    if !rule.environment().is_empty() {
        let values: Vec<String> =
            rule.environment().iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        out.push_str(&format!("            with {}\n", values.join(" ")));
    }
    out
}

fn capability_json(capability: &Capability) -> Value {
    let role = &capability.role;
    let terms = role.request();
    json!({
        "role": role.name().as_str(),
        "file": path_of(role.name()),
        "description": role.description(),
        "standing": "may-ask",
        "targets": asking::targets_json(&capability.targets),
        "approval": asking::quorum_json(&capability.quorum),
        "max_seconds": terms.map(|terms| terms.max_duration.as_secs()),
        "default_seconds": terms.map(|terms| terms.default_duration.as_secs()),
        "reason_required": terms.map(|terms| terms.reason_required),
        "ticket": terms.and_then(|terms| terms.ticket.as_ref()).map(regex::Regex::as_str),
        "conditions": role.conditions().in_words(),
        "observe": role.observes(),
        "commands": commands_json(capability),
        "files": role.files().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "forwards": role.forwards().iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn commands_json(capability: &Capability) -> Vec<Value> {
    let lines = capability.role.rule_lines();
    let numbered = (1..).zip(capability.role.rules()).filter(|(_, rule)| holds(capability, rule));
    let command = |(number, rule): (usize, &Rule)| {
        let environment: Vec<Value> =
            rule.environment().iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({
            "rule": number,
            "line": lines.get(number.saturating_sub(1)),
            "usage": rule.usage(),
            "run": rule.run(),
            "alias": rule.alias(),
            "help": rule.help(),
            "parameters": asking::parameters_json(rule),
            "sudo": rule.sudo(),
            "targets": rule.targets().map(ToString::to_string),
            "terms": asking::terms_json(&rule.terms()),
            "environment": environment,
        })
    };
    numbered.map(command).collect()
}
