//! `done [ID]`: gives back before the time is up.

use crate::control::arguments::Arguments;
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::{Caller, show};
use crate::domain::GrantId;
use crate::grant::{AccessRequest, State};
use crate::service::end_grant::{Which, done};
use crate::service::request_access::my_requests;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let grant = match arguments.id("ID") {
        Ok(id) => GrantId::from(id),
        Err(_) => the_only_one(caller).await?,
    };
    let ended = done(caller.services, caller.session, &Which::One(grant)).await?;
    let said = |request: &AccessRequest| {
        let on = show::names(request.scope.targets.keys());
        format!("{} is given back: {} on {on}; commands under it are ended\n", request.grant_id(), request.role)
    };
    Ok(Answer::out(ended.iter().map(said).collect::<String>()))
}

/// Giving back the wrong one of several costs a new request, so with several the holder says which.
async fn the_only_one(caller: &Caller<'_>) -> Result<GrantId, Failure> {
    let held: Vec<AccessRequest> = my_requests(caller.services, caller.session)
        .await?
        .into_iter()
        .filter(|request| matches!(request.state, State::Active { .. } | State::Approved { .. }))
        .collect();
    let (alias, now) = (caller.alias(), caller.services.clock.now());
    match held.as_slice() {
        [] => Err(Failure::new(Exit::NotFound, "you hold nothing to give back")),
        [only] => Ok(only.grant_id()),
        several => {
            let lines: Vec<String> = several
                .iter()
                .map(|request| {
                    let (id, standing) = (request.grant_id(), show::standing(request, now));
                    format!("  ssh {alias} done {id}   # {}, {standing}", request.role)
                })
                .collect();
            let message = format!("you hold {} grants; say which one to give back:", several.len());
            Err(Failure::new(Exit::Usage, message).and(&lines.join("\n")))
        }
    }
}
