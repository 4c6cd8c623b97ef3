//! Rules that give more than they seem to: warnings for the author of a role, never a part of a decision.
//!
//! Works on the compiled [`Role`], so that role files, generated roles and proposals come through the same function. Owns the
//! knowledge about programs ([`knowledge`], `programs.toml`), what a parameter lets in ([`shape`]) and the reasons' codes ([`code`],
//! explained in `docs/role-warnings.md`). Where a finding stands in a file is for [`mod@super::file`] to say.

use std::ops::Range;

use super::role::Role;
use super::rule::Rule;

pub mod code;
mod escape;
mod kinds;
mod knowledge;
mod line;
mod places;
mod pointless;
mod shape;
mod slips;

pub(super) use places::of_file;

/// What of a rule is meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum At {
    /// The program.
    Program,
    /// This step of `run`, counted from 0.
    Step(usize),
    /// What the parameter of this number may be, or these bytes of its expression.
    Value(usize, Option<Range<usize>>),
    /// The value of this key of the rule.
    Key(&'static str),
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The rule, counted from 0.
    pub rule: usize,
    /// What of it is meant.
    pub at: At,
    /// The kind of finding, one of [`code::ALL`].
    pub code: &'static str,
    /// Whether the role cannot be used with it.
    pub error: bool,
    /// Whether `accept_escape` answers it. It does not answer a slip: there the rule is not what its author thinks.
    pub accepted: bool,
    /// What the rule gives away.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// What the lints of one rule say, before it is known which rule that is.
struct Found {
    at: At,
    code: &'static str,
    message: String,
    help: String,
}

impl Found {
    fn new(at: At, code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, code, message: message.into(), help: help.into() }
    }
}

/// Everything that the rules of `role` give besides what they seem to; the same for the same role.
#[must_use]
pub fn findings(role: &Role) -> Vec<Finding> {
    let mut all = Vec::new();
    for (rule, compiled) in role.rules.iter().enumerate() {
        let mut found = of_rule(compiled);
        let accepts = compiled.accept_escape.is_some();
        let answered = |one: &Found| accepts && code::is_answered(one.code);
        if accepts && !found.iter().any(answered) {
            let message =
                "`accept_escape` accepts nothing here: no warning that it could answer is given for this rule";
            found.push(Found::new(At::Key("accept_escape"), code::ACCEPT_NOTHING, message, "take `accept_escape` out"));
        }
        all.extend(found.into_iter().map(|one| {
            let accepted = answered(&one);
            let Found { at, code, message, help } = one;
            Finding { rule, at, code, error: code == code::INPUT && !accepted, accepted, message, help }
        }));
    }
    all.extend(pointless::find(&role.rules));
    all
}

fn of_rule(rule: &Rule) -> Vec<Found> {
    let line = line::Line::of(rule);
    let mut found = Vec::new();
    let told = escape::check(rule, &line, &mut found);
    places::check(rule, &line, &mut found);
    kinds::check(rule, &line, &told, &mut found);
    slips::check(rule, &mut found);
    found
}
