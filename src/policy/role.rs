//! A role as meant: checked, compiled, with its text and digest. Only [`super::file`] makes one.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{AccountName, Digest, RoleName, Subject, TargetName};

use super::index::Index;
use super::observe::Observe;
use super::pattern::Miss;
use super::rule::{Reading, Rule};
use super::selector::TargetSelector;
use super::transfer::{FileRule, ForwardRule};
use super::when::Conditions;
use super::words::Words;

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
