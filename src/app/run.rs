//! Serves until told to stop: signals, reload, housekeeping, the orderly end.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::MutexGuard;
use tracing::{error, info, warn};

use crate::audit::event::{AuditEvent, What};
use crate::audit::tiles::Keeper;
use crate::config::{self, InForce, Loaded, RestartOnly};
use crate::domain::{Clock as _, Severity};
use crate::identity::certificate::DECODING_STACK;
use crate::policy::Direction;
use crate::service::ports::{AuditLog as _, Store as _};
use crate::service::{compare, end_grant, told};
use crate::ssh::RENEW;

use super::clock::Steps;
use super::start::{Bastion, StartError, start};
use super::tiles::Tiles;

/// How often grants and requests past their time are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// How often the highest time seen is kept in the database.
const WITNESS: Duration = Duration::from_secs(60);
/// How long clients get to take the last words of what ended with the bastion, and to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long it may take to find out who is to be told what a reload took away.
const TELLING: Duration = Duration::from_secs(5);
/// How long connections get to notice that they were cut.
const CUT: Duration = Duration::from_secs(5);

/// Serves DIR until SIGTERM or SIGINT. `announce` gets the lines for the operator's screen.
///
/// # Errors
/// [`StartError`] when it does not start.
pub fn serve(dir: &Path, announce: &mut dyn FnMut(&str)) -> Result<(), StartError> {
    log_to_stderr();
    let runtime = runtime().map_err(|error| StartError::Other(error.to_string()))?;
    runtime.block_on(async {
        let bastion = start(dir).await?;
        // What an author has accepted is for `check` to list, and not for every start.
        for warning in bastion.warnings.iter().filter(|one| one.severity == Severity::Warning) {
            announce(&warning.to_string());
        }
        if bastion.demo {
            announce("this is a demo's directory (demo = true in doorward.toml): not for use");
        }
        for address in bastion.addresses() {
            announce(&format!("doorward serves {} on {address}", dir.display()));
        }
        bastion.run().await
    })
}

/// The runtime that every bastion needs: its threads have room for the deepest certificate that fits into a packet.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(DECODING_STACK).build()
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("DOORWARD_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,russh=error,sqlx=warn"));
    // A line that cannot be written is lost. By default the subscriber would say so, on the same standard error, and panic when that
    // fails: a journal that went away must not take threads with it.
    let lines = tracing_subscriber::fmt().log_internal_errors(false);
    // Already set when several bastions live in one process, as in tests.
    let _ = lines.with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).try_init();
}

impl Bastion {
    /// Serves until SIGTERM, SIGINT or [`Bastion::stopping`], then drains: nobody new, what runs gets its bounded time,
    /// everything is logged.
    ///
    /// # Errors
    /// When signals cannot be listened to.
    pub async fn run(mut self) -> Result<(), StartError> {
        let other = |error: std::io::Error| StartError::Other(error.to_string());
        let mut hangup = signal(SignalKind::hangup()).map_err(other)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(other)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(other)?;
        for listener in std::mem::take(&mut self.listeners) {
            tokio::spawn(Arc::clone(&self.front).serve(listener));
        }
        let mut sweep = tokio::time::interval(SWEEP);
        let mut witness = tokio::time::interval(WITNESS);
        let mut renew = tokio::time::interval_at(tokio::time::Instant::now() + RENEW, RENEW);
        let mut steps = Steps::from(self.clock.wall());
        let stopping = self.stopping();
        let keeper = Keeper::new(self.paths.audit(), self.log.verifier_key().clone());
        let tiles = Tiles::keep(keeper, self.stopping());
        let reason = loop {
            tokio::select! {
                _ = hangup.recv() => self.reload().await,
                _ = terminate.recv() => break "SIGTERM",
                _ = interrupt.recv() => break "SIGINT",
                () = stopping.cancelled() => break "asked to",
                _ = sweep.tick() => self.sweep().await,
                _ = witness.tick() => {
                    self.witness().await;
                    self.notice_step(&mut steps).await;
                }
                _ = renew.tick() => self.renew().await,
            }
        };
        self.drain(reason).await;
        tiles.finish().await;
        Ok(())
    }

    /// Reads all of DIR again: all or nothing, the last good set stays. What only a restart can change makes it nothing, so
    /// that the digest in the log stands for all that is in force.
    async fn reload(&self) {
        let (dir, services) = (self.paths.dir().to_owned(), &self.front.services);
        let in_force = self.in_force.lock().await;
        let before = in_force.clone();
        let loaded = tokio::task::spawn_blocking(move || config::load_under(dir, &before)).await;
        let event = match loaded {
            Ok(Ok(loaded)) => match self.take_over(loaded, in_force).await {
                Ok(what) => what,
                Err(why) => {
                    error!("the configuration was not read again: {why}");
                    What::Reload {
                        policy: services.snapshot.load().digest,
                        refused: Some(why),
                        widened: 0,
                        narrowed: 0,
                    }
                }
            },
            Ok(Err(findings)) => {
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                error!("the configuration has errors and the last good one stays:\n{first}");
                let refused = Some(first.lines().take(2).collect::<Vec<_>>().join(" "));
                What::Reload { policy: services.snapshot.load().digest, refused, widened: 0, narrowed: 0 }
            }
            Err(failure) => What::Error { message: failure.to_string() },
        };
        services.audit.append_later(AuditEvent::of(event));
        services.changed.notify_waiters();
    }

    /// Puts a good set in force: who signs the next one, then the set itself, then those who lose something are told.
    async fn take_over(&self, loaded: Loaded, mut in_force: MutexGuard<'_, InForce>) -> Result<What, String> {
        let keys = self.fixed.changed_in(&RestartOnly::of(&loaded)).join(", ");
        if !keys.is_empty() {
            return Err(format!("a restart is needed to change {keys}; nothing of this set was taken over"));
        }
        let (after, paths) = (in_force.after(&loaded), self.paths.clone());
        let written = tokio::task::spawn_blocking(move || after.write(&paths).map(|()| after));
        let written = written.await.map_err(|error| error.to_string())?;
        *in_force = written.map_err(|error| format!("state/policy.json cannot be written: {error}"))?;
        let services = &self.front.services;
        let new = Arc::new(loaded.snapshot);
        let policy = new.digest;
        // In force first: what is taken away waits for no comparison and no database.
        let old = services.snapshot.swap(Arc::clone(&new));
        self.front.hosts.forget();
        services.changed.notify_waiters();
        let (was, now) = (Arc::clone(&old), Arc::clone(&new));
        let changes = tokio::task::spawn_blocking(move || compare::snapshots(&was, &now)).await;
        let count = |direction| {
            // What cannot be compared counts as a widening.
            let failed = usize::from(direction == Direction::Widened);
            let these = changes
                .as_ref()
                .map_or(failed, |changes| changes.iter().filter(|change| change.direction == direction).count());
            u64::try_from(these).unwrap_or(u64::MAX)
        };
        match tokio::time::timeout(TELLING, told::note_what_shrank(services, &old, &new)).await {
            Ok(Ok(())) => {}
            failed => {
                warn!(?failed, "not everybody whose rights shrank is told; what they may is decided by the new set");
            }
        }
        let (widened, narrowed) = (count(Direction::Widened), count(Direction::Narrowed));
        info!(%policy, widened, narrowed, "the configuration was read again");
        Ok(What::Reload { policy, refused: None, widened, narrowed })
    }

    /// Ends what is past its time even when nobody looks at it.
    async fn sweep(&self) {
        if let Err(error) = end_grant::expire_due(&self.front.services).await {
            warn!(%error, "grants past their time could not be ended in the database; they give nothing all the same");
        }
    }

    async fn witness(&self) {
        if let Err(error) = self.store.witness_time(self.clock.now()).await {
            warn!(%error, "the highest time seen could not be kept");
        }
    }

    /// Whoever set the clock should be found in the log, and host certificates go by that clock.
    async fn notice_step(&self, steps: &mut Steps) {
        let Some(message) = steps.look(self.clock.wall(), Instant::now()) else { return };
        warn!("{message}");
        self.log.append_later(AuditEvent::of(What::Error { message }));
        self.front.hosts.forget();
        self.renew().await;
    }

    async fn renew(&self) {
        let names = vec![self.front.services.snapshot.load().settings.name.clone()];
        match self.hosts.certified(&names, &self.front.limits).await {
            Ok(config) => self.front.config.store(Arc::new(config)),
            Err(error) => error!(%error, "the host certificate could not be renewed"),
        }
    }

    async fn drain(self, reason: &str) {
        let services = &self.front.services;
        let running = self.front.conversations.len();
        info!(reason, running, "stopping");
        services.stopping.cancel();
        services.changed.notify_waiters();
        self.front.conversations.close();
        self.front.connections.close();
        // Commands end by themselves when their time is up (`run_command`); a little more for their last entries.
        let bound = services.snapshot.load().settings.drain + Duration::from_secs(10);
        if tokio::time::timeout(bound, self.front.conversations.wait()).await.is_err() {
            warn!("something still ran at the end of the drain time and is cut");
        }
        if running > 0 {
            // Exit codes are on their way; a client that has nothing else here leaves when it has its own.
            let _ = tokio::time::timeout(FAREWELL, self.front.connections.wait()).await;
        }
        self.front.cut.cancel();
        let _ = tokio::time::timeout(CUT, self.front.connections.wait()).await;
        let stop = AuditEvent::of(What::Stop { reason: reason.to_owned() });
        if let Err(error) = self.log.append(stop).await {
            error!(%error, "the last entry could not be written");
        }
        self.witness().await;
        let log = Arc::clone(&self.log);
        let _ = tokio::task::spawn_blocking(move || log.close()).await;
        // The log has answered for every entry it was owed; what it wrote is forgotten before the store closes.
        services.owing.close();
        let _ = tokio::time::timeout(CUT, services.owing.wait()).await;
        self.store.close().await;
        info!("stopped");
    }
}
