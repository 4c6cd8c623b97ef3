//! `roles [ROLE]`: what one may ask for, and what is in it.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::control::arguments::Arguments;
use crate::control::asking::{parameters_json, targets_json};
use crate::control::console::{Table, json_line};
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::{Caller, show};
use crate::domain::text::{escape, excerpt};
use crate::domain::time::for_people;
use crate::domain::{RoleName, Subject};
use crate::policy::{Circumstances, RequestTerms, Role};
use crate::service::requestable::{RequestableRole, roles_for};

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let json = arguments.flag("json");
    let roles = roles_for(&caller.snapshot, &caller.person);
    if let Ok(name) = arguments.role("ROLE") {
        let role = roles.iter().find(|role| role.role.name() == name);
        return match role {
            Some(role) if json => Ok(Answer::out(json_line(&role_json(role)))),
            Some(role) => Ok(Answer::out(describe(caller, role))),
            None => one_that_others_ask_for(caller, name, json),
        };
    }
    if json {
        let roles: Vec<_> = roles.iter().map(role_json).collect();
        return Ok(Answer::out(json_line(&json!({ "roles": roles }))));
    }
    if roles.is_empty() {
        return Ok(Answer::default().saying("there is no role that you may ask for; ask the operator"));
    }
    let mut table = Table::new(&["ROLE", "AT MOST", "TARGETS", "WHAT FOR"]);
    for role in &roles {
        let longest = role.role.request().map_or_else(String::new, |terms| show::roughly(terms.max_duration));
        let description = excerpt(role.role.description(), show::CELL);
        table.row([role.role.name().to_string(), longest, role.targets.len().to_string(), description]);
    }
    let advice = format!("`ssh {} roles ROLE` shows its commands and how to ask for it", caller.alias());
    Ok(Answer::out(table.render()).saying(advice))
}

/// Approvers of a role and reviewers may read it too; for anybody else it does not exist.
fn one_that_others_ask_for(caller: &Caller<'_>, name: &RoleName, json: bool) -> Result<Answer, Failure> {
    let approves = |role: &&Arc<Role>| {
        let listed = |terms: &RequestTerms| terms.approvers.iter().any(|subject| subject.covers(&caller.person));
        caller.rights.reviewer || role.request().is_some_and(listed)
    };
    let Some(role) = caller.snapshot.roles.get(name).filter(approves) else {
        let message =
            format!("there is no role {name} that you may ask for; `ssh {} roles` lists them", caller.alias());
        return Err(Failure::new(Exit::NotFound, message));
    };
    let approvers = role.request().map_or_else(|| "nobody may ask for it".to_owned(), approvers_listed);
    let role = RequestableRole { role: Arc::clone(role), targets: caller.snapshot.reach_of(role), approvers };
    Ok(Answer::out(if json { json_line(&role_json(&role)) } else { describe(caller, &role) }))
}

fn approvers_listed(terms: &RequestTerms) -> String {
    let listed: Vec<String> = terms.approvers.iter().map(Subject::to_string).collect();
    if terms.approvals == 0 {
        "nobody needs to approve".to_owned()
    } else {
        format!("{} of {}", terms.approvals, listed.join(", "))
    }
}

fn describe(caller: &Caller<'_>, requestable: &RequestableRole) -> String {
    let role = &requestable.role;
    let mut out = format!("{}: {}\n", role.name(), escape(role.description()));
    out.push_str("  commands\n");
    out.push_str(&show::usages(role, "    "));
    out.push_str(&show::field("targets", &show::names(requestable.targets.keys())));
    out.push_str(&show::field("as", role.run_as().as_str()));
    out.push_str(&show::field("approval", &requestable.approvers));
    let (now, source) = (caller.services.clock.now(), Some(caller.session.peer.ip()));
    let running = caller.services.running.of(&caller.person.name).get(role.name()).copied().unwrap_or(0);
    // Who asks now asks from here.
    let here = Circumstances { now, source, request_source: source, running: Some(running) };
    out.push_str(&show::conditions(role, &here));
    let asks = role.request().filter(|_| caller.snapshot.may_ask(&caller.person, role));
    let Some(terms) = asks else { return out };
    let (usual, most) = (for_people(terms.default_duration), for_people(terms.max_duration));
    out.push_str(&show::field("time", &format!("{usual} unless you say --for, {most} at most")));
    let mut line = format!("ssh {} request {}", caller.alias(), role.name());
    if requestable.targets.len() > crate::grant::eligibility::TARGETS_BY_DEFAULT
        && let Some(first) = requestable.targets.keys().next()
    {
        line.push_str(&format!(" --on {first}"));
    }
    if let Some(ticket) = &terms.ticket {
        out.push_str(&show::field("ticket", &format!("needed, like {}", escape(ticket.as_str()))));
        line.push_str(" --ticket TICKET");
    }
    if terms.reason_required {
        line.push_str(" --reason WHY");
    }
    out.push_str(&show::field("to ask", &line));
    out
}

fn role_json(requestable: &RequestableRole) -> Value {
    let role = &requestable.role;
    let commands: Vec<Value> = role
        .rules()
        .iter()
        .map(|rule| {
            let on = rule.targets().map(ToString::to_string);
            json!({"usage": rule.usage(), "help": rule.help(), "parameters": parameters_json(rule), "only_on": on,
                "accept_escape": rule.accepts_escape()})
        })
        .collect();
    let terms = role.request();
    json!({
        "role": role.name().as_str(),
        "description": role.description(),
        "targets": targets_json(&requestable.targets),
        "commands": commands,
        "conditions": role.conditions().in_words(),
        "observe": role.observes(),
        "approval": requestable.approvers,
        "approvals_needed": terms.map(|terms| terms.approvals),
        "max_seconds": terms.map(|terms| terms.max_duration.as_secs()),
        "default_seconds": terms.map(|terms| terms.default_duration.as_secs()),
        "reason_required": terms.map(|terms| terms.reason_required),
        "ticket": terms.and_then(|terms| terms.ticket.as_ref()).map(regex::Regex::as_str),
    })
}
