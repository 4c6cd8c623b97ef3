//! What a shell request without a command gets: there is no shell here, so it says what there is instead.

use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::domain::RoleName;
use crate::grant::{AccessRequest, State};
use crate::policy::Role;
use crate::service::held::held_grants;
use crate::service::request_access::my_requests;
use crate::service::requestable::roles_for;
use crate::service::review_request;

use super::whoami::active;

pub(in crate::control) async fn greeting(caller: &Caller<'_>) -> Result<Answer, Failure> {
    let (alias, now) = (caller.alias(), caller.services.clock.now());
    let mut out =
        format!("You are {} at {}. There is no shell here.\n", caller.person.name, caller.snapshot.settings.name);
    let held = held_grants(caller.services, &caller.person.name).await?;
    out.push_str(if held.is_empty() { "\nNothing is active.\n" } else { "\nActive:\n" });
    for held in &held {
        out.push_str(&format!("  {}\n{}", active(&held.grant, now), next_commands(&held.role, &held.grant, alias)));
    }
    let open = my_requests(caller.services, caller.session).await?;
    let waiting: Vec<&AccessRequest> =
        open.iter().filter(|request| matches!(request.state, State::Pending { .. } | State::Approved { .. })).collect();
    if !waiting.is_empty() {
        out.push_str("\nAsked for:\n");
    }
    for request in waiting {
        let (id, standing) = (show::id_of(request), show::standing(request, now));
        out.push_str(&format!(
            "  {id} {} on {}, {standing}\n",
            request.role,
            show::names(request.scope.targets.keys())
        ));
    }
    let roles = roles_for(&caller.snapshot, &caller.person);
    let roles: Vec<&str> = roles.iter().map(|role| RoleName::as_str(role.role.name())).collect();
    if !roles.is_empty() {
        out.push_str(&format!(
            "\nYou can ask for: {}\n  ssh {alias} roles ROLE\n  ssh {alias} request ROLE --reason WHY\n",
            roles.join(", ")
        ));
    }
    if caller.rights.approver || caller.rights.reviewer {
        let pending = review_request::pending(caller.services, caller.session).await?;
        out.push_str(&format!("\nRequests of others that wait: {}\n  ssh {alias} pending\n", pending.len()));
    }
    out.push_str(&format!("\n`ssh {alias} help` lists everything you can type.\n"));
    Ok(Answer::out(out))
}

/// What can be typed now, a line a command, at most five.
pub(super) fn next_commands(role: &Role, grant: &crate::grant::ActiveGrant, alias: &str) -> String {
    const MOST: usize = 5;
    let Some(target) = grant.targets().keys().next() else { return String::new() };
    if role.observes() {
        return format!("    ssh {target}@{alias} any command line of the account, which is logged and recorded\n");
    }
    let usage = |rule: &crate::policy::Rule| {
        format!("    ssh {target}@{alias} {}\n", crate::domain::text::escape(rule.usage()))
    };
    let mut out: String = role.rules().iter().take(MOST).map(usage).collect();
    let more = role.rules().len().saturating_sub(MOST);
    if more > 0 {
        out.push_str(&format!("    and {more} more: ssh {alias} roles {}\n", role.name()));
    }
    out
}
