//! Rules that another one makes pointless: all that they allow it allows too, on the same terms or freer ones.
//!
//! Sound, and may miss some. Terms count because of several rules that allow a line the strictest terms hold: a rule that is
//! stricter than the one that includes it is not pointless.

use std::collections::HashMap;

use crate::policy::pattern::Lines;
use crate::policy::rule::Rule;

use super::{At, Finding, code};

/// So many rules of one program are compared with each other.
const MOST: usize = 50;

pub(super) fn find(rules: &[Rule]) -> Vec<Finding> {
    let mut by_program: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, rule) in rules.iter().enumerate() {
        by_program.entry(rule.run.program().unwrap_or_default()).or_default().push(at);
    }
    let mut found = Vec::new();
    for same in by_program.values().filter(|same| same.len() > 1) {
        let same = same.get(..MOST).unwrap_or(same);
        for &at in same {
            let makes_pointless = |other: &&usize| {
                let Some((one, other_rule)) = rules.get(at).zip(rules.get(**other)) else { return false };
                // Of two that allow the same, the later one is meant.
                **other != at && is_included(one, other_rule) && (**other < at || !is_included(other_rule, one))
            };
            if let Some(&other) = same.iter().find(makes_pointless) {
                found.extend(rules.get(other).map(|wider| finding(at, other, wider)));
            }
        }
    }
    found.sort_by_key(|one| one.rule);
    found
}

/// Whether `other` allows all that `one` allows, to run the same, and is nowhere freer than `one`.
fn is_included(one: &Rule, other: &Rule) -> bool {
    let same = one.sudo == other.sudo && one.env == other.env && one.alias.is_none();
    let place = other.targets.is_none() || other.targets == one.targets;
    let no_stricter = one.terms().strictest(other.terms()) == other.terms();
    same && place && no_stricter && Lines::of(one).within(&Lines::of(other))
}

fn finding(rule: usize, other: usize, wider: &Rule) -> Finding {
    Finding {
        rule,
        at: At::Program,
        code: code::POINTLESS,
        error: false,
        accepted: false,
        message: format!(
            "every line of this rule is allowed by rule {} too, `{}`, with the same rights",
            other + 1,
            wider.usage()
        ),
        help: "take this rule out, or make the other one narrower if it should not allow so much".to_owned(),
    }
}
