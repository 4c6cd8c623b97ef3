//! Matches words against a pattern, all ways at once, so that a line costs its length and no more.

use crate::policy::parameter::{Parameter, Refusal};
use crate::policy::words::Word;

use super::{Element, Pattern};

/// A line that a pattern allows: the value of each parameter that was there, in the order of [`Pattern::names`].
pub type Match = Vec<Option<String>>;

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

/// A step that was reached, and how: into the list of steps reached before.
struct Reached {
    step: usize,
    before: Option<usize>,
}

impl Pattern {
    /// Matches `words`; the parameters are those of [`Self::names`], in that order. The first word also fits by the base name
    /// of the program.
    pub(in crate::policy) fn matches(&self, parameters: &[Parameter], words: &[Word]) -> Result<Match, Box<Miss>> {
        self.walk(parameters, words).map(|taken| self.bindings(&taken, words))
    }

    /// As [`Self::matches`]: the step that each word took.
    pub(super) fn walk(&self, parameters: &[Parameter], words: &[Word]) -> Result<Vec<usize>, Box<Miss>> {
        let mut trail: Vec<Reached> = Vec::new();
        let mut front: Vec<Option<usize>> = vec![None];
        for (index, word) in words.iter().enumerate() {
            let mut reached: Vec<Option<usize>> = Vec::new();
            let mut steps_reached: Vec<usize> = Vec::new();
            for &before in &front {
                for &step in self.after(before.and_then(|at| trail.get(at)).map(|at| at.step)) {
                    // A step reached twice is kept once: a pattern that loaded has one way at most to a whole line.
                    let fits = || self.refuses(step, index == 0, parameters, word.text()).is_none();
                    if !steps_reached.contains(&step) && fits() {
                        steps_reached.push(step);
                        trail.push(Reached { step, before });
                        reached.push(Some(trail.len() - 1));
                    }
                }
            }
            if reached.is_empty() {
                let wanted = self.wanted(&front, &trail, parameters, Some(word.text()));
                let found = Some(word.text().to_owned());
                return Err(Box::new(Miss { word: index, column: word.column(), found, wanted }));
            }
            front = reached;
        }
        let step_of = |at: &Option<usize>| at.and_then(|at| trail.get(at)).map(|at| at.step);
        let whole = front.iter().find(|at| self.after(step_of(at)).contains(&self.end()));
        match whole {
            Some(last) => Ok(taken(*last, &trail)),
            None => {
                let column = words.last().map_or(1, |word| word.column() + word.text().chars().count() + 1);
                let wanted = self.wanted(&front, &trail, parameters, None);
                Err(Box::new(Miss { word: words.len(), column, found: None, wanted }))
            }
        }
    }

    /// Why `word` cannot stand at `step`; `None` if it can.
    fn refuses(&self, step: usize, first: bool, parameters: &[Parameter], word: &str) -> Option<Option<Refusal>> {
        match self.steps.get(step).map(|step| &step.element) {
            Some(Element::Literal(literal)) => {
                let fits = literal == word || (first && base_name(literal) == word);
                (!fits).then_some(None)
            }
            Some(Element::Parameter(index)) => match parameters.get(*index).map(|parameter| parameter.accepts(word)) {
                Some(Ok(())) => None,
                Some(Err(refusal)) => Some(Some(refusal)),
                None => Some(None),
            },
            None => Some(None),
        }
    }

    fn bindings(&self, taken: &[usize], words: &[Word]) -> Match {
        let mut values = vec![None; self.names.len()];
        for (step, word) in taken.iter().zip(words) {
            if let Some(Element::Parameter(index)) = self.steps.get(*step).map(|step| &step.element)
                && let Some(value) = values.get_mut(*index)
            {
                *value = Some(word.text().to_owned());
            }
        }
        values
    }

    fn wanted(
        &self,
        front: &[Option<usize>],
        trail: &[Reached],
        parameters: &[Parameter],
        found: Option<&str>,
    ) -> Vec<Wanted> {
        let steps = front.iter().flat_map(|at| self.after(at.and_then(|at| trail.get(at)).map(|at| at.step)));
        let mut wanted = Vec::new();
        for &step in steps {
            let one = match self.steps.get(step).map(|step| &step.element) {
                Some(Element::Literal(word)) => {
                    Wanted::Literal(if step == 0 { base_name(word) } else { word }.to_owned())
                }
                Some(Element::Parameter(index)) => Wanted::Parameter {
                    name: self.names.get(*index).map(|(name, _)| name.clone()).unwrap_or_default(),
                    allowed: parameters.get(*index).map(ToString::to_string).unwrap_or_default(),
                    refused: found.and_then(|word| self.refuses(step, false, parameters, word).flatten()),
                },
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

/// The last name of a path; a word without `/` is its own.
pub(in crate::policy) fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
