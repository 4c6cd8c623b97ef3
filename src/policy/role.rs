//! A role as meant: checked, compiled, with its text and digest. Only [`super::file`] makes one.

use std::time::Duration;

use crate::domain::{AccountName, Digest, RoleName, Subject};

use super::selector::TargetSelector;
use super::words::Words;

/// One role.
#[derive(Clone, Debug)]
pub struct Role {}

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
pub struct Rule {}

impl Rule {
    /// What an admin types, as a usage pattern with the base name of the program: `systemctl restart {unit}`.
    #[must_use]
    pub fn usage(&self) -> &str {
        todo!()
    }

    /// What it is for; empty if unsaid.
    #[must_use]
    pub fn help(&self) -> &str {
        todo!()
    }

    /// For each parameter its name and what it may be, in words: (`unit`, `nginx or php-fpm`).
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        todo!()
    }
}

impl Role {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &RoleName {
        todo!()
    }

    /// The file's whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        todo!()
    }

    /// Digest of [`Self::text`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        todo!()
    }

    /// What it is for.
    #[must_use]
    pub fn description(&self) -> &str {
        todo!()
    }

    /// Which targets it is for.
    #[must_use]
    pub fn targets(&self) -> &TargetSelector {
        todo!()
    }

    /// The role's word for the account its commands use.
    #[must_use]
    pub fn run_as(&self) -> &AccountName {
        todo!()
    }

    /// How it is asked for; `None`: nobody may.
    #[must_use]
    pub fn request(&self) -> Option<&RequestTerms> {
        todo!()
    }

    /// Its rules, in file order.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        todo!()
    }

    /// Whether one rule allows exactly these words; for "you could ask for this role", never for running.
    #[must_use]
    pub fn allows(&self, _words: &Words) -> bool {
        todo!()
    }
}
