//! `status [ID]`: one's own requests, or one request that one may see.

use serde_json::json;

use crate::control::arguments::Arguments;
use crate::control::console::{Table, json_line};
use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::domain::text::escape;
use crate::domain::time::for_people;
use crate::grant::approval::any_of;
use crate::grant::{AccessRequest, State};
use crate::service::conditions::unmet;
use crate::service::request_access::{my_requests, status_of};
use crate::service::review_request::possible_approvers;

/// Rows of the table; what is older is in `--json`.
const ROWS: usize = 20;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let json = arguments.flag("json");
    if let Ok(id) = arguments.id("ID") {
        let request = status_of(caller.services, caller.session, id).await?;
        let one = if json { json_line(&show::request_json(&request)) } else { describe(caller, &request) };
        return Ok(Answer::out(one));
    }
    let requests = my_requests(caller.services, caller.session).await?;
    if json {
        let requests: Vec<_> = requests.iter().map(show::request_json).collect();
        return Ok(Answer::out(json_line(&json!({ "requests": requests }))));
    }
    if requests.is_empty() {
        let advice =
            format!("you have asked for nothing yet; `ssh {} roles` lists what you can ask for", caller.alias());
        return Ok(Answer::default().saying(advice));
    }
    Ok(table(caller, &requests))
}

fn table(caller: &Caller<'_>, requests: &[AccessRequest]) -> Answer {
    let now = caller.services.clock.now();
    let mut table = Table::new(&["ID", "ROLE", "TARGETS", "STATE"]);
    // What still lives comes first: it must not fall off the end of the table.
    let (open, over): (Vec<_>, Vec<_>) = requests.iter().partition(|request| !request.state.is_over());
    let shown = open.len().max(ROWS);
    for request in open.iter().chain(&over).take(shown) {
        table.row([
            show::id_of(request),
            request.role.to_string(),
            show::names(request.scope.targets.keys()),
            show::standing(request, now),
        ]);
    }
    let left_out = requests.len().saturating_sub(shown);
    let answer = Answer::out(table.render());
    if left_out == 0 { answer } else { answer.saying(format!("{left_out} older ones are in `status --json`")) }
}

fn describe(caller: &Caller<'_>, request: &AccessRequest) -> String {
    let (alias, now) = (caller.alias(), caller.services.clock.now());
    let mut out = format!("{} {}\n", show::id_of(request), request.state);
    let mut field = |label, text: &str| out.push_str(&show::field(label, text));
    field("who", request.user.as_str());
    field("role", request.role.as_str());
    field("targets", &show::names(request.scope.targets.keys()));
    field("for", &for_people(request.scope.duration));
    if !request.reason.is_empty() {
        field("reason", &escape(&request.reason));
    }
    if let Some(ticket) = &request.ticket {
        field("ticket", &escape(ticket));
    }
    field("asked", &format!("{} ago", show::roughly(request.filed.until(now))));
    if request.approvals_needed > 0 {
        let have = if request.approvals.is_empty() {
            String::new()
        } else {
            format!(": {}", show::all_of(&show::yeas(request)))
        };
        field("approvals", &format!("{} of {}{have}", request.approvals.len(), request.approvals_needed));
    }
    let own = request.user == caller.person.name;
    match &request.state {
        State::Pending { .. } => {
            field("can", &format!("{} can approve it", any_of(&possible_approvers(caller.services, request))));
            if own {
                field("to stop", &format!("ssh {alias} withdraw {}", request.id));
            }
        }
        State::Approved { .. } if own => {
            let source = caller.session.peer.ip();
            if let Some(what) = unmet(caller.services, &caller.services.snapshot.load(), request, source, now) {
                field("not yet", &escape(&format!("{} {what}", request.role)));
            }
            field("to begin", &format!("ssh {alias} cert, or your first command"));
        }
        State::Active { .. } if own => field("to end", &format!("ssh {alias} done {}", request.grant_id())),
        _ => {}
    }
    out
}
