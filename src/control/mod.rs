//! The control door: the verbs that `ssh bastion VERB …` runs.
//!
//! [`mod@line`] cuts the line, [`verb`] holds the one table of verbs, [`arguments`] reads a line by it, `verbs/` does each through
//! the use cases of `service`, [`mod@asking`] shows what allows a line and what does not, [`console`] is the screen. Decides nothing:
//! who may do what is `service`'s and the core's; here it is put into words. Refuses to know SSH, SQL and files.

use std::sync::Arc;

use crate::audit::event::What;
use crate::domain::{Person, TargetName, limits};
use crate::service::ports::AuditReader;
use crate::service::{Services, Session, Snapshot, requestable, unspoken};

pub mod arguments;
pub mod asking;
pub mod console;
pub mod handout;
pub mod line;
mod nearest;
mod outcome;
mod show;
mod usage;
pub mod verb;
mod verbs;

pub use console::Console;
pub use outcome::Exit;

use arguments::Misuse;
use console::ours;
use outcome::{Answer, Failure};
use verb::Rights;

/// What the verbs need besides the use cases. Wired once, in `app`.
#[derive(Clone)]
pub struct ControlContext {
    /// The host CA's public key as in known_hosts: `ssh-ed25519 AAAA…`.
    pub host_ca: String,
    /// The port that clients connect to.
    pub port: u16,
    /// The log, for reviewers.
    pub audit: Arc<dyn AuditReader>,
}

/// Who typed, and what they are now.
struct Caller<'a> {
    services: &'a Services,
    context: &'a ControlContext,
    session: &'a Session,
    snapshot: Arc<Snapshot>,
    person: Person,
    rights: Rights,
}

impl<'a> Caller<'a> {
    fn new(services: &'a Services, context: &'a ControlContext, session: &'a Session) -> Result<Self, Failure> {
        let snapshot = services.snapshot.load_full();
        // The key counts as much as the name: a key that was taken out of users.toml, because it was stolen, must not go on
        // approving over a connection that is still open.
        let enrolled = snapshot.directory.owner_of(&session.user.fingerprint);
        let Some(user) = enrolled.filter(|user| user.name == session.user.name) else {
            return Err(Failure::new(Exit::Refused, "you are not enrolled here any more; ask the operator"));
        };
        // So does the address: a network that was taken away must not go on either.
        if !user.may_come_from(session.peer.ip()) {
            return Err(Failure::new(Exit::Refused, "you may not come from this address any more; ask the operator"));
        }
        let person = user.person();
        let approves = |role: &Arc<crate::policy::Role>| {
            role.request().is_some_and(|terms| terms.approvers.iter().any(|subject| subject.covers(&person)))
        };
        let rights =
            Rights { approver: snapshot.roles.values().any(approves), reviewer: snapshot.is_reviewer(&person) };
        Ok(Self { services, context, session, snapshot, person, rights })
    }

    /// What people type after `ssh`.
    fn alias(&self) -> &str {
        &self.snapshot.settings.alias
    }

    fn misused(&self, misuse: &Misuse, line: &[u8], target: Option<&TargetName>) -> Failure {
        Failure::new(Exit::Usage, usage::complaint(misuse, line, self.alias(), self.rights, target))
    }
}

/// Runs one control line and gives its exit code (see [`Exit`]). Writes the answer to `console` and an entry to the log.
///
/// The entry is handed over afterwards and not awaited: no line here gives power by itself, and the use cases write their
/// own entries before they do.
pub async fn run(
    services: &Services,
    context: &ControlContext,
    session: &Session,
    line: &[u8],
    console: &mut dyn Console,
) -> u8 {
    let exit = match answer(services, context, session, line, console).await {
        Ok(answer) => deliver(answer, console).await,
        Err(failure) => fail(&failure, console).await,
    } as u8;
    let kept = line.get(..limits::LINE).unwrap_or(line);
    let line = String::from_utf8_lossy(kept).into_owned();
    let line = unspoken::control_line(services, &session.user.name, line, verb::is_known_word).await;
    services.audit.append_later(session.event(What::Control { line, exit }));
    exit
}

/// Answers a shell request without a command: who you are, what is active, what you may ask for, and how.
pub async fn greet(services: &Services, context: &ControlContext, session: &Session, console: &mut dyn Console) -> u8 {
    let greeting = match Caller::new(services, context, session) {
        Ok(caller) => {
            tell_what_changed(&caller, console).await;
            verbs::greeting(&caller).await
        }
        Err(failure) => Err(failure),
    };
    let exit = match greeting {
        Ok(answer) => deliver(answer, console).await,
        Err(failure) => fail(&failure, console).await,
    } as u8;
    services.audit.append_later(session.event(What::Control { line: String::new(), exit }));
    exit
}

/// What a reload took away from them, if nobody has told them yet.
async fn tell_what_changed(caller: &Caller<'_>, console: &mut dyn Console) {
    let lines = caller.services.told.take(&caller.person.name, caller.services.clock.now());
    if !lines.is_empty() {
        console.stderr(&ours(&lines.join("\n"))).await;
    }
}

async fn deliver(answer: Answer, console: &mut dyn Console) -> Exit {
    if !answer.stdout.is_empty() {
        console.stdout(&answer.stdout).await;
    }
    if !answer.stderr.is_empty() {
        console.stderr(&ours(&answer.stderr)).await;
    }
    if answer.refused { Exit::Refused } else { Exit::Done }
}

async fn fail(failure: &Failure, console: &mut dyn Console) -> Exit {
    console.stderr(&ours(&failure.message)).await;
    failure.exit
}

async fn answer(
    services: &Services,
    context: &ControlContext,
    session: &Session,
    line: &[u8],
    console: &mut dyn Console,
) -> Result<Answer, Failure> {
    let caller = Caller::new(services, context, session)?;
    match arguments::read(line, caller.rights) {
        Ok(arguments) => {
            if arguments.verb.name.tells_what_is_held() {
                tell_what_changed(&caller, console).await;
            }
            verbs::run(&caller, &arguments, console).await
        }
        Err(misuse) => {
            let target = match &misuse {
                Misuse::NoVerb { .. } => a_target_of(&caller).await,
                _ => None,
            };
            Err(caller.misused(&misuse, line, target.as_ref()))
        }
    }
}

/// A target to suggest: one that is active now, else one that may be asked for.
async fn a_target_of(caller: &Caller<'_>) -> Option<TargetName> {
    let targets = requestable::targets_for(caller.services, &caller.person.name).await.ok()?;
    let active = targets.iter().find(|target| !target.active.is_empty());
    active.or(targets.first()).map(|target| target.name.clone())
}

#[cfg(test)]
mod tests;
