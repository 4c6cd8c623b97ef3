//! `grants`: who holds what now.

use serde_json::json;

use crate::control::arguments::Arguments;
use crate::control::console::{Table, json_line};
use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::service::end_grant;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let grants = end_grant::grants(caller.services, caller.session).await?;
    if arguments.flag("json") {
        let grants: Vec<_> = grants.iter().map(show::request_json).collect();
        return Ok(Answer::out(json_line(&json!({ "grants": grants }))));
    }
    if grants.is_empty() {
        return Ok(Answer::default().saying("nobody holds anything that you approve or review"));
    }
    let now = caller.services.clock.now();
    let mut table = Table::new(&["GRANT", "WHO", "ROLE", "TARGETS", "STATE"]);
    for grant in &grants {
        table.row([
            grant.grant_id().to_string(),
            grant.user.to_string(),
            grant.role.to_string(),
            show::names(grant.scope.targets.keys()),
            show::standing(grant, now),
        ]);
    }
    Ok(Answer::out(table.render()).saying(format!("`ssh {} revoke GRANT WHY` ends one", caller.alias())))
}
