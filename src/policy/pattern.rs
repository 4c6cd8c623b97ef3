//! The usage pattern of a rule: literal words, `{parameter}`, `[optional group]` in written order, `'…'` for a literal word.
//!
//! Owns its text form ([`parse`]), how words are matched against it ([`matching`]) and the proof that a line can be read in
//! one way only ([`ambiguity`]). What a parameter may be is [`super::parameter`]'s.

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
    steps: Vec<Step>,
    /// The parameters in the order they occur, with the column of each; [`Element::Parameter`] counts into it.
    names: Vec<(String, usize)>,
    /// What a line may begin with, then for each step what may follow it. A number past the last step is the end.
    next: Vec<Vec<usize>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Step {
    pub(super) element: Element,
    /// Which optional group it belongs to, counted from 0.
    pub(super) group: Option<usize>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Element {
    Literal(String),
    Parameter(usize),
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

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// What may come after `step`, or first if `None`; [`Self::end`] among them if the line may end there.
    fn after(&self, step: Option<usize>) -> &[usize] {
        self.next.get(step.map_or(0, |step| step + 1)).map_or(&[], Vec::as_slice)
    }

    fn end(&self) -> usize {
        self.steps.len()
    }

    /// The words of a line of this pattern that has no groups, with `values` for its parameters; `None` if one is missing.
    pub(super) fn fill(&self, values: impl Fn(&str) -> Option<String>) -> Option<Vec<String>> {
        let word = |step: &Step| match &step.element {
            Element::Literal(word) => Some(word.clone()),
            Element::Parameter(index) => self.names.get(*index).and_then(|(name, _)| values(name)),
        };
        self.steps.iter().map(word).collect()
    }
}

/// For every place of the pattern what may follow: the next step, and while that opens a group also what follows the group.
fn successors(steps: &[Step]) -> Vec<Vec<usize>> {
    let group_of = |at: usize| steps.get(at).and_then(|step| step.group);
    let from = |start: usize, inside: Option<usize>| {
        let mut found = vec![start];
        let mut at = start;
        // A step that continues the group we are in is not skipped; one that opens a group may be.
        while let Some(group) = group_of(at).filter(|group| Some(*group) != inside) {
            while group_of(at) == Some(group) {
                at += 1;
            }
            found.push(at);
        }
        found
    };
    let first = from(0, None);
    std::iter::once(first).chain((0..steps.len()).map(|at| from(at + 1, group_of(at)))).collect()
}

#[cfg(test)]
mod tests;
