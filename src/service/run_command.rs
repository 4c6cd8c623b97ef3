//! A role command, from the typed line to its exit code.
//!
//! The order of [`Attempt::run`] is the product: words, certificate, decision; the decision in the log, the recorder open,
//! everything checked once more; only then a target. Each step takes what the step before proved.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::audit::event::{AllowedCommand, AuditEvent, What};
use crate::domain::limits::{EXCERPT, LINE};
use crate::domain::text::{escape, excerpt_bytes};
use crate::domain::{CommandId, Digest, RoleName, TargetName, Timestamp};
use crate::grant::State;
use crate::policy::permit::Written;
use crate::policy::{Choice, CommandRequest, Decision, Denial, Guard, HeldRole, Permit, Words, decide, explain};

use super::approved_roles::approved_role;
use super::conditions::{surroundings, unmet};
use super::ending::{COULD_NOT_RUN, DENIED};
use super::held::{CurrentCertificate, HeldGrant, NoCertificate, current_certificate, held_grants};
use super::ports::{ClientSide, Committed, RequestQuery};
use super::requestable::Suggestion;
use super::running::Places;
use super::written::{self, NotWritten};
use super::{Services, requestable, session::Session, unspoken};

mod execution;

/// A command with less time than this left is not begun.
const LEAST_TIME: Duration = Duration::from_secs(1);
const NO_TIME: &str = "your grant, or the time at which its role may be used, ends within a second";
/// How often a command whose place is taken between count and decision is decided again.
const TRIES: usize = 16;
/// How long a client may take to read our lines.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What was asked.
pub struct CommandAsk {
    /// Where. The front door has already found it among the targets this user may see.
    pub target: TargetName,
    /// Which of their roles they chose with the login name.
    pub choice: Choice,
    /// The line as it came over the wire.
    pub line: Vec<u8>,
}

/// Runs one command: words, certificate, decision, log entry, recording, target, pump, end. Writes the program's output and
/// our own lines (`doorward: …`) to `client` and gives the exit code (`docs/control-verbs.md`).
///
/// To be awaited to its end: a client that leaves is noticed in here. Should it be dropped all the same, the command is ended
/// on the target and the log says that its outcome is unknown.
pub async fn run_command(services: &Services, session: &Session, ask: CommandAsk, client: &mut dyn ClientSide) -> u8 {
    let command = CommandId::from_bits(services.random.bits());
    let typed = as_text(&ask.line);
    // What was taken away before is said before the answer, what is taken away from now on while it runs.
    let (began_at, news) = services.told.take_to_begin(&session.user.name, services.clock.now());
    say(client, &news).await;
    let attempt = Attempt { services, session, ask: &ask, command, typed, began_at };
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

/// What was decided, and what that rests on.
struct Allowed {
    permit: Permit,
    words: Words,
    /// What of it is written down.
    written: Written,
    /// Digest of the configuration it was decided under.
    policy: Digest,
    /// The time it was decided at. The command's own end on the target counts from here.
    at: Timestamp,
    /// Its place among the commands that run, kept as long as it does.
    places: Places,
}

/// One command on its way.
struct Attempt<'a> {
    services: &'a Services,
    session: &'a Session,
    ask: &'a CommandAsk,
    command: CommandId,
    typed: String,
    /// The last change of the configuration that was known when it began.
    began_at: u64,
}

impl Attempt<'_> {
    async fn run(&self, client: &mut dyn ClientSide) -> Result<u8, Stop> {
        if self.services.stopping.is_cancelled() {
            return Err(Stop::could_not_run("not run: the bastion is stopping"));
        }
        let words = match Words::split(&self.ask.line) {
            Ok(words) => words,
            Err(error) => {
                let mut lines = error.lines();
                if let Some(first) = lines.first_mut() {
                    first.insert_str(0, "denied: ");
                }
                let quiet = |_: &Guard| "the line is not plain words".to_owned();
                return Err(self.deny(&error.to_string(), quiet, lines).await);
            }
        };
        let certificate = self.certificate(&words).await?;
        let held = self.held(&certificate).await?;
        self.run_held(&words, &certificate, &held, client).await
    }

    /// From what is held to the exit code.
    async fn run_held(
        &self,
        words: &Words,
        certificate: &CurrentCertificate,
        held: &[HeldGrant],
        client: &mut dyn ClientSide,
    ) -> Result<u8, Stop> {
        let allowed = self.decide(words, held).await?;
        let written = self.log(&allowed, certificate).await?;
        self.execute(allowed, written, client).await
    }

    /// The certificate this command runs under.
    async fn certificate(&self, words: &Words) -> Result<CurrentCertificate, Stop> {
        match current_certificate(self.services, self.session).await {
            Ok(certificate) => Ok(certificate),
            Err(none) if none.is_outage() => Err(Stop::could_not_run(format!("not run: {none}"))),
            Err(none) => {
                let lines = self.without_certificate(&none, words);
                // Says nothing of the line.
                let reason = none.to_string();
                Err(self.deny(&reason, |_| reason.clone(), lines).await)
            }
        }
    }

    /// Why they have none and what to type: the line that gets them this very command, where there is one.
    fn without_certificate(&self, none: &NoCertificate, words: &Words) -> Vec<String> {
        let suggestion = self.suggestion(words);
        let Some(nothing) = none.no_grant() else {
            return std::iter::once(format!("denied: {none}")).chain(suggestion.map(|found| to_ask(&found))).collect();
        };
        let helps = suggestion.filter(|found| nothing.helped_by(&found.role));
        vec![format!("denied: {}", nothing.fact()), helps.map_or_else(|| nothing.advice(), |found| to_ask(&found))]
    }

    /// The grants that live now and that the certificate covers.
    async fn held(&self, certificate: &CurrentCertificate) -> Result<Vec<HeldGrant>, Stop> {
        let mut held = held_grants(self.services, &self.session.user.name).await.map_err(|error| {
            tracing::error!(%error, "a command was not run");
            Stop::could_not_run("not run: the bastion's database does not work now; tell its operator")
        })?;
        held.retain(|held| certificate.certificate.grants.contains(held.grant.id()));
        Ok(held)
    }

    /// The decision.
    async fn decide(&self, words: &Words, held: &[HeldGrant]) -> Result<Allowed, Stop> {
        let snapshot = self.services.snapshot.load_full();
        let roles: Vec<HeldRole<'_>> =
            held.iter().map(|held| held.as_configured(&self.ask.target, &snapshot)).collect();
        let request = CommandRequest { target: &self.ask.target, words, choice: &self.ask.choice };
        let around = || surroundings(self.services, &self.session.user.name, Some(self.session.peer.ip()));
        let mut now = around();
        let mut decision = decide(&request, &roles, &now);
        for _ in 0..TRIES {
            let Decision::Allow(permit) = decision else { break };
            let at = now.now;
            if at.until(permit.deadline()) < LEAST_TIME {
                decision = Decision::Allow(permit);
                break;
            }
            if let Some(places) = self.places(&permit, &roles) {
                let guard = if permit.observed() { self.guard().await } else { Guard::default() };
                let written = permit.written(words, &guard, &self.services.secrets);
                return Ok(Allowed { permit, words: words.clone(), written, policy: snapshot.digest, at, places });
            }
            // Another command took the last place since they were counted.
            now = around();
            decision = decide(&request, &roles, &now);
        }
        let because = |denial: &Denial| {
            let mut lines = explain::denial(denial, &self.ask.target, &snapshot.settings.alias);
            lines.extend(explain::choice(&self.ask.choice, &self.ask.target));
            lines
        };
        let sentence = |lines: &[String]| lines.iter().map(|line| line.trim_start()).collect::<Vec<_>>().join("; ");
        let mut lines = match &decision {
            Decision::Allow(permit) if now.now.until(permit.deadline()) < LEAST_TIME => vec![NO_TIME.to_owned()],
            Decision::Allow(_) => vec!["other commands of yours began at this moment; type it again".to_owned()],
            Decision::Deny(denial) => because(denial),
        };
        let reason = sentence(&lines);
        let quiet = |guard: &Guard| match &decision {
            Decision::Allow(_) => reason.clone(),
            Decision::Deny(denial) => sentence(&because(&guard.veil_denial(denial, &self.services.secrets))),
        };
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, "denied: ");
        }
        match self.not_begun(words).await {
            Some(waits) => lines.push(waits),
            None => lines.extend(self.suggestion(words).map(|found| to_ask(&found))),
        }
        Err(self.deny(&reason, quiet, lines).await)
    }

    /// A place for it under each role that it stands on, which may have been counted full since the decision.
    fn places(&self, permit: &Permit, held: &[HeldRole<'_>]) -> Option<Places> {
        let mut roles: BTreeMap<RoleName, Option<u32>> = BTreeMap::new();
        for held in held.iter().filter(|held| permit.grants().contains(held.grant.id())) {
            let bounds =
                std::iter::once(held.approved).chain(held.loaded).filter_map(|role| role.conditions().max_sessions());
            let known = roles.entry(held.grant.role().clone()).or_default();
            *known = bounds.chain(*known).min();
        }
        self.services.running.take(&self.session.user.name, &roles)
    }

    /// What recognises a line that may hold a secret although no rule takes it for one.
    async fn guard(&self) -> Guard {
        unspoken::guard(self.services, &self.session.user.name).await
    }

    /// A denial stands whether or not it could be written. The log gets `reason`, or what `quiet` makes of it if a secret may
    /// be among the words.
    async fn deny(&self, reason: &str, quiet: impl Fn(&Guard) -> String, mut lines: Vec<String>) -> Stop {
        let guard = self.guard().await;
        let veiled = guard.touches(&String::from_utf8_lossy(&self.ask.line)).then(|| {
            let line = guard.veil(&self.typed, &self.services.secrets, |_| false);
            // An excerpt of a line may have lost what it was recognised by.
            line.unwrap_or_else(|| self.services.secrets.placeholder(&self.typed))
        });
        let (withheld, command) = (veiled.is_some(), self.command.clone());
        let reason = if withheld { quiet(&guard) } else { reason.to_owned() };
        let line = veiled.unwrap_or_else(|| self.typed.clone());
        let what = What::CommandDenied { command, line, reason, withheld };
        let event = self.event(what).under(self.services.snapshot.load().digest);
        if let Err(error) = written::append(&*self.services.audit, event).await {
            tracing::error!(%error, "a denial could not be logged");
            lines.push("this denial could not be logged; tell the operator of the bastion".to_owned());
        }
        Stop { code: DENIED, lines }
    }

    /// What to type to get this very command, where there is a way.
    fn suggestion(&self, words: &Words) -> Option<Suggestion> {
        let snapshot = self.services.snapshot.load();
        let person = snapshot.person(&self.session.user.name)?;
        requestable::role_allowing(&snapshot, &person, &self.ask.target, words)
    }

    /// That they have a grant for this very command, approved, which a condition keeps from beginning: asking once more
    /// would not help.
    async fn not_begun(&self, words: &Words) -> Option<String> {
        let (services, snapshot) = (self.services, self.services.snapshot.load_full());
        let (user, source, now) = (&self.session.user.name, self.session.peer.ip(), services.clock.now());
        let query = RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() };
        let open = services.store.requests(&query).await.ok()?;
        open.into_iter().map(|stored| stored.value).find_map(|request| {
            let theirs = request.user == *user && request.scope.targets.contains_key(&self.ask.target);
            let waits = theirs && matches!(request.state, State::Approved { activate_by, .. } if now < activate_by);
            if !waits || !approved_role(services, &request).ok()?.allows(words) {
                return None;
            }
            let what = unmet(services, &snapshot, &request, source, now)?;
            Some(format!("your grant {} is approved and has not begun: {} {what}", request.grant_id(), request.role))
        })
    }

    /// Invariant 2: the decision is on disk before anything else happens.
    async fn log(&self, allowed: &Allowed, certificate: &CurrentCertificate) -> Result<Committed, Stop> {
        let permit = &allowed.permit;
        let command = AllowedCommand {
            command: self.command.clone(),
            role: permit.role().clone(),
            rule: permit.rule(),
            grants: permit.grants().to_vec(),
            certificate: certificate.certificate.id.clone(),
            presented: certificate.presented,
            account: permit.account().clone(),
            typed: self.shown(&allowed.written),
            argv: allowed.written.argv.clone(),
            digest: allowed.written.digest,
            policy: allowed.policy,
            deadline: permit.deadline(),
            withheld: allowed.written.withheld.clone(),
        };
        let what = if permit.observed() { What::Observed(command) } else { What::CommandAllowed(command) };
        let event = AuditEvent { grant: permit.grants().first().cloned(), ..self.event(what) }.under(allowed.policy);
        written::append(&*self.services.audit, event).await.map_err(|error| {
            tracing::error!(%error, "a command was not run");
            match error {
                NotWritten::Failed(_) => {
                    Stop::could_not_run("not run: the audit log cannot be written; tell the operator of the bastion")
                }
                // Should it be written after all, the next entry says that nothing ran.
                NotWritten::Silent => {
                    self.failed(format!("not run: {error}; tell the operator of the bastion"), COULD_NOT_RUN)
                }
            }
        })
    }

    /// The line for log and recording.
    fn shown(&self, written: &Written) -> String {
        written.typed.clone().unwrap_or_else(|| self.typed.clone())
    }

    fn event(&self, what: What) -> AuditEvent {
        AuditEvent { target: Some(self.ask.target.clone()), ..self.session.event(what) }
    }
}

fn to_ask(found: &Suggestion) -> String {
    format!("to ask for it: {}", found.line)
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

#[cfg(test)]
mod tests;
