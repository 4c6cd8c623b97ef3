//! What of a role nobody used: rules, values of `one_of`, optional groups.
//!
//! What cannot be told is taken for used: a role is made smaller by what this says.

use std::collections::BTreeSet;

use crate::policy::parameter::Kind;
use crate::policy::pattern::Part;
use crate::policy::pattern::matching::base_name;
use crate::policy::role::Role;
use crate::policy::rule::Rule;

use super::{Sample, words_of};

/// Something of a rule that nobody used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unused {
    /// The rule, from 1 in file order.
    pub rule: usize,
    /// What people type for it.
    pub usage: String,
    /// What of it.
    pub what: UnusedPart,
}

/// What of a rule nobody used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UnusedPart {
    /// All of it.
    Rule,
    /// These values of a parameter's `one_of`.
    Values {
        /// The parameter.
        name: String,
        /// The values.
        values: Vec<String>,
    },
    /// An optional group, as it is written.
    Group(String),
}

/// What was found of a role's use.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Use {
    /// What nobody used.
    pub unused: Vec<Unused>,
    /// Lines that the role allowed once, and that no rule of it takes today.
    pub unmatched: usize,
}

/// What of `role` nobody used: none of `allowed`, which this role allowed once, nor of `others`, which ran otherwise. They are
/// held against the rules of today, whatever rule allowed them then.
#[must_use]
pub fn unused(role: &Role, allowed: &[Sample], others: &[Sample]) -> Use {
    let mut seen: Vec<Seen> = role.rules().iter().map(|_| Seen::default()).collect();
    let mut unmatched = 0;
    for line in allowed {
        let taken = look(role, line, &mut seen);
        if !taken {
            unmatched += 1;
            could_be(role, line, &mut seen);
        }
    }
    for line in others {
        look(role, line, &mut seen);
    }
    let found = role.rules().iter().zip(&seen).zip(1..).flat_map(|((rule, seen), number)| seen.missing(rule, number));
    Use { unused: found.collect(), unmatched }
}

/// Notes in `seen` what `line` uses; `false` if no rule takes it.
fn look(role: &Role, line: &Sample, seen: &mut [Seen]) -> bool {
    let Some(words) = words_of(line.sudo, &line.vector) else { return false };
    let mut taken = false;
    for ((rule, seen), number) in role.rules().iter().zip(seen.iter_mut()).zip(1..) {
        let Some(trace) = role.trace(number, &words).filter(|_| rule.sudo() == line.sudo) else { continue };
        (taken, seen.used) = (true, true);
        for word in trace.words {
            match word.part {
                Part::Value { name, value, .. } => drop(seen.values.insert((name, value))),
                _ => drop(seen.words.insert(word.text)),
            }
        }
    }
    taken
}

/// A value that the log does not have (a digest stands for it) fits nowhere: which rule of that program it was is not known.
fn could_be(role: &Role, line: &Sample, seen: &mut [Seen]) {
    let program = line.vector.first().map_or("", |program| base_name(program));
    let same = |rule: &Rule| rule.sudo() == line.sudo && rule.run.program().map(base_name) == Some(program);
    role.rules().iter().zip(seen).filter(|(rule, _)| same(rule)).for_each(|(_, seen)| seen.unknown = true);
}

/// What was seen of a rule.
#[derive(Default)]
struct Seen {
    used: bool,
    /// Whether a line may have been this rule's that fits no rule of today.
    unknown: bool,
    values: BTreeSet<(String, String)>,
    words: BTreeSet<String>,
}

impl Seen {
    fn missing(&self, rule: &Rule, number: usize) -> Vec<Unused> {
        let found = |what| Unused { rule: number, usage: rule.usage().to_owned(), what };
        if self.unknown {
            return Vec::new();
        }
        if !self.used {
            return vec![found(UnusedPart::Rule)];
        }
        let mut missing = Vec::new();
        for ((name, _), parameter) in rule.run.names().iter().zip(&rule.parameters) {
            let Kind::OneOf(words) = parameter.kind() else { continue };
            let unseen = |word: &&String| !self.values.contains(&(name.clone(), (*word).clone()));
            let values: Vec<String> = words.iter().filter(unseen).cloned().collect();
            if !values.is_empty() {
                missing.push(found(UnusedPart::Values { name: name.clone(), values }));
            }
        }
        let groups = groups_of(rule.run.as_written());
        let unseen = |group: &&&str| !self.words.iter().any(|word| begins(group, word));
        missing.extend(groups.iter().filter(unseen).map(|group| found(UnusedPart::Group((*group).to_owned()))));
        missing
    }
}

/// Whether `word` may be the first of `group`. One that also stands elsewhere in the rule is taken for the group's.
fn begins(group: &str, word: &str) -> bool {
    let first = group.trim_start_matches(['[', ' ']).split([' ', ']']).next().unwrap_or_default();
    let first = first.trim_matches('\'');
    match first.split_once('{') {
        Some((prefix, _)) => word.starts_with(prefix),
        None => word == first,
    }
}

/// The `[groups]` of a pattern, with their brackets.
fn groups_of(written: &str) -> Vec<&str> {
    let (mut groups, mut opened, mut quoted) = (Vec::new(), None, false);
    for (at, c) in written.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '[' if !quoted => opened = Some(at),
            ']' if !quoted => groups.extend(opened.take().and_then(|from| written.get(from..=at))),
            _ => {}
        }
    }
    groups
}
