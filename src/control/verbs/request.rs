//! `request ROLE`: asks, and by default waits and tells what happens.

use std::time::Duration;

use crate::control::arguments::Arguments;
use crate::control::console::ours;
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::{Caller, Console, show};
use crate::domain::text::escape;
use crate::domain::time::for_people;
use crate::grant::approval::any_of;
use crate::grant::{AccessRequest, State};
use crate::policy::Unmet;
use crate::service::approved_roles::approved_role;
use crate::service::certify::certify;
use crate::service::conditions::unmet;
use crate::service::request_access::{Ask, await_change, file_request, status_of};
use crate::service::review_request::possible_approvers;

use super::cert;
use super::greeting::next_commands;

/// How often something is written while nothing happens: address translators forget a silent connection.
const REFRESH: Duration = Duration::from_secs(15);

pub(super) async fn run(
    caller: &Caller<'_>,
    arguments: &Arguments,
    console: &mut dyn Console,
) -> Result<Answer, Failure> {
    let ask = Ask {
        role: arguments.role("ROLE")?.clone(),
        targets: arguments.targets("on").map(<[_]>::to_vec).unwrap_or_default(),
        duration: arguments.duration("for").ok().copied(),
        reason: arguments.text("reason").unwrap_or("").to_owned(),
        ticket: arguments.text("ticket").ok().map(str::to_owned),
    };
    let filed = file_request(caller.services, caller.session, ask).await?;
    console.stdout(&format!("{}\n", filed.id)).await;
    console.stderr(&ours(&filed_as(caller, &filed))).await;
    if arguments.flag("no-wait") {
        return Ok(Answer::default().saying(not_waiting(caller, &filed)));
    }
    if matches!(filed.state, State::Pending { .. }) {
        let advice = format!(
            "waiting; Ctrl-C stops the waiting, not the request (`ssh {} status {}` looks again)",
            caller.alias(),
            filed.id
        );
        console.stderr(&ours(&advice)).await;
    }
    wait(caller, filed, console).await
}

/// What was asked, and who can say yes.
fn filed_as(caller: &Caller<'_>, request: &AccessRequest) -> String {
    let (on, span) = (show::names(request.scope.targets.keys()), for_people(request.scope.duration));
    let because = if request.reason.is_empty() { String::new() } else { format!(": {}", escape(&request.reason)) };
    let asked = format!("{} asks for {} on {on} for {span}{because}", request.id, request.role);
    let asked = match &request.state {
        State::Pending { .. } => format!("{asked}\n{}", who_can(caller, request)),
        _ => format!("{asked}\nnobody needs to approve it"),
    };
    match not_now(caller, request) {
        Some(what) => format!("{asked}\nnot to be used now: {} {what}", request.role),
        None => asked,
    }
}

/// The condition of the role that keeps it from being used from here at this moment.
fn not_now(caller: &Caller<'_>, request: &AccessRequest) -> Option<Unmet> {
    let (source, now) = (caller.session.peer.ip(), caller.services.clock.now());
    unmet(caller.services, &caller.services.snapshot.load(), request, source, now)
}

/// `bob or dan can approve it; 1 approval is needed; it lapses in 8h`.
fn who_can(caller: &Caller<'_>, request: &AccessRequest) -> String {
    let people = possible_approvers(caller.services, request);
    if people.len() < show::still_needed(request) {
        let (needed, there) = (show::still_needed(request), people.len());
        return format!("{needed} must still approve it and only {there} can at the moment: tell the operator");
    }
    let approvers = any_of(&people);
    let needed = match show::still_needed(request) {
        1 => "1 approval is needed".to_owned(),
        more => format!("{more} approvals are needed"),
    };
    let left = match &request.state {
        State::Pending { lapses } => {
            format!("; it lapses in {}", show::roughly(caller.services.clock.now().until(*lapses)))
        }
        _ => String::new(),
    };
    format!("{approvers} can approve it; {needed}{left}")
}

fn not_waiting(caller: &Caller<'_>, request: &AccessRequest) -> String {
    let alias = caller.alias();
    match &request.state {
        State::Approved { activate_by, .. } => {
            let left = show::roughly(caller.services.clock.now().until(*activate_by));
            format!("`ssh {alias} cert` or your first command starts its time; unused for {left}, it is gone")
        }
        _ => format!("`ssh {alias} status {}` says how it stands", request.id),
    }
}

/// Until it is decided, or the client goes.
async fn wait(caller: &Caller<'_>, filed: AccessRequest, console: &mut dyn Console) -> Result<Answer, Failure> {
    let mut seen = filed;
    loop {
        match &seen.state {
            State::Pending { .. } => {}
            State::Approved { .. } | State::Active { .. } => return begin(caller, &seen).await,
            over => return Err(Failure::new(Exit::Refused, format!("{} {over}", seen.id))),
        }
        let changed = tokio::select! {
            biased;
            () = console.gone() => return Err(left_waiting(caller, &seen)),
            // Who waits for an approver must not hold up the end.
            () = caller.services.stopping.cancelled() => return Err(stopping(caller, &seen)),
            changed = await_change(caller.services, &seen, REFRESH) => changed,
        };
        let now = changed.map_err(|error| {
            let advice = format!("{} was filed and still waits; `ssh {} status {}`", seen.id, caller.alias(), seen.id);
            Failure::from(error).and(&advice)
        })?;
        console.stderr(&ours(&news(caller, &seen, &now))).await;
        seen = now;
    }
}

/// What became different; if nothing did, that it still waits.
fn news(caller: &Caller<'_>, before: &AccessRequest, now: &AccessRequest) -> String {
    let mut parts = Vec::new();
    let new: Vec<_> =
        show::yeas(now).into_iter().filter(|by| before.approvals.iter().all(|old| old.by != *by)).collect();
    if !new.is_empty() {
        parts.push(format!("{} approved it", show::all_of(&new)));
    }
    if now.scope != before.scope {
        let (on, span) = (show::names(now.scope.targets.keys()), for_people(now.scope.duration));
        parts.push(format!("it was narrowed to {on} for {span}"));
    }
    if matches!(now.state, State::Pending { .. }) {
        parts.push(format!("still waiting: {}", who_can(caller, now)));
    }
    parts.join("\n")
}

/// The client is gone or has pressed Ctrl-C; this is for the few that still read.
fn left_waiting(caller: &Caller<'_>, request: &AccessRequest) -> Failure {
    let (alias, id) = (caller.alias(), &request.id);
    Failure::new(
        Exit::Refused,
        format!("{id} still waits; `ssh {alias} status {id}` looks again, `ssh {alias} withdraw {id}` stops it"),
    )
}

/// The request outlives the bastion's restart.
fn stopping(caller: &Caller<'_>, request: &AccessRequest) -> Failure {
    let (alias, id) = (caller.alias(), &request.id);
    let message = format!("the bastion is stopping; {id} still waits, and `ssh {alias} status {id}` looks again later");
    Failure::new(Exit::Unavailable, message)
}

/// Approved: activates, certifies this connection's key, and says what can be typed now and until when.
async fn begin(caller: &Caller<'_>, approved: &AccessRequest) -> Result<Answer, Failure> {
    let (alias, id) = (caller.alias(), &approved.id);
    if matches!(approved.state, State::Approved { .. })
        && let Some(what) = not_now(caller, approved)
    {
        let said = format!(
            "{id} is approved and does not begin yet: {} {what}\nyour first command then, or `ssh {alias} cert`, begins it",
            approved.role
        );
        return Ok(Answer::default().saying(said));
    }
    certify(caller.services, caller.session).await.map_err(|error| {
        let retry = format!("{id} is approved all the same; `ssh {alias} cert` tries again");
        cert::failure(&error).and(&retry)
    })?;
    let active = status_of(caller.services, caller.session, id).await?;
    let now = caller.services.clock.now();
    let Some(grant) = active.active_grant(now) else {
        return Err(Failure::new(Exit::Refused, format!("{id} {}", active.state)));
    };
    let (on, until) = (show::names(grant.targets().keys()), grant.ends().time_of_day());
    let left = show::roughly(now.until(grant.ends()));
    let mut said = format!("{} is active on {on} until {until} ({left}); now you can type:\n", grant.role());
    if caller.snapshot.settings.require_presented_certificate {
        let fetch =
            format!("    ssh {alias} cert > ~/.ssh/doorward-cert.pub   # first: only a presented one counts here\n");
        said.push_str(&fetch);
    }
    if let Ok(role) = approved_role(caller.services, &active) {
        said.push_str(&next_commands(&role, &grant, alias));
    }
    said.push_str(&format!("`ssh {alias} done {}` gives it back", grant.id()));
    Ok(Answer::default().saying(said))
}
