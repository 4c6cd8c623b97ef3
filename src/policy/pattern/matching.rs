//! Matches words against a pattern, all ways at once, so that a line costs its length times the steps and no more.

use crate::policy::parameter::{Parameter, Refusal};
use crate::policy::words::Word;

use super::{Element, Pattern, Slot, Step};

/// A line that a pattern allows: the values of each parameter, in the order of [`Pattern::names`]. None for one that was not
/// there, more than one for one that is repeated. A value is without what is glued before it.
pub type Match = Vec<Vec<String>>;

/// How a line missed a pattern: how far it got, what was there, what would have been allowed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Miss {
    /// The word that failed, counted from 0 in the words as typed; their number if the line ended too early.
    pub word: usize,
    /// Where that word begins, in characters from 1; just past the line's last word if it ended too early.
    pub column: usize,
    /// The word; `None` if the line ended.
    pub found: Option<String>,
    /// What may stand there.
    pub wanted: Vec<Wanted>,
}

impl Miss {
    /// How many words were right: what makes one rule nearer than another. A line that is right but for its `sudo` is nearest.
    pub(in crate::policy) fn reach(&self) -> usize {
        if self.wanted.contains(&Wanted::NoSudo) { usize::MAX } else { self.word }
    }
}

/// One thing that may stand in a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// This word.
    Literal(String),
    /// A value of this parameter.
    Parameter {
        /// Its name.
        name: String,
        /// What it may be, in words.
        allowed: String,
        /// Why the word that stood there is none, if one stood there.
        refused: Option<Refusal>,
    },
    /// Nothing: the line ends there.
    End,
    /// The program itself: the rule does not run under sudo.
    NoSudo,
}

/// The way through a pattern so far.
#[derive(Default)]
struct Trail {
    reached: Vec<Reached>,
    /// Where those begin that the last word reached; `None` before the first word.
    front: Option<usize>,
    /// How many words need no looking at.
    begun: usize,
    /// How often a word was held against a step: what a line costs.
    asked: usize,
}

impl Trail {
    /// As after the first `begun` of so many words, which took as many steps, each alone: of the way only its end is known.
    fn after(begun: usize, words: usize) -> Self {
        let Some(step) = begun.checked_sub(1) else { return Self::default() };
        let mut reached = Vec::with_capacity(words.saturating_sub(begun).min(super::MOST_STEPS) + 1);
        reached.push(Reached { step, before: None, used: 0, count: 1 });
        Self { reached, front: Some(0), begun, ..Self::default() }
    }

    /// What the last word reached, as places of `reached`; one `None` before the first word.
    fn front(&self) -> impl Iterator<Item = Option<usize>> + use<> {
        let reached = self.front.map_or(0..0, |begins| begins..self.reached.len());
        self.front.is_none().then_some(None).into_iter().chain(reached.map(Some))
    }
}

/// A step that was reached, and how.
#[derive(Clone, Copy)]
struct Reached {
    step: usize,
    /// Into the list of steps reached before.
    before: Option<usize>,
    /// The groups of this neighbourhood that have been opened, a bit each.
    used: u16,
    /// How many values it has taken in a row.
    count: usize,
}

impl Pattern {
    /// Matches `words`; the parameters are those of [`Self::names`], in that order. The first word also fits by the base name
    /// of the program.
    ///
    /// A step is kept once for each word, whatever groups were used before it: in a pattern that loaded there is one way at
    /// most to any step ([`super::ambiguity`]). So a line costs its length times the steps, in any order of the groups.
    pub(in crate::policy) fn matches(&self, parameters: &[Parameter], words: &[Word]) -> Result<Match, Box<Miss>> {
        self.walk(parameters, words).map(|taken| self.bindings(&taken, words))
    }

    /// Whether it allows `words`: [`Self::matches`] for those who need no more.
    pub(in crate::policy) fn allows(&self, parameters: &[Parameter], words: &[Word]) -> bool {
        match self.begins(parameters, words) {
            None => false,
            Some(count) if count == self.end() => count == words.len(),
            Some(begun) => self.advance(parameters, words, &mut Trail::after(begun, words.len())).is_ok(),
        }
    }

    /// How far `words`, which it does not allow, got: [`Miss::word`] alone. `None` if it allows them.
    pub(in crate::policy) fn reaches(&self, parameters: &[Parameter], words: &[Word]) -> Option<usize> {
        self.advance(parameters, words, &mut Trail::default()).err()
    }

    /// How many steps at its front have their word, of those before the first that is in a group or repeated; `None` if one of
    /// these words does not fit. Most rules for the same program differ there, and nothing has been allocated yet.
    fn begins(&self, parameters: &[Parameter], words: &[Word]) -> Option<usize> {
        let alone = |step: &&Step| step.group.is_none() && step.slot().is_none_or(|slot| !slot.repeated);
        let mut begun = 0;
        for (step, word) in self.steps.iter().take_while(alone).zip(words) {
            let by_name = begun == 0 && step.literal().is_some() && word.text() == self.base;
            if !by_name && refuses(step, false, parameters, word.text()).is_some() {
                return None;
            }
            begun += 1;
        }
        Some(begun)
    }

    /// As [`Self::matches`]: the step that each word took.
    pub(in crate::policy) fn walk(&self, parameters: &[Parameter], words: &[Word]) -> Result<Vec<usize>, Box<Miss>> {
        let mut trail = Trail::default();
        let stopped = match self.advance(parameters, words, &mut trail) {
            Ok(last) => return Ok(taken(last, &trail.reached)),
            Err(stopped) => stopped,
        };
        let word = words.get(stopped);
        let end = || words.last().map_or(1, |word| word.column() + word.text().chars().count() + 1);
        Err(Box::new(Miss {
            word: stopped,
            column: word.map_or_else(end, Word::column),
            found: word.map(|word| word.text().to_owned()),
            wanted: self.wanted(&trail, parameters, word.map(Word::text)),
        }))
    }

    /// Reads word by word. The step that the last word took, `None` for no words; or which word had no step, their number if
    /// more were wanted: then `trail` ends with what was reached before it.
    fn advance(&self, parameters: &[Parameter], words: &[Word], trail: &mut Trail) -> Result<Option<usize>, usize> {
        trail.reached.reserve(words.len().saturating_sub(trail.begun).min(super::MOST_STEPS));
        for (index, word) in words.iter().enumerate().skip(trail.begun) {
            let begins = trail.reached.len();
            // A bit for each step that was asked about this word; `MOST_STEPS` has room in it.
            let mut asked = 0_u64;
            for before in trail.front() {
                for next in self.reachable(before, &trail.reached, parameters) {
                    let bit = u32::try_from(next.step).ok().and_then(|step| 1_u64.checked_shl(step)).unwrap_or(0);
                    if next.step < self.end() && asked & bit == 0 && bit != 0 {
                        asked |= bit;
                        trail.asked += 1;
                        if self.refuses(next.step, index == 0, parameters, word.text()).is_none() {
                            trail.reached.push(next);
                        }
                    }
                }
            }
            if trail.reached.len() == begins {
                return Err(index);
            }
            trail.front = Some(begins);
        }
        let step_of = |at: Option<usize>| at.and_then(|at| trail.reached.get(at)).map(|at| at.step);
        let whole = trail.front().find(|at| self.after(step_of(*at)).contains(&self.end()));
        whole.ok_or(words.len())
    }

    /// The steps that may come after `before`: no group twice, no more values than are allowed. The end is among them.
    fn reachable<'m>(
        &'m self,
        before: Option<usize>,
        trail: &[Reached],
        parameters: &'m [Parameter],
    ) -> impl Iterator<Item = Reached> + use<'m> {
        let at = before.and_then(|at| trail.get(at)).copied();
        let group_of = |step: usize| self.steps().get(step).and_then(|step| step.group);
        self.after(at.map(|at| at.step)).iter().filter_map(move |&step| {
            let again = at.filter(|at| at.step == step);
            let used = at.map_or(0, |at| at.used);
            let opened = group_of(step).filter(|group| at.and_then(|at| group_of(at.step)) != Some(*group));
            let used = match (opened, group_of(step)) {
                (Some(group), _) if used >> group & 1 == 1 => return None,
                (Some(group), _) => used | 1 << group,
                (None, Some(_)) => used,
                (None, None) => 0,
            };
            let most = || self.slot(step).and_then(|slot| parameters.get(slot.index)).map_or(1, Parameter::most);
            let count = again.map_or(1, |at| at.count + 1);
            (again.is_none() || count <= most()).then_some(Reached { step, before, used, count })
        })
    }

    fn slot(&self, step: usize) -> Option<&Slot> {
        self.steps().get(step).and_then(super::Step::slot)
    }

    /// Why `word` cannot stand at `step`; `None` if it can.
    fn refuses(&self, step: usize, first: bool, parameters: &[Parameter], word: &str) -> Option<Option<Refusal>> {
        self.steps.get(step).map_or(Some(None), |step| refuses(step, first, parameters, word))
    }

    fn bindings(&self, taken: &[usize], words: &[Word]) -> Match {
        let mut values: Match = vec![Vec::new(); self.names().len()];
        for (step, word) in taken.iter().zip(words) {
            if let Some(slot) = self.slot(*step)
                && let Some(values) = values.get_mut(slot.index)
            {
                let value = word.text().strip_prefix(slot.prefix.as_str()).unwrap_or_default();
                values.push(value.to_owned());
            }
        }
        values
    }

    fn wanted(&self, trail: &Trail, parameters: &[Parameter], found: Option<&str>) -> Vec<Wanted> {
        let steps = trail.front().flat_map(|at| self.reachable(at, &trail.reached, parameters)).map(|next| next.step);
        let mut wanted = Vec::new();
        for step in steps {
            let one = match self.steps().get(step).map(|step| &step.element) {
                Some(Element::Literal(word)) => {
                    Wanted::Literal(if step == 0 { base_name(word) } else { word }.to_owned())
                }
                Some(Element::Parameter(slot)) => {
                    let name = self.names().get(slot.index).map(|(name, _)| name.as_str()).unwrap_or_default();
                    let after = if slot.prefix.is_empty() { String::new() } else { format!("`{}` and ", slot.prefix) };
                    let allowed = parameters.get(slot.index).map(ToString::to_string).unwrap_or_default();
                    Wanted::Parameter {
                        name: name.to_owned(),
                        allowed: format!("{after}{allowed}"),
                        refused: found.and_then(|word| self.refuses(step, false, parameters, word).flatten()),
                    }
                }
                None => Wanted::End,
            };
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        }
        wanted
    }
}

/// The steps on the way to `last`, in order.
fn taken(last: Option<usize>, trail: &[Reached]) -> Vec<usize> {
    let mut taken: Vec<usize> = Vec::new();
    let mut at = last.and_then(|at| trail.get(at));
    while let Some(reached) = at {
        taken.push(reached.step);
        at = reached.before.and_then(|at| trail.get(at));
    }
    taken.reverse();
    taken
}

/// How often a word of `words` is held against a step of `pattern`.
#[cfg(test)]
pub(super) fn cost(pattern: &Pattern, parameters: &[Parameter], words: &[Word]) -> usize {
    let mut trail = Trail::default();
    let _ = pattern.advance(parameters, words, &mut trail);
    trail.asked
}

/// Why `word`, the first of its line or not, cannot stand at `step`; `None` if it can.
fn refuses(step: &Step, first: bool, parameters: &[Parameter], word: &str) -> Option<Option<Refusal>> {
    match &step.element {
        Element::Literal(literal) => (!fits(literal, first, word)).then_some(None),
        Element::Parameter(slot) => {
            let Some(value) = word.strip_prefix(slot.prefix.as_str()) else { return Some(None) };
            match parameters.get(slot.index).map(|parameter| parameter.accepts(value)) {
                Some(Ok(())) => None,
                Some(Err(refusal)) => Some(Some(refusal)),
                None => Some(None),
            }
        }
    }
}

/// Whether `word` is this literal; the first word may be the base name alone.
fn fits(literal: &str, first: bool, word: &str) -> bool {
    literal == word || (first && literal.ends_with(word) && base_name(literal) == word)
}

/// The last name of a path; a word without `/` is its own.
pub(in crate::policy) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
