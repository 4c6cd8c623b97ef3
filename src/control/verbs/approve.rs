//! `approve ID DIGEST`: says yes, and repeats to what.

use crate::control::arguments::Arguments;
use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::domain::time::for_people;
use crate::grant::approval::any_of;
use crate::grant::{Narrowing, State};
use crate::service::conditions::unmet;
use crate::service::review_request;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let (id, seen) = (arguments.id("ID")?, arguments.text("DIGEST")?);
    let targets = arguments.targets("on").map(<[_]>::to_vec).unwrap_or_default();
    let narrowing = Narrowing { targets, duration: arguments.duration("for").ok().copied() };
    let report = review_request::approve(caller.services, caller.session, id, seen, &narrowing).await?;
    let request = &report.request;
    let mut out = if report.repeated { "you had approved this already: " } else { "you approved: " }.to_owned();
    let (on, span) = (show::names(request.scope.targets.keys()), for_people(request.scope.duration));
    out.push_str(&format!("{id}, {} for {} on {on} for {span}\n", request.role, request.user));
    let needed = show::still_needed(request);
    out.push_str(&match &request.state {
        State::Pending { .. } => {
            let others = any_of(&review_request::possible_approvers(caller.services, request));
            format!("{needed} more must approve it before it can be used: {others}\n")
        }
        State::Approved { activate_by, .. } => {
            let now = caller.services.clock.now();
            let left = show::roughly(now.until(*activate_by));
            let use_it = match unmet(caller.services, &caller.snapshot, request, request.source, now) {
                Some(what) => format!("not to be used now: {} {what}", request.role),
                None => format!("{} can use it now", request.user),
            };
            format!("{use_it}; if it is not used within {left}, it is gone\n")
        }
        other => format!("it {other}\n"),
    });
    out.push_str(&format!("to take it back: ssh {} revoke {} WHY\n", caller.alias(), request.grant_id()));
    Ok(Answer::out(out))
}
