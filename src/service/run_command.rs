//! A role command, from the typed line to its exit code.
//!
//! The order of [`Attempt::run`] is the product: words, certificate, decision; the decision in the log, the recorder open,
//! everything checked once more; only then a target. Each step takes what the step before proved.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::audit::event::{AllowedCommand, AuditEvent, FinishedCommand, What};
use crate::domain::limits::{EXCERPT, LINE};
use crate::domain::text::{escape, excerpt_bytes};
use crate::domain::{CommandId, Digest, RoleName, TargetName};
use crate::policy::{CommandRequest, Decision, Denial, HeldRole, Permit, Words, decide};

use super::ending::{COULD_NOT_RUN, DENIED, End, Outcome};
use super::held::{CurrentCertificate, HeldGrant, current_certificate, held_grants};
use super::ports::{AuditLog, Cleared, ClientSide, CommandIdentity, Committed, Recorder, RecorderHeader};
use super::pump::Pump;
use super::supervise::{Footing, supervise};
use super::{Services, Snapshot, requestable, session::Session};

/// A command with less time than this left is not begun.
const LEAST_TIME: Duration = Duration::from_secs(1);
/// How long a client may take to read our last lines, and a disk to finish a recording.
const LAST_WORDS: Duration = Duration::from_secs(2);
const LAST_WRITE: Duration = Duration::from_secs(10);

/// What was asked.
#[derive(Debug)]
pub struct CommandAsk {
    /// Where. The front door has already found it among the targets this user may see.
    pub target: TargetName,
    /// The role they chose with `ROLE+TARGET`.
    pub role: Option<RoleName>,
    /// The line as it came over the wire.
    pub line: Vec<u8>,
}

/// Runs one command: words, certificate, decision, log entry, recording, target, pump, end. Writes the program's output and
/// our own lines (`doorward: …`) to `client` and gives the exit code of design.md 4.
///
/// To be awaited to its end: a client that leaves is noticed in here. Should it be dropped all the same, the command is ended
/// on the target and the log says that its outcome is unknown.
pub async fn run_command(services: &Services, session: &Session, ask: CommandAsk, client: &mut dyn ClientSide) -> u8 {
    let command = CommandId::from_bits(services.random.bits());
    let typed = as_text(&ask.line);
    let attempt = Attempt { services, session, ask: &ask, command, typed };
    match attempt.run(client).await {
        Ok(code) => code,
        Err(stop) => {
            say(client, &stop.lines).await;
            stop.code
        }
    }
}

/// Why a command did not begin: the exit code and what to tell the user.
struct Stop {
    code: u8,
    lines: Vec<String>,
}

impl Stop {
    fn could_not_run(line: impl Into<String>) -> Self {
        Self { code: COULD_NOT_RUN, lines: vec![line.into()] }
    }
}

/// One command on its way.
struct Attempt<'a> {
    services: &'a Services,
    session: &'a Session,
    ask: &'a CommandAsk,
    command: CommandId,
    typed: String,
}

impl Attempt<'_> {
    async fn run(&self, client: &mut dyn ClientSide) -> Result<u8, Stop> {
        if self.services.stopping.is_cancelled() {
            return Err(Stop::could_not_run("not run: the bastion is stopping"));
        }
        let words = match Words::split(&self.ask.line) {
            Ok(words) => words,
            Err(error) => return Err(self.deny(&error.to_string(), vec![format!("denied: {error}")]).await),
        };
        let certificate = self.certificate(&words).await?;
        let (permit, policy) = self.decide(&words, &certificate).await?;
        let written = self.log(&permit, &certificate, policy).await?;
        let last_entry =
            LastEntry::of(self.services, self.event(What::CommandOutcomeUnknown { command: self.command.clone() }));
        let code = self.begin(permit, written, client).await;
        last_entry.is_written();
        code
    }

    /// The certificate this command runs under.
    async fn certificate(&self, words: &Words) -> Result<CurrentCertificate, Stop> {
        match current_certificate(self.services, self.session).await {
            Ok(certificate) => Ok(certificate),
            Err(none) => {
                let mut lines = vec![none.to_string()];
                lines.extend(self.suggestion(words));
                Err(self.deny(&none.to_string(), lines).await)
            }
        }
    }

    /// The decision, under the grants that live now and that the certificate covers.
    async fn decide(&self, words: &Words, certificate: &CurrentCertificate) -> Result<(Permit, Digest), Stop> {
        let held = held_grants(self.services, &self.session.user.name).await.map_err(|error| {
            tracing::error!(%error, "a command was not run");
            Stop::could_not_run("not run: the bastion's database does not work now; tell its operator")
        })?;
        let covered: Vec<HeldGrant> =
            held.into_iter().filter(|held| certificate.certificate.grants.contains(held.grant.id())).collect();
        let snapshot = self.services.snapshot.load_full();
        let roles: Vec<HeldRole<'_>> = covered.iter().map(|held| self.as_configured(held, &snapshot)).collect();
        let request = CommandRequest { target: &self.ask.target, words, role: self.ask.role.as_ref() };
        let now = self.services.clock.now();
        match decide(&request, &roles, now) {
            Decision::Allow(permit) if now.until(permit.deadline()) < LEAST_TIME => {
                let reason = "your grant ends within a second";
                Err(self.deny(reason, vec![format!("denied: {reason}")]).await)
            }
            Decision::Allow(permit) => Ok((permit, snapshot.digest)),
            Decision::Deny(denial) => Err(self.denied(&denial, words).await),
        }
    }

    /// A grant with the role and account as they are configured now.
    fn as_configured<'h>(&self, held: &'h HeldGrant, snapshot: &'h Snapshot) -> HeldRole<'h> {
        let loaded = snapshot.roles.get(held.grant.role()).map(AsRef::as_ref);
        let target = snapshot.inventory.target(&self.ask.target);
        let account = loaded.zip(target).and_then(|(role, target)| snapshot.account_on(role, target));
        HeldRole { grant: &held.grant, approved: &held.role, loaded, account }
    }

    async fn denied(&self, denial: &Denial, words: &Words) -> Stop {
        let mut lines = vec![format!("denied: {denial:?}")];
        lines.extend(self.suggestion(words));
        let reason = lines.first().cloned().unwrap_or_default();
        self.deny(&reason, lines).await
    }

    /// A denial stands whether or not it could be written.
    async fn deny(&self, reason: &str, mut lines: Vec<String>) -> Stop {
        let what =
            What::CommandDenied { command: self.command.clone(), line: self.typed.clone(), reason: reason.to_owned() };
        if let Err(error) = self.services.audit.append(self.event(what)).await {
            tracing::error!(%error, "a denial could not be logged");
            lines.push("this denial could not be logged; tell the operator of the bastion".to_owned());
        }
        Stop { code: DENIED, lines }
    }

    /// What to type to get this very command, where there is a way.
    fn suggestion(&self, words: &Words) -> Option<String> {
        let snapshot = self.services.snapshot.load();
        let person = snapshot.person(&self.session.user.name)?;
        let found = requestable::role_allowing(&snapshot, &person, &self.ask.target, words)?;
        Some(format!("to ask for it: {}", found.line))
    }

    /// Invariant 2: the decision is on disk before anything else happens.
    async fn log(&self, permit: &Permit, certificate: &CurrentCertificate, policy: Digest) -> Result<Committed, Stop> {
        let what = What::CommandAllowed(AllowedCommand {
            command: self.command.clone(),
            role: permit.role().clone(),
            rule: permit.rule(),
            grants: permit.grants().to_vec(),
            certificate: certificate.certificate.id.clone(),
            presented: certificate.presented,
            account: permit.account().clone(),
            typed: self.typed.clone(),
            argv: permit.argv().to_vec(),
            digest: permit.digest(),
            policy,
            deadline: permit.deadline(),
        });
        let event = AuditEvent { grant: permit.grants().first().cloned(), ..self.event(what) };
        self.services.audit.append(event).await.map_err(|error| {
            tracing::error!(%error, "a command was not run");
            Stop::could_not_run("not run: the audit log cannot be written; tell the operator of the bastion")
        })
    }

    /// From the log entry to the end. Writes the entry that closes the command, whatever happens.
    async fn begin(&self, permit: Permit, written: Committed, client: &mut dyn ClientSide) -> Result<u8, Stop> {
        let header = RecorderHeader {
            session: self.session.id.clone(),
            command: self.command.clone(),
            user: self.session.user.name.clone(),
            target: permit.target().clone(),
            line: self.typed.clone(),
            started: self.services.clock.now(),
        };
        let mut recorder = match self.services.recorders.open(header).await {
            Ok(recorder) => recorder,
            Err(error) => {
                tracing::error!(%error, "a command was not run");
                let line = "not run: the recording cannot be written; tell the operator of the bastion";
                return Err(self.failed(line.to_owned(), COULD_NOT_RUN));
            }
        };
        let began = Instant::now();
        match self.on_target(permit, written, &mut *recorder, client).await {
            Ok((outcome, bytes)) => Ok(self.finish(outcome, bytes, began, recorder, client).await),
            Err(stop) => {
                let _ = tokio::time::timeout(LAST_WRITE, recorder.finish(stop.code)).await;
                Err(stop)
            }
        }
    }

    /// Checks once more what may have changed while disks were waited for, then starts and carries the command.
    async fn on_target(
        &self,
        permit: Permit,
        written: Committed,
        recorder: &mut dyn Recorder,
        client: &mut dyn ClientSide,
    ) -> Result<(Outcome, [u64; 3]), Stop> {
        let footing = Footing::of(&permit, &self.session.user);
        let snapshot = self.services.snapshot.load_full();
        let (Some(grant), Some(target)) =
            (permit.grants().first().cloned(), snapshot.inventory.target(permit.target()))
        else {
            return Err(self.failed("not run: the target is gone".to_owned(), DENIED));
        };
        match footing.lost(self.services).await {
            Ok(None) => {}
            Ok(Some(end)) => return Err(self.failed(format!("not run: {end}"), DENIED)),
            Err(error) => {
                tracing::error!(%error, "a command was not run");
                let line = "not run: the bastion's database does not work now; tell its operator";
                return Err(self.failed(line.to_owned(), COULD_NOT_RUN));
            }
        }
        let now = self.services.clock.now();
        if footing.left(now) < LEAST_TIME {
            return Err(self.failed("not run: your grant ends within a second".to_owned(), DENIED));
        }
        if self.services.stopping.is_cancelled() {
            return Err(self.failed("not run: the bastion is stopping".to_owned(), COULD_NOT_RUN));
        }
        let identity = CommandIdentity {
            user: self.session.user.name.clone(),
            grant,
            session: self.session.id.clone(),
            command: self.command.clone(),
        };
        let terms = permit.terms().clone();
        let cleared = Cleared::new(permit, identity, now, written, recorder);
        let mut supervisor = std::pin::pin!(supervise(self.services, &footing));
        let started = tokio::select! {
            end = &mut supervisor => return Ok((Outcome::Ended(end), [0; 3])),
            () = client.gone() => return Ok((Outcome::Ended(End::ClientGone), [0; 3])),
            started = self.services.targets.start(cleared, target) => started,
        };
        let running = started.map_err(|error| self.failed(format!("not run: {error}"), COULD_NOT_RUN))?;
        let mut pump = Pump::new(client, recorder, &terms);
        let outcome = pump.run(running, supervisor).await;
        Ok((outcome, pump.bytes))
    }

    /// Tells the client at once, then closes recording and log.
    async fn finish(
        &self,
        outcome: Outcome,
        bytes: [u64; 3],
        began: Instant,
        recorder: Box<dyn Recorder>,
        client: &mut dyn ClientSide,
    ) -> u8 {
        let code = outcome.code();
        let mut lines: Vec<String> = outcome.line().into_iter().collect();
        say(client, &std::mem::take(&mut lines)).await;
        let recording = recorder.file_name().to_owned();
        let digest = match tokio::time::timeout(LAST_WRITE, recorder.finish(code)).await {
            Ok(Ok(digest)) => Some(digest),
            Ok(Err(error)) => {
                tracing::error!(%error, recording, "a recording is not complete");
                None
            }
            Err(_) => {
                tracing::error!(recording, "a recording was not finished in time");
                None
            }
        };
        let event = self.event(What::CommandFinished(FinishedCommand {
            command: self.command.clone(),
            exit: code,
            ended_by: outcome.ended_by(),
            bytes,
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            recording,
            recording_digest: digest,
        }));
        if digest.is_none() {
            lines.push("the recording of this command is not complete; tell the operator of the bastion".to_owned());
        }
        if let Err(error) = self.services.audit.append(event.clone()).await {
            tracing::error!(%error, "the end of a command could not be logged");
            self.services.audit.append_later(event);
            lines.push("the end of this command could not be logged; tell the operator of the bastion".to_owned());
        }
        say(client, &lines).await;
        code
    }

    /// Closes a command in the log that was allowed and did not begin.
    fn failed(&self, line: String, code: u8) -> Stop {
        let what = What::CommandFailed { command: self.command.clone(), reason: line.clone() };
        self.services.audit.append_later(self.event(what));
        Stop { code, lines: vec![line] }
    }

    fn event(&self, what: What) -> AuditEvent {
        AuditEvent { target: Some(self.ask.target.clone()), ..self.session.event(what) }
    }
}

/// Closes a command in the log when the task that ran it was dropped or panicked before it could.
struct LastEntry<'a> {
    audit: &'a dyn AuditLog,
    event: Option<AuditEvent>,
}

impl<'a> LastEntry<'a> {
    fn of(services: &'a Services, event: AuditEvent) -> Self {
        Self { audit: &*services.audit, event: Some(event) }
    }

    fn is_written(mut self) {
        self.event = None;
    }
}

impl Drop for LastEntry<'_> {
    fn drop(&mut self) {
        if let Some(event) = self.event.take() {
            self.audit.append_later(event);
        }
    }
}

/// The line for log and recording: as typed, or an escaped excerpt of what is no text or too long to keep.
fn as_text(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) if line.len() <= LINE => text.to_owned(),
        _ => excerpt_bytes(line, EXCERPT),
    }
}

/// Our lines on the client's standard error. Bounded: a client that does not read does not hold the command's end.
async fn say(client: &mut dyn ClientSide, lines: &[String]) {
    let text: String = lines.iter().map(|line| format!("doorward: {}\n", escape(line))).collect();
    if !text.is_empty() {
        let _ = tokio::time::timeout(LAST_WORDS, client.error(Bytes::from(text))).await;
    }
}
