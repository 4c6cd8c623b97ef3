//! What allows a line or comes nearest to it, in words and in JSON: the same for `ssh bastion why` and on the host.
//!
//! The answers are [`crate::service::asking`]'s and the decision's; here they are only put down. All outside text is escaped.

use crate::domain::limits::EXCERPT;
use crate::domain::text::{escape, excerpt};
use crate::policy::file::path_of;
use crate::policy::observe::NO_RULE;
use crate::policy::pattern::{Miss, Part, Wanted};
use crate::policy::when::ConditionState;
use crate::policy::{Denial, Nearest, Role, Rule, Words, WordsError, explain};
use crate::service::asking::{Candidate, Supposed};

use super::console::Table;

mod caret;
mod json;

pub use caret::caret;
pub use json::{
    candidate_json, conditions_json, nearest_json, parameters_json, problem_json, quorum_json, rule_json, targets_json,
    terms_json,
};

/// So many words of a line are shown with what they are; nobody reads more.
const WORDS_SHOWN: usize = 60;

/// A line that somebody asks about.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// As typed.
    pub text: &'a str,
    /// Its words.
    pub words: &'a Words,
    /// Whether the roles' files may be named: on the host.
    pub files: bool,
}

impl Line<'_> {
    /// `rule 2 of web-restart (roles/web-restart.toml:14)`.
    #[must_use]
    pub fn rule_name(&self, role: &Role, number: usize) -> String {
        if number == NO_RULE {
            return format!("{}, which observes", role.name());
        }
        let place = self.place(role, number).map(|place| format!(" ({place})")).unwrap_or_default();
        format!("rule {number} of {}{place}", role.name())
    }

    fn place(&self, role: &Role, number: usize) -> Option<String> {
        self.files.then(|| rule_place(role, number)).flatten()
    }

    /// The rule that allows the line, and what each word is in it.
    #[must_use]
    pub fn allowing(&self, role: &Role, number: usize) -> Vec<String> {
        let usage = match number {
            NO_RULE => "every command line that the account can run",
            _ => role.rule(number).map_or("", Rule::usage),
        };
        let mut lines = vec![format!("{}: {}", self.rule_name(role, number), excerpt(usage, EXCERPT))];
        let Some(trace) = role.trace(number, self.words) else { return lines };
        let mut table = Table::new(&["COLUMN", "WORD", "IS"]);
        for word in trace.words.iter().take(WORDS_SHOWN) {
            table.row([word.column.to_string(), excerpt(&word.text, EXCERPT), part(&word.part)]);
        }
        lines.extend(table.render().lines().map(|line| format!("  {line}")));
        match trace.words.len().saturating_sub(WORDS_SHOWN) {
            0 => {}
            more => lines.push(format!("  and {more} words more")),
        }
        lines
    }

    /// The rule that came nearest, the line with a caret under the first word that differs, and what may stand there.
    #[must_use]
    pub fn nearest(&self, nearest: &Nearest, role: Option<&Role>) -> Vec<String> {
        let place = role.and_then(|role| self.place(role, nearest.rule));
        let place = place.map(|place| format!(", {place}")).unwrap_or_default();
        let usage = excerpt(&nearest.usage, EXCERPT);
        let mut lines = vec![format!("nearest: {usage} (rule {} of {}{place})", nearest.rule, nearest.role)];
        lines.extend(self.under(&nearest.miss).into_iter().map(|line| format!("  {line}")));
        lines.push(format!("  {}", explain::place(&nearest.miss)));
        lines.push(format!("  allowed there: {}", explain::wanted_there(&nearest.miss)));
        lines
    }

    /// The line with a caret under the word that a miss names.
    #[must_use]
    pub fn under(&self, miss: &Miss) -> [String; 2] {
        if miss.found.is_none() {
            // What is missing would stand after a blank; the quotes that were typed are a part of the line.
            return caret(self.text, self.text.trim_end_matches(' ').chars().count().saturating_add(2), 0);
        }
        let next = self.words.as_slice().iter().find(|word| word.column() > miss.column);
        let ends = next.map_or(usize::MAX, |word| word.column().saturating_sub(1));
        let typed: Vec<char> = self.text.chars().take(ends).skip(miss.column.saturating_sub(1)).collect();
        let blanks = typed.iter().rev().take_while(|c| **c == ' ').count();
        caret(self.text, miss.column, typed.len().saturating_sub(blanks))
    }
}

/// `roles/web-restart.toml:14`.
#[must_use]
pub fn rule_place(role: &Role, number: usize) -> Option<String> {
    let line = *role.rule_lines().get(number.checked_sub(1)?)?;
    Some(format!("{}:{line}", path_of(role.name())))
}

/// What a word is, for a table.
fn part(part: &Part) -> String {
    match part {
        Part::Sudo => "because the rule runs under sudo".to_owned(),
        Part::Program(path) => format!("the program, {path}"),
        Part::Literal => "this very word".to_owned(),
        Part::Value { name, allowed, .. } => format!("{{{name}}}: {}", excerpt(allowed, 200)),
    }
}

/// The conditions of a role and how they stand, a line each; none where there are none.
#[must_use]
pub fn conditions(states: &[ConditionState]) -> Vec<String> {
    let mut table = Table::new(&["CONDITION", "HOLDS", "IS"]);
    for ConditionState { key, condition, holds, state } in states {
        let holds = if *holds { "yes" } else { "no" };
        table.row([(*key).to_owned(), holds.to_owned(), excerpt(&format!("{condition}; {state}"), 300)]);
    }
    if states.is_empty() { Vec::new() } else { table.render().lines().map(|line| format!("  {line}")).collect() }
}

/// A role's answer in a cell: `allows it`, or what stands against it.
#[must_use]
pub fn verdict(candidate: &Candidate, words: &Words) -> String {
    match &candidate.answer {
        Supposed::Allowed(outcome) => allows_by(outcome.rule),
        Supposed::Denied(Denial::NoGrant) if candidate.role.takes_on(&candidate.target, words) => {
            "no: it allows the line, but does not reach the target".to_owned()
        }
        Supposed::Denied(Denial::NoGrant) => "no: it neither allows the line nor reaches the target".to_owned(),
        Supposed::Denied(denial) => format!("no: {}", against(denial)),
    }
}

/// `allows it by rule 2`.
#[must_use]
pub fn allows_by(number: usize) -> String {
    match number {
        NO_RULE => "allows it, because it observes".to_owned(),
        _ => format!("allows it by rule {number}"),
    }
}

/// A denial in half a sentence.
#[must_use]
pub fn against(denial: &Denial) -> String {
    match denial {
        Denial::NotInRole { nearest: Some(nearest) } if begins_otherwise(nearest) => {
            format!("no rule of it begins with `{}`", excerpt(nearest.miss.found.as_deref().unwrap_or_default(), 60))
        }
        Denial::NotInRole { nearest: Some(nearest) } => {
            format!("its rule {} is nearest, and {}", nearest.rule, excerpt(&explain::place(&nearest.miss), 120))
        }
        Denial::NotInRole { nearest: None } => "none of its rules allows it".to_owned(),
        Denial::Ambiguous { .. } => "several of its rules allow it and would run different things".to_owned(),
        Denial::OtherTargets { .. } => "the rule that allows it is for other targets of the role".to_owned(),
        Denial::NotObserved { why, .. } => format!("it observes, and not a line like this: {why}"),
        Denial::TooLong => "the line would be too long for the target".to_owned(),
        Denial::Unmet { what, .. } => format!("it {}", excerpt(&what.to_string(), 200)),
        Denial::Ineligible { .. } => "it allows it, and is not for them to ask for".to_owned(),
        Denial::NoGrant => "it does not reach the target".to_owned(),
        Denial::Narrowed { .. } => "it allowed this when it was approved, and does not any more".to_owned(),
        Denial::Widened { .. } => "it allows this now, and did not when it was approved".to_owned(),
    }
}

/// Whether already the first word is one that no rule begins with.
fn begins_otherwise(nearest: &Nearest) -> bool {
    let miss = &nearest.miss;
    miss.word == 0 && miss.found.is_some() && !miss.wanted.contains(&Wanted::NoSudo)
}

/// A line that is not plain words: what is wrong, and where.
#[must_use]
pub fn problem(line: &str, error: &WordsError) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(column) = error.column() {
        lines.extend(caret(line, column, 1));
    }
    lines.extend(error.lines());
    lines.iter().map(|line| escape(line).into_owned()).collect()
}

#[cfg(test)]
mod tests;
