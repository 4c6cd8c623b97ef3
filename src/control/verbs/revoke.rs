//! `revoke ID [TEXT]`.

use crate::control::arguments::Arguments;
use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::domain::{GrantId, text};
use crate::service::end_grant;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let said = arguments.text("TEXT").unwrap_or("");
    let grant = GrantId::from(arguments.id("ID")?);
    let request = end_grant::revoke(caller.services, caller.session, &grant, said).await?;
    let told = if said.is_empty() { String::new() } else { format!("; told: {}", text::escape(said)) };
    let on = show::names(request.scope.targets.keys());
    Ok(Answer::out(format!(
        "{grant} is revoked: {} of {} on {on}; commands under it are ended{told}\n",
        request.role, request.user
    )))
}
