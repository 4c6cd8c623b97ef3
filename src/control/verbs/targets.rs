//! `targets`: what one may use or ask for.

use std::collections::BTreeSet;

use serde_json::json;

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::console::{Table, json_line};
use crate::control::outcome::{Answer, Failure};
use crate::domain::RoleName;
use crate::service::requestable::targets_for;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let targets = targets_for(caller.services, &caller.person.name).await?;
    if arguments.flag("json") {
        let targets: Vec<_> = targets
            .iter()
            .map(|target| json!({"target": target.name.as_str(), "active": target.active, "requestable": target.requestable}))
            .collect();
        return Ok(Answer::out(json_line(&json!({ "targets": targets }))));
    }
    if targets.is_empty() {
        return Ok(Answer::default().saying("there is no target that you may use or ask for; ask the operator"));
    }
    let alias = caller.alias();
    let mut table = Table::new(&["TARGET", "ACTIVE", "CAN ASK FOR"]);
    for target in &targets {
        table.row([target.name.to_string(), listed(&target.active), listed(&target.requestable)]);
    }
    let advice =
        format!("use one with `ssh TARGET@{alias} COMMAND`; `ssh {alias} roles ROLE` shows the commands of a role");
    Ok(Answer::out(table.render()).saying(advice))
}

fn listed(roles: &BTreeSet<RoleName>) -> String {
    if roles.is_empty() { "-".to_owned() } else { roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(", ") }
}
