//! The same as JSON; `docs/asking.md` has the shapes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::domain::{AccountName, TargetName};
use crate::policy::pattern::{Miss, Part, Wanted};
use crate::policy::when::ConditionState;
use crate::policy::{Nearest, Role, Rule, Terms, TracedWord, WordsError, explain};
use crate::service::asking::{Candidate, Supposed};
use crate::service::quorum::Quorum;

use super::{Line, rule_place};

/// So much of a word that no rule takes is in each role's answer, in characters: there may be thousands of roles, and the line is in
/// the document once already.
const FOUND_SHOWN: usize = 1000;

/// A rule that allows the line, with every word.
#[must_use]
pub fn rule_json(line: &Line<'_>, role: &Role, number: usize) -> Value {
    let trace = role.trace(number, line.words);
    let words = trace.as_ref().map(|trace| trace.words.iter().map(word_json).collect::<Vec<_>>());
    let rule = role.rule(number);
    json!({
        "role": role.name().as_str(),
        "rule": number,
        "place": if line.files { rule_place(role, number) } else { None },
        "usage": rule.map(|rule| rule.usage()),
        "by_alias": trace.is_some_and(|trace| trace.alias),
        "sudo": rule.map(|rule| rule.sudo()),
        "terms": rule.map(|rule| terms_json(&rule.terms())),
        "words": words,
    })
}

fn word_json(word: &TracedWord) -> Value {
    let (is, name, allowed) = match &word.part {
        Part::Sudo => ("sudo", None, None),
        Part::Program(path) => ("program", None, Some(path.clone())),
        Part::Literal => ("literal", None, None),
        Part::Value { name, allowed, .. } => ("parameter", Some(name.clone()), Some(allowed.clone())),
    };
    let value = match &word.part {
        Part::Value { value, .. } => Some(value.as_str()),
        _ => None,
    };
    json!({"word": word.text, "column": word.column, "is": is, "name": name, "value": value, "allowed": allowed})
}

/// Targets, each with the account there.
#[must_use]
pub fn targets_json(targets: &BTreeMap<TargetName, AccountName>) -> Vec<Value> {
    let each = targets.iter();
    each.map(|(target, account)| json!({"target": target.as_str(), "account": account.as_str()})).collect()
}

/// The parameters of a rule, each with what it may be, in words.
#[must_use]
pub fn parameters_json(rule: &Rule) -> Vec<Value> {
    rule.parameters().into_iter().map(|(name, meaning)| json!({"name": name, "is": meaning})).collect()
}

/// The terms of a rule.
#[must_use]
pub fn terms_json(terms: &Terms) -> Value {
    json!({
        "stdin": terms.stdin,
        "timeout_seconds": terms.timeout.as_secs(),
        "max_output": terms.max_output,
        "max_stdin": (terms.stdin && terms.max_stdin < u64::MAX).then_some(terms.max_stdin),
    })
}

/// The rule that came nearest, and how the line missed it.
#[must_use]
pub fn nearest_json(line: &Line<'_>, nearest: &Nearest, role: Option<&Role>) -> Value {
    let Miss { word, column, found, wanted } = &nearest.miss;
    let place = role.filter(|_| line.files).and_then(|role| rule_place(role, nearest.rule));
    json!({
        "role": nearest.role.as_str(),
        "rule": nearest.rule,
        "place": place,
        "usage": nearest.usage,
        "word": word.saturating_add(1),
        "column": column,
        "found": found.as_deref().map(|word| word.chars().take(FOUND_SHOWN).collect::<String>()),
        "why": explain::place(&nearest.miss),
        "allowed": wanted.iter().map(wanted_json).collect::<Vec<_>>(),
    })
}

fn wanted_json(wanted: &Wanted) -> Value {
    let (is, name) = match wanted {
        Wanted::Literal(word) => ("literal", Some(word.as_str())),
        Wanted::Parameter { name, .. } => ("parameter", Some(name.as_str())),
        Wanted::End => ("end", None),
        Wanted::NoSudo => ("no-sudo", None),
    };
    json!({"is": is, "name": name, "in_words": explain::wanted(wanted)})
}

/// A line that is not plain words.
#[must_use]
pub fn problem_json(error: &WordsError) -> Value {
    json!({"column": error.column(), "message": error.lines().join("; ")})
}

/// Who approves.
#[must_use]
pub fn quorum_json(quorum: &Quorum) -> Value {
    json!({
        "needed": quorum.needed,
        "approvers": quorum.listed.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "people": quorum.people.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "enough": quorum.is_enough(),
    })
}

/// The conditions of a role, and how they stand.
#[must_use]
pub fn conditions_json(states: &[ConditionState]) -> Value {
    let each = states.iter().map(|ConditionState { key, condition, holds, state }| {
        json!({"key": key, "condition": condition, "holds": holds, "state": state})
    });
    each.collect()
}

/// A role's answer; `standing` is `held`, `may-ask` or `not-theirs`.
#[must_use]
pub fn candidate_json(line: &Line<'_>, candidate: &Candidate, standing: &str, to_ask: Option<&str>) -> Value {
    let (answer, rule, runs, nearest) = match &candidate.answer {
        Supposed::Allowed(outcome) => {
            ("allowed", Some(rule_json(line, &candidate.role, outcome.rule)), Some(&outcome.command), None)
        }
        Supposed::Denied(denial) => {
            let rule = candidate.rule(line.words).map(|rule| rule_json(line, &candidate.role, rule));
            let nearest = denial.nearest().map(|nearest| nearest_json(line, nearest, Some(&candidate.role)));
            (denial.word(), rule, None, nearest)
        }
    };
    json!({
        "role": candidate.role.name().as_str(),
        "standing": standing,
        "account": candidate.account.as_ref().map(|account| account.as_str()),
        "answer": answer,
        "rule": rule,
        "runs": runs,
        "nearest": nearest,
        "conditions": conditions_json(&candidate.conditions),
        "approval": candidate.quorum.as_ref().map(quorum_json),
        "to_ask": to_ask,
    })
}
