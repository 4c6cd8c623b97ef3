//! Whether some line could be read in two ways.
//!
//! Two readings walk through the pattern side by side, over pairs of steps. A pair is possible when one word could fit both its
//! steps; for parameters that is [`Parameter::overlaps`], which never says no when there is such a word. If a walk parts and
//! both its halves reach the end together, some line may have two readings. The check is sound: a pattern that passes gives
//! every line at most one reading. It may refuse one where the clash cannot really happen (two expressions that share no
//! word), and then the author separates them with a literal.
//!
//! The walk forgets which groups were there already and how many values were taken, so it sees every reading that the match
//! could find, and some more. It follows that no word of any line reaches a step in two ways, which [`super::matching`] relies
//! on: both ways could be finished alike. Beyond that, two groups of one neighbourhood never begin with the same word.

use std::collections::{HashMap, HashSet};

use crate::policy::parameter::Parameter;

use super::{Element, Pattern, Slot};

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
        let mut words = SharedWords { pattern: self, parameters, known: HashMap::new() };
        if let Some((one, other)) = self.groups_alike(&mut words) {
            return Some((self.step_text(one), self.step_text(other)));
        }
        let mut seen: HashSet<(usize, usize, bool)> = HashSet::new();
        let mut open = Vec::new();
        advance(self.after(None), self.after(None), None, &mut words, &mut open);
        while let Some(pair) = open.pop() {
            if !seen.insert((pair.left, pair.right, pair.parted.is_some())) {
                continue;
            }
            let (left, right) = (self.after(Some(pair.left)), self.after(Some(pair.right)));
            let both_end = left.contains(&self.end()) && right.contains(&self.end());
            if let (Some((one, other)), true) = (pair.parted, both_end) {
                return Some((self.step_text(one), self.step_text(other)));
            }
            advance(left, right, pair.parted, &mut words, &mut open);
        }
        None
    }

    /// Two groups that may stand in the same place and begin with the same word.
    fn groups_alike(&self, words: &mut SharedWords<'_>) -> Option<(usize, usize)> {
        let group_of = |at: usize| self.steps().get(at).and_then(|step| step.group);
        for places in &self.next {
            let starts: Vec<usize> = places.iter().copied().filter(|at| group_of(*at).is_some()).collect();
            for (nth, one) in starts.iter().enumerate() {
                let rest = starts.iter().skip(nth + 1).filter(|other| group_of(**other) != group_of(*one));
                for other in rest {
                    if self.opens_group(*one) && self.opens_group(*other) && words.shared(*one, *other) {
                        return Some((*one, *other));
                    }
                }
            }
        }
        None
    }

    fn opens_group(&self, at: usize) -> bool {
        let group_of = |at: usize| self.steps().get(at).and_then(|step| step.group);
        at == 0 || group_of(at - 1) != group_of(at)
    }

    fn step_text(&self, at: usize) -> String {
        match self.steps.get(at).map(|step| &step.element) {
            Some(Element::Literal(word)) => word.clone(),
            Some(Element::Parameter(slot)) => {
                let name = self.names.get(slot.index).map_or("", |(name, _)| name);
                let dots = if slot.repeated { "..." } else { "" };
                format!("{}{{{name}{dots}}}", slot.prefix)
            }
            None => "the end".to_owned(),
        }
    }
}

fn advance(
    left: &[usize],
    right: &[usize],
    parted: Option<(usize, usize)>,
    words: &mut SharedWords<'_>,
    open: &mut Vec<Pair>,
) {
    for &one in left {
        for &other in right {
            if words.shared(one, other) {
                let parted = parted.or((one != other).then_some((one, other)));
                open.push(Pair { left: one, right: other, parted });
            }
        }
    }
}

/// Which pairs of steps some word fits both of; each is worked out once, because lists and expressions are long.
struct SharedWords<'p> {
    pattern: &'p Pattern,
    parameters: &'p [Parameter],
    known: HashMap<(usize, usize), bool>,
}

impl SharedWords<'_> {
    fn shared(&mut self, one: usize, other: usize) -> bool {
        let pair = (one.min(other), one.max(other));
        if let Some(known) = self.known.get(&pair) {
            return *known;
        }
        let found = self.work_out(one, other);
        self.known.insert(pair, found);
        found
    }

    fn work_out(&self, one: usize, other: usize) -> bool {
        let element = |at: usize| self.pattern.steps().get(at).map(|step| &step.element);
        match (element(one), element(other)) {
            (Some(Element::Literal(a)), Some(Element::Literal(b))) => a == b,
            (Some(Element::Literal(word)), Some(Element::Parameter(slot)))
            | (Some(Element::Parameter(slot)), Some(Element::Literal(word))) => {
                let value = word.strip_prefix(slot.prefix.as_str());
                value.is_some_and(|value| self.kind(slot).is_some_and(|kind| kind.accepts(value).is_ok()))
            }
            (Some(Element::Parameter(a)), Some(Element::Parameter(b))) => self.slots_share(a, b),
            _ => false,
        }
    }

    fn kind(&self, slot: &Slot) -> Option<&Parameter> {
        self.parameters.get(slot.index)
    }

    /// Of two glued words the one with the shorter prefix must go on like the other.
    fn slots_share(&self, one: &Slot, other: &Slot) -> bool {
        let (short, long) = if one.prefix.len() <= other.prefix.len() { (one, other) } else { (other, one) };
        let Some(rest) = long.prefix.strip_prefix(short.prefix.as_str()) else { return false };
        match (self.kind(short), self.kind(long)) {
            (Some(short), Some(long)) if rest.is_empty() => short.overlaps(long),
            (Some(short), Some(_)) => short.may_begin_with(rest),
            _ => true,
        }
    }
}
