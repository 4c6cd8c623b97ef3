//! One file a verb. Each puts one use case into words and returns them; only `request` talks while it runs.

use super::arguments::Arguments;
use super::outcome::{Answer, Exit, Failure};
use super::verb::Name;
use super::{Caller, Console};

mod approve;
mod audit;
mod cert;
mod deny;
mod done;
mod grants;
mod greeting;
mod help;
mod pending;
mod request;
mod revoke;
mod roles;
mod setup;
mod status;
mod targets;
mod whoami;
mod why;
mod withdraw;

pub(super) use greeting::greeting;

/// Does what `arguments` say.
pub(super) async fn run(
    caller: &Caller<'_>,
    arguments: &Arguments,
    console: &mut dyn Console,
) -> Result<Answer, Failure> {
    match arguments.verb.name {
        Name::Help => help::run(caller, arguments),
        Name::Whoami => whoami::run(caller, arguments).await,
        Name::Setup => Ok(setup::run(caller, arguments)),
        Name::Roles => roles::run(caller, arguments).await,
        Name::Targets => targets::run(caller, arguments).await,
        Name::Request => request::run(caller, arguments, console).await,
        Name::Status => status::run(caller, arguments).await,
        Name::Withdraw => withdraw::run(caller, arguments).await,
        Name::Cert => cert::run(caller).await,
        Name::Done => done::run(caller, arguments).await,
        Name::Why => why::run(caller, arguments).await,
        Name::Pending => pending::run(caller, arguments).await,
        Name::Approve => approve::run(caller, arguments).await,
        Name::Deny => deny::run(caller, arguments).await,
        Name::Grants => grants::run(caller, arguments).await,
        Name::Revoke => revoke::run(caller, arguments).await,
        Name::AuditSearch => audit::search(caller, arguments).await,
        Name::AuditVerify => audit::verify(caller, arguments).await,
        Name::AuditCheckpoint => audit::checkpoint(caller).await,
        Name::AuditProve => audit::prove(caller, arguments).await,
        Name::AuditConsistency => audit::consistency(caller, arguments).await,
        Name::NotServed => {
            Err(Failure::new(Exit::Usage, format!("`{}` is not served by this build yet", arguments.verb.word)))
        }
    }
}
