//! A stage for tests of the use cases: real core, real roles, and ports that keep everything in memory and fail on demand.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::sync::Notify;

use super::ports::{
    AuditError, AuditLog, AuthorityError, CertificateRecord, Cleared, Committed, Random, RecordError, Recorder,
    RecorderHeader, Recorders, RequestQuery, Running, SessionAuthority, SessionCertificateRequest, Store, StoreError,
    Stored, TargetError, Targets,
};
use super::request_access::{Ask, file_request};
use super::{ApprovedRoles, Services, Session, Settings, Snapshot};
use crate::audit::event::{AuditEvent, What};
use crate::domain::{Clock, Digest, RequestId, Serial, SessionId, Timestamp, UserName};
use crate::grant::AccessRequest;
use crate::identity::certificate::{CertificateError, Presented};
use crate::identity::{Directory, Proof, SessionCertificate, User, VerifiedUser};
use crate::inventory::{Inventory, Reach, Target};
use crate::policy::Role;

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKsbsWSuSVy2/MYbjko8E3mNghJpTGdpgUP3FVP/3f3l";

/// `web-restart`: one lead approves, two targets. `web-rescue`: two leads approve, with a ticket. `web-look`: self-service.
/// `db-look`: for others.
pub(super) const ROLES: [(&str, &str); 4] = [
    (
        "web-restart",
        r#"
description = "Restart the web tier"
targets = ["web-*"]
run_as = "ops"
[request]
eligible = ["group:web-admins"]
approvers = ["group:leads"]
approvals = 1
max_duration = "1h"
reason = "required"
[[command]]
run = "/usr/bin/systemctl restart nginx"
"#,
    ),
    (
        "web-rescue",
        r#"
description = "Rescue the web tier"
targets = ["web-*"]
run_as = "ops"
[request]
eligible = ["group:web-admins"]
approvers = ["group:leads"]
approvals = 2
max_duration = "2h"
reason = "required"
ticket = '(INC|CHG)-\d+'
[[command]]
run = "/usr/bin/systemctl restart nginx"
[[command]]
run = "/usr/bin/systemctl stop nginx"
"#,
    ),
    (
        "web-look",
        r#"
description = "Look at the web tier"
targets = ["web-1"]
run_as = "ops"
[request]
eligible = ["group:web-admins"]
approvals = 0
max_duration = "30m"
[[command]]
run = "/usr/bin/uptime"
"#,
    ),
    (
        "db-look",
        r#"
description = "Look at the database"
targets = ["db-1"]
run_as = "ops"
[request]
eligible = ["group:db-admins"]
approvers = ["user:dora"]
approvals = 1
max_duration = "30m"
[[command]]
run = "/usr/bin/uptime"
"#,
    ),
];

/// alice is a web admin; ann one who leads as well; bob and dan lead; carol reviews; dora is the database's approver.
const PEOPLE: [(&str, &[&str]); 6] = [
    ("alice", &["web-admins"]),
    ("ann", &["web-admins", "leads"]),
    ("bob", &["leads"]),
    ("carol", &["security"]),
    ("dan", &["leads"]),
    ("dora", &["db-admins"]),
];

/// The services with their ports in reach.
pub(super) struct Rehearsal {
    pub(super) services: Services,
    pub(super) store: Arc<MemoryStore>,
    pub(super) log: Arc<MemoryLog>,
    pub(super) clock: Arc<SetClock>,
    pub(super) dice: Arc<Dice>,
}

impl Rehearsal {
    pub(super) fn new() -> Self {
        let (store, log) = (Arc::new(MemoryStore::default()), Arc::new(MemoryLog::default()));
        let (clock, dice) = (Arc::new(SetClock::default()), Arc::new(Dice::default()));
        let services = Services {
            snapshot: ArcSwap::from_pointee(snapshot(&ROLES)),
            store: store.clone(),
            audit: log.clone(),
            recorders: Arc::new(NotOnStage),
            targets: Arc::new(NotOnStage),
            authority: Arc::new(NotOnStage),
            clock: clock.clone(),
            random: dice.clone(),
            changed: Notify::new(),
            approved_roles: ApprovedRoles::default(),
        };
        Self { services, store, log, clock, dice }
    }

    /// A connection of that user.
    #[expect(clippy::unused_self, reason = "reads as a scenario: rehearsal.session(\"alice\")")]
    pub(super) fn session(&self, user: &str) -> Session {
        let key = russh::keys::PublicKey::from_openssh(KEY).unwrap();
        let fingerprint = key.fingerprint(russh::keys::HashAlg::Sha256);
        Session {
            id: SessionId::from_bits(1),
            user: VerifiedUser { name: user.parse().unwrap(), key, fingerprint, proof: Proof::Key },
            peer: SocketAddr::from(([192, 0, 2, 7], 50_000)),
            login: user.to_owned(),
        }
    }

    /// alice's ask for that role with a reason, filed.
    pub(super) async fn filed(&self, role: &str) -> AccessRequest {
        file_request(&self.services, &self.session("alice"), ask(role)).await.unwrap()
    }

    /// Changes the configuration in force, as a reload does.
    pub(super) fn reload(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.services.snapshot.load());
        change(&mut snapshot);
        self.services.snapshot.store(Arc::new(snapshot));
    }

    /// The request as the store has it.
    pub(super) fn stored(&self, id: &RequestId) -> AccessRequest {
        self.store.requests.lock().unwrap()[id].1.clone()
    }
}

/// An ask for that role with a reason that begins with a ticket.
pub(super) fn ask(role: &str) -> Ask {
    Ask {
        role: role.parse().unwrap(),
        targets: Vec::new(),
        duration: None,
        reason: "INC-7 stuck".to_owned(),
        ticket: None,
    }
}

pub(super) fn role(name: &str, text: &str) -> Arc<Role> {
    let parsed = Role::parse(name.parse().unwrap(), &format!("roles/{name}.toml"), text);
    Arc::new(parsed.map_err(|found| found.iter().map(|one| one.message.clone()).collect::<Vec<_>>()).unwrap().0)
}

pub(super) fn user(name: &str, groups: &[&str]) -> User {
    User {
        name: name.parse().unwrap(),
        keys: Vec::new(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        team: None,
        networks: Vec::new(),
    }
}

pub(super) fn people() -> Vec<User> {
    PEOPLE.iter().map(|(name, groups)| user(name, groups)).collect()
}

fn snapshot(roles: &[(&str, &str)]) -> Snapshot {
    let target = |name: &str| Target {
        name: name.parse().unwrap(),
        labels: BTreeMap::new(),
        run_as: [("ops".parse().unwrap(), "ops".parse().unwrap())].into(),
        reach: Reach::Local,
    };
    Snapshot {
        settings: Settings { reviewers: vec!["group:security".parse().unwrap()], ..Settings::default() },
        directory: Directory::new(people()),
        inventory: Inventory::new(["web-1", "web-2", "db-1"].map(target)),
        roles: roles.iter().map(|(name, text)| (name.parse().unwrap(), role(name, text))).collect(),
        digest: Digest::of(b"configuration"),
    }
}

/// A clock that stands until it is moved.
pub(super) struct SetClock(AtomicI64);

impl Default for SetClock {
    fn default() -> Self {
        Self(AtomicI64::new(Timestamp::from_secs(1_000_000).micros()))
    }
}

impl SetClock {
    pub(super) fn pass(&self, span: Duration) {
        self.0.store(self.now().after(span).micros(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Counts, after the numbers it was loaded with.
#[derive(Default)]
pub(super) struct Dice {
    pub(super) loaded: Mutex<VecDeque<u64>>,
    count: AtomicU64,
}

impl Random for Dice {
    fn bits(&self) -> u64 {
        let loaded = self.loaded.lock().unwrap().pop_front();
        loaded.unwrap_or_else(|| self.count.fetch_add(1, Ordering::SeqCst) + 1000)
    }
}

/// A log that can break. What it is handed meanwhile waits and comes first when it is mended.
#[derive(Default)]
pub(super) struct MemoryLog {
    pub(super) broken: AtomicBool,
    written: Mutex<Vec<AuditEvent>>,
    waiting: Mutex<Vec<AuditEvent>>,
}

impl MemoryLog {
    /// Every entry written so far, in order.
    pub(super) fn entries(&self) -> Vec<AuditEvent> {
        self.written.lock().unwrap().clone()
    }

    /// What they say, as the words that the log uses for their kinds.
    pub(super) fn kinds(&self) -> Vec<String> {
        let kind = |event: &AuditEvent| serde_json::to_value(&event.what).unwrap()["kind"].as_str().unwrap().to_owned();
        self.entries().iter().map(kind).collect()
    }

    pub(super) fn last(&self) -> What {
        self.entries().pop().unwrap().what
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    pub(super) fn mend(&self) {
        self.broken.store(false, Ordering::SeqCst);
        self.written.lock().unwrap().append(&mut self.waiting.lock().unwrap());
    }
}

#[async_trait]
impl AuditLog for MemoryLog {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        // The disk takes its time, and others run meanwhile.
        tokio::task::yield_now().await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(AuditError { reason: "the disk is full".to_owned() });
        }
        let mut written = self.written.lock().unwrap();
        written.push(event);
        Ok(Committed::at(u64::try_from(written.len()).unwrap() - 1))
    }

    fn append_later(&self, event: AuditEvent) {
        let kept = if self.broken.load(Ordering::SeqCst) { &self.waiting } else { &self.written };
        kept.lock().unwrap().push(event);
    }
}

/// A store that can break, for all or for changes alone.
#[derive(Default)]
pub(super) struct MemoryStore {
    pub(super) broken: AtomicBool,
    pub(super) read_only: AtomicBool,
    requests: Mutex<BTreeMap<RequestId, (i64, AccessRequest)>>,
}

impl MemoryStore {
    fn works(&self, changes: bool) -> Result<(), StoreError> {
        let broken = self.broken.load(Ordering::SeqCst) || (changes && self.read_only.load(Ordering::SeqCst));
        if broken { Err(StoreError::Unavailable("broken for the test".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert_request(&self, request: &AccessRequest) -> Result<(), StoreError> {
        self.works(true)?;
        let mut requests = self.requests.lock().unwrap();
        if requests.contains_key(&request.id) {
            return Err(StoreError::Taken);
        }
        requests.insert(request.id.clone(), (1, request.clone()));
        Ok(())
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        self.works(false)?;
        let requests = self.requests.lock().unwrap();
        Ok(requests.get(id).map(|(version, value)| Stored { version: *version, value: value.clone() }))
    }

    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        self.works(true)?;
        let mut requests = self.requests.lock().unwrap();
        match requests.get_mut(&before.value.id) {
            Some((version, value)) if *version == before.version => {
                (*version, *value) = (*version + 1, after.clone());
                Ok(())
            }
            _ => Err(StoreError::Changed),
        }
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.works(false)?;
        let requests = self.requests.lock().unwrap();
        let wanted = |request: &AccessRequest| {
            query.user.as_ref().is_none_or(|user| *user == request.user)
                && query.role.as_ref().is_none_or(|role| *role == request.role)
                && !(query.open && request.state.is_over())
        };
        let found = requests.values().filter(|(_, value)| wanted(value));
        let mut found: Vec<_> =
            found.map(|(version, value)| Stored { version: *version, value: value.clone() }).collect();
        found.sort_by_key(|stored| std::cmp::Reverse((stored.value.filed, stored.value.id.clone())));
        found.truncate(if query.limit == 0 { RequestQuery::MOST } else { query.limit });
        Ok(found)
    }

    async fn reserve_serials(&self, _count: u32) -> Result<Serial, StoreError> {
        Err(off_stage())
    }

    async fn file_certificate(&self, _certificate: &CertificateRecord) -> Result<(), StoreError> {
        Err(off_stage())
    }

    async fn certificate(&self, _serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        Err(off_stage())
    }

    async fn certificate_of_key(&self, _key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        Err(off_stage())
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(now)
    }
}

fn off_stage() -> StoreError {
    StoreError::Unavailable("no certificates in these tests".to_owned())
}

/// The ports that requests and grants have no use for.
struct NotOnStage;

#[async_trait]
impl Recorders for NotOnStage {
    async fn open(&self, _header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        Err(RecordError { reason: "no recordings in these tests".to_owned() })
    }
}

#[async_trait]
impl Targets for NotOnStage {
    async fn start(&self, _cleared: Cleared, _target: &Target) -> Result<Running, TargetError> {
        Err(TargetError::Internal { reason: "no targets in these tests".to_owned() })
    }
}

#[async_trait]
impl SessionAuthority for NotOnStage {
    async fn issue(&self, _: SessionCertificateRequest) -> Result<russh::keys::Certificate, AuthorityError> {
        Err(AuthorityError { reason: "no certificates in these tests".to_owned() })
    }

    fn verify(
        &self,
        _certificate: &russh::keys::Certificate,
        _presented: &Presented<'_>,
    ) -> Result<SessionCertificate, CertificateError> {
        panic!("no certificates in these tests")
    }
}

/// A user's name.
pub(super) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}
