//! `pending`: everything an approver needs to decide, and the line to type.

use serde_json::{Value, json};

use crate::control::arguments::Arguments;
use crate::control::console::json_line;
use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::domain::Timestamp;
use crate::domain::text::escape;
use crate::domain::time::for_people;
use crate::grant::State;
use crate::policy::Circumstances;
use crate::service::review_request::{History, PendingRequest, pending};

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let waiting = pending(caller.services, caller.session).await?;
    if arguments.flag("json") {
        let pending: Vec<_> = waiting.iter().map(as_json).collect();
        return Ok(Answer::out(json_line(&json!({ "pending": pending }))));
    }
    if waiting.is_empty() {
        return Ok(Answer::default().saying("nothing waits for you"));
    }
    let blocks: Vec<String> = waiting.iter().map(|waiting| describe(caller, waiting)).collect();
    Ok(Answer::out(blocks.join("\n")))
}

fn describe(caller: &Caller<'_>, waiting: &PendingRequest) -> String {
    let (request, now) = (&waiting.request, caller.services.clock.now());
    let team = caller.snapshot.directory.user(&request.user).and_then(|user| user.team.as_ref());
    let team = team.map_or_else(String::new, |team| format!(" (team {team})"));
    let mut out = format!("{}  {}{team} asks for {}\n", request.id, request.user, request.role);
    let mut field = |label: &str, text: &str| out.push_str(&show::field(label, text));
    let Some(role) = &waiting.role else {
        field("role", "cannot be read any more, so nobody can approve this; deny it and let them ask again");
        field("to deny", &format!("ssh {} deny {} WHY", caller.alias(), request.id));
        return out;
    };
    field("role", &escape(role.description()));
    let accounts = request.scope.targets.iter().map(|(target, account)| format!("{target} as {account}"));
    field("targets", &accounts.collect::<Vec<_>>().join(", "));
    field("for", &for_people(request.scope.duration));
    field("reason", if request.reason.is_empty() { "none given".into() } else { escape(&request.reason) }.as_ref());
    if let Some(ticket) = &request.ticket {
        field("ticket", &escape(ticket));
    }
    field("from", &request.source.to_string());
    let lapses = match &request.state {
        State::Pending { lapses } => format!(", lapses in {}", show::roughly(now.until(*lapses))),
        _ => String::new(),
    };
    field("asked", &format!("{} ago{lapses}", show::roughly(request.filed.until(now))));
    field("before", &before(&waiting.history, now));
    let have =
        if request.approvals.is_empty() { String::new() } else { format!(": {}", show::all_of(&show::yeas(request))) };
    field("approvals", &format!("{} of {}{have}", request.approvals.len(), request.approvals_needed));
    let asked_from = Some(request.source);
    let running = caller.services.running.of(&request.user).get(&request.role).copied().unwrap_or(0);
    let theirs = Circumstances { now, source: asked_from, request_source: asked_from, running: Some(running) };
    out.push_str(&show::conditions(role, &theirs));
    out.push_str(&show::field("commands", ""));
    out.push_str(&show::usages(role, "    "));
    if waiting.decidable {
        let (alias, id, digest) = (caller.alias(), &request.id, request.digest().short());
        out.push_str(&show::field("approve", &format!("ssh {alias} approve {id} {digest}")));
        out.push_str(&show::field("or", &format!("ssh {alias} deny {id} WHY")));
    }
    out
}

fn before(history: &History, now: Timestamp) -> String {
    let Some(last) = history.last else { return "never asked for this role".to_owned() };
    let parts = [(history.granted, "approved"), (history.denied, "denied"), (history.revoked, "revoked")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    let times = if history.filed == 1 { "once".to_owned() } else { format!("{} times", history.filed) };
    let what = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    format!("asked {times}{what}, last {} ago", show::roughly(last.until(now)))
}

fn as_json(waiting: &PendingRequest) -> Value {
    let history = &waiting.history;
    let usages =
        waiting.role.as_ref().map(|role| role.rules().iter().map(|rule| rule.usage().to_owned()).collect::<Vec<_>>());
    json!({
        "request": show::request_json(&waiting.request),
        "commands": usages,
        "conditions": waiting.role.as_ref().map(|role| role.conditions().in_words()),
        "decidable": waiting.decidable,
        "history": {
            "filed": history.filed,
            "granted": history.granted,
            "denied": history.denied,
            "revoked": history.revoked,
            "last": history.last.map(|last| last.to_string()),
        },
    })
}
