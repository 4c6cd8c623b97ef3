//! Whether every line of one pattern is a line of another.

use std::collections::HashSet;

use crate::policy::parameter::Parameter;

use super::{Element, Pattern};

/// So many pairs of places are looked at; beyond that the answer is no.
const MOST_PAIRS: usize = 2_000;

impl Pattern {
    /// Whether this pattern allows, with `parameters`, every line that `other` allows with `others`. It may say no where that is
    /// so, never yes where it is not.
    ///
    /// Walks through `other`, and beside each of its steps keeps the steps of ours that take every word that one takes.
    pub(in crate::policy) fn includes(&self, parameters: &[Parameter], other: &Self, others: &[Parameter]) -> bool {
        let mut seen: HashSet<(usize, Vec<usize>)> = HashSet::new();
        let start: Vec<Option<usize>> = vec![None];
        let mut open: Vec<(Option<usize>, Vec<Option<usize>>)> = vec![(None, start)];
        while let Some((theirs, ours)) = open.pop() {
            for &next in other.after(theirs) {
                let mut reached: Vec<usize> = ours
                    .iter()
                    .flat_map(|at| self.after(*at))
                    .copied()
                    .filter(|step| {
                        if next == other.end() {
                            *step == self.end()
                        } else {
                            self.takes(*step, parameters, other, next, others)
                        }
                    })
                    .collect();
                reached.sort_unstable();
                reached.dedup();
                if reached.is_empty() || seen.len() > MOST_PAIRS {
                    return false;
                }
                if next != other.end() && seen.insert((next, reached.clone())) {
                    open.push((Some(next), reached.into_iter().map(Some).collect()));
                }
            }
        }
        true
    }

    /// Whether every word that stands at `theirs` of `other` may stand at `ours`.
    fn takes(&self, ours: usize, parameters: &[Parameter], other: &Self, theirs: usize, others: &[Parameter]) -> bool {
        let element = |pattern: &Self, at: usize| pattern.steps.get(at).map(|step| step.element.clone());
        match (element(self, ours), element(other, theirs)) {
            (Some(Element::Literal(a)), Some(Element::Literal(b))) => a == b,
            (Some(Element::Parameter(a)), Some(Element::Literal(b))) => {
                parameters.get(a).is_some_and(|kind| kind.accepts(&b).is_ok())
            }
            (Some(Element::Parameter(a)), Some(Element::Parameter(b))) => {
                parameters.get(a).zip(others.get(b)).is_some_and(|(a, b)| a.covers(b))
            }
            _ => false,
        }
    }
}
