//! The no, as a value: why, and which rule came nearest. [`super::explain`] has the words.

use crate::domain::RoleName;

use super::pattern::Miss;
use super::when::Unmet;

/// Why not. Data; [`super::explain`] has the words.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Denial {
    /// Nothing the user holds reaches this target; or nothing of what they chose, which is the same answer.
    NoGrant,
    /// Approved, but the configuration has been narrowed since: the target, its account, or the rule.
    Narrowed {
        /// The role.
        role: RoleName,
    },
    /// Approved, but its user may no longer ask for the role, so the grant gives nothing.
    Ineligible {
        /// The role.
        role: RoleName,
    },
    /// The configuration allows it now, but did not when the grant was approved.
    Widened {
        /// The role; a new request for it would cover the line.
        role: RoleName,
    },
    /// Its rules allow it, but not under these circumstances: a condition of `[when]`, as approved or as loaded.
    Unmet {
        /// The role.
        role: RoleName,
        /// The condition, and how it stands.
        what: Box<Unmet>,
    },
    /// Several rules allow it and would run different things, or as different accounts.
    Ambiguous {
        /// The roles, each once; a single one when its own rules disagree.
        roles: Vec<RoleName>,
    },
    /// No rule of what is held here allows it.
    NotInRole {
        /// The rule that came nearest; `None` when the roles have no rules.
        nearest: Option<Box<Nearest>>,
    },
    /// A rule of what is held here allows it, on other targets.
    OtherTargets {
        /// The rule's role.
        role: RoleName,
        /// The rule, from 1 in file order.
        rule: usize,
        /// The targets it holds on, as the role has them.
        targets: String,
    },
    /// The line for the target would be longer than one can be.
    TooLong,
}

/// The rule that came nearest to allowing a line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nearest {
    /// Its role.
    pub role: RoleName,
    /// The rule, from 1 in file order.
    pub rule: usize,
    /// What an admin types for it.
    pub usage: String,
    /// How the line missed it.
    pub miss: Miss,
}

/// Of several reasons the one that helps most: a change of the configuration, else the nearest rule.
pub(super) fn most_telling(refusals: Vec<Denial>) -> Denial {
    let weight = |denial: &Denial| match denial {
        Denial::Unmet { .. } => (4, 0),
        Denial::Widened { .. } => (3, 0),
        Denial::Narrowed { .. } | Denial::Ineligible { .. } => (2, 0),
        Denial::NotInRole { nearest } => (1, nearest.as_ref().map_or(0, |nearest| nearest.miss.reach())),
        Denial::OtherTargets { .. } => (1, usize::MAX),
        Denial::NoGrant | Denial::Ambiguous { .. } | Denial::TooLong => (0, 0),
    };
    // The first of equals, so that the answer does not depend on how many there are.
    let better = |best: Denial, next: Denial| if weight(&next) > weight(&best) { next } else { best };
    refusals.into_iter().reduce(better).unwrap_or(Denial::NoGrant)
}
