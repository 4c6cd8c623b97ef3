//! What each word of a line is in the pattern that allows it: for people who ask why.

use crate::policy::parameter::Parameter;
use crate::policy::words::Word;

use super::{Element, Pattern};

/// What a word is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// `sudo`, or the `-n` after it, typed before a line that runs under sudo.
    Sudo,
    /// The program: its absolute path.
    Program(String),
    /// A literal word of the pattern.
    Literal,
    /// A value of this parameter.
    Value {
        /// Its name.
        name: String,
        /// The value: the word, without the literal that is glued before it.
        value: String,
        /// What it may be, in words.
        allowed: String,
    },
}

impl Pattern {
    /// What each of `words` is; `None` if the pattern does not allow them. The parameters are those of [`Self::names`].
    pub(in crate::policy) fn trace(&self, parameters: &[Parameter], words: &[Word]) -> Option<Vec<Part>> {
        let taken = self.walk(parameters, words).ok()?;
        let part = |(&step, word): (&usize, &Word)| match &self.steps.get(step)?.element {
            Element::Literal(literal) if step == 0 && literal.starts_with('/') => Some(Part::Program(literal.clone())),
            Element::Literal(_) => Some(Part::Literal),
            Element::Parameter(slot) => Some(Part::Value {
                name: self.names.get(slot.index)?.0.clone(),
                value: word.text().strip_prefix(slot.prefix.as_str())?.to_owned(),
                allowed: parameters.get(slot.index)?.to_string(),
            }),
        };
        taken.iter().zip(words).map(part).collect()
    }
}
