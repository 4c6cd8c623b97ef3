//! `why TARGET COMMAND…`: the decision without the command. Nothing runs, and nothing is logged as a command.

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::outcome::{Answer, Exit, Failure};
use crate::domain::{Person, TargetName, UserName};
use crate::grant::State;
use crate::policy::{Choice, CommandRequest, Decision, Words, decide, explain};
use crate::service::conditions::surroundings;
use crate::service::held::held_grants;
use crate::service::ports::RequestQuery;
use crate::service::requestable::{Suggestion, role_allowing, targets_for};

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let (role, target) = arguments.place("TARGET")?;
    let line = arguments.text("COMMAND")?;
    let person = match arguments.user("user") {
        Ok(name) => somebody_else(caller, name)?,
        Err(_) => caller.person.clone(),
    };
    let visible = targets_for(caller.services, &person.name).await?;
    if visible.iter().all(|visible| visible.name != *target) {
        let message = format!("there is no target {target} that {} may use or ask for", whom(caller, &person));
        return Err(Failure::new(Exit::NotFound, message));
    }
    let words = match Words::split(line.as_bytes()) {
        Ok(words) => words,
        Err(error) => return Ok(Answer::out(format!("denied: {}\n", error.lines().join("\n  "))).refused()),
    };
    let choice = Choice::from(role.cloned());
    let request = CommandRequest { target, words: &words, choice: &choice };
    let held = held_grants(caller.services, &person.name).await?;
    let held: Vec<_> = held.iter().map(|held| held.as_configured(target, &caller.snapshot)).collect();
    let source = (person.name == caller.person.name).then(|| caller.session.peer.ip());
    let now = surroundings(caller.services, &person.name, source);
    Ok(match decide(&request, &held, now) {
        Decision::Allow(permit) => Answer::out(format!("{}\n", explain::allowed(&permit).join("\n  "))),
        Decision::Deny(denial) => {
            let said = explain::denial(&denial, target, caller.alias());
            let mut out = format!("denied: {}\n", said.join("\n  "));
            out.push_str(&match role_allowing(&caller.snapshot, &person, target, &words) {
                Some(suggestion) => way_to(caller, &person, target, &suggestion).await?,
                None => no_role(caller, &person, target),
            });
            Answer::out(out).refused()
        }
    })
}

fn somebody_else(caller: &Caller<'_>, name: &UserName) -> Result<Person, Failure> {
    let unknown = || Failure::new(Exit::NotFound, format!("there is no user {name}"));
    caller.snapshot.person(name).ok_or_else(unknown)
}

fn whom(caller: &Caller<'_>, person: &Person) -> String {
    if caller.person.name == person.name { "you".to_owned() } else { person.name.to_string() }
}

/// The request to type, unless it has been typed already.
async fn way_to(
    caller: &Caller<'_>,
    person: &Person,
    target: &TargetName,
    suggestion: &Suggestion,
) -> Result<String, Failure> {
    let query =
        RequestQuery { user: Some(person.name.clone()), role: Some(suggestion.role.clone()), open: true, limit: 0 };
    let open = caller.services.store.requests(&query).await?;
    let open = open.iter().map(|stored| &stored.value).filter(|request| request.scope.targets.contains_key(target));
    for request in open {
        match &request.state {
            State::Approved { .. } => {
                return Ok(format!(
                    "{} is approved and would allow it: `ssh {} cert` or the command itself starts it\n",
                    request.grant_id(),
                    caller.alias()
                ));
            }
            State::Pending { .. } => return Ok(format!("{} would allow it, and {}\n", request.id, request.state)),
            _ => {}
        }
    }
    Ok(format!("to ask for it: {}\n", suggestion.line))
}

fn no_role(caller: &Caller<'_>, person: &Person, target: &TargetName) -> String {
    format!(
        "no role that {} may ask for allows exactly this on {target}; `ssh {} roles` lists them\n",
        whom(caller, person),
        caller.alias()
    )
}
