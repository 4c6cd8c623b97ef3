//! `withdraw ID`.

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::outcome::{Answer, Failure};
use crate::service::request_access;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let request = request_access::withdraw(caller.services, caller.session, arguments.id("ID")?).await?;
    Ok(Answer::out(format!("{} is withdrawn; nobody can approve or use it any more\n", request.id)))
}
