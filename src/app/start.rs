//! Opens everything a bastion needs, in the order in which a refusal costs least.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::audit::event::{AuditEvent, What};
use crate::audit::log::{self, Log, LogOptions};
use crate::ca::serial::SerialSource;
use crate::ca::signer::{HostCa, KeyFileError, KeyFileSigner, SessionCa, TargetCa, open_private_key, open_signing_key};
use crate::config::{self, DirLock, InForce, ListenSettings, Loaded, LockError, Paths, RestartOnly};
use crate::control::ControlContext;
use crate::domain::{Clock, Diagnostic};
use crate::recording::recorder::RecordingFolder;
use crate::service::ports::{AuditError, AuditLog, HostAuthority, Random, Store, StoreError};
use crate::service::{ApprovedRoles, Running, Services, Told, Unavailable, owed};
use crate::session::{Budget, Budgets, SpoolLimits};
use crate::ssh::{self, FrontDoor};
use crate::store::{self, SqliteStore};
use crate::target::{Deadlines, TargetRouter};

use super::certifier::Certifier;
use super::clock::{SystemRandom, WallClock, behind};
use super::descriptors;
use super::host_keys::HostKeys;
use super::reader::LogFiles;

/// Why the bastion does not start. `Display` is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration has errors.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"))]
    Configuration(Vec<Diagnostic>),
    /// Another process serves this DIR.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A private key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] store::OpenError),
    /// The database cannot be read.
    #[error(transparent)]
    Query(#[from] StoreError),
    /// The audit log cannot be used.
    #[error("audit log: {0}")]
    Log(#[from] log::OpenError),
    /// The audit log cannot be written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// A bastion that is ready to serve.
pub struct Bastion {
    pub(super) paths: Paths,
    pub(super) front: Arc<FrontDoor>,
    pub(super) log: Arc<Log>,
    pub(super) store: Arc<SqliteStore>,
    pub(super) clock: Arc<WallClock>,
    pub(super) hosts: Arc<HostKeys>,
    pub(super) listeners: Vec<TcpListener>,
    /// What a reload cannot change.
    pub(super) fixed: RestartOnly,
    /// Whose signatures the next set needs.
    pub(super) in_force: Mutex<InForce>,
    pub(super) _lock: DirLock,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
    /// Whether DIR is a demo's.
    pub demo: bool,
}

/// Opens DIR. The listeners are bound when this returns, and nobody is served yet.
///
/// # Errors
/// [`StartError`] on the first thing that is wrong; nothing is half-started.
pub async fn start(dir: &Path) -> Result<Bastion, StartError> {
    let paths = Paths::new(dir);
    let before = InForce::read(&paths).map_err(|finding| StartError::Configuration(vec![*finding]))?;
    let loaded = config::load_under(dir, &before).map_err(StartError::Configuration)?;
    let lock = DirLock::take(&paths)?;
    // Another bastion may have ended meanwhile and left a later set in force.
    if !InForce::read(&paths).is_ok_and(|now| now == before) {
        return Err(StartError::Other("state/policy.json changed while this started; start again".to_owned()));
    }
    let clock = Arc::new(WallClock::default());
    let had_database = paths.database().exists();
    let store = Arc::new(SqliteStore::open(&paths.database()).await?);
    clock.witnessed(store.witness_time(clock.now()).await?);
    let log = open_log(&paths, &loaded, &clock).await?;
    if !had_database {
        say_that_nobody_holds_anything(&paths, log.health().entries);
    }
    if let Some(line) = behind(clock.wall(), clock.now()) {
        warn!("{line}");
    }
    write_owed(&store, &log).await?;
    let listeners = bind(&loaded.listen).await?;

    let hosts = Arc::new(HostKeys {
        clock: Arc::clone(&clock),
        authority: HostCa::new(Box::new(KeyFileSigner::open(&paths.host_ca())?), loaded.profiles.host.clone()),
        key: open_private_key(&paths.host_key())?,
        serials: SerialSource::new(Arc::clone(&store) as Arc<dyn Store>),
    });
    let (warnings, demo, policy) = (loaded.warnings.clone(), loaded.demo, loaded.snapshot.digest);
    let fixed = RestartOnly::of(&loaded);
    // The last refusal of a start, so that a set which was never in force does not bind the next one.
    let in_force = before.after(&loaded);
    in_force.write(&paths).map_err(|error| StartError::Other(format!("state/policy.json: {error}")))?;
    let in_force = Mutex::new(in_force);
    let front = Arc::new(front_door(&paths, loaded, &store, &log, &clock, &hosts).await?);
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let _written = log.append(AuditEvent::of(What::Start { version, policy })).await?;
    Ok(Bastion { paths, front, log, store, clock, hosts, listeners, fixed, in_force, _lock: lock, warnings, demo })
}

impl Bastion {
    /// Where it listens; with port 0 in the configuration, the ports it got.
    #[must_use]
    pub fn addresses(&self) -> Vec<std::net::SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Cancel this to stop the bastion.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.front.services.stopping.clone()
    }
}

/// The front door with all that stands behind it; it serves nobody yet.
async fn front_door(
    paths: &Paths,
    loaded: Loaded,
    store: &Arc<SqliteStore>,
    log: &Arc<Log>,
    clock: &Arc<WallClock>,
    hosts: &Arc<HostKeys>,
) -> Result<FrontDoor, StartError> {
    let prepared =
        loaded.snapshot.settings.prepared_connections.saturating_mul(loaded.snapshot.inventory.iter().count());
    let load = descriptors::Load { limits: &loaded.limits.door, input: &loaded.limits.input, prepared };
    let limits = descriptors::provide(&load).map_err(StartError::Other)?;
    let (input, proxies) = (loaded.limits.input.clone(), loaded.listen.proxies.clone());
    let keep_free = loaded.limits.recordings.keep_free;
    let names = vec![loaded.snapshot.settings.name.clone()];
    let config = hosts.certified(&names, &limits).await?;
    let control = ControlContext {
        host_ca: hosts.authority.public_key().to_openssh().map_err(|error| StartError::Other(error.to_string()))?,
        port: loaded.listen.public_port,
        audit: Arc::new(LogFiles::new(paths.audit(), log.verifier_key().clone())),
    };
    let authority = Arc::clone(hosts) as Arc<dyn HostAuthority>;
    Ok(FrontDoor {
        services: Arc::new(services(paths, loaded, store, log, clock)?),
        control,
        gate: ssh::Gate::new(&limits),
        failures: ssh::Failures::new(limits.failures_logged),
        hosts: ssh::HostConfigs::new(hosts.key.clone(), authority, limits.clone()),
        limits,
        proxies,
        spool: SpoolLimits::of(&input, paths.state(), keep_free, Budget::new(input.in_all, None)),
        waiting: Budgets::new(input.per_user, input.in_all),
        config: ArcSwap::from_pointee(config),
        cut: CancellationToken::new(),
        users: ssh::Users::default(),
        connections: TaskTracker::new(),
        conversations: TaskTracker::new(),
    })
}

/// An empty database beside a log that is not empty: an accident looks like this, and so does a decision.
fn say_that_nobody_holds_anything(paths: &Paths, entries: u64) {
    if entries > 0 {
        warn!(
            "{} was not there and is empty now, although the audit log has {entries} entries: nobody holds anything; if that is \
             not meant, stop and restore the database",
            paths.database().display()
        );
    }
}

/// Reads and checks the whole log, away from the async threads.
async fn open_log(paths: &Paths, loaded: &Loaded, clock: &Arc<WallClock>) -> Result<Arc<Log>, StartError> {
    let key = open_signing_key(&paths.log_key())?;
    let (dir, origin) = (paths.audit(), config::log_origin(&loaded.snapshot.settings.name));
    let time = Arc::clone(clock) as Arc<dyn Clock>;
    let opening = tokio::task::spawn_blocking(move || log::open(&dir, &origin, key, time, LogOptions::default()));
    let (log, opened) = opening.await.map_err(|error| StartError::Other(error.to_string()))??;
    if let Some(last) = opened.last_time {
        clock.witnessed(last);
    }
    for file in &opened.moved_aside {
        warn!(file, "the audit log ended in entries under no checkpoint; they were moved aside");
    }
    for command in &opened.unfinished {
        warn!(%command, "was running when the bastion went down; its outcome is unknown");
    }
    Ok(log)
}

/// Power taken away before the last end of the process is in the log before anybody is served.
async fn write_owed(store: &SqliteStore, log: &Log) -> Result<(), StartError> {
    let count = owed::write_owed(store, log).await.map_err(|error| match error {
        Unavailable::Store(error) => StartError::Query(error),
        Unavailable::Log(error) => StartError::Audit(error),
    })?;
    if count > 0 {
        warn!(count, "entries of the audit log were still owed from before the start; they are written now");
    }
    Ok(())
}

fn services(
    paths: &Paths,
    loaded: Loaded,
    store: &Arc<SqliteStore>,
    log: &Arc<Log>,
    clock: &Arc<WallClock>,
) -> Result<Services, StartError> {
    let bastion = loaded.snapshot.settings.name.clone();
    let signer = |path: std::path::PathBuf| KeyFileSigner::open(&path).map(Box::new);
    let certifier = Certifier {
        authority: TargetCa::new(signer(paths.target_ca())?, loaded.profiles.target),
        serials: SerialSource::new(Arc::clone(store) as Arc<dyn Store>),
        bastion: bastion.clone(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
    };
    let authority = SessionCa::new(signer(paths.session_ca())?, loaded.profiles.session, bastion);
    let recorders = RecordingFolder::open(&paths.recordings(), loaded.limits.recordings);
    let recorders = recorders.map_err(|error| StartError::Other(error.to_string()))?;
    Ok(Services {
        snapshot: ArcSwap::from_pointee(loaded.snapshot),
        store: Arc::clone(store) as Arc<dyn Store>,
        audit: Arc::clone(log) as Arc<dyn AuditLog>,
        recorders: Arc::new(recorders),
        targets: Arc::new(TargetRouter::new(
            Arc::new(certifier),
            Deadlines::default(),
            Arc::clone(clock) as Arc<dyn Clock>,
        )),
        authority: Arc::new(authority),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(SystemRandom) as Arc<dyn Random>,
        changed: Notify::new(),
        approved_roles: ApprovedRoles::default(),
        running: Running::default(),
        told: Told::default(),
        secrets: config::digest_key::read(&paths.digest_key())
            .map_err(|finding| StartError::Configuration(vec![*finding]))?,
        stopping: CancellationToken::new(),
        owing: TaskTracker::new(),
    })
}

async fn bind(listen: &ListenSettings) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners = Vec::with_capacity(listen.addresses.len());
    for &address in &listen.addresses {
        let listener = TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })?;
        listeners.push(listener);
    }
    Ok(listeners)
}
