//! The second half of a command's way: recorder, last checks, target, pump, and the entries that close it.

use std::time::Duration;

use tokio::time::Instant;

use crate::audit::event::{AuditEvent, FinishedCommand, What};
use crate::domain::CommandIdentity;
use crate::service::Services;
use crate::service::ending::{COULD_NOT_RUN, DENIED, End, Outcome};
use crate::service::ports::{AuditLog, Cleared, ClientSide, Committed, Recorder, RecorderHeader};
use crate::service::pump::Pump;
use crate::service::supervise::{Footing, supervise};
use crate::service::told;
use crate::service::written::{self, NotWritten, WRITTEN_WITHIN};

use super::{Allowed, Attempt, LEAST_TIME, NO_TIME, Stop, say};

/// How long a recording may take to be finished.
const LAST_WRITE: Duration = Duration::from_secs(10);

/// How old a decision may be when its command starts: by so much it could outlive its grant if the bastion died.
const STALE: Duration = Duration::from_secs(5);

impl Attempt<'_> {
    /// From the log entry to the end. The log gets an entry that closes the command, whatever happens.
    pub(super) async fn execute(
        &self,
        allowed: Allowed,
        written: Committed,
        client: &mut dyn ClientSide,
    ) -> Result<u8, Stop> {
        let unknown = What::CommandOutcomeUnknown { command: self.command.clone() };
        let last_entry = LastEntry::of(self.services, self.event(unknown));
        let code = self.begin(allowed, written, client).await;
        last_entry.dismiss();
        code
    }

    async fn begin(&self, allowed: Allowed, written: Committed, client: &mut dyn ClientSide) -> Result<u8, Stop> {
        let header = RecorderHeader {
            session: self.session.id.clone(),
            command: self.command.clone(),
            user: self.session.user.name.clone(),
            target: allowed.permit.target().clone(),
            line: self.shown(&allowed.written),
            started: self.services.clock.now(),
        };
        let mut recorder = match tokio::time::timeout(WRITTEN_WITHIN, self.services.recorders.open(header)).await {
            Ok(Ok(recorder)) => recorder,
            Ok(Err(error)) => {
                tracing::error!(%error, "a command was not run");
                let line = "not run: the recording cannot be written; tell the operator of the bastion";
                return Err(self.failed(line.to_owned(), COULD_NOT_RUN));
            }
            Err(_) => {
                let why = format!("the recorder has not answered for {} s", WRITTEN_WITHIN.as_secs());
                tracing::error!(why, "a command was not run");
                let line = format!("not run: {why}; tell the operator of the bastion");
                return Err(self.failed(line, COULD_NOT_RUN));
            }
        };
        let began = Instant::now();
        match self.on_target(allowed, written, &mut *recorder, client).await {
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
        allowed: Allowed,
        written: Committed,
        recorder: &mut dyn Recorder,
        client: &mut dyn ClientSide,
    ) -> Result<(Outcome, [u64; 3]), Stop> {
        let Allowed { permit, words, written: _, policy, at, places: _kept_while_it_runs } = allowed;
        let footing = Footing::of(&permit, self.session, &self.ask.choice, words, policy);
        match footing.lost_before_it_began(self.services).await {
            Ok(None) => {}
            Ok(Some(end)) => return Err(self.failed(format!("not run: {end}"), DENIED)),
            Err(error) => {
                tracing::error!(%error, "a command was not run");
                let line = "not run: the bastion's database does not work now; tell its operator";
                return Err(self.failed(line.to_owned(), COULD_NOT_RUN));
            }
        }
        // After the last look: what changes from here on is for who watches over the command.
        let snapshot = self.services.snapshot.load_full();
        // The rule itself may be gone: a decision stands under the configuration it was made under, and no other.
        if snapshot.digest != policy {
            let line = "not run: the configuration was changed at this moment; type it again";
            return Err(self.failed(line.to_owned(), COULD_NOT_RUN));
        }
        let now = self.services.clock.now();
        // The line that runs there ends by itself some time after it starts, and that span was fixed by the decision.
        if at.until(now) > STALE {
            return Err(self.failed("not run: writing it down took too long; try again".to_owned(), COULD_NOT_RUN));
        }
        if footing.left(now) < LEAST_TIME {
            return Err(self.failed(format!("not run: {NO_TIME}"), DENIED));
        }
        if self.services.stopping.is_cancelled() {
            return Err(self.failed("not run: the bastion is stopping".to_owned(), COULD_NOT_RUN));
        }
        let (Some(grant), Some(target)) =
            (permit.grants().first().cloned(), snapshot.inventory.target(permit.target()))
        else {
            return Err(self.failed("not run: the target is gone".to_owned(), DENIED));
        };
        let identity = CommandIdentity {
            user: self.session.user.name.clone(),
            grant,
            session: self.session.id.clone(),
            command: self.command.clone(),
        };
        let terms = *permit.terms();
        let cleared = Cleared::new(permit, identity, now, written, recorder);
        let (tell, news) = tokio::sync::mpsc::channel(1);
        let told = told::tell_running(self.services, &self.session.user.name, self.began_at, tell);
        let mut supervisor = std::pin::pin!(async {
            tokio::select! {
                end = supervise(self.services, &footing) => end,
                end = told => end,
            }
        });
        let started = tokio::select! {
            biased;
            end = &mut supervisor => return Ok((Outcome::Ended(end), [0; 3])),
            () = client.gone() => return Ok((Outcome::Ended(End::ClientGone), [0; 3])),
            started = self.services.targets.start(cleared, target) => started,
        };
        let running = started.map_err(|error| self.failed(format!("not run: {error}"), COULD_NOT_RUN))?;
        let mut pump = Pump::new(client, recorder, &terms);
        pump.news = Some(news);
        let outcome = pump.run(running, supervisor).await;
        Ok((outcome, pump.bytes))
    }

    /// Tells the client at once, then closes recording and log.
    async fn finish(
        &self,
        outcome: Outcome,
        bytes: [u64; 3],
        began: Instant,
        mut recorder: Box<dyn Recorder>,
        client: &mut dyn ClientSide,
    ) -> u8 {
        let code = outcome.code();
        let mut lines: Vec<String> = outcome.line().into_iter().collect();
        say(client, &std::mem::take(&mut lines)).await;
        let recording = recorder.file_name().to_owned();
        let mut stream_digests = [None; 3];
        let last = async {
            stream_digests = recorder.digests().await;
            recorder.finish(code).await
        };
        let digest = match tokio::time::timeout(LAST_WRITE, last).await {
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
            stream_digests,
        }));
        if digest.is_none() {
            lines.push("the recording of this command is not complete; tell the operator of the bastion".to_owned());
        }
        if let Err(error) = written::append(&*self.services.audit, event.clone()).await {
            tracing::error!(%error, "the end of a command could not be logged");
            // A silent log has it already, and would have it twice.
            if matches!(error, NotWritten::Failed(_)) {
                self.services.audit.append_later(event);
            }
            lines.push("the end of this command could not be logged; tell the operator of the bastion".to_owned());
        }
        say(client, &lines).await;
        code
    }

    /// Closes a command in the log that was allowed and did not begin.
    pub(super) fn failed(&self, line: String, code: u8) -> Stop {
        let what = What::CommandFailed { command: self.command.clone(), reason: line.clone() };
        self.services.audit.append_later(self.event(what));
        Stop { code, lines: vec![line] }
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

    /// The command was closed otherwise.
    fn dismiss(mut self) {
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
