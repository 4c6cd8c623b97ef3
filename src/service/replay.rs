//! What a configuration would answer to a command of the past. Pure: the question, the time and the place are given.
//!
//! Decides with the same [`decide()`] as a command of today, under a grant that is made up for the question: the role as this
//! configuration has it, freshly approved. Who really held what, and what else they held, is not in it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::domain::{AccountName, RequestId, RoleName, TargetName, Timestamp, UserName, Window};
use crate::grant::AccessRequest;
use crate::policy::render::{Executed, executed};
use crate::policy::{
    Choice, CommandRequest, Decision, HeldRole, Role, Rule, Surroundings, Terms, Words, decide, explain,
};

use super::Snapshot;

/// A command line that somebody typed.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who.
    pub user: &'a UserName,
    /// Where.
    pub target: &'a TargetName,
    /// What.
    pub line: &'a str,
    /// When.
    pub at: Timestamp,
    /// From where. If unknown, the networks of the user are not judged, and no condition on networks holds.
    pub source: Option<IpAddr>,
}

/// What would be answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// Yes, and this would run.
    Yes(Yes),
    /// No, and why, in words.
    No(String),
}

/// A yes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Yes {
    /// The role.
    pub role: RoleName,
    /// Its rule, from 1; 0 for a role that observes.
    pub rule: usize,
    /// That rule as it is written; empty for a role that observes.
    pub usage: String,
    /// As whom.
    pub account: AccountName,
    /// What would run.
    pub executed: Option<Executed>,
    /// Under which terms.
    pub terms: Terms,
}

/// What `snapshot` answers if the user held `role` of it there and then.
#[must_use]
pub fn under_role(snapshot: &Snapshot, role: &RoleName, question: &Question<'_>) -> Reply {
    let Some(user) = snapshot.directory.user(question.user) else {
        return Reply::No(format!("{} is not enrolled", question.user));
    };
    if let Some(source) = question.source.filter(|source| !user.may_come_from(*source)) {
        return Reply::No(format!("{} may not come from {source}", question.user));
    }
    let Some(role) = snapshot.roles.get(role) else { return Reply::No(format!("there is no role {role}")) };
    if !snapshot.may_ask(&user.person(), role) {
        return Reply::No(format!("{} may not ask for {}", question.user, role.name()));
    }
    let target = snapshot.inventory.target(question.target);
    let Some(account) = target.and_then(|target| snapshot.account_on(role, target)) else {
        return Reply::No(format!("{} does not reach {}", role.name(), question.target));
    };
    match Words::split(question.line.as_bytes()) {
        Ok(words) => decided(snapshot, role, account, &words, question),
        Err(error) => Reply::No(error.to_string()),
    }
}

/// What `snapshot` answers under any one role that the user may ask for and that reaches the target: the first yes, by name.
#[must_use]
pub fn under_any(snapshot: &Snapshot, question: &Question<'_>) -> Option<Yes> {
    snapshot.roles.values().filter(|role| !role.observes()).find_map(|role| {
        match under_role(snapshot, role.name(), question) {
            Reply::Yes(yes) => Some(yes),
            Reply::No(_) => None,
        }
    })
}

fn decided(snapshot: &Snapshot, role: &Role, account: &AccountName, words: &Words, question: &Question<'_>) -> Reply {
    let span = role.request().map_or(Duration::from_secs(3600), |terms| terms.max_duration);
    let targets = BTreeMap::from([(question.target.clone(), account.clone())]);
    let id = RequestId::from_bits(0);
    let as_approved = (role.name().clone(), role.digest());
    let source = question.source.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let window = Window { start: question.at, end: question.at.after(span) };
    let request = AccessRequest::supposed(id, question.user.clone(), as_approved, targets, source, window);
    let Some(grant) = request.active_grant(question.at) else { return Reply::No("no grant could be".to_owned()) };
    let held = [HeldRole { grant: &grant, approved: role, loaded: Some(role), account: Some(account), eligible: true }];
    let request = CommandRequest { target: question.target, words, choice: &Choice::Any };
    // Nothing else of theirs is in the question, so nothing else runs.
    let around = Surroundings { now: question.at, source: question.source, running: Some(BTreeMap::new()) };
    match decide(&request, &held, around) {
        Decision::Allow(permit) => Reply::Yes(Yes {
            role: permit.role().clone(),
            rule: permit.rule(),
            usage: role.rule(permit.rule()).map_or("", Rule::usage).to_owned(),
            account: permit.account().clone(),
            executed: executed(&permit.argv()),
            terms: *permit.terms(),
        }),
        Decision::Deny(denial) => {
            let lines = explain::denial(&denial, question.target, &snapshot.settings.alias);
            Reply::No(lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::rehearsal::{HERE, NOW, PEOPLE, ROLES, Rehearsal, name, role};

    /// Time and source are those of the command, and nothing else ran: else a set with conditions would seem to allow nothing.
    #[test]
    fn conditions_are_judged_by_the_time_and_the_source_of_the_command() {
        let rows = [
            ("networks = [\"192.0.2.0/24\"]", Some(HERE), true),
            ("networks = [\"10.0.0.0/8\"]", Some(HERE), false),
            ("networks = [\"192.0.2.0/24\"]", None, false),
            ("max_sessions = 1", Some(HERE), true),
            ("same_source = true", Some(HERE), true),
            ("same_source = true", None, false),
            ("hours = \"Sat 08:00-20:00 UTC\"", None, true),
            ("hours = \"Sun 08:00-20:00 UTC\"", None, false),
        ];
        let stage = Rehearsal::with(&PEOPLE, &ROLES);
        let (user, target) = (name("alice"), "web-1".parse().unwrap());
        for (when, source, yes) in rows {
            let text = ROLES[2].1.replace("[request]", &format!("[when]\n{when}\n[request]"));
            stage.reload(|snapshot| drop(snapshot.roles.insert("web-look".parse().unwrap(), role("web-look", &text))));
            let question = Question { user: &user, target: &target, line: "uptime", at: NOW, source };
            let snapshot = stage.services.snapshot.load();
            let reply = under_role(&snapshot, &"web-look".parse().unwrap(), &question);
            assert_eq!(matches!(reply, Reply::Yes(_)), yes, "{when} from {source:?}: {reply:?}");
            assert_eq!(under_any(&snapshot, &question).is_some(), yes, "{when} from {source:?}");
        }
    }
}
