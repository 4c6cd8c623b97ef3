//! A small world for tests: alice asks, bob and dan approve, carol reviews, mallory may do nothing. Real use cases, real
//! roles, a real signature; the store, the log and the clock are in memory and can be broken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::audit::event::AuditEvent;
use crate::ca::profile::{Kind, Profile};
use crate::ca::signer::{SessionCa, Signer};
use crate::domain::{Clock, Digest, RequestId, RoleName, Serial, SessionId, Subject, Timestamp, UserName};
use crate::grant::AccessRequest;
use crate::identity::{Directory, Proof, User, VerifiedUser};
use crate::inventory::{Inventory, Reach, Target};
use crate::policy::Role;
use crate::service::ports::*;
use crate::service::{ApprovedRoles, Settings};

pub(super) const WEB_RESTART: &str = r#"
description = "Restart and inspect the web tier"
targets = ["web-*"]
run_as = "ops"
[request]
eligible = ["user:alice"]
approvers = ["group:leads"]
approvals = 1
max_duration = "1h"
reason = "required"
[[command]]
run = "/usr/bin/systemctl restart {unit}"
where.unit = { one_of = ["nginx", "php-fpm"] }
help = "Restart a web unit"
"#;

const WEB_STOP: &str = r#"
description = "Stop the web tier"
targets = ["web-*"]
run_as = "ops"
[request]
eligible = ["user:alice"]
approvers = ["user:bob", "user:dan"]
approvals = 2
max_duration = "1h"
[[command]]
run = "/usr/bin/systemctl stop nginx"
"#;

const LOOK: &str = r#"
description = "Look at the machine"
targets = ["web-1"]
run_as = "ops"
[request]
eligible = ["user:alice"]
approvers = []
approvals = 0
max_duration = "2h"
[[command]]
run = "/usr/bin/uptime"
"#;

fn key(seed: u8) -> PrivateKey {
    let pair = Ed25519Keypair::from(&SigningKey::from_bytes(&[seed; 32]));
    PrivateKey::new(pair.into(), "test").unwrap()
}

struct Pen(PrivateKey);

impl Signer for Pen {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, AuthorityError> {
        self.0.try_sign(message).map_err(|error| AuthorityError { reason: error.to_string() })
    }
}

#[derive(Default)]
pub(super) struct MemoryStore {
    requests: Mutex<Vec<Stored<AccessRequest>>>,
    certificates: Mutex<Vec<CertificateRecord>>,
    serial: AtomicU64,
    pub(super) broken: AtomicBool,
}

impl MemoryStore {
    fn check(&self) -> Result<(), StoreError> {
        let broken = self.broken.load(Ordering::SeqCst);
        if broken { Err(StoreError::Unavailable("/var/lib/secret/path: disk I/O error".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert_request(&self, request: &AccessRequest) -> Result<(), StoreError> {
        self.check()?;
        self.requests.lock().unwrap().push(Stored { version: 1, value: request.clone() });
        Ok(())
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        self.check()?;
        Ok(self.requests.lock().unwrap().iter().find(|stored| stored.value.id == *id).cloned())
    }

    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        self.check()?;
        let mut requests = self.requests.lock().unwrap();
        let stored = requests.iter_mut().find(|stored| stored.value.id == after.id).unwrap();
        if stored.version != before.version {
            return Err(StoreError::Changed);
        }
        *stored = Stored { version: before.version + 1, value: after.clone() };
        Ok(())
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.check()?;
        let fits = |stored: &&Stored<AccessRequest>| {
            query.user.as_ref().is_none_or(|user| *user == stored.value.user)
                && query.role.as_ref().is_none_or(|role| *role == stored.value.role)
                && !(query.open && stored.value.state.is_over())
        };
        let limit = if query.limit == 0 { RequestQuery::MOST } else { query.limit };
        Ok(self.requests.lock().unwrap().iter().rev().filter(fits).take(limit).cloned().collect())
    }

    async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError> {
        self.check()?;
        Ok(Serial::new(self.serial.fetch_add(u64::from(count), Ordering::SeqCst) + 1).unwrap())
    }

    async fn file_certificate(&self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        self.check()?;
        let mut certificates = self.certificates.lock().unwrap();
        certificates.iter_mut().filter(|old| old.key == certificate.key).for_each(|old| old.superseded = true);
        certificates.push(certificate.clone());
        Ok(())
    }

    async fn certificate(&self, serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        self.check()?;
        Ok(self.certificates.lock().unwrap().iter().find(|record| record.serial == serial).cloned())
    }

    async fn certificate_of_key(&self, key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        self.check()?;
        let certificates = self.certificates.lock().unwrap();
        Ok(certificates.iter().rev().find(|record| record.key == key && !record.superseded).cloned())
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(now)
    }
}

#[derive(Default)]
pub(super) struct MemoryLog {
    pub(super) entries: Mutex<Vec<AuditEvent>>,
    pub(super) broken: AtomicBool,
}

#[async_trait]
impl AuditLog for MemoryLog {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(AuditError { reason: "disk full".to_owned() });
        }
        let mut entries = self.entries.lock().unwrap();
        entries.push(event);
        Ok(Committed::at(entries.len() as u64 - 1))
    }

    fn append_later(&self, event: AuditEvent) {
        self.entries.lock().unwrap().push(event);
    }
}

#[async_trait]
impl AuditReader for MemoryLog {
    async fn search(&self, query: AuditQuery) -> Result<Vec<FoundEntry>, AuditReadError> {
        let entries = self.entries.lock().unwrap();
        let found = entries.iter().enumerate().filter(|(_, event)| query.user.is_none() || query.user == event.user);
        let found = found.map(|(at, event)| FoundEntry {
            sequence: at as u64,
            time: Timestamp::from_secs(1_000_000),
            event: event.clone(),
        });
        Ok(found.take(query.limit).collect())
    }

    async fn verify(&self) -> Result<Verdict, AuditReadError> {
        if self.broken.load(Ordering::SeqCst) {
            return Ok(Verdict::Broken { problem: "entry 7 was changed".to_owned() });
        }
        let entries = self.entries.lock().unwrap().len() as u64;
        Ok(Verdict::Sound { entries, root: Digest::of(b"root"), last: None, uncovered: 0 })
    }
}

struct Nowhere;

#[async_trait]
impl Recorders for Nowhere {
    async fn open(&self, _: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        panic!("a control verb opened a recording")
    }
}

#[async_trait]
impl Targets for Nowhere {
    async fn start(&self, _: Cleared, _: &Target) -> Result<Running, TargetError> {
        panic!("a control verb reached for a target")
    }
}

#[derive(Default)]
pub(super) struct SetClock(AtomicI64);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[derive(Default)]
struct Counting(AtomicU64);

impl Random for Counting {
    fn bits(&self) -> u64 {
        // Identifiers in order, and never one that is taken.
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// What a client saw.
#[derive(Clone, Default)]
pub(super) struct Screen {
    out: Arc<Mutex<String>>,
    err: Arc<Mutex<String>>,
    pub(super) gone: CancellationToken,
}

#[async_trait]
impl Console for Screen {
    async fn stdout(&mut self, text: &str) {
        self.out.lock().unwrap().push_str(text);
    }

    async fn stderr(&mut self, text: &str) {
        self.err.lock().unwrap().push_str(text);
    }

    async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

impl Screen {
    pub(super) fn out(&self) -> String {
        self.out.lock().unwrap().clone()
    }

    pub(super) fn err(&self) -> String {
        self.err.lock().unwrap().clone()
    }
}

/// One typed line and what came back.
pub(super) struct Typed {
    pub(super) exit: u8,
    pub(super) out: String,
    pub(super) err: String,
}

impl Typed {
    /// The document on standard output.
    pub(super) fn json(&self) -> serde_json::Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

pub(super) struct World {
    pub(super) services: Services,
    pub(super) context: ControlContext,
    pub(super) store: Arc<MemoryStore>,
    pub(super) log: Arc<MemoryLog>,
    clock: Arc<SetClock>,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        let (store, log, clock) =
            (Arc::<MemoryStore>::default(), Arc::<MemoryLog>::default(), Arc::<SetClock>::default());
        clock.0.store(Timestamp::from_secs(1_769_868_000).micros(), Ordering::SeqCst);
        let profile = Profile::parse(Kind::Session, &"session.toml".into(), &Kind::Session.shipped().into()).unwrap();
        let services = Services {
            snapshot: ArcSwap::from_pointee(snapshot()),
            store: store.clone(),
            audit: log.clone(),
            recorders: Arc::new(Nowhere),
            targets: Arc::new(Nowhere),
            authority: Arc::new(SessionCa::new(Box::new(Pen(key(200))), profile, "bastion.example.com")),
            clock: clock.clone(),
            random: Arc::new(Counting::default()),
            changed: Notify::new(),
            approved_roles: ApprovedRoles::default(),
            stopping: tokio_util::sync::CancellationToken::new(),
        };
        let context =
            ControlContext { host_ca: key(201).public_key().to_openssh().unwrap(), port: 2222, audit: log.clone() };
        Arc::new(Self { services, context, store, log, clock })
    }

    pub(super) fn advance(&self, span: Duration) {
        self.clock.0.fetch_add(span.as_micros() as i64, Ordering::SeqCst);
    }

    /// Types `line` as `user` and waits for the end.
    pub(super) async fn types(&self, user: &str, line: &str) -> Typed {
        let mut screen = Screen::default();
        let exit = run(&self.services, &self.context, &session(user), line.as_bytes(), &mut screen).await;
        Typed { exit, out: screen.out(), err: screen.err() }
    }

    /// Types `line` as `user` and lets it run; the screen can be looked at meanwhile.
    pub(super) fn leaves_running(self: &Arc<Self>, user: &str, line: &str) -> (tokio::task::JoinHandle<u8>, Screen) {
        let screen = Screen::default();
        let (world, session, line, mut console) = (Arc::clone(self), session(user), line.to_owned(), screen.clone());
        let running =
            tokio::spawn(
                async move { run(&world.services, &world.context, &session, line.as_bytes(), &mut console).await },
            );
        (running, screen)
    }

    /// The digest that `pending` shows `approver` for `id`.
    pub(super) async fn digest_of(&self, approver: &str, id: &str) -> String {
        let pending = self.types(approver, "pending").await.out;
        let line = pending
            .lines()
            .find(|line| line.contains(&format!(" approve {id} ")))
            .unwrap_or_else(|| panic!("{id} in\n{pending}"));
        line.rsplit(' ').next().unwrap().to_owned()
    }

    /// `approver` says yes to `id` as `pending` tells them.
    pub(super) async fn approves(&self, approver: &str, id: &str) -> Typed {
        let digest = self.digest_of(approver, id).await;
        self.types(approver, &format!("approve {id} {digest}")).await
    }
}

fn people() -> [(&'static str, u8, &'static [&'static str]); 5] {
    [
        ("alice", 1, &["web-admins", "leads"]),
        ("bob", 2, &["leads"]),
        ("dan", 3, &["leads"]),
        ("carol", 4, &["security"]),
        ("mallory", 5, &[]),
    ]
}

fn snapshot() -> Snapshot {
    let users = people().map(|(name, seed, groups)| User {
        name: name.parse().unwrap(),
        keys: vec![key(seed).public_key().clone()],
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        team: (name == "alice").then(|| "web".parse().unwrap()),
        networks: Vec::new(),
    });
    let machine = |name: &str| Target {
        name: name.parse().unwrap(),
        labels: BTreeMap::new(),
        run_as: [("ops".parse().unwrap(), "ops".parse().unwrap())].into(),
        reach: Reach::Local,
    };
    let roles = [("web-restart", WEB_RESTART), ("web-stop", WEB_STOP), ("look", LOOK)].map(|(name, text)| {
        let name: RoleName = name.parse().unwrap();
        let (role, _) = Role::parse(name.clone(), "role.toml", text).unwrap_or_else(|found| panic!("{}", found[0]));
        (name, Arc::new(role))
    });
    Snapshot {
        settings: Settings {
            name: "bastion.example.com".to_owned(),
            reviewers: vec!["group:security".parse::<Subject>().unwrap()],
            ..Settings::default()
        },
        directory: Directory::new(users),
        inventory: Inventory::new([machine("web-1"), machine("web-2"), machine("db-1")]),
        roles: roles.into(),
        digest: Digest::of(b"configuration"),
    }
}

pub(super) fn session(user: &str) -> Session {
    let seed = people().iter().find(|(name, ..)| *name == user).map_or(99, |(_, seed, _)| *seed);
    let key = key(seed).public_key().clone();
    let name: UserName = user.parse().unwrap();
    Session {
        id: SessionId::from_bits(7),
        user: VerifiedUser { name, fingerprint: key.fingerprint(HashAlg::Sha256), key, proof: Proof::Key },
        peer: "10.0.0.7:50000".parse().unwrap(),
        login: "al\x1bice".to_owned(),
    }
}
