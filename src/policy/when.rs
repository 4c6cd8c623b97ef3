//! `[when]`: under which circumstances a role may be used. Pure: time, addresses and counts come in as arguments.
//!
//! Owns the conditions of a role, whether all hold and for how long; one alone is judged and put into words in
//! `when/condition.rs`. What is not known about the circumstances counts against the user. The file's text is read by
//! [`super::file`].

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::domain::{RoleName, Timestamp};
use crate::grant::ActiveGrant;

mod condition;
pub mod hours;
pub mod moment;

use condition::Condition;
pub use hours::Hours;
pub use moment::Moment;

/// The conditions of a role. All must hold; without any it may be used at any time from anywhere.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    pub(super) networks: Vec<IpNet>,
    pub(super) hours: Vec<Hours>,
    pub(super) not_before: Option<Moment>,
    pub(super) not_after: Option<Moment>,
    pub(super) max_sessions: Option<u32>,
    pub(super) same_source: bool,
    pub(super) on_lapse: OnLapse,
}

/// What happens to a command that runs when a condition stops holding.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OnLapse {
    /// It is ended.
    #[default]
    End,
    /// It may run to its own end, and no longer than its grant.
    Finish,
}

/// What [`decide`](super::decide()) has to know about the moment of a command, whatever roles are held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Surroundings {
    /// Decision time.
    pub now: Timestamp,
    /// Where the user comes from; `None` if that is not known, and then no role that asks for it allows anything.
    pub source: Option<IpAddr>,
    /// How many commands of this user run under each role; one that is not there has none. `None` if that is not known.
    pub running: Option<BTreeMap<RoleName, u32>>,
}

/// The time alone: neither the address nor what runs is known.
impl From<Timestamp> for Surroundings {
    fn from(now: Timestamp) -> Self {
        Self { now, source: None, running: None }
    }
}

impl From<&Surroundings> for Surroundings {
    fn from(known: &Surroundings) -> Self {
        known.clone()
    }
}

impl Surroundings {
    /// What of it matters for `grant`.
    #[must_use]
    pub fn of(&self, grant: &ActiveGrant) -> Circumstances {
        let of_role = |running: &BTreeMap<RoleName, u32>| running.get(grant.role()).copied().unwrap_or(0);
        Circumstances {
            now: self.now,
            source: self.source,
            request_source: Some(grant.source()),
            running: self.running.as_ref().map(of_role),
        }
    }
}

/// What the conditions of one role ask about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Circumstances {
    /// Decision time.
    pub now: Timestamp,
    /// Where the command comes from; `None` if that is not known.
    pub source: Option<IpAddr>,
    /// Where the request came from; `None` if there is none yet.
    pub request_source: Option<IpAddr>,
    /// How many commands of the user run under this role; `None` if that is not known.
    pub running: Option<u32>,
}

/// A condition that does not hold. `Display` is for the user, after the role's name: `may be used …; it is …`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unmet {
    /// The key in the role file.
    pub key: &'static str,
    /// The condition in words.
    pub condition: String,
    /// How it stands, in words.
    pub state: String,
    /// When it holds next, if time alone brings that about.
    pub opens: Option<Timestamp>,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "may be used {}; {}", self.condition, self.state)
    }
}

/// One condition with its state, for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConditionState {
    /// The key in the role file.
    pub key: &'static str,
    /// The condition in words: `Mon-Fri 08:00-20:00 Europe/Berlin`.
    pub condition: String,
    /// Whether it holds.
    pub holds: bool,
    /// How it stands, in words: `it is Sat 14:02 there; opens Mon 08:00`.
    pub state: String,
}

impl Conditions {
    fn all(&self) -> impl Iterator<Item = Condition<'_>> {
        let all = [
            self.not_after.as_ref().map(Condition::NotAfter),
            self.not_before.as_ref().map(Condition::NotBefore),
            (!self.networks.is_empty()).then_some(Condition::Networks(&self.networks)),
            self.same_source.then_some(Condition::SameSource),
            (!self.hours.is_empty()).then_some(Condition::Hours(&self.hours)),
            self.max_sessions.map(Condition::MaxSessions),
        ];
        all.into_iter().flatten()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all().next().is_none()
    }

    /// Whether one of them asks what time it is.
    #[must_use]
    pub fn asks_for_time(&self) -> bool {
        self.not_before.is_some() || self.not_after.is_some() || !self.hours.is_empty()
    }

    /// What happens to a command that runs when one of them stops holding.
    #[must_use]
    pub fn on_lapse(&self) -> OnLapse {
        self.on_lapse
    }

    /// How many commands of one user may run under the role at a time; `None`: any number.
    #[must_use]
    pub fn max_sessions(&self) -> Option<u32> {
        self.max_sessions
    }

    /// Whether all hold, and then until when at most as far as time alone decides; `None`: for more than a week.
    ///
    /// # Errors
    /// The first that does not hold.
    pub fn judge(&self, at: &Circumstances) -> Result<Option<Timestamp>, Unmet> {
        self.first_unmet(at, |_| true)
    }

    /// As [`Self::judge`] for a command about to start whose place among `max_sessions` is taken already.
    ///
    /// # Errors
    /// The first other condition that does not hold.
    pub fn judge_again(&self, at: &Circumstances) -> Result<Option<Timestamp>, Unmet> {
        self.first_unmet(at, |condition| condition.lapses())
    }

    /// What ends a running command now: a condition that stopped holding, unless such a command may finish.
    #[must_use]
    pub fn lapsed(&self, at: &Circumstances) -> Option<Unmet> {
        match self.on_lapse {
            OnLapse::End => self.judge_again(at).err(),
            OnLapse::Finish => None,
        }
    }

    fn first_unmet(
        &self,
        at: &Circumstances,
        asked: impl Fn(&Condition<'_>) -> bool,
    ) -> Result<Option<Timestamp>, Unmet> {
        let mut until: Option<Timestamp> = None;
        for condition in self.all().filter(asked) {
            match condition.judge(at) {
                Ok(ends) => until = sooner(until, ends),
                Err(opens) => {
                    return Err(Unmet {
                        key: condition.key(),
                        condition: condition.to_string(),
                        state: format!("{}{}", condition.state(at, opens), condition.advice()),
                        opens,
                    });
                }
            }
        }
        Ok(until)
    }

    /// The next time from `now` on at which time is no obstacle: `now` itself if it is none now. `None` if there is none to
    /// come, or none within [`hours::HORIZON`] of the first possible day.
    #[must_use]
    pub fn opens(&self, now: Timestamp) -> Option<Timestamp> {
        let earliest = self.not_before.as_ref().map_or(now, |moment| moment.at().max(now));
        let open = self.hours.is_empty() || hours::open(&self.hours, earliest);
        let opens = if open { earliest } else { hours::changes(&self.hours, earliest)? };
        self.not_after.as_ref().is_none_or(|moment| opens < moment.at()).then_some(opens)
    }

    /// Each condition with its state.
    #[must_use]
    pub fn states(&self, at: &Circumstances) -> Vec<ConditionState> {
        let state = |condition: Condition<'_>| {
            let (holds, changes) = match condition.judge(at) {
                Ok(ends) => (true, ends),
                Err(opens) => (false, opens),
            };
            let words = condition.to_string();
            ConditionState { key: condition.key(), condition: words, holds, state: condition.state(at, changes) }
        };
        self.all().map(state).collect()
    }

    /// Each condition in words, and what becomes of a running command when one stops holding; nothing where there are none.
    #[must_use]
    pub fn in_words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.all().map(|condition| condition.to_string()).collect();
        if self.all().any(|condition| condition.lapses()) {
            words.push(self.on_lapse.to_string());
        }
        words
    }
}

impl fmt::Display for OnLapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::End => "a command that still runs then is ended",
            Self::Finish => "a command that still runs then may finish",
        })
    }
}

/// The earlier of two ends, where no end is the latest.
pub(super) fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests;
