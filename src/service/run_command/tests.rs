use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::{CertificateId, RequestId, Serial};
use crate::grant::request::Filing;
use crate::grant::{AccessRequest, Scope};
use crate::identity::{Directory, Proof, SessionCertificate};
use crate::inventory::Inventory;
use crate::policy::Role;
use crate::service::ports::{Output, Running, TargetError};
use crate::service::rehearsal::{Diary, FakeClient, FakeRecorders, FakeTargets, Mood, NOW, Rehearsal, target};

mod conditions;
mod secrets;
mod silence;
mod taken_away;

const ROLE: &str = r#"
description = "Says things"
targets     = ["web-*"]
run_as      = "ops"

[request]
eligible     = ["user:alice"]
approvals    = 0
max_duration = "1h"

[[command]]
run = "/bin/echo {word}"
where.word = { one_of = ["hello", "world"] }
timeout = "5m"
"#;

const HOUR: Duration = Duration::from_secs(3600);

/// What of the world a test breaks.
#[derive(Clone, Copy)]
struct Broken {
    log: bool,
    recorder: Mood,
    target: bool,
}

const WHOLE: Broken = Broken { log: false, recorder: Mood::Works, target: false };

/// Alice holds `talk` on web-1 for an hour, and everything works unless it is broken.
struct World {
    stage: Rehearsal,
    session: Session,
    request: AccessRequest,
    held: Vec<HeldGrant>,
    certificate: CurrentCertificate,
    /// Where the test plays the programs that were started.
    programs: Arc<Mutex<Vec<mpsc::Sender<Output>>>>,
}

impl World {
    fn new(broken: Broken) -> Self {
        let mut stage = Rehearsal::with(&[("alice", &[])], &[("talk", ROLE)]);
        let diary = stage.log.diary.clone();
        let programs: Arc<Mutex<Vec<mpsc::Sender<Output>>>> = Arc::default();
        let started = Arc::clone(&programs);
        let start = move |_: &crate::service::ports::Cleared| {
            if broken.target {
                return Err(TargetError::Unreachable { target: "web-1".to_owned(), reason: "\x1b[2Jno".to_owned() });
            }
            let (output, received) = mpsc::channel(4);
            started.lock().unwrap().push(output);
            Ok(Running { input: Box::new(tokio::io::sink()), output: received })
        };
        let recorders = FakeRecorders { diary: diary.clone(), open: broken.recorder, write: Mood::Works };
        stage.services.recorders = Arc::new(recorders);
        stage.services.targets = Arc::new(FakeTargets { diary, start: Box::new(start) });
        stage.log.broken.store(broken.log, Ordering::SeqCst);
        stage.reload(|snapshot| snapshot.settings.drain = Duration::from_millis(100));

        let request = granted();
        let grant = request.active_grant(NOW).unwrap();
        let mut session = stage.session("alice");
        let certificate = SessionCertificate {
            serial: Serial::new(1).unwrap(),
            id: CertificateId::from_bits(1),
            user: session.user.name.clone(),
            key: session.user.fingerprint,
            grants: [grant.id().clone()].into(),
        };
        session.user.proof = Proof::Certificate(certificate.clone());
        let role = stage.services.snapshot.load().roles.values().next().unwrap().clone();
        let world = Self {
            stage,
            session,
            request,
            held: vec![HeldGrant { grant, role }],
            certificate: CurrentCertificate { certificate, presented: true },
            programs,
        };
        world.becomes(world.request.clone());
        world
    }

    fn diary(&self) -> &Diary {
        &self.stage.log.diary
    }

    /// Alice's attempt at `ask`.
    fn attempt<'a>(&'a self, ask: &'a CommandAsk) -> Attempt<'a> {
        let command = CommandId::from_bits(1);
        Attempt {
            services: &self.stage.services,
            session: &self.session,
            ask,
            command,
            typed: as_text(&ask.line),
            began_at: 0,
        }
    }

    /// Runs `line` under what alice holds, as [`run_command`] does once it has read that.
    async fn run(&self, line: &str, client: &mut FakeClient) -> u8 {
        let ask = ask(line);
        let words = Words::split(line.as_bytes()).expect("words");
        match self.attempt(&ask).run_held(&words, &self.certificate, &self.held, client).await {
            Ok(code) => code,
            Err(stop) => {
                say(client, &stop.lines).await;
                stop.code
            }
        }
    }

    /// Waits until a program was started, and gives its side.
    async fn program(&self) -> mpsc::Sender<Output> {
        loop {
            if let Some(program) = self.programs.lock().unwrap().pop() {
                return program;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The role is configured as `text` from now on.
    fn configured(&self, text: &str) {
        let (role, _) = Role::parse("talk".parse().unwrap(), "talk.toml", text).unwrap();
        self.stage.reload(|snapshot| {
            snapshot.roles = [(role.name().clone(), Arc::new(role))].into_iter().collect();
            snapshot.digest = Digest::of(text.as_bytes());
        });
    }

    fn becomes(&self, after: AccessRequest) {
        self.stage.store.requests.lock().unwrap().insert(after.id.clone(), (1, after));
    }

    /// The role `talk` is configured as `text` from now on.
    fn role_becomes(&self, text: &str) {
        let (role, _) = Role::parse("talk".parse().unwrap(), "talk.toml", text).unwrap();
        self.stage.reload(|snapshot| drop(snapshot.roles.insert(role.name().clone(), Arc::new(role))));
    }

    fn finished(&self) -> Option<String> {
        self.stage.log.entries().into_iter().find_map(|entry| match entry.what {
            What::CommandFinished(finished) => Some(finished.ended_by.unwrap_or_default()),
            _ => None,
        })
    }
}

/// `line` on web-1.
fn ask(line: impl Into<Vec<u8>>) -> CommandAsk {
    CommandAsk { target: "web-1".parse().unwrap(), choice: Choice::Any, line: line.into() }
}

/// Alice's request for `talk` on web-1, active since [`NOW`].
fn granted() -> AccessRequest {
    let filing = Filing {
        user: "alice".parse().unwrap(),
        role: "talk".parse().unwrap(),
        role_text: ROLE.to_owned(),
        approvals_needed: 0,
        scope: Scope { targets: [("web-1".parse().unwrap(), "ops".parse().unwrap())].into(), duration: HOUR },
        reason: String::new(),
        ticket: None,
        source: "127.0.0.1".parse().unwrap(),
    };
    AccessRequest::file(RequestId::from_bits(1), filing, NOW, HOUR, HOUR).activate(NOW, HOUR).unwrap()
}

#[tokio::test]
async fn decision_log_recorder_target_in_this_order() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        program.send(Output::Stdout("hello\n".into())).await.expect("send");
        program.send(Output::Exit(7)).await.expect("send");
    };
    let (code, ()) = tokio::join!(world.run("echo hello", &mut client), playing);
    assert_eq!((code, client.output.as_slice(), client.said().as_str()), (7, b"hello\n".as_slice(), ""));
    let expected = [
        "log: command-allowed written",
        "recorder: open echo hello",
        "target: start /bin/echo hello on web-1",
        "recorder: Output",
        "client: output",
        "recorder: finish 7",
        "log: command-finished written",
    ];
    assert_eq!(world.diary().lines(), expected);
}

#[tokio::test]
async fn nothing_reaches_a_target_when_any_step_before_it_fails() {
    let broken = [
        ("the log", Broken { log: true, ..WHOLE }, "echo hello", 125),
        ("the recorder", Broken { recorder: Mood::Fails, ..WHOLE }, "echo hello", 125),
        ("the decision", WHOLE, "echo goodbye", 126),
        ("the decision and the log", Broken { log: true, ..WHOLE }, "echo goodbye", 126),
    ];
    for (name, broken, line, expected) in broken {
        let world = World::new(broken);
        let (mut client, _typist) = FakeClient::new(world.diary());
        assert_eq!(world.run(line, &mut client).await, expected, "{name}");
        assert!(client.said().starts_with("doorward: "), "{name}: {}", client.said());
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{name}");
        let opened = world.diary().only(&["recorder"]).len();
        assert_eq!(opened, usize::from(name == "the recorder"), "{name}");
    }
}

#[tokio::test]
async fn a_target_that_fails_is_said_escaped_and_closes_the_command_in_the_log() {
    let world = World::new(Broken { target: true, ..WHOLE });
    let (mut client, _typist) = FakeClient::new(world.diary());
    assert_eq!(world.run("echo hello", &mut client).await, 125);
    assert_eq!(client.said(), "doorward: not run: web-1 cannot be reached: \\u{1b}[2Jno\n");
    let expected = ["log: command-allowed written", "log: command-failed later", "recorder: finish 125"];
    assert_eq!(world.diary().only(&["log", "recorder: finish"]), expected);
}

#[tokio::test]
async fn a_command_whose_task_is_dropped_is_closed_in_the_log() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(world.diary());
    tokio::select! {
        _ = world.run("echo hello", &mut client) => panic!("it ended"),
        program = world.program() => drop(program),
    }
    assert_eq!(world.diary().only(&["log"]), ["log: command-allowed written", "log: command-outcome-unknown later"]);
}

#[tokio::test]
async fn what_is_no_plain_words_or_comes_too_late_is_refused_first() {
    let world = World::new(WHOLE);
    for line in [&b"echo hello; id"[..], b"", b"echo \xff", b"echo a\x1b[2J", &[b'a'; 100_000]] {
        let (mut client, _typist) = FakeClient::new(world.diary());
        assert_eq!(run_command(&world.stage.services, &world.session, ask(line), &mut client).await, 126);
        assert!(client.said().starts_with("doorward: denied: "), "{}", client.said());
        assert!(!client.said().contains('\x1b'));
    }
    world.stage.services.stopping.cancel();
    let (mut client, _typist) = FakeClient::new(world.diary());
    assert_eq!(run_command(&world.stage.services, &world.session, ask(b"echo hello"), &mut client).await, 125);
    assert!(client.said().contains("stopping"));
    assert_eq!(world.diary().only(&["target", "recorder"]), [""; 0]);
}

#[test]
fn a_command_can_change_threads() {
    fn takes<T: Send>(
        _: impl FnOnce(&'static Services, &'static Session, CommandAsk, &'static mut dyn ClientSide) -> T,
    ) {
    }
    takes(run_command);
}
