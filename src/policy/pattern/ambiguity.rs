//! Whether some line could be read in two ways.
//!
//! Two readings walk through the pattern side by side, over pairs of steps. A pair is possible when one word could fit both its
//! steps; for parameters that is [`Parameter::overlaps`], which never says no when there is such a word. If a walk parts and
//! both its halves reach the end together, some line may have two readings. The check is sound: a pattern that passes gives
//! every line at most one reading. It may refuse one where the clash cannot really happen (two expressions that share no
//! word), and then the author separates them with a literal.

use std::collections::HashSet;

use crate::policy::parameter::Parameter;

use super::{Element, Pattern};

/// Two steps that the same word could take, where their readings first part.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Pair {
    left: usize,
    right: usize,
    /// The two steps at which they parted.
    parted: Option<(usize, usize)>,
}

impl Pattern {
    /// The two places, as the author wrote them, at which two readings of one line part; `None` if no line has two.
    pub(in crate::policy) fn ambiguity(&self, parameters: &[Parameter]) -> Option<(String, String)> {
        let mut seen: HashSet<(usize, usize, bool)> = HashSet::new();
        let mut open = Vec::new();
        self.advance(self.after(None), self.after(None), None, parameters, &mut open);
        while let Some(pair) = open.pop() {
            if !seen.insert((pair.left, pair.right, pair.parted.is_some())) {
                continue;
            }
            let (left, right) = (self.after(Some(pair.left)), self.after(Some(pair.right)));
            let both_end = left.contains(&self.end()) && right.contains(&self.end());
            if let (Some((one, other)), true) = (pair.parted, both_end) {
                return Some((self.step_text(one), self.step_text(other)));
            }
            self.advance(left, right, pair.parted, parameters, &mut open);
        }
        None
    }

    fn advance(
        &self,
        left: &[usize],
        right: &[usize],
        parted: Option<(usize, usize)>,
        parameters: &[Parameter],
        open: &mut Vec<Pair>,
    ) {
        for &one in left {
            for &other in right {
                if self.share_a_word(one, other, parameters) {
                    let parted = parted.or((one != other).then_some((one, other)));
                    open.push(Pair { left: one, right: other, parted });
                }
            }
        }
    }

    fn share_a_word(&self, one: usize, other: usize, parameters: &[Parameter]) -> bool {
        let element = |at: usize| self.steps.get(at).map(|step| &step.element);
        let fits = |index: &usize, word: &str| parameters.get(*index).is_some_and(|kind| kind.accepts(word).is_ok());
        match (element(one), element(other)) {
            (Some(Element::Literal(a)), Some(Element::Literal(b))) => a == b,
            (Some(Element::Literal(word)), Some(Element::Parameter(index)))
            | (Some(Element::Parameter(index)), Some(Element::Literal(word))) => fits(index, word),
            (Some(Element::Parameter(a)), Some(Element::Parameter(b))) => {
                match (parameters.get(*a), parameters.get(*b)) {
                    (Some(a), Some(b)) => a.overlaps(b),
                    _ => true,
                }
            }
            _ => false,
        }
    }

    fn step_text(&self, at: usize) -> String {
        match self.steps.get(at).map(|step| &step.element) {
            Some(Element::Literal(word)) => word.clone(),
            Some(Element::Parameter(index)) => {
                self.names.get(*index).map_or_else(String::new, |(name, _)| format!("{{{name}}}"))
            }
            None => "the end".to_owned(),
        }
    }
}
