//! `deny ID [TEXT]`.

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::outcome::{Answer, Failure};
use crate::domain::text;
use crate::service::review_request;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let said = arguments.text("TEXT").unwrap_or("");
    let request = review_request::deny(caller.services, caller.session, arguments.id("ID")?, said).await?;
    let told = if said.is_empty() { String::new() } else { format!(", who is told: {}", text::escape(said)) };
    Ok(Answer::out(format!("{} is denied: {} for {}{told}\n", request.id, request.role, request.user)))
}
