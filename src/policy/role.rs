//! A role as meant: checked, compiled, with its text and digest. Only [`super::file`] makes one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{AccountName, Digest, RoleName, Subject, TargetName};

use super::index::Index;
use super::observe::Observe;
use super::parameter::Parameter;
use super::pattern::{Miss, Pattern, Wanted};
use super::permit::Terms;
use super::selector::TargetSelector;
use super::transfer::{FileRule, ForwardRule};
use super::when::Conditions;
use super::words::{Word, Words};

/// One role.
#[derive(Clone, Debug)]
pub struct Role {
    pub(super) name: RoleName,
    pub(super) text: Arc<str>,
    pub(super) digest: Digest,
    pub(super) description: String,
    pub(super) targets: TargetSelector,
    pub(super) run_as: AccountName,
    pub(super) request: Option<RequestTerms>,
    pub(super) when: Conditions,
    pub(super) rules: Vec<Rule>,
    pub(super) files: Vec<FileRule>,
    pub(super) forwards: Vec<ForwardRule>,
    /// Which of the rules a line may be for.
    pub(super) index: Index,
    /// Set for a role that observes; it has no rules then.
    pub(super) observe: Option<Observe>,
    /// Whether one of the rules has a secret.
    pub(super) secret: bool,
}

/// What `[request]` says.
#[derive(Clone, Debug)]
pub struct RequestTerms {
    /// Who may ask.
    pub eligible: Vec<Subject>,
    /// Who may say yes.
    pub approvers: Vec<Subject>,
    /// How many different people must; 0 is self-service.
    pub approvals: u8,
    /// The longest a grant may live.
    pub max_duration: Duration,
    /// How long it lives if the requester does not say: as written, else the lesser of the maximum and one hour.
    pub default_duration: Duration,
    /// Whether a reason must be given.
    pub reason_required: bool,
    /// What a ticket must look like, whole (`\A(?:…)\z`); required when set.
    pub ticket: Option<regex::Regex>,
}

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
    pub(super) vector: Vec<Cow<'a, str>>,
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
    pub(super) fn vector<'a>(&'a self, words: &'a [Word]) -> Option<Vec<Cow<'a, str>>> {
        let rest = self.after_allowed_sudo(words)?;
        if self.run.allows(&self.parameters, rest) {
            return Some(self.vector_of(rest));
        }
        let vector = self.read_alias(rest)?.ok()?;
        Some(vector.into_iter().map(Cow::Owned).collect())
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

    fn vector_of<'a>(&'a self, words: &'a [Word]) -> Vec<Cow<'a, str>> {
        let program = self.run.program().unwrap_or_default();
        std::iter::once(program).chain(words.iter().skip(1).map(Word::text)).map(Cow::Borrowed).collect()
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

impl Role {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        &self.name
    }

    /// The file's whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Digest of [`Self::text`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it is for.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Which targets it is for.
    #[must_use]
    pub fn targets(&self) -> &TargetSelector {
        &self.targets
    }

    /// The role's word for the account its commands use.
    #[must_use]
    pub fn run_as(&self) -> &AccountName {
        &self.run_as
    }

    /// How it is asked for; `None`: nobody may.
    #[must_use]
    pub fn request(&self) -> Option<&RequestTerms> {
        self.request.as_ref()
    }

    /// Under which conditions it may be used.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.when
    }

    /// Its rules, in file order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether it allows every command line that the account can run, instead of those of its rules; it has none.
    #[must_use]
    pub fn observes(&self) -> bool {
        self.observe.is_some()
    }

    /// Whether one rule allows exactly these words; for "you could ask for this role", never for running.
    #[must_use]
    pub fn allows(&self, words: &Words) -> bool {
        self.rules_for(words).any(|(_, rule)| rule.allows(words.as_slice()))
    }

    /// Whether one rule that holds on `target` allows exactly these words; as [`Self::allows`].
    #[must_use]
    pub fn allows_on(&self, target: &TargetName, words: &Words) -> bool {
        self.rules_for(words).any(|(_, rule)| rule.is_for(target) && rule.allows(words.as_slice()))
    }

    /// Whether it would let these words run on `target`, by a rule or because it observes; as [`Self::allows`].
    #[must_use]
    pub fn takes_on(&self, target: &TargetName, words: &Words) -> bool {
        !self.readings_on(target, words).is_empty()
    }

    /// How long the longest of its commands may run; `None` if it has none.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        match &self.observe {
            Some(observe) => Some(observe.terms().timeout),
            None => self.rules.iter().map(|rule| rule.timeout).max(),
        }
    }

    /// Every rule that allows these words, whatever the target; for a role that observes what they stand for themselves.
    pub(super) fn readings<'a>(&'a self, words: &'a Words) -> Vec<Reading<'a>> {
        self.readings_by(words, |_| true)
    }

    /// Every rule that holds on `target` and allows these words.
    pub(super) fn readings_on<'a>(&'a self, target: &TargetName, words: &'a Words) -> Vec<Reading<'a>> {
        self.readings_by(words, |rule| rule.is_for(target))
    }

    fn readings_by<'a>(&'a self, words: &'a Words, holds: impl Fn(&Rule) -> bool) -> Vec<Reading<'a>> {
        if let Some(observe) = &self.observe {
            return observe.read(words).into_iter().collect();
        }
        let mut readings = Vec::new();
        for (number, rule) in self.rules_for(words).filter(|(_, rule)| holds(rule)) {
            let vector = rule.vector(words.as_slice());
            readings.extend(vector.map(|vector| Reading { number, rule, vector }));
        }
        readings
    }

    /// The rules that may allow `words`, each with its number, in file order.
    pub(super) fn rules_for(&self, words: &Words) -> impl Iterator<Item = (usize, &Rule)> {
        let numbers = self.index.numbers(words.as_slice(), self.rules.len());
        numbers.filter_map(|number| Some((number, self.rules.get(number.checked_sub(1)?)?)))
    }

    /// The rule that came nearest to allowing `words`, from 1 in file order, and how they missed it; `None` when a rule allows
    /// them or there is none. With a target only the rules that hold there count.
    #[must_use]
    pub fn nearest(&self, target: Option<&TargetName>, words: &Words) -> Option<(usize, &Rule, Miss)> {
        let holds = |(_, rule): &(usize, &Rule)| target.is_none_or(|target| rule.is_for(target));
        // Of the rules for other programs, which all miss the first word, the first would be named.
        let first = (1..).zip(&self.rules).find(holds)?;
        let others = self.rules_for(words).filter(holds).filter(|(number, _)| *number != first.0);
        let mut best: Option<(usize, &Rule, usize)> = None;
        for (number, rule) in std::iter::once(first).chain(others) {
            let reach = rule.reaches(words.as_slice())?;
            if best.is_none_or(|(_, _, known)| reach > known) {
                best = Some((number, rule, reach));
            }
        }
        // What would have been allowed is put into words for one rule only.
        best.map(|(number, rule, _)| (number, rule, *rule.miss(words.as_slice())))
    }
}
