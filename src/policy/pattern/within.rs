//! Whether every line of one pattern is a line of another, and whether two may share a line.
//!
//! Both answers are one-sided on purpose: "within" is only said when it is certain, "may share" whenever it is not excluded.

use super::matching::base_name;
use super::{Element, Pattern, Slot, Step};
use crate::policy::parameter::Parameter;
use crate::policy::rule::Rule;

/// A pattern with what its parameters may be.
#[derive(Clone, Copy)]
pub(in crate::policy) struct Lines<'a> {
    pub(in crate::policy) pattern: &'a Pattern,
    pub(in crate::policy) parameters: &'a [Parameter],
}

/// One mandatory word, or the words of an optional group.
struct Chunk<'a> {
    group: Option<usize>,
    elements: Vec<&'a Element>,
}

impl<'a> Lines<'a> {
    /// What a rule runs.
    pub(in crate::policy) fn of(rule: &'a Rule) -> Self {
        Self { pattern: &rule.run, parameters: &rule.parameters }
    }

    fn parameter(&self, slot: &Slot) -> Option<&'a Parameter> {
        self.parameters.get(slot.index)
    }

    fn chunks(&self) -> Vec<Chunk<'a>> {
        let mut chunks: Vec<Chunk<'a>> = Vec::new();
        for Step { element, group } in self.pattern.steps() {
            match chunks.last_mut() {
                Some(last) if group.is_some() && last.group == *group => last.elements.push(element),
                _ => chunks.push(Chunk { group: *group, elements: vec![element] }),
            }
        }
        chunks
    }

    /// Whether both have the same literal words, groups and places of parameters.
    pub(in crate::policy) fn same_shape(&self, other: &Lines<'_>) -> bool {
        let same = |(left, right): (&Step, &Step)| {
            left.group == right.group
                && match (&left.element, &right.element) {
                    (Element::Literal(left), Element::Literal(right)) => left == right,
                    (Element::Parameter(left), Element::Parameter(right)) => {
                        left.prefix == right.prefix && left.repeated == right.repeated
                    }
                    (Element::Literal(_), Element::Parameter(_)) | (Element::Parameter(_), Element::Literal(_)) => {
                        false
                    }
                }
        };
        let (left, right) = (self.pattern.steps(), other.pattern.steps());
        left.len() == right.len() && left.iter().zip(right).all(same)
    }

    /// Whether every line of this is certainly a line of `wider`: word by word, with optional groups of `wider` left out or
    /// made to stand. `false` where that cannot be told.
    pub(in crate::policy) fn within(&self, wider: &Lines<'_>) -> bool {
        let (mine, theirs) = (self.chunks(), wider.chunks());
        // fits[i][j]: what is left of this from chunk i on is within what is left of the other from chunk j on.
        let mut fits = vec![vec![false; theirs.len() + 1]; mine.len() + 1];
        for i in (0..=mine.len()).rev() {
            for j in (0..=theirs.len()).rev() {
                let yes = self.fits_from(wider, (&mine, i), (&theirs, j), &fits);
                if let Some(cell) = fits.get_mut(i).and_then(|row| row.get_mut(j)) {
                    *cell = yes;
                }
            }
        }
        fits.first().and_then(|row| row.first()).copied().unwrap_or(false)
    }

    fn fits_from(
        &self,
        wider: &Lines<'_>,
        (mine, i): (&[Chunk<'_>], usize),
        (theirs, j): (&[Chunk<'_>], usize),
        fits: &[Vec<bool>],
    ) -> bool {
        let then = |i: usize, j: usize| fits.get(i).and_then(|row| row.get(j)).copied().unwrap_or(false);
        let Some(other) = theirs.get(j) else { return i == mine.len() };
        if other.group.is_some() && then(i, j + 1) {
            return true;
        }
        let Some(chunk) = mine.get(i) else { return false };
        if chunk.group.is_some() == other.group.is_some() {
            // What is known already first: to compare words may take long.
            return then(i + 1, j + 1) && self.all_within(&chunk.elements, wider, &other.elements);
        }
        // What `wider` leaves to choice, this insists on.
        let insisted: Vec<&Element> = mine
            .iter()
            .skip(i)
            .take(other.elements.len())
            .take_while(|chunk| chunk.group.is_none())
            .flat_map(|chunk| chunk.elements.iter().copied())
            .collect();
        chunk.group.is_none()
            && then(i + other.elements.len(), j + 1)
            && self.all_within(&insisted, wider, &other.elements)
    }

    fn all_within(&self, mine: &[&Element], wider: &Lines<'_>, theirs: &[&Element]) -> bool {
        mine.len() == theirs.len()
            && mine.iter().zip(theirs).all(|(element, other)| self.word_within(element, wider, other))
    }

    fn word_within(&self, element: &Element, wider: &Lines<'_>, other: &Element) -> bool {
        match (element, other) {
            (Element::Literal(word), Element::Literal(other)) => word == other,
            (Element::Literal(word), Element::Parameter(slot)) => {
                let takes = |value| wider.parameter(slot).is_some_and(|parameter| parameter.accepts(value).is_ok());
                word.strip_prefix(slot.prefix.as_str()).is_some_and(takes)
            }
            (Element::Parameter(slot), Element::Literal(word)) => {
                let only = |value| self.parameter(slot).is_some_and(|parameter| parameter.is_only(value));
                !slot.repeated && word.strip_prefix(slot.prefix.as_str()).is_some_and(only)
            }
            (Element::Parameter(slot), Element::Parameter(other)) => {
                let stands_alike = slot.prefix == other.prefix && (other.repeated || !slot.repeated);
                let within = |(mine, theirs): (&Parameter, &Parameter)| mine.within(theirs);
                stands_alike && self.parameter(slot).zip(wider.parameter(other)).is_some_and(within)
            }
        }
    }

    /// Whether a line of this may be a line of `other` as well: `false` only where the words before the first group, or the
    /// number of words, exclude it.
    pub(in crate::policy) fn may_share(&self, other: &Lines<'_>) -> bool {
        let (mine, theirs) = (self.pattern.steps(), other.pattern.steps());
        for (at, (step, with)) in mine.iter().zip(theirs).enumerate() {
            if step.group.is_some() || with.group.is_some() {
                return true;
            }
            if !self.may_be_one_word(&step.element, other, &with.element, at == 0) {
                return false;
            }
            // From here on the words of both stand side by side no more.
            if is_repeated(step) || is_repeated(with) {
                return true;
            }
        }
        let rest = if mine.len() > theirs.len() { mine } else { theirs };
        rest.get(mine.len().min(theirs.len())).is_none_or(|step| step.group.is_some())
    }

    fn may_be_one_word(&self, element: &Element, other: &Lines<'_>, with: &Element, first: bool) -> bool {
        match (element, with) {
            (Element::Literal(word), Element::Literal(with)) => {
                word == with || (first && base_name(word) == base_name(with))
            }
            (Element::Literal(word), Element::Parameter(slot)) => other.may_take(slot, word, first),
            (Element::Parameter(slot), Element::Literal(word)) => self.may_take(slot, word, first),
            (Element::Parameter(slot), Element::Parameter(with)) if slot.prefix == with.prefix => {
                self.parameter(slot).zip(other.parameter(with)).is_none_or(|(mine, theirs)| mine.overlaps(theirs))
            }
            (Element::Parameter(slot), Element::Parameter(with)) => {
                slot.prefix.starts_with(with.prefix.as_str()) || with.prefix.starts_with(slot.prefix.as_str())
            }
        }
    }

    fn may_take(&self, slot: &Slot, word: &str, first: bool) -> bool {
        let fits = |parameter: &Parameter, word: &str| {
            word.strip_prefix(slot.prefix.as_str()).is_some_and(|value| parameter.accepts(value).is_ok())
        };
        let takes = |parameter: &Parameter| fits(parameter, word) || (first && fits(parameter, base_name(word)));
        self.parameter(slot).is_none_or(takes)
    }
}

fn is_repeated(step: &Step) -> bool {
    step.slot().is_some_and(|slot| slot.repeated)
}
