//! A stage for tests of the use cases: real core, real roles, and ports that keep everything in memory and fail on demand.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::request_access::{Ask, file_request};
use super::{ApprovedRoles, Services, Session, Settings, Snapshot};
use crate::domain::{Digest, RequestId, SessionId, UserName};
use crate::grant::AccessRequest;
use crate::identity::{Directory, Proof, User, VerifiedUser};
use crate::inventory::{Inventory, Reach, Target};
use crate::policy::Role;

mod memory;

use memory::{Dice, MemoryLog, MemoryStore, NotOnStage, SetClock};

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
            stopping: tokio_util::sync::CancellationToken::new(),
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

/// A user's name.
pub(super) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}
