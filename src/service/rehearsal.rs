//! The stage for tests of the use cases and of the verbs: real core, real roles, a real session CA, and ports that keep
//! everything in memory and fail on demand. A play brings its own cast, or takes the one below.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::request_access::{Ask, file_request};
use super::{ApprovedRoles, Services, Session, Settings, Snapshot};
use crate::ca::profile::{Kind, Profile};
use crate::ca::signer::SessionCa;
use crate::domain::{Digest, RequestId, SessionId, UserName};
use crate::grant::AccessRequest;
use crate::identity::{Directory, Proof, User, VerifiedUser};
use crate::inventory::{Inventory, Reach, Target};
use crate::policy::Role;

mod execution;
mod memory;
mod sabotage;

pub(crate) use execution::{Diary, FakeClient, FakeRecorder, FakeRecorders, FakeTargets, Mood, NotOnStage};
use memory::Pen;
pub(crate) use memory::{Dice, MemoryLog, MemoryStore, NOW, SetClock, key_of};
pub(crate) use sabotage::{Saboteur, Way};

/// Where everybody comes from.
pub(crate) const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

/// What every rehearsal's bastion is called.
pub(crate) const BASTION: &str = "bastion.example.com";

/// People with their groups.
pub(crate) type People<'a> = [(&'a str, &'a [&'a str])];

/// `web-restart`: one lead approves, two targets. `web-rescue`: two leads approve, with a ticket. `web-look`: self-service.
/// `db-look`: for others.
pub(crate) const ROLES: [(&str, &str); 4] = [
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
pub(crate) const PEOPLE: [(&str, &[&str]); 6] = [
    ("alice", &["web-admins"]),
    ("ann", &["web-admins", "leads"]),
    ("bob", &["leads"]),
    ("carol", &["security"]),
    ("dan", &["leads"]),
    ("dora", &["db-admins"]),
];

/// The services with their ports in reach.
pub(crate) struct Rehearsal {
    pub(crate) services: Services,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) dice: Arc<Dice>,
    pub(crate) authority: Arc<SessionCa>,
}

impl Rehearsal {
    /// With [`PEOPLE`] and [`ROLES`].
    pub(crate) fn new() -> Self {
        Self::with(&PEOPLE, &ROLES)
    }

    /// With this cast, on web-1, web-2 and db-1.
    pub(crate) fn with(people: &People<'_>, roles: &[(&str, &str)]) -> Self {
        let (store, log) = (Arc::new(MemoryStore::default()), Arc::new(MemoryLog::default()));
        let (clock, dice) = (Arc::new(SetClock::default()), Arc::new(Dice::default()));
        let authority = session_ca("session CA");
        let services = Services {
            snapshot: ArcSwap::from_pointee(snapshot(people, roles)),
            store: store.clone(),
            audit: log.clone(),
            recorders: Arc::new(NotOnStage),
            targets: Arc::new(NotOnStage),
            authority: authority.clone(),
            clock: clock.clone(),
            random: dice.clone(),
            changed: Notify::new(),
            approved_roles: ApprovedRoles::default(),
            running: super::Running::default(),
            told: super::Told::default(),
            secrets: crate::policy::SecretKey::from_bytes([7; 32]),
            stopping: tokio_util::sync::CancellationToken::new(),
            owing: tokio_util::task::TaskTracker::new(),
        };
        Self { services, store, log, clock, dice, authority }
    }

    /// A connection of that user.
    #[expect(clippy::unused_self, reason = "reads as a scenario: rehearsal.session(\"alice\")")]
    pub(crate) fn session(&self, user: &str) -> Session {
        let key = key_of(user).public_key().clone();
        let fingerprint = key.fingerprint(russh::keys::HashAlg::Sha256);
        Session {
            id: SessionId::from_bits(1),
            user: VerifiedUser { name: user.parse().unwrap(), key, fingerprint, proof: Proof::Key },
            peer: SocketAddr::from((HERE, 50_000)),
            login: user.to_owned(),
        }
    }

    /// alice's ask for that role with a reason, filed.
    pub(crate) async fn filed(&self, role: &str) -> AccessRequest {
        file_request(&self.services, &self.session("alice"), ask(role)).await.unwrap()
    }

    /// Changes the configuration in force, as a reload does.
    pub(crate) fn reload(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut snapshot = Snapshot::clone(&self.services.snapshot.load());
        change(&mut snapshot);
        self.services.snapshot.store(Arc::new(snapshot));
    }

    /// The request as the store has it.
    pub(crate) fn stored(&self, id: &RequestId) -> AccessRequest {
        self.store.requests.lock().unwrap()[id].1.clone()
    }
}

/// A session CA whose key has that name.
pub(crate) fn session_ca(key: &str) -> Arc<SessionCa> {
    let profile = Profile::parse(Kind::Session, &"session.toml".into(), &Kind::Session.shipped().into()).unwrap();
    Arc::new(SessionCa::new(Box::new(Pen(key_of(key))), profile, BASTION))
}

/// An ask for that role with a reason that begins with a ticket.
pub(crate) fn ask(role: &str) -> Ask {
    Ask {
        role: role.parse().unwrap(),
        targets: Vec::new(),
        duration: None,
        reason: "INC-7 stuck".to_owned(),
        ticket: None,
    }
}

pub(crate) fn role(name: &str, text: &str) -> Arc<Role> {
    let parsed = Role::parse(name.parse().unwrap(), &format!("roles/{name}.toml"), text);
    Arc::new(parsed.map_err(|found| found.iter().map(|one| one.message.clone()).collect::<Vec<_>>()).unwrap().0)
}

pub(crate) fn user(name: &str, groups: &[&str]) -> User {
    User {
        name: name.parse().unwrap(),
        keys: vec![key_of(name).public_key().clone()],
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        team: None,
        networks: Vec::new(),
    }
}

pub(crate) fn people() -> Vec<User> {
    cast(&PEOPLE)
}

fn cast(people: &People<'_>) -> Vec<User> {
    people.iter().map(|(name, groups)| user(name, groups)).collect()
}

/// A machine on which the role account `ops` is `account`.
pub(crate) fn target(name: &str, account: &str) -> Target {
    Target {
        name: name.parse().unwrap(),
        labels: BTreeMap::new(),
        run_as: [("ops".parse().unwrap(), account.parse().unwrap())].into(),
        reach: Reach::Local,
    }
}

fn snapshot(people: &People<'_>, roles: &[(&str, &str)]) -> Snapshot {
    Snapshot {
        settings: Settings {
            name: BASTION.to_owned(),
            reviewers: vec!["group:security".parse().unwrap()],
            ..Settings::default()
        },
        directory: Directory::new(cast(people)),
        inventory: Inventory::new(["web-1", "web-2", "db-1"].map(|name| target(name, "ops"))),
        roles: roles.iter().map(|(name, text)| (name.parse().unwrap(), role(name, text))).collect(),
        digest: Digest::of(b"configuration"),
    }
}

/// A user's name.
pub(crate) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}
