//! One `[[command]]` as meant: what may be typed for it, and the vector that it then stands for. Only [`super::file`] and
//! [`super::observe`] make one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::TargetName;

use super::parameter::Parameter;
use super::pattern::{Miss, Pattern, Wanted};
use super::permit::Terms;
use super::selector::TargetSelector;
use super::words::Word;

/// One `[[command]]`.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) run: Pattern,
    /// In the order of `run`'s names.
    pub(super) parameters: Vec<Parameter>,
    pub(super) alias: Option<Alias>,
    pub(super) sudo: bool,
    pub(super) stdin: bool,
    pub(super) timeout: Duration,
    pub(super) max_output: u64,
    pub(super) max_stdin: u64,
    /// On which targets of the role it holds; all of them if unsaid.
    pub(super) targets: Option<TargetSelector>,
    /// Sorted by name.
    pub(super) env: Vec<(String, String)>,
    pub(super) help: String,
    pub(super) usage: String,
    pub(super) accept_escape: Option<String>,
}

/// Another line that means a rule.
#[derive(Clone, Debug)]
pub(super) struct Alias {
    pub(super) pattern: Pattern,
    /// In the order of the alias's names.
    pub(super) parameters: Vec<Parameter>,
}

/// A rule that allows a line, and the vector the line stands for.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// The rule, from 1 in file order.
    pub(super) number: usize,
    pub(super) rule: &'a Rule,
    /// The program by its absolute path, then its arguments.
    pub(super) vector: Vector<'a>,
}

/// The program by its absolute path, then its arguments. Of a line as it was typed nothing is copied.
#[derive(Clone, Debug)]
pub(super) enum Vector<'a> {
    /// The words of the line, with the program's path for the first.
    Typed { program: &'a str, arguments: &'a [Word] },
    /// What an alias stands for.
    Made(Vec<String>),
}

impl Vector<'_> {
    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        let (program, arguments, made) = match self {
            Self::Typed { program, arguments } => (Some(*program), *arguments, &[][..]),
            Self::Made(words) => (None, &[][..], words.as_slice()),
        };
        program.into_iter().chain(arguments.iter().map(Word::text)).chain(made.iter().map(String::as_str))
    }
}

impl PartialEq for Vector<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Reading<'_> {
    /// Whether both stand for the same thing to run; their terms may differ.
    pub(super) fn runs_the_same(&self, other: &Reading<'_>) -> bool {
        self.vector == other.vector && self.rule.sudo == other.rule.sudo && self.rule.env == other.rule.env
    }
}

impl Rule {
    /// What an admin types, as a usage pattern with the base name of the program: `systemctl restart {unit}`.
    #[must_use]
    pub fn usage(&self) -> &str {
        &self.usage
    }

    /// What it is for; empty if unsaid.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// For each parameter its name and what it may be, in words: (`unit`, `nginx or php-fpm`).
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        let names = self.run.names().iter().map(|(name, _)| name.clone());
        let secret = |one: &Parameter| if one.is_secret() { ", kept out of the log" } else { "" };
        names.zip(self.parameters.iter().map(|one| format!("{one}{}", secret(one)))).collect()
    }

    /// On which of the role's targets it holds, if it says so.
    #[must_use]
    pub fn targets(&self) -> Option<&TargetSelector> {
        self.targets.as_ref()
    }

    /// Whether it holds on `target`, which the role reaches.
    #[must_use]
    pub fn is_for(&self, target: &TargetName) -> bool {
        // Names alone are in it, so labels do not matter.
        self.targets.as_ref().is_none_or(|targets| targets.matches(target, &BTreeMap::new()))
    }

    /// Why its author accepts what it gives besides, if [`mod@super::lint`] would have a word about that.
    #[must_use]
    pub fn accepts_escape(&self) -> Option<&str> {
        self.accept_escape.as_deref()
    }

    /// Whether it runs as root through sudo.
    #[must_use]
    pub fn sudo(&self) -> bool {
        self.sudo
    }

    /// Under which terms its commands run.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms { stdin: self.stdin, timeout: self.timeout, max_output: self.max_output, max_stdin: self.max_stdin }
    }

    /// What runs: the usage pattern with the program by its absolute path.
    #[must_use]
    pub fn run(&self) -> &str {
        self.run.as_written()
    }

    /// What may be typed instead; `None` if it has no alias.
    #[must_use]
    pub fn alias(&self) -> Option<&str> {
        self.alias.as_ref().map(|alias| alias.pattern.as_written())
    }

    /// Fixed values for the environment of its commands, by name.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.env
    }

    /// The vector that `words` stand for: the line itself, the alias, each also after a `sudo` where the rule has it. `None` if
    /// the rule does not allow them.
    pub(super) fn vector<'a>(&'a self, words: &'a [Word]) -> Option<Vector<'a>> {
        let rest = self.after_allowed_sudo(words)?;
        if self.run.allows(&self.parameters, rest) {
            let arguments = rest.get(1..).unwrap_or_default();
            return Some(Vector::Typed { program: self.run.program().unwrap_or_default(), arguments });
        }
        Some(Vector::Made(self.read_alias(rest)?.ok()?))
    }

    /// Whether the rule allows `words`: [`Self::vector`] for those who need no more.
    pub(super) fn allows(&self, words: &[Word]) -> bool {
        self.after_allowed_sudo(words).is_some_and(|rest| self.allows_without_sudo(rest))
    }

    fn allows_without_sudo(&self, words: &[Word]) -> bool {
        let by_alias = |alias: &Alias| alias.pattern.allows(&alias.parameters, words);
        self.run.allows(&self.parameters, words)
            || (self.alias.as_ref().is_some_and(by_alias) && matches!(self.read_alias(words), Some(Ok(_))))
    }

    /// The words after a `sudo`; `None` if there is one and the rule does not run under it.
    fn after_allowed_sudo<'w>(&self, words: &'w [Word]) -> Option<&'w [Word]> {
        let (typed_sudo, rest) = after_sudo(words);
        (self.sudo || !typed_sudo).then_some(rest)
    }

    /// How far `words` got: [`Miss::reach`] alone. `None` if the rule allows them.
    pub(super) fn reaches(&self, words: &[Word]) -> Option<usize> {
        let (typed_sudo, rest) = after_sudo(words);
        if typed_sudo && !self.sudo && self.allows_without_sudo(rest) {
            return Some(usize::MAX);
        }
        if self.allows(words) {
            return None;
        }
        let by_run = self.run.reaches(&self.parameters, rest);
        let by_alias = self.alias.as_ref().and_then(|alias| alias.pattern.reaches(&alias.parameters, rest));
        Some(by_run.max(by_alias).unwrap_or(0) + words.len() - rest.len())
    }

    /// How `words`, which the rule does not allow, missed it.
    pub(super) fn miss(&self, words: &[Word]) -> Box<Miss> {
        let (typed_sudo, rest) = after_sudo(words);
        if let Some(first) = words.first().filter(|_| typed_sudo && self.allows_without_sudo(rest)) {
            let found = Some(first.text().to_owned());
            return Box::new(Miss { word: 0, column: first.column(), found, wanted: vec![Wanted::NoSudo] });
        }
        let by_run = self.run.matches(&self.parameters, rest).err();
        let by_alias = self.read_alias(rest).and_then(Result::err);
        let miss = match (by_run, by_alias) {
            (Some(run), Some(alias)) if alias.word > run.word => alias,
            (Some(run), _) => run,
            (None, alias) => {
                alias.unwrap_or_else(|| Box::new(Miss { word: 0, column: 1, found: None, wanted: Vec::new() }))
            }
        };
        Box::new(Miss { word: miss.word + words.len() - rest.len(), ..*miss })
    }

    /// What a line for it may begin with, after a `sudo`; `None` if with anything.
    pub(super) fn first_words(&self) -> Option<Vec<&str>> {
        let mut words = self.run.first_words()?;
        if let Some(alias) = &self.alias {
            words.extend(alias.pattern.first_words()?);
        }
        Some(words)
    }

    fn read_alias(&self, words: &[Word]) -> Option<Result<Vec<String>, Box<Miss>>> {
        let alias = self.alias.as_ref()?;
        let values = match alias.pattern.matches(&alias.parameters, words) {
            Ok(values) => values,
            Err(miss) => return Some(Err(miss)),
        };
        let value = |name: &str| {
            let at = alias.pattern.names().iter().position(|(known, _)| known == name)?;
            values.get(at).map(Vec::as_slice)
        };
        self.run.fill(value).map(Ok)
    }
}

/// The words after `sudo` or `sudo -n`, and whether one of these stood there.
pub(super) fn after_sudo(words: &[Word]) -> (bool, &[Word]) {
    match words {
        [sudo, n, rest @ ..] if sudo.text() == "sudo" && n.text() == "-n" => (true, rest),
        [sudo, rest @ ..] if sudo.text() == "sudo" => (true, rest),
        _ => (false, words),
    }
}
