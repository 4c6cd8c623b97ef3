//! The usage pattern of a rule: literal words, `{parameter}`, `--glued={parameter}`, `{repeated...}`, `[optional group]`, `'…'`
//! for a literal word. Neighbouring groups stand in any order, each at most once.
//!
//! Owns its text form ([`parse`]), how words are matched against it ([`matching`]) and the proof that a line can be read in
//! one way only ([`ambiguity`]). What a parameter may be is [`super::parameter`]'s.

use std::fmt;

pub mod ambiguity;
pub mod matching;
pub mod parse;
mod trace;
mod within;

pub use matching::{Match, Miss, Wanted};
pub use parse::PatternError;
pub use trace::Part;
pub(super) use within::Lines;

/// Longest pattern that is read, in bytes.
pub const LONGEST: usize = 1024;
/// Most words, parameters included.
pub const MOST_STEPS: usize = 64;
/// Most optional groups.
pub const MOST_GROUPS: usize = 12;

/// A pattern as a row of steps; what may follow each step is worked out once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    written: String,
    /// The base name of the first step, if that is a literal.
    base: String,
    steps: Vec<Step>,
    /// The parameters in the order they occur, with the column of each; [`Slot::index`] counts into it.
    names: Vec<(String, usize)>,
    /// What a line may begin with, then for each step what may follow it. A number past the last step is the end.
    next: Vec<Vec<usize>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::policy) struct Step {
    pub(super) element: Element,
    /// Which optional group it belongs to, counted from 0.
    pub(super) group: Option<usize>,
}

/// Where a parameter stands in a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::policy) struct Slot {
    /// Which of [`Pattern::names`].
    pub(in crate::policy) index: usize,
    /// What stands before its value in the same word; empty for a value that is the whole word.
    pub(in crate::policy) prefix: String,
    /// Whether it stands for one value or more.
    pub(super) repeated: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Element {
    Literal(String),
    Parameter(Slot),
}

impl Pattern {
    /// The pattern as the role has it.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The names of its parameters in the order they occur, each with its column in the pattern (characters, from 1).
    #[must_use]
    pub fn names(&self) -> &[(String, usize)] {
        &self.names
    }

    /// Whether it has optional groups.
    #[must_use]
    pub fn has_groups(&self) -> bool {
        self.steps.iter().any(|step| step.group.is_some())
    }

    /// The first word, if it is a literal that always stands there.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        match self.steps.first() {
            Some(Step { element: Element::Literal(word), group: None }) => Some(word),
            _ => None,
        }
    }

    /// What the first word of a line may be; `None` if it may be a value. A program by its path and by its base name.
    pub(super) fn first_words(&self) -> Option<Vec<&str>> {
        let first = self.after(None).iter().filter_map(|step| self.steps.get(*step));
        let words = first.map(|step| match &step.element {
            Element::Literal(word) => Some([word.as_str(), matching::base_name(word)]),
            Element::Parameter(_) => None,
        });
        words.collect::<Option<Vec<_>>>().map(|words| words.concat())
    }

    pub(in crate::policy) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What may come after `step`, or first if `None`; [`Self::end`] among them if the line may end there.
    fn after(&self, step: Option<usize>) -> &[usize] {
        self.next.get(step.map_or(0, |step| step + 1)).map_or(&[], Vec::as_slice)
    }

    fn end(&self) -> usize {
        self.steps.len()
    }

    /// Whether `{name...}` stands in it for the parameter at `index` of [`Self::names`].
    #[must_use]
    pub fn is_repeated(&self, index: usize) -> bool {
        let mut slots = self.steps.iter().filter_map(Step::slot);
        slots.any(|slot| slot.index == index && slot.repeated)
    }

    /// The words of a line of this pattern that has no groups, with `values` for its parameters; `None` if one is missing.
    pub(super) fn fill<'v>(&self, values: impl Fn(&str) -> Option<&'v [String]>) -> Option<Vec<String>> {
        let mut words = Vec::new();
        for step in &self.steps {
            match &step.element {
                Element::Literal(word) => words.push(word.clone()),
                Element::Parameter(slot) => {
                    let (name, _) = self.names.get(slot.index)?;
                    let values = values(name).filter(|values| !values.is_empty())?;
                    words.extend(values.iter().map(|value| format!("{}{value}", slot.prefix)));
                }
            }
        }
        Some(words)
    }
}

/// The pattern in one writing: a blank between words, quotes where a word needs them.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.steps.iter().enumerate() {
            let group = |at: Option<usize>| at.and_then(|at| self.steps.get(at)).and_then(|step| step.group);
            let opens = step.group.is_some() && group(at.checked_sub(1)) != step.group;
            let closes = step.group.is_some() && group(Some(at + 1)) != step.group;
            f.write_str(if at > 0 { " " } else { "" })?;
            f.write_str(if opens { "[" } else { "" })?;
            match &step.element {
                Element::Literal(word) if word.chars().all(parse::is_plain) => f.write_str(word)?,
                Element::Literal(word) => write!(f, "'{word}'")?,
                Element::Parameter(slot) => {
                    let name = self.names.get(slot.index).map_or("", |(name, _)| name);
                    write!(f, "{}{{{name}{}}}", slot.prefix, if slot.repeated { "..." } else { "" })?;
                }
            }
            f.write_str(if closes { "]" } else { "" })?;
        }
        Ok(())
    }
}

impl Step {
    /// The literal word that stands here, if one does.
    pub(in crate::policy) fn literal(&self) -> Option<&str> {
        match &self.element {
            Element::Literal(word) => Some(word),
            Element::Parameter(_) => None,
        }
    }

    /// The parameter that stands here, if one does.
    pub(in crate::policy) fn slot(&self) -> Option<&Slot> {
        match &self.element {
            Element::Literal(_) => None,
            Element::Parameter(slot) => Some(slot),
        }
    }
}

/// For every place of the pattern what may follow: the same step again where it is repeated, the rest of its group, then any
/// other group of the neighbourhood and what comes after all of them. That a group has been there already is for the match.
fn successors(steps: &[Step]) -> Vec<Vec<usize>> {
    let group_of = |at: usize| steps.get(at).and_then(|step| step.group);
    let opens = |at: usize| group_of(at).is_some() && (at == 0 || group_of(at - 1) != group_of(at));
    // The first step of each group around `at`, without the group `inside`, and the step after the last of them.
    let around = |at: usize, inside: Option<usize>| {
        let mut start = at;
        while start > 0 && group_of(start - 1).is_some() {
            start -= 1;
        }
        let mut end = start;
        while group_of(end).is_some() {
            end += 1;
        }
        let mut found: Vec<usize> = (start..end).filter(|at| opens(*at) && group_of(*at) != inside).collect();
        found.push(end);
        found
    };
    let after = |at: usize| {
        let (inside, next) = (group_of(at), group_of(at + 1));
        let mut found = match (inside, next) {
            (Some(group), Some(other)) if group == other => vec![at + 1],
            (Some(group), _) => around(at, Some(group)),
            (None, Some(_)) => around(at + 1, None),
            (None, None) => vec![at + 1],
        };
        if steps.get(at).and_then(Step::slot).is_some_and(|slot| slot.repeated) {
            found.insert(0, at);
        }
        found
    };
    let first = if group_of(0).is_some() { around(0, None) } else { vec![0] };
    std::iter::once(first).chain((0..steps.len()).map(after)).collect()
}

#[cfg(test)]
mod tests;
