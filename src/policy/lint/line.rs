//! A rule's `run` as a row of slots, and what could stand in each.

use std::borrow::Cow;

use crate::policy::parameter::{Kind, Parameter};
use crate::policy::pattern::Element;
use crate::policy::rule::Rule;

use super::knowledge::{Dashes, Program};
use super::shape::Shape;

/// One word of the line.
#[derive(Debug)]
pub(super) struct Slot<'r> {
    /// The step of the pattern it comes from.
    pub(super) step: usize,
    /// Whether it may be missing.
    pub(super) optional: bool,
    /// The word, or what stands glued before the parameter.
    pub(super) fixed: &'r str,
    pub(super) open: Option<Open<'r>>,
    /// All words that can stand here, if they can be told. Made once: it is asked for every way of a program.
    words: Option<Vec<Cow<'r, str>>>,
}

/// The parameter of a slot.
#[derive(Debug)]
pub(super) struct Open<'r> {
    pub(super) index: usize,
    pub(super) name: &'r str,
    pub(super) parameter: &'r Parameter,
    pub(super) shape: Shape,
}

/// The slots after the program.
pub(super) struct Line<'r> {
    pub(super) slots: Vec<Slot<'r>>,
}

impl<'r> Line<'r> {
    pub(super) fn of(rule: &'r Rule) -> Self {
        let slot = |(step, one): (usize, &'r crate::policy::pattern::Step)| {
            let (fixed, index) = match &one.element {
                Element::Literal(word) => (word.as_str(), None),
                Element::Parameter(slot) => (slot.prefix.as_str(), Some(slot.index)),
            };
            let open = index.and_then(|index| {
                let parameter = rule.parameters.get(index)?;
                let name = rule.run.names().get(index).map_or("", |(name, _)| name.as_str());
                Some(Open { index, name, parameter, shape: Shape::of(parameter) })
            });
            let words = match open.as_ref().map(|open| open.parameter.kind()) {
                None => Some(vec![Cow::Borrowed(fixed)]),
                Some(Kind::OneOf(words)) => Some(words.iter().map(|word| glued(fixed, word)).collect()),
                Some(_) => None,
            };
            Slot { step, optional: one.group.is_some(), fixed, open, words }
        };
        Self { slots: rule.run.steps().iter().enumerate().skip(1).map(slot).collect() }
    }
}

fn glued<'r>(fixed: &str, word: &'r str) -> Cow<'r, str> {
    if fixed.is_empty() { Cow::Borrowed(word) } else { Cow::Owned(format!("{fixed}{word}")) }
}

impl Slot<'_> {
    /// All words that can stand here, if they can be told.
    pub(super) fn words(&self) -> Option<&[Cow<'_, str>]> {
        self.words.as_deref()
    }

    /// The parameter, unless all its values can be told.
    pub(super) fn unknown(&self) -> Option<&Open<'_>> {
        self.open.as_ref().filter(|open| !matches!(open.parameter.kind(), Kind::OneOf(_)))
    }

    /// Whether `word` can stand here.
    pub(super) fn could_be(&self, word: &str) -> bool {
        match &self.open {
            None => self.fixed == word,
            Some(open) => word.strip_prefix(self.fixed).is_some_and(|rest| open.parameter.accepts(rest).is_ok()),
        }
    }

    /// Whether every word here begins with `-` and is more than that.
    pub(super) fn is_option(&self) -> bool {
        let dash = |word: &str| word.starts_with('-') && word.len() > 1;
        match self.words() {
            Some(words) => words.iter().all(|word| dash(word)),
            None => dash(self.fixed),
        }
    }

    /// Whether a word here could be `option`, alone or with what is glued to it.
    pub(super) fn could_be_option(&self, option: &str, dashes: Dashes) -> bool {
        if let Some(words) = self.words() {
            return words.iter().any(|word| is_option(word, option, dashes));
        }
        let Some(open) = &self.open else { return false };
        if !self.fixed.is_empty() && is_option(self.fixed, option, dashes) {
            return true;
        }
        // Of a value that the user makes up, some forms of the option are tried.
        let dashed = option.starts_with('-') && self.fixed.is_empty();
        if dashed && !open.parameter.takes_dash() {
            return false;
        }
        let forms = ["", "=a", "=/a", "a", "/a", "a.b", "=exec=sh"];
        forms.iter().any(|end| self.could_be(&format!("{option}{end}")))
    }
}

/// Whether `word` is `option`: itself, with a value behind it, shortened, or among letters that stand together.
fn is_option(word: &str, option: &str, dashes: Dashes) -> bool {
    if word == option || (option.ends_with('=') && word.starts_with(option)) {
        return true;
    }
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    if name == option {
        return true;
    }
    if let Some(long) = option.strip_prefix("--") {
        // GNU programs take a long option shortened. Cut between two words it is another one: `--checkpoint` is no
        // `--checkpoint-action`.
        let Some(short) = name.strip_prefix("--").filter(|short| short.len() >= 3) else { return false };
        return long.strip_prefix(short).is_some_and(|rest| !rest.starts_with('-'));
    }
    let mut letters = option.chars();
    match (dashes, letters.next(), letters.next(), letters.next()) {
        (Dashes::Letters, Some('-'), Some(letter), None) => {
            let together = word.strip_prefix('-').filter(|rest| !rest.starts_with('-')).unwrap_or_default();
            // A value may be glued to a letter (`-n50`), and what it holds are no options.
            together.chars().take_while(char::is_ascii_alphabetic).any(|c| c == letter)
        }
        _ => false,
    }
}

/// What a slot is to the program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Role {
    /// An option, or glued to one.
    Option,
    /// The value of the option before it.
    Value {
        /// The slot of the option.
        of: usize,
    },
    /// An operand: at least the first, at most the last of these numbers, from 1.
    Operand(usize, usize),
}

/// What each of `slots` is to `program`, in order, and whether it could be an option at all.
pub(super) fn roles(program: &Program, slots: &[Slot<'_>]) -> Vec<(Role, bool)> {
    let (mut least, mut most) = (0, 0);
    let mut options = true;
    let mut before: Option<usize> = None;
    let mut roles = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        let of_option = before.take();
        let role = if let Some(of) = of_option {
            Role::Value { of }
        } else if options && slot.is_option() {
            let takes_value = |word: &Cow<'_, str>| {
                program.valued.iter().any(|option| option == word || ends_with(word, option, program.dashes))
            };
            before = slot.words().is_some_and(|words| words.iter().all(takes_value)).then_some(at);
            Role::Option
        } else {
            most += 1;
            least += usize::from(!slot.optional);
            Role::Operand(least.max(1), most)
        };
        roles.push((role, options));
        if slot.open.is_none() && slot.fixed == "--" && !slot.optional {
            options = false;
        }
    }
    roles
}

/// Whether `word` is letters put together of which the last is `option`: `-xzf` ends with `-f`.
fn ends_with(word: &str, option: &str, dashes: Dashes) -> bool {
    let mut letters = option.chars();
    match (dashes, letters.next(), letters.next(), letters.next()) {
        (Dashes::Letters, Some('-'), Some(letter), None) => {
            let together = word.strip_prefix('-').unwrap_or_default();
            together.chars().all(|c| c.is_ascii_alphabetic()) && together.ends_with(letter)
        }
        _ => false,
    }
}

/// Whether what stands at `at` is mere text to the program.
pub(super) fn is_text(program: &Program, slots: &[Slot<'_>], roles: &[(Role, bool)], at: usize) -> bool {
    match roles.get(at) {
        Some((Role::Operand(..), _)) => program.text.iter().any(|one| one == "*"),
        Some((Role::Value { of }, _)) => slots.get(*of).and_then(Slot::words).is_some_and(|words| {
            words.iter().all(|word| program.text.iter().any(|one| one == word || ends_with(word, one, program.dashes)))
        }),
        Some((Role::Option, _)) => slots
            .get(at)
            .is_some_and(|slot| program.text.iter().any(|one| slot.fixed.strip_suffix('=') == Some(one.as_str()))),
        None => false,
    }
}
