//! May this person ask for this role, on these targets, for this long? Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use crate::domain::limits::FREE_TEXT;
use crate::domain::text::is_printable;
use crate::domain::time::for_people;
use crate::domain::whole::as_written;
use crate::domain::{AccountName, Person, RoleName, Subject, TargetName};

use super::request::Scope;

/// With up to so many targets a role is asked for on all of them unless the requester names some.
pub const TARGETS_BY_DEFAULT: usize = 5;

/// Longest ticket, in bytes.
pub const TICKET: usize = 200;

/// What a role demands of whoever asks for it, and what it reaches.
#[derive(Debug)]
pub struct AskTerms<'a> {
    /// The role, for messages.
    pub role: &'a RoleName,
    /// Who may ask.
    pub eligible: &'a [Subject],
    /// The longest a grant may live.
    pub max_duration: Duration,
    /// How long it lives if the requester does not say.
    pub default_duration: Duration,
    /// Whether a reason must be given.
    pub reason_required: bool,
    /// What a ticket looks like, anchored at both ends; required when set.
    pub ticket: Option<&'a Regex>,
    /// Every target the role reaches now, with the account there.
    pub reach: &'a BTreeMap<TargetName, AccountName>,
}

/// What the requester typed.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The targets; empty: all, if they are few.
    pub targets: &'a [TargetName],
    /// For how long.
    pub duration: Option<Duration>,
    /// Why; empty if unsaid.
    pub reason: &'a str,
    /// The ticket, if it was given apart from the reason.
    pub ticket: Option<&'a str>,
}

/// A wish that meets the terms.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admitted {
    /// Where and for how long.
    pub scope: Scope,
    /// The ticket, as given or found in the reason.
    pub ticket: Option<String>,
}

/// Why a wish does not meet the terms of a role. `Display` says what to do instead.
///
/// [`Self::NotEligible`] is for the caller to turn into its answer for an unknown role; all others speak to somebody who may
/// ask for the role and therefore see it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AskError {
    /// The person may not ask for this role.
    #[error("you cannot ask for a role named {role}; `roles` lists the ones you can ask for")]
    NotEligible {
        /// The role.
        role: RoleName,
    },
    /// Longer than the role allows.
    #[error("{role} can be active for at most {most}, and you asked for {}; try `--for {most}`",
        for_people(*.asked), most = compact(*.longest))]
    DurationTooLong {
        /// The role.
        role: RoleName,
        /// As typed.
        asked: Duration,
        /// The most there is.
        longest: Duration,
    },
    /// Zero, or with a fraction of a second.
    #[error("a duration is whole seconds and more than none, as in `--for 30m`")]
    DurationNotWhole,
    /// The role reaches nothing at the moment.
    #[error("{role} is for no target at the moment; ask the operator")]
    ReachesNothing {
        /// The role.
        role: RoleName,
    },
    /// Too many to mean them all by saying nothing.
    #[error("{role} is for {count} targets: name the ones you need with `--on`, as in `--on {example}`")]
    TargetsUnnamed {
        /// The role.
        role: RoleName,
        /// How many.
        count: usize,
        /// One of them.
        example: TargetName,
    },
    /// A role that observes is for one target a request.
    #[error("{role} observes, one target a request: name it with `--on`, as in `--on {example}`")]
    OneTarget {
        /// The role.
        role: RoleName,
        /// One of them.
        example: TargetName,
    },
    /// Not among the targets of the role, existing or not.
    #[error("{role} is not for a target named {target}; `targets` lists the ones it is for")]
    NotATarget {
        /// The role.
        role: RoleName,
        /// As typed.
        target: TargetName,
    },
    /// No reason.
    #[error("{role} needs a reason: add `--reason` and why you need it")]
    ReasonMissing {
        /// The role.
        role: RoleName,
    },
    /// No ticket.
    #[error("{role} needs a ticket like {pattern}: add `--ticket`, or begin the reason with it")]
    TicketMissing {
        /// The role.
        role: RoleName,
        /// What a ticket looks like.
        pattern: String,
    },
    /// Not like a ticket.
    #[error("that ticket is not like {pattern}, which {role} needs")]
    TicketMalformed {
        /// The role.
        role: RoleName,
        /// What a ticket looks like.
        pattern: String,
    },
    /// Too long to keep.
    #[error("the {what} is {length} bytes long, and at most {most} are kept: say it shorter")]
    TooLong {
        /// Reason or ticket.
        what: &'static str,
        /// Its length in bytes.
        length: usize,
        /// The most that is kept.
        most: usize,
    },
    /// Control characters and the like.
    #[error("the {what} contains a character that cannot be shown ({found:?}): leave it out")]
    Unprintable {
        /// Reason or ticket.
        what: &'static str,
        /// The character.
        found: char,
    },
}

/// `1h30m`: a span as `--for` takes it.
fn compact(span: Duration) -> String {
    for_people(span).replace(' ', "")
}

/// Whether `person` may ask.
#[must_use]
pub fn is_eligible(person: &Person, eligible: &[Subject]) -> bool {
    eligible.iter().any(|subject| subject.covers(person))
}

/// Holds `wish` against `terms`.
///
/// # Errors
/// [`AskError`], the first that applies; [`AskError::NotEligible`] before anything that would tell of the role.
pub fn admit(person: &Person, terms: &AskTerms<'_>, wish: &Wish<'_>) -> Result<Admitted, AskError> {
    if !is_eligible(person, terms.eligible) {
        return Err(AskError::NotEligible { role: terms.role.clone() });
    }
    showable("reason", wish.reason, FREE_TEXT)?;
    if terms.reason_required && wish.reason.trim().is_empty() {
        return Err(AskError::ReasonMissing { role: terms.role.clone() });
    }
    let targets = targets(terms, wish.targets)?;
    let duration = duration(terms, wish.duration)?;
    Ok(Admitted { scope: Scope { targets, duration }, ticket: ticket(terms, wish)? })
}

fn showable(what: &'static str, text: &str, most: usize) -> Result<(), AskError> {
    if text.len() > most {
        return Err(AskError::TooLong { what, length: text.len(), most });
    }
    match text.chars().find(|&c| !is_printable(c)) {
        Some(found) => Err(AskError::Unprintable { what, found }),
        None => Ok(()),
    }
}

fn duration(terms: &AskTerms<'_>, asked: Option<Duration>) -> Result<Duration, AskError> {
    let asked = asked.unwrap_or_else(|| terms.default_duration.min(terms.max_duration));
    if asked.is_zero() || asked.subsec_nanos() != 0 {
        return Err(AskError::DurationNotWhole);
    }
    if asked > terms.max_duration {
        return Err(AskError::DurationTooLong { role: terms.role.clone(), asked, longest: terms.max_duration });
    }
    Ok(asked)
}

fn targets(terms: &AskTerms<'_>, asked: &[TargetName]) -> Result<BTreeMap<TargetName, AccountName>, AskError> {
    let role = || terms.role.clone();
    let Some(example) = terms.reach.keys().next() else {
        return Err(AskError::ReachesNothing { role: role() });
    };
    if asked.is_empty() {
        let count = terms.reach.len();
        if count > TARGETS_BY_DEFAULT {
            return Err(AskError::TargetsUnnamed { role: role(), count, example: example.clone() });
        }
        return Ok(terms.reach.clone());
    }
    let resolve = |target: &TargetName| match terms.reach.get(target) {
        Some(account) => Ok((target.clone(), account.clone())),
        None => Err(AskError::NotATarget { role: role(), target: target.clone() }),
    };
    asked.iter().map(resolve).collect()
}

fn ticket(terms: &AskTerms<'_>, wish: &Wish<'_>) -> Result<Option<String>, AskError> {
    if let Some(ticket) = wish.ticket {
        showable("ticket", ticket, TICKET)?;
    }
    let Some(pattern) = terms.ticket else {
        return Ok(wish.ticket.map(str::to_owned));
    };
    let (role, shape) = (terms.role.clone(), || as_written(pattern.as_str()).to_owned());
    match wish.ticket {
        Some(ticket) if pattern.is_match(ticket) => Ok(Some(ticket.to_owned())),
        Some(_) => Err(AskError::TicketMalformed { role, pattern: shape() }),
        None => match wish.reason.split_whitespace().find(|word| word.len() <= TICKET && pattern.is_match(word)) {
            Some(word) => Ok(Some(word.to_owned())),
            None => Err(AskError::TicketMissing { role, pattern: shape() }),
        },
    }
}

#[cfg(test)]
mod tests;
