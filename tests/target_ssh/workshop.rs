//! Makes cleared commands the only way there is: a role, a grant, the decision, a real log entry, a recorder.

use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use doorward::audit::event::{AuditEvent, What};
use doorward::audit::log::{self, Log, LogOptions};
use doorward::ca::profile::{Kind, Profile, TargetFacts};
use doorward::ca::signer::{KeyFileSigner, TargetCa, generate_key_file};
use doorward::domain::{
    AccountName, Clock, CommandId, CommandIdentity, Digest, GrantId, RequestId, Serial, SessionId, TargetName,
    Timestamp,
};
use doorward::grant::request::Filing;
use doorward::grant::{AccessRequest, Scope};
use doorward::inventory::{HostIdentity, Reach, SshReach, Target};
use doorward::policy::{Choice, CommandRequest, Decision, HeldRole, Role, Words, decide};
use doorward::service::ports::{
    AuditLog, Cleared, Output, RecordError, Recorder, Running, Stream, TargetError, Targets,
};
use doorward::target::{CommandCertifier, Deadlines, TargetRouter};
use russh::keys::{Certificate, PublicKey};

use crate::support::sshd::{Sshd, own_account};

/// One role, so that a test can say in its command line what is to happen on the target.
const ROLE: &str = r#"
description = "Runs what a test says"
targets     = ["web-1"]
run_as      = "ops"

[request]
eligible     = ["user:alice"]
approvals    = 0
max_duration = "1h"

[[command]]
run   = "/bin/sh -c {script}"
stdin = STDIN
accept_escape = "the shell is where a test says what is to happen"
timeout = "TIMEOUT"
where.script = { text = 2000 }
"#;

pub(crate) struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Timestamp::from_micros(i64::try_from(elapsed.as_micros()).expect("before 294247"))
    }
}

struct NoRecording;

#[async_trait]
impl Recorder for NoRecording {
    fn file_name(&self) -> &str {
        "none"
    }

    async fn write(&mut self, _: Stream, _: Bytes) -> Result<(), RecordError> {
        Ok(())
    }

    async fn finish(self: Box<Self>, _: u8) -> Result<Digest, RecordError> {
        Ok(Digest::of(b""))
    }
}

/// What a command is to be.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) script: &'a str,
    pub(crate) stdin: bool,
    pub(crate) timeout: &'a str,
}

impl<'a> Wish<'a> {
    pub(crate) fn closed(script: &'a str) -> Self {
        Self { script, stdin: false, timeout: "60s" }
    }

    pub(crate) fn open(script: &'a str) -> Self {
        Self { stdin: true, ..Self::closed(script) }
    }
}

/// The target CA, as the wiring puts it behind the port. Keeps what it signed.
pub(crate) struct Certifier {
    ca: TargetCa,
    serials: AtomicU64,
    pub(crate) signed: Mutex<Vec<Certificate>>,
}

#[async_trait]
impl CommandCertifier for Certifier {
    async fn certify(&self, cleared: &Cleared, key: &PublicKey, source: IpAddr) -> Result<Certificate, TargetError> {
        let permit = cleared.permit();
        let certificate = self.ca.issue(&TargetFacts {
            serial: Serial::new(self.serials.fetch_add(1, Ordering::SeqCst)).expect("not zero"),
            identity: cleared.identity(),
            target: permit.target(),
            account: permit.account(),
            bastion: "bastion.example.com",
            key,
            force_command: permit.line(),
            source_address: source,
            at: cleared.decided(),
            pty: false,
        });
        let certificate = certificate.map_err(|error| TargetError::Internal { reason: error.to_string() })?;
        self.signed.lock().expect("list").push(certificate.clone());
        Ok(certificate)
    }
}

/// A log, a CA and a way to the targets.
pub(crate) struct Workshop {
    dir: tempfile::TempDir,
    log: Arc<Log>,
    pub(crate) certifier: Arc<Certifier>,
    pub(crate) targets: TargetRouter,
}

impl Workshop {
    pub(crate) fn new(deadlines: Deadlines) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let (log, _) =
            log::open(&dir.path().join("audit"), "test", key, Arc::new(Wall), LogOptions::default()).expect("a log");
        let public = generate_key_file(&dir.path().join("target_ca"), "target_ca").expect("a key file");
        std::fs::write(dir.path().join("target_ca.pub"), public.to_openssh().expect("a line") + "\n").expect("written");
        let signer = Box::new(KeyFileSigner::open(&dir.path().join("target_ca")).expect("our own key file"));
        let profile = Profile::parse(Kind::Target, &Arc::from("target.toml"), &Arc::from(Kind::Target.shipped()));
        let ca = TargetCa::new(signer, profile.expect("the shipped profile"));
        let certifier = Arc::new(Certifier { ca, serials: AtomicU64::new(1), signed: Mutex::default() });
        let targets = TargetRouter::new(Arc::clone(&certifier) as Arc<dyn CommandCertifier>, deadlines, Arc::new(Wall));
        Self { dir, log, certifier, targets }
    }

    /// A stock server that trusts this workshop's CA for `web-1`.
    pub(crate) fn sshd(&self) -> Sshd {
        self.sshd_with(|_| String::new())
    }

    /// As [`Self::sshd`], with what `more` answers in its configuration; it gets the server's directory.
    pub(crate) fn sshd_with(&self, more: impl FnOnce(&Path) -> String) -> Sshd {
        let ca = std::fs::read_to_string(self.dir.path().join("target_ca.pub")).expect("the CA's public half");
        Sshd::start(|dir| {
            let account = own_account();
            std::fs::write(dir.join("ca.pub"), ca).expect("written");
            std::fs::write(dir.join("principals"), format!("web-1/{account}@bastion.example.com\n")).expect("written");
            let more = more(dir);
            let dir = dir.display();
            format!(
                "TrustedUserCAKeys {dir}/ca.pub\nAuthorizedPrincipalsFile {dir}/principals\nMaxStartups 100\n{more}"
            )
        })
    }

    /// A command that was decided, logged and is recorded.
    pub(crate) async fn cleared(&self, wish: Wish<'_>) -> Cleared {
        let text = ROLE.replace("STDIN", &wish.stdin.to_string()).replace("TIMEOUT", wish.timeout);
        let name = "probe".parse().expect("a name");
        let (role, _) = Role::parse(name, "probe.toml", &text).expect("a role");
        let target: TargetName = "web-1".parse().expect("a name");
        let account: AccountName = own_account().parse().expect("a name");
        let now = Wall.now();
        let filing = Filing {
            user: "alice".parse().expect("a name"),
            role: role.name().clone(),
            role_text: text,
            approvals_needed: 0,
            scope: Scope { targets: [(target.clone(), account.clone())].into(), duration: Duration::from_secs(3600) },
            reason: String::new(),
            ticket: None,
            source: "127.0.0.1".parse().expect("an address"),
        };
        let hour = Duration::from_secs(3600);
        let request = AccessRequest::file(RequestId::from_bits(1), filing, now, hour, hour);
        let grant = request.activate(now, hour).expect("approved").active_grant(now).expect("active");
        let line = format!("sh -c '{}'", wish.script.replace('\'', r"'\''"));
        let words = Words::split(line.as_bytes()).expect("words");
        let held =
            HeldRole { grant: &grant, approved: &role, loaded: Some(&role), account: Some(&account), eligible: true };
        let request = CommandRequest { target: &target, words: &words, choice: &Choice::Any };
        let Decision::Allow(permit) = decide(&request, &[held], now) else { panic!("denied: {line}") };
        let entry = AuditEvent::of(What::Error { message: "test".to_owned() });
        let written = self.log.append(entry).await.expect("written");
        let identity = CommandIdentity {
            user: "alice".parse().expect("a name"),
            grant: GrantId::from_bits(1),
            session: SessionId::from_bits(2),
            command: CommandId::from_bits(3),
        };
        Cleared::new(permit, identity, now, written, &NoRecording)
    }

    /// Starts `wish` on the server at `port`.
    pub(crate) async fn start(&self, wish: Wish<'_>, port: u16, host_key: &str) -> Result<Running, TargetError> {
        self.start_on(wish, &target(port, host_key)).await
    }

    /// Starts `wish` on `target`.
    pub(crate) async fn start_on(&self, wish: Wish<'_>, target: &Target) -> Result<Running, TargetError> {
        self.targets.start(self.cleared(wish).await, target).await
    }
}

/// `web-1` at `port`, with a pinned host key.
pub(crate) fn target(port: u16, host_key: &str) -> Target {
    recognised(port, HostIdentity::Pinned(PublicKey::from_openssh(host_key).expect("a host key")))
}

/// `web-1` at `port`.
pub(crate) fn recognised(port: u16, identity: HostIdentity) -> Target {
    let reach = SshReach { host: "127.0.0.1".to_owned(), port, identity, from: None };
    Target { name: "web-1".parse().expect("a name"), labels: [].into(), run_as: [].into(), reach: Reach::Ssh(reach) }
}

/// Everything a command says: standard output, standard error, and how it ends.
pub(crate) async fn all(mut running: Running) -> (Vec<u8>, Vec<u8>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = running.output.recv().await {
        match piece {
            Output::Stdout(data) => out.extend_from_slice(&data),
            Output::Stderr(data) => err.extend_from_slice(&data),
            end => return (out, err, format!("{end:?}")),
        }
    }
    (out, err, "silence".to_owned())
}
