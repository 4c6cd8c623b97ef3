//! May this person ask for this role, on these targets, for this long? Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use crate::domain::limits::FREE_TEXT;
use crate::domain::text::is_printable;
use crate::domain::time::for_people;
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
    let (role, shape) = (terms.role.clone(), || shape(pattern));
    match wish.ticket {
        Some(ticket) if pattern.is_match(ticket) => Ok(Some(ticket.to_owned())),
        Some(_) => Err(AskError::TicketMalformed { role, pattern: shape() }),
        None => match wish.reason.split_whitespace().find(|word| word.len() <= TICKET && pattern.is_match(word)) {
            Some(word) => Ok(Some(word.to_owned())),
            None => Err(AskError::TicketMissing { role, pattern: shape() }),
        },
    }
}

/// The pattern as the role's author wrote it, without the anchors that the parser put around it.
fn shape(pattern: &Regex) -> String {
    let whole = pattern.as_str();
    whole.strip_prefix(r"\A(?:").and_then(|rest| rest.strip_suffix(r")\z")).unwrap_or(whole).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn person(groups: &[&str]) -> Person {
        let groups = groups.iter().map(|name| name.parse().unwrap()).collect();
        Person { name: "alice".parse().unwrap(), groups }
    }

    fn reach(count: usize) -> BTreeMap<TargetName, AccountName> {
        (1..=count).map(|n| (format!("web-{n}").parse().unwrap(), "ops".parse().unwrap())).collect()
    }

    struct Role {
        name: RoleName,
        eligible: Vec<Subject>,
        reason_required: bool,
        ticket: Option<Regex>,
        reach: BTreeMap<TargetName, AccountName>,
    }

    impl Role {
        fn new() -> Self {
            Self {
                name: "web-restart".parse().unwrap(),
                eligible: vec!["group:web-admins".parse().unwrap(), "user:erin".parse().unwrap()],
                reason_required: false,
                ticket: None,
                reach: reach(2),
            }
        }

        fn ask(&self, person: &Person, wish: &Wish<'_>) -> Result<Admitted, AskError> {
            let terms = AskTerms {
                role: &self.name,
                eligible: &self.eligible,
                max_duration: 120 * MINUTE,
                default_duration: 60 * MINUTE,
                reason_required: self.reason_required,
                ticket: self.ticket.as_ref(),
                reach: &self.reach,
            };
            admit(person, &terms, wish)
        }
    }

    const NOTHING: Wish<'static> = Wish { targets: &[], duration: None, reason: "", ticket: None };

    #[test]
    fn only_eligible_people_hear_anything_about_a_role() {
        let role = Role { reason_required: true, reach: reach(0), ..Role::new() };
        let wild = Wish { duration: Some(Duration::ZERO), reason: "\x1b", ..NOTHING };
        for groups in [&[][..], &["web", "erin"]] {
            let error = role.ask(&person(groups), &wild).unwrap_err();
            assert_eq!(error, AskError::NotEligible { role: role.name.clone() });
        }
        assert!(Role::new().ask(&person(&["web-admins"]), &NOTHING).is_ok());
        let erin = Person { name: "erin".parse().unwrap(), groups: Default::default() };
        assert!(Role::new().ask(&erin, &NOTHING).is_ok());
    }

    #[test]
    fn a_duration_is_whole_seconds_within_the_maximum() {
        let of = |duration| {
            let admitted = Role::new().ask(&person(&["web-admins"]), &Wish { duration, ..NOTHING });
            admitted.map(|admitted| admitted.scope.duration)
        };
        assert_eq!(of(None), Ok(60 * MINUTE));
        assert_eq!(of(Some(Duration::from_secs(1))), Ok(Duration::from_secs(1)));
        assert_eq!(of(Some(120 * MINUTE)), Ok(120 * MINUTE));
        assert_eq!(of(Some(Duration::ZERO)), Err(AskError::DurationNotWhole));
        assert_eq!(of(Some(Duration::from_millis(1500))), Err(AskError::DurationNotWhole));
        let error = of(Some(Duration::from_secs(7201))).unwrap_err().to_string();
        assert!(error.ends_with("at most 2h, and you asked for 2h 1s; try `--for 2h`"), "{error}");
        assert!(of(Some(Duration::MAX)).is_err());
    }

    #[test]
    fn targets_are_all_of_a_few_or_the_named_ones_of_the_role() {
        let of = |count: usize, named: &[&str]| {
            let named: Vec<TargetName> = named.iter().map(|name| name.parse().unwrap()).collect();
            let role = Role { reach: reach(count), ..Role::new() };
            let admitted = role.ask(&person(&["web-admins"]), &Wish { targets: &named, ..NOTHING });
            admitted.map(|admitted| admitted.scope.targets.len()).map_err(|error| error.to_string())
        };
        assert_eq!(of(1, &[]), Ok(1));
        assert_eq!(of(5, &[]), Ok(5));
        assert!(of(6, &[]).unwrap_err().contains("is for 6 targets: name the ones"));
        assert_eq!(of(6, &["web-6", "web-1", "web-6"]), Ok(2));
        assert!(of(2, &["web-1", "db-1"]).unwrap_err().contains("not for a target named db-1"));
        assert!(of(0, &[]).unwrap_err().contains("no target at the moment"));
        assert!(of(0, &["web-1"]).is_err());
    }

    #[test]
    fn a_reason_is_given_where_it_must_be_and_can_be_shown() {
        let of = |required, reason: &str| {
            Role { reason_required: required, ..Role::new() }.ask(&person(&["web-admins"]), &Wish { reason, ..NOTHING })
        };
        assert!(of(false, "").is_ok());
        assert!(matches!(of(true, " "), Err(AskError::ReasonMissing { .. })));
        assert!(of(true, "nginx hängt").is_ok());
        assert!(of(true, &"x".repeat(FREE_TEXT)).is_ok());
        assert!(matches!(of(true, &"x".repeat(FREE_TEXT + 1)), Err(AskError::TooLong { .. })));
        for reason in ["a\nb", "a\x1b[2J", "a\u{202e}b"] {
            assert!(matches!(of(true, reason), Err(AskError::Unprintable { .. })), "{reason:?}");
        }
    }

    #[test]
    fn a_ticket_is_named_or_the_first_word_of_the_reason_that_is_one() {
        let role = Role { ticket: Some(Regex::new(r"\A(?:(INC|CHG)-\d+)\z").unwrap()), ..Role::new() };
        let of = |reason, ticket| {
            let admitted = role.ask(&person(&["web-admins"]), &Wish { reason, ticket, ..NOTHING });
            admitted.map(|admitted| admitted.ticket)
        };
        assert_eq!(of("", Some("INC-1")), Ok(Some("INC-1".to_owned())));
        assert_eq!(of("for CHG-22 and INC-3", None), Ok(Some("CHG-22".to_owned())));
        assert_eq!(of("INC-3 stuck", Some("CHG-9")), Ok(Some("CHG-9".to_owned())));
        assert!(matches!(of("INC-3 stuck", Some("no")), Err(AskError::TicketMalformed { .. })));
        for reason in ["", "nginx stuck", "xINC-1", "INC-1x", "inc-1"] {
            let error = of(reason, None).unwrap_err().to_string();
            assert!(error.contains(r"needs a ticket like (INC|CHG)-\d+"), "{error}");
        }
        let free = Role::new().ask(&person(&["web-admins"]), &Wish { ticket: Some("any"), ..NOTHING });
        assert_eq!(free.map(|admitted| admitted.ticket), Ok(Some("any".to_owned())));
        let long = "T".repeat(TICKET + 1);
        let error = Role::new().ask(&person(&["web-admins"]), &Wish { ticket: Some(&long), ..NOTHING });
        assert!(matches!(error, Err(AskError::TooLong { what: "ticket", .. })));
    }
}
