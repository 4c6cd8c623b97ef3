//! What the configuration says of a command line, role by role: for who asks why, and for tests of a policy.
//!
//! The answers are those of the one decision ([`decide()`]), on grants that are supposed and never leave this file. Reads a
//! [`Snapshot`] alone; refuses to know who holds what at the moment.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use crate::domain::{AccountName, Person, RequestId, RoleName, TargetName, UserName, Window};
use crate::grant::{AccessRequest, ActiveGrant};
use crate::inventory::Target;
use crate::policy::when::ConditionState;
use crate::policy::{
    Choice, Circumstances, CommandRequest, Decision, Denial, HeldRole, Role, Surroundings, Terms, Words, decide,
};

use super::Snapshot;
use super::quorum::Quorum;

/// A line that somebody could type for a target.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who. They need not be enrolled: their groups are what counts.
    pub person: &'a Person,
    /// Where. It need not be in the inventory.
    pub target: &'a Target,
    /// What.
    pub words: &'a Words,
    /// When, from where, and what runs already.
    pub around: &'a Surroundings,
    /// From where the roles were asked for, for conditions that want the same address again.
    pub asked_from: Option<IpAddr>,
}

/// The answer, if the roles that were supposed were held.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Supposed {
    /// It would run.
    Allowed(Outcome),
    /// It would not, and why. [`Denial::NoGrant`]: none of the roles reaches the target.
    Denied(Denial),
}

/// What would run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The role that allows it; of several, the first.
    pub role: RoleName,
    /// The rule of that role, from 1 in file order; 0 if it observes.
    pub rule: usize,
    /// As which account of the target.
    pub account: AccountName,
    /// The program and its arguments (with `sudo -n` before them where the rule says so).
    pub command: Vec<String>,
    /// The strictest terms of all rules that allow it.
    pub terms: Terms,
}

/// One role's answer.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The role.
    pub role: Arc<Role>,
    /// The target that was asked about.
    pub target: TargetName,
    /// The account that it means on the target; `None` if it does not reach it.
    pub account: Option<AccountName>,
    /// Who would approve; `None` if the person may not ask for it.
    pub quorum: Option<Quorum>,
    /// What it would say if it were held alone.
    pub answer: Supposed,
    /// Its conditions, and how they stand.
    pub conditions: Vec<ConditionState>,
}

impl Candidate {
    /// The rule that allows `words` on the target, whether or not the conditions hold; from 1, the first of several; 0 if it observes.
    #[must_use]
    pub fn rule(&self, words: &Words) -> Option<usize> {
        match &self.answer {
            Supposed::Allowed(outcome) => Some(outcome.rule),
            Supposed::Denied(Denial::Unmet { .. }) => self.role.first_allowing(&self.target, words),
            Supposed::Denied(_) => None,
        }
    }

    /// Whether the person could come to run the line by it.
    #[must_use]
    pub fn leads_there(&self) -> bool {
        matches!(self.answer, Supposed::Allowed(_)) && self.quorum.as_ref().is_some_and(Quorum::is_enough)
    }
}

/// What the decision would be if the person held exactly `roles`, each approved as it is loaded now.
#[must_use]
pub fn suppose(snapshot: &Snapshot, question: &Question<'_>, roles: &[&Role]) -> Supposed {
    let held: Vec<(ActiveGrant, &Role)> = (0..)
        .zip(roles)
        .filter_map(|(number, role)| Some((supposed_grant(snapshot, question, role, number)?, *role)))
        .collect();
    let held: Vec<HeldRole<'_>> = held
        .iter()
        .map(|(grant, role)| HeldRole {
            grant,
            approved: role,
            loaded: Some(role),
            account: snapshot.account_on(role, question.target),
            eligible: snapshot.may_ask(question.person, role),
        })
        .collect();
    let choice = Choice::Any;
    let request = CommandRequest { target: &question.target.name, words: question.words, choice: &choice };
    match decide(&request, &held, question.around) {
        // The permit ends here: nothing can be run by what was only supposed.
        Decision::Allow(permit) => Supposed::Allowed(Outcome {
            role: permit.role().clone(),
            rule: permit.rule(),
            account: permit.account().clone(),
            command: permit.command(),
            terms: *permit.terms(),
        }),
        Decision::Deny(denial) => Supposed::Denied(denial),
    }
}

/// The grant that a request for `role` on the question's target would become; `None` if the role does not reach it.
fn supposed_grant(snapshot: &Snapshot, question: &Question<'_>, role: &Role, number: u64) -> Option<ActiveGrant> {
    let account = snapshot.account_on(role, question.target)?;
    let now = question.around.now;
    // A grant lives as long as its longest command may run, so that the terms shown are the role's own.
    let duration = role.longest()?;
    let id = RequestId::from_bits(number);
    let as_approved = (role.name().clone(), role.digest());
    let targets = BTreeMap::from([(question.target.name.clone(), account.clone())]);
    // A condition that asks for it asks for where the command comes from too, and holds for no address that is not known.
    let source = question.asked_from.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let window = Window { start: now, end: now.after(duration) };
    AccessRequest::supposed(id, question.person.name.clone(), as_approved, targets, source, window).active_grant(now)
}

/// The answer of each role that the person may ask for, by name.
#[must_use]
pub fn candidates(snapshot: &Snapshot, question: &Question<'_>) -> Vec<Candidate> {
    let people = snapshot.people();
    let theirs = snapshot.roles.values().filter(|role| snapshot.may_ask(question.person, role));
    theirs.map(|role| candidate(snapshot, &people, question, role)).collect()
}

/// The answer of each role that the person may *not* ask for and that allows the line, by name. For operators: nobody else hears
/// of somebody else's roles.
#[must_use]
pub fn not_theirs(snapshot: &Snapshot, question: &Question<'_>) -> Vec<Candidate> {
    let others = snapshot.roles.values().filter(|role| !snapshot.may_ask(question.person, role));
    let allowing = others.filter(|role| role.takes_on(&question.target.name, question.words));
    allowing.map(|role| candidate(snapshot, &[], question, role)).collect()
}

fn candidate(snapshot: &Snapshot, people: &[Person], question: &Question<'_>, role: &Arc<Role>) -> Candidate {
    let asks = role.request().filter(|_| snapshot.may_ask(question.person, role));
    Candidate {
        role: Arc::clone(role),
        target: question.target.name.clone(),
        account: snapshot.account_on(role, question.target).cloned(),
        quorum: asks.map(|terms| Quorum::of(people, &question.person.name, terms)),
        answer: suppose(snapshot, question, &[role]),
        conditions: role.conditions().states(&Circumstances {
            now: question.around.now,
            source: question.around.source,
            request_source: question.asked_from,
            running: question.around.running.as_ref().map(|running| running.get(role.name()).copied().unwrap_or(0)),
        }),
    }
}

/// Somebody who can come to run a line, and how.
#[derive(Clone, Debug)]
pub struct Way {
    /// Who.
    pub user: UserName,
    /// By which role and rule, as which account; who approves.
    pub candidate: Candidate,
}

/// Everybody who could come to run `words` on `target`, by role and name; also those whose role has a condition that does not
/// hold as things are.
#[must_use]
pub fn who_can(snapshot: &Snapshot, target: &Target, words: &Words, around: &Surroundings) -> Vec<Way> {
    let people = snapshot.people();
    let reaching = snapshot.roles.values().filter(|role| snapshot.account_on(role, target).is_some());
    let mut ways = Vec::new();
    for role in reaching.filter(|role| role.takes_on(&target.name, words)) {
        for person in people.iter().filter(|person| snapshot.may_ask(person, role)) {
            let question = Question { person, target, words, around, asked_from: around.source };
            let candidate = candidate(snapshot, &people, &question, role);
            if candidate.rule(words).is_some() {
                ways.push(Way { user: person.name.clone(), candidate });
            }
        }
    }
    ways
}

#[cfg(test)]
mod tests;
