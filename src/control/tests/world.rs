//! A small world for tests of the verbs: alice asks, bob and dan approve, carol reviews, mallory may do nothing. The stage is
//! [`rehearsal`](crate::service::rehearsal); here are the play and the screens.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::control::*;
use crate::domain::Digest;
use crate::service::ports::{AuditProofError, AuditQuery, AuditReadError, FoundEntry, Verdict};
use crate::service::rehearsal::{MemoryLog, NOW, People, Rehearsal, key_of};

const PEOPLE: &People<'static> = &[
    ("alice", &["web-admins", "leads"]),
    ("bob", &["leads"]),
    ("dan", &["leads"]),
    ("carol", &["security"]),
    ("mallory", &[]),
];

pub(in crate::control) const WEB_RESTART: &str = r#"
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

#[async_trait]
impl AuditReader for MemoryLog {
    async fn search(&self, query: AuditQuery) -> Result<Vec<FoundEntry>, AuditReadError> {
        let entries = self.entries();
        let found = entries.iter().enumerate().filter(|(_, event)| query.user.is_none() || query.user == event.user);
        let found = found.map(|(at, event)| FoundEntry { sequence: at as u64, time: NOW, event: event.clone() });
        Ok(found.take(query.limit.unwrap_or(usize::MAX)).collect())
    }

    async fn verify(&self) -> Result<Verdict, AuditReadError> {
        if self.broken.load(Ordering::SeqCst) {
            return Ok(Verdict::Broken { problem: "entry 7 was changed".to_owned() });
        }
        let entries = self.entries().len() as u64;
        Ok(Verdict::Sound { entries, root: Digest::of(b"root"), last: None, uncovered: 0 })
    }

    async fn checkpoint(&self) -> Result<String, AuditProofError> {
        Ok("log\n1\nroot\n\n\u{2014} log signature\n".to_owned())
    }

    async fn prove(&self, index: u64) -> Result<InclusionProof, AuditProofError> {
        if index >= self.entries().len() as u64 {
            return Err(AuditProofError::NotSo(format!("entry {index} is not among them")));
        }
        let checkpoint = self.checkpoint().await?;
        Ok(InclusionProof { index, entry: Some(b"{}".to_vec()), hashes: vec![Digest::of(b"hash")], checkpoint })
    }

    async fn prove_growth(&self, old: u64) -> Result<ConsistencyProof, AuditProofError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(AuditProofError::Broken("entry 7 was changed".to_owned()));
        }
        Ok(ConsistencyProof { old, hashes: Vec::new(), checkpoint: self.checkpoint().await? })
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
    pub(super) stage: Rehearsal,
    pub(super) context: ControlContext,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        let stage = Rehearsal::with(PEOPLE, &[("web-restart", WEB_RESTART), ("web-stop", WEB_STOP), ("look", LOOK)]);
        stage.reload(|snapshot| {
            let people = snapshot.directory.iter().cloned().map(|mut user| {
                user.team = (user.name.as_str() == "alice").then(|| "web".parse().unwrap());
                user
            });
            snapshot.directory = crate::identity::Directory::new(people.collect::<Vec<_>>());
        });
        let host_ca = key_of("host CA").public_key().to_openssh().unwrap();
        let context = ControlContext { host_ca, port: 2222, audit: stage.log.clone() };
        Arc::new(Self { stage, context })
    }

    /// A connection of that user, whose laptop sends a hostile login name.
    pub(super) fn session(&self, user: &str) -> Session {
        Session { login: "al\x1bice".to_owned(), ..self.stage.session(user) }
    }

    pub(super) fn advance(&self, span: Duration) {
        self.stage.clock.pass(span);
    }

    /// Types `line` as `user` and waits for the end.
    pub(super) async fn types(&self, user: &str, line: &str) -> Typed {
        let mut screen = Screen::default();
        let exit = run(&self.stage.services, &self.context, &self.session(user), line.as_bytes(), &mut screen).await;
        Typed { exit, out: screen.out(), err: screen.err() }
    }

    /// Types `line` as `user` and lets it run; the screen can be looked at meanwhile.
    pub(super) fn leaves_running(self: &Arc<Self>, user: &str, line: &str) -> (tokio::task::JoinHandle<u8>, Screen) {
        let screen = Screen::default();
        let (world, session, line, mut console) =
            (Arc::clone(self), self.session(user), line.to_owned(), screen.clone());
        let running = tokio::spawn(async move {
            run(&world.stage.services, &world.context, &session, line.as_bytes(), &mut console).await
        });
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
