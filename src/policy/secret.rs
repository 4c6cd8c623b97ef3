//! What of a line may be written down: the values of parameters with `secret = true` become placeholders.
//!
//! Owns the keyed digest, which words of an allowed line are values ([`Hidden`]), and what stays of a line that no rule allowed
//! ([`Guard`]). Refuses to know the log: who writes asks here first.

use std::collections::BTreeSet;
use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use zeroize::Zeroizing;

use super::denial::Denial;
use super::explain::quoted;
use super::parameter::Parameter;
use super::pattern::matching::base_name;
use super::pattern::{Pattern, Wanted};
use super::role::Role;
use super::rule::{Rule, after_sudo};
use super::words::{Word, Words};

mod names;

use names::Names;

/// What a placeholder begins with; 16 hexadecimal digits follow.
pub const PLACEHOLDER: &str = "secret:";
/// In front of the value in the MAC, so that the key can never have made the same digest for another purpose.
const PURPOSE: &[u8] = b"doorward/secret/v1\0";
/// So many words of a line near a secret are looked at one by one; what follows has one placeholder for all of it, so that the
/// line in the log is not many times as long as the one that was typed.
const MOST_VEILED: usize = 1000;

/// The bastion's own key for placeholders: without it nobody can try values.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// The key with these bytes, which are random.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// What stands for `value`: `secret:` and the first 8 bytes of HMAC-SHA-256 over it. The same value has the same
    /// placeholder, whichever parameter it was typed for; another bastion has another.
    #[must_use]
    pub fn placeholder(&self, value: &str) -> String {
        // HMAC takes a key of any length; were it refused, the value would still not be shown.
        let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(&*self.0) else { return PLACEHOLDER.to_owned() };
        mac.update(PURPOSE);
        mac.update(value.as_bytes());
        let digits = mac.finalize().into_bytes();
        let digits: String = digits.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{PLACEHOLDER}{digits}")
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// For each word how many bytes at its front may be shown, if the rest is a secret. Empty: no word is one.
pub(super) type Mask = Vec<Option<usize>>;

/// Which words of an allowed line are secrets.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Hidden {
    /// Of the line as typed.
    pub(super) typed: Mask,
    /// Of the vector that it stands for.
    pub(super) vector: Mask,
}

impl Hidden {
    /// What either hides.
    pub(super) fn or(self, other: Self) -> Self {
        Self { typed: either(self.typed, other.typed), vector: either(self.vector, other.vector) }
    }
}

/// Both are of the same line, so of one length; one that hides nothing is empty.
fn either(left: Mask, right: Mask) -> Mask {
    let (mut mask, other) = if left.len() < right.len() { (right, left) } else { (left, right) };
    for (one, other) in mask.iter_mut().zip(other) {
        *one = match (*one, other) {
            (Some(shown), Some(other)) => Some(shown.min(other)),
            (shown, other) => shown.or(other),
        };
    }
    mask
}

/// `words` with a placeholder for each secret. One that is longer than the mask is shown as it is.
pub(super) fn veiled<'w>(words: impl Iterator<Item = &'w str>, mask: &Mask, key: &SecretKey) -> Vec<String> {
    let masks = mask.iter().copied().chain(std::iter::repeat(None));
    let veil = |(word, mask): (&str, Option<usize>)| match mask {
        None => word.to_owned(),
        Some(shown) => {
            let (front, value) = word.split_at_checked(shown).unwrap_or(("", word));
            format!("{front}{}", key.placeholder(value))
        }
    };
    words.zip(masks).map(veil).collect()
}

/// Words as one line for people.
pub(super) fn line_of(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

impl Role {
    /// Whether one of its rules has a parameter whose values are secrets.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.secret
    }
}

impl Rule {
    /// Whether it has a parameter whose values are secrets.
    #[must_use]
    pub fn has_secret(&self) -> bool {
        self.parameters.iter().any(Parameter::is_secret)
    }

    /// Which words are secrets, of a line that it allows.
    pub(super) fn hidden(&self, words: &[Word]) -> Hidden {
        if !self.has_secret() {
            return Hidden::default();
        }
        let (_, rest) = after_sudo(words);
        let before = words.len() - rest.len();
        let typed = |mask: &Mask| std::iter::repeat_n(None, before).chain(mask.iter().copied()).collect();
        if let Some(mask) = self.run.mask(&self.parameters, rest) {
            return Hidden { typed: typed(&mask), vector: mask };
        }
        let by_alias = self.alias.as_ref().and_then(|alias| {
            let mask = alias.pattern.mask(&alias.parameters, rest)?;
            let values = alias.pattern.matches(&alias.parameters, rest).ok()?;
            let count = |name: &str| {
                let at = alias.pattern.names().iter().position(|(known, _)| known == name)?;
                values.get(at).map(Vec::len)
            };
            Some(Hidden { typed: typed(&mask), vector: self.run.filled_mask(&self.parameters, count)? })
        });
        // A line that it does not allow after all: then nothing of it is shown.
        by_alias.unwrap_or_else(|| Hidden { typed: vec![Some(0); words.len()], vector: vec![Some(0); rest.len()] })
    }
}

impl Pattern {
    /// Which of `words` are secrets; `None` if it does not allow them.
    fn mask(&self, parameters: &[Parameter], words: &[Word]) -> Option<Mask> {
        let steps = self.walk(parameters, words).ok()?;
        Some(steps.iter().map(|step| self.shown_of(parameters, *step)).collect())
    }

    /// The same for the words that [`Self::fill`] makes of so many values of each name.
    fn filled_mask(&self, parameters: &[Parameter], count: impl Fn(&str) -> Option<usize>) -> Option<Mask> {
        let mut mask = Mask::new();
        for (at, step) in self.steps().iter().enumerate() {
            let times = match step.slot() {
                None => 1,
                Some(slot) => count(&self.names().get(slot.index)?.0)?,
            };
            mask.extend(std::iter::repeat_n(self.shown_of(parameters, at), times));
        }
        Some(mask)
    }

    /// How much of a word at `step` may be shown, if it holds a secret.
    fn shown_of(&self, parameters: &[Parameter], step: usize) -> Option<usize> {
        let slot = self.steps().get(step)?.slot()?;
        parameters.get(slot.index).is_some_and(Parameter::is_secret).then_some(slot.prefix.len())
    }
}

/// What stays of a line that no rule with a secret allowed, and that may hold one all the same: a slip of the finger, or a
/// question about such a line.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    /// By these it is recognised: the names of the programs, and the first words of the aliases.
    programs: Names,
    /// By these too: long options before a secret, and what is glued before one.
    options: BTreeSet<String>,
    prefixes: BTreeSet<String>,
    /// Literal words of the rules, which stay.
    literals: BTreeSet<String>,
    /// Whether every line is.
    everything: bool,
}

impl Guard {
    /// For lines that are near a rule with a secret of these roles.
    #[must_use]
    pub fn of<'a>(roles: impl Iterator<Item = &'a Role>) -> Self {
        let mut guard = Self::default();
        for rule in roles.filter(|role| role.has_secret()).flat_map(Role::rules).filter(|rule| rule.has_secret()) {
            guard.learn(&rule.run, &rule.parameters);
            if let Some(alias) = &rule.alias {
                guard.learn(&alias.pattern, &alias.parameters);
            }
        }
        guard
    }

    /// For every line: when it cannot be told which roles count.
    #[must_use]
    pub fn of_everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    fn learn(&mut self, pattern: &Pattern, parameters: &[Parameter]) {
        let program = pattern.program().unwrap_or_default();
        self.literals.insert(program.to_owned());
        self.literals.insert(base_name(program).to_owned());
        self.programs.insert(base_name(program));
        let mut before = "";
        for step in pattern.steps() {
            match (step.literal(), step.slot()) {
                (Some(word), _) => {
                    self.literals.insert(word.to_owned());
                    before = word;
                }
                (_, Some(slot)) if parameters.get(slot.index).is_some_and(Parameter::is_secret) => {
                    self.options.extend(before.starts_with("--").then(|| before.to_owned()));
                    self.prefixes.extend((!slot.prefix.is_empty()).then(|| slot.prefix.clone()));
                }
                _ => before = "",
            }
        }
    }

    /// Whether `line`, which need not be plain words, names a program of such a rule, or an option of one.
    #[must_use]
    pub fn touches(&self, line: &str) -> bool {
        let parts = |c: char| c.is_whitespace() || "'\"\\;&|<>()$`{}/".contains(c);
        let pieces = || line.split(parts).filter(|piece| !piece.is_empty());
        // As quotes and backslashes are taken away, which may stand within a name.
        let split = Words::split(line.as_bytes()).ok();
        let words = || split.iter().flat_map(Words::iter);
        let named = |word: &str| self.programs.have(base_name(word));
        let option = |word: &str| {
            self.options.contains(word) || self.prefixes.iter().any(|prefix| word.starts_with(prefix.as_str()))
        };
        self.everything
            || pieces().any(named)
            || words().any(named)
            || line.split_whitespace().any(option)
            || words().any(option)
    }

    /// `line` as it may be written down, if it [`Self::touches`] such a rule: literal words of the rules, and what `keep` knows,
    /// stay; each other word is a placeholder, and all beyond [`MOST_VEILED`] words one. `None`: as it is.
    #[must_use]
    pub fn veil(&self, line: &str, key: &SecretKey, keep: impl Fn(&str) -> bool) -> Option<String> {
        if !self.touches(line) {
            return None;
        }
        let words: Vec<String> = match Words::split(line.as_bytes()) {
            Ok(words) => words.iter().map(str::to_owned).collect(),
            Err(_) => line.split_whitespace().map(str::to_owned).collect(),
        };
        let veil = |word: &String| if keep(word) { word.clone() } else { self.veil_word(word, key) };
        let (first, rest) = words.split_at_checked(MOST_VEILED).unwrap_or((&words, &[]));
        let mut shown: Vec<String> = first.iter().map(veil).collect();
        shown.extend((!rest.is_empty()).then(|| key.placeholder(&rest.join(" "))));
        Some(line_of(&shown))
    }

    /// One word of such a line.
    #[must_use]
    pub fn veil_word(&self, word: &str, key: &SecretKey) -> String {
        let glued = self.prefixes.iter().filter(|prefix| word.starts_with(prefix.as_str())).max_by_key(|one| one.len());
        match glued.and_then(|prefix| Some((prefix, word.strip_prefix(prefix.as_str())?))) {
            _ if self.literals.contains(word) || word == "sudo" => word.to_owned(),
            Some((prefix, value)) => format!("{prefix}{}", key.placeholder(value)),
            None => key.placeholder(word),
        }
    }

    /// One word of what an observed line runs: as [`Self::veil_word`], where `-n` may be ours behind `sudo`.
    pub(super) fn veil_own(&self, word: &str, key: &SecretKey) -> String {
        if word == "-n" || word == "/usr/bin/sudo" { word.to_owned() } else { self.veil_word(word, key) }
    }

    /// A denial of such a line: it names the rule and the place, and no word of the line.
    #[must_use]
    pub fn veil_denial(&self, denial: &Denial, key: &SecretKey) -> Denial {
        let mut denial = denial.clone();
        if let Denial::NotInRole { nearest: Some(nearest) } = &mut denial {
            let miss = &mut nearest.miss;
            miss.found = miss.found.as_deref().map(|word| self.veil_word(word, key));
            for wanted in &mut miss.wanted {
                if let Wanted::Parameter { refused, .. } = wanted {
                    *refused = None;
                }
            }
        }
        denial
    }
}

#[cfg(test)]
mod tests;
