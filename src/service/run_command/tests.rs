use std::collections::BTreeMap;
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

    /// Runs `line` under what alice holds, as [`run_command`] does once it has read that.
    async fn run(&self, line: &str, client: &mut FakeClient) -> u8 {
        let ask = CommandAsk { target: "web-1".parse().unwrap(), choice: Choice::Any, line: line.into() };
        let command = CommandId::from_bits(1);
        let attempt = Attempt {
            services: &self.stage.services,
            session: &self.session,
            ask: &ask,
            command,
            typed: line.to_owned(),
        };
        let words = Words::split(line.as_bytes()).expect("words");
        match attempt.run_held(&words, &self.certificate, &self.held, client).await {
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
            snapshot.roles = [(role.name().clone(), Arc::new(role))].into();
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

/// [`ROLE`] without its `[request]`.
fn without_request() -> String {
    let (head, rest) = ROLE.split_once("[request]").expect("a section");
    let (_, rules) = rest.split_once("[[command]]").expect("a rule");
    format!("{head}[[command]]{rules}")
}

#[tokio::test]
async fn who_may_no_longer_ask_for_a_role_is_denied_its_commands_and_told_so() {
    for text in [ROLE.replace("user:alice", "user:erin"), without_request()] {
        let world = World::new(WHOLE);
        world.role_becomes(&text);
        let (mut client, _typist) = FakeClient::new(world.diary());
        assert_eq!(world.run("echo hello", &mut client).await, 126);
        let said = client.said();
        assert!(said.contains("you may no longer ask for talk") && said.contains(" roles`"), "{said}");
        assert_eq!(world.diary().lines()[0], "log: command-denied written");
        assert_eq!(world.diary().only(&["target"]), [""; 0]);
    }
}

/// Takes something away from alice.
type Change = fn(&World);

const CHANGES: [(&str, Change, &str); 10] = [
    ("given back", |world| world.becomes(world.request.give_back(NOW).unwrap()), "given-back"),
    (
        "revoked",
        |world| {
            let bob = "bob".parse().unwrap();
            world.becomes(world.request.revoke(&bob, "", NOW).unwrap());
        },
        "revoked",
    ),
    ("expired", |world| world.stage.clock.pass(HOUR), "expired"),
    ("the key is gone", |world| world.stage.reload(|snapshot| snapshot.directory = Directory::default()), "withdrawn"),
    (
        "another account",
        |world| world.stage.reload(|snapshot| snapshot.inventory = Inventory::new([target("web-1", "root")])),
        "withdrawn",
    ),
    ("no longer eligible", |world| world.role_becomes(&ROLE.replace("user:alice", "user:erin")), "withdrawn"),
    ("nobody may ask", |world| world.role_becomes(&without_request()), "withdrawn"),
    ("the value is gone", |world| world.configured(&ROLE.replace("\"hello\", ", "")), "narrowed"),
    (
        "the network is gone",
        |world| {
            world.stage.reload(|snapshot| {
                let mut user = snapshot.directory.user(&world.session.user.name).unwrap().clone();
                user.networks = vec!["10.0.0.0/8".parse().unwrap()];
                snapshot.directory = Directory::new([user]);
            });
        },
        "withdrawn",
    ),
    ("the role is gone", |world| world.stage.reload(|snapshot| snapshot.roles = BTreeMap::new()), "withdrawn"),
];

#[tokio::test]
async fn what_was_taken_away_while_the_log_was_written_starts_nothing() {
    for (name, change, _) in CHANGES {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let changing = async {
            while world.diary().only(&["log"]).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        // The change comes between the log entry and the last look: the fake recorder is opened in between.
        let ask = CommandAsk { target: "web-1".parse().unwrap(), choice: Choice::Any, line: b"echo hello".to_vec() };
        let attempt = Attempt {
            services: &world.stage.services,
            session: &world.session,
            ask: &ask,
            command: CommandId::from_bits(1),
            typed: String::new(),
        };
        let words = Words::split(&ask.line).expect("words");
        let Ok(allowed) = attempt.decide(&words, &world.held).await else { panic!("{name}: denied") };
        let (written, ()) = tokio::join!(attempt.log(&allowed, &world.certificate), changing);
        let Ok(written) = written else { panic!("{name}: not logged") };
        change(&world);
        let stop = attempt.execute(allowed, written, &mut client).await.err();
        assert_eq!(stop.map(|stop| stop.code), Some(126), "{name}");
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{name}");
        assert_eq!(world.diary().only(&["log: command-failed"]).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_decision_that_is_old_or_of_another_configuration_starts_nothing() {
    let rows: [(&str, Change); 2] = [
        ("the configuration was changed", |world| world.configured(&ROLE.replace("Says things", "Says more"))),
        ("took too long", |world| world.stage.clock.pass(Duration::from_secs(6))),
    ];
    for (said, change) in rows {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let ask =
            CommandAsk { target: "web-1".parse().expect("a name"), choice: Choice::Any, line: b"echo hello".to_vec() };
        let attempt = Attempt {
            services: &world.stage.services,
            session: &world.session,
            ask: &ask,
            command: CommandId::from_bits(1),
            typed: String::new(),
        };
        let words = Words::split(&ask.line).expect("words");
        let Ok(allowed) = attempt.decide(&words, &world.held).await else { panic!("denied") };
        let Ok(written) = attempt.log(&allowed, &world.certificate).await else { panic!("not logged") };
        change(&world);
        let stop = attempt.execute(allowed, written, &mut client).await.expect_err(said);
        assert!(stop.code == 125 && stop.lines.concat().contains(said), "{said}: {:?}", stop.lines);
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{said}");
        assert_eq!(world.diary().only(&["log: command-failed"]).len(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_change_of_the_configuration_that_leaves_the_command_allowed_ends_nothing() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        world.configured(&ROLE.replace(", \"world\"", ""));
        world.stage.services.changed.notify_waiters();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = program.send(Output::Exit(0)).await;
    };
    let (code, ()) = tokio::join!(world.run("echo hello", &mut client), playing);
    assert_eq!(code, 0, "{}", client.said());
}

#[tokio::test]
async fn what_is_taken_away_while_it_runs_ends_it_within_seconds() {
    for (name, change, ended_by) in CHANGES {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let taking = async {
            let program = world.program().await;
            change(&world);
            world.stage.services.changed.notify_waiters();
            program.closed().await;
        };
        let both = async { tokio::join!(world.run("echo hello", &mut client), taking).0 };
        let code = tokio::time::timeout(Duration::from_secs(5), both).await;
        assert_eq!(code, Ok(124), "{name}");
        assert_eq!(world.finished().as_deref(), Some(ended_by), "{name}");
        assert!(client.said().starts_with("doorward: ended: "), "{name}: {}", client.said());
    }
}

#[tokio::test]
async fn its_time_limit_the_client_and_the_stopping_bastion_end_it() {
    type Act = fn(&World, &CancellationToken);
    let cases: [(&str, Act); 3] = [
        ("time-limit", |world, _| world.stage.clock.pass(Duration::from_secs(301))),
        ("client-gone", |_, gone| gone.cancel()),
        ("bastion-stopping", |world, _| world.stage.services.stopping.cancel()),
    ];
    for (ended_by, act) in cases {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let gone = client.gone.clone();
        let acting = async {
            let program = world.program().await;
            act(&world, &gone);
            program.closed().await;
        };
        let both = async { tokio::join!(world.run("echo hello", &mut client), acting).0 };
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), both).await, Ok(124), "{ended_by}");
        assert_eq!(world.finished().as_deref(), Some(ended_by));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_ends_nothing_and_one_that_stays_away_does() {
    for (hangs, away, expected) in [(false, 20, 0), (false, 60, 124), (true, 60, 124)] {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let playing = async {
            let program = world.program().await;
            let store = &world.stage.store;
            let away_how = if hangs { &store.hangs } else { &store.broken };
            away_how.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(away)).await;
            away_how.store(false, Ordering::SeqCst);
            let _ = program.send(Output::Exit(0)).await;
        };
        let (code, ()) = tokio::join!(world.run("echo hello", &mut client), playing);
        assert_eq!(code, expected, "hangs: {hangs}, away for {away} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_or_recorder_that_never_answers_is_waited_for_half_a_minute_and_nothing_runs_then_or_later() {
    for who in ["log", "recorder"] {
        let recorder = if who == "recorder" { Mood::Hangs } else { Mood::Works };
        let world = World::new(Broken { recorder, ..WHOLE });
        world.stage.log.silent.store(who == "log", Ordering::SeqCst);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let code = tokio::time::timeout(Duration::from_secs(31), world.run("echo hello", &mut client)).await;
        assert_eq!(code, Ok(125), "{who}");
        let said = client.said();
        assert!(said.contains(&format!("{who} has not answered for 30 s; tell the operator")), "{who}: {said}");
        // The entry comes after all: the log says at once that nothing followed from it.
        world.stage.log.mend();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(world.stage.log.kinds(), ["command-allowed", "command-failed"], "{who}");
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{who}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_and_the_end_of_a_command_do_not_wait_for_a_silent_log_for_ever() {
    let world = World::new(WHOLE);
    world.stage.log.silent.store(true, Ordering::SeqCst);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let denied = tokio::time::timeout(Duration::from_secs(31), world.run("echo goodbye", &mut client)).await;
    assert_eq!(denied, Ok(126));
    assert!(client.said().contains("this denial could not be logged"), "{}", client.said());

    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        world.stage.log.silent.store(true, Ordering::SeqCst);
        program.send(Output::Exit(7)).await.expect("send");
    };
    let both = async { tokio::join!(world.run("echo hello", &mut client), playing).0 };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), both).await, Ok(7));
    assert!(client.said().contains("the end of this command could not be logged"), "{}", client.said());
    world.stage.log.mend();
    assert_eq!(world.stage.log.kinds(), ["command-allowed", "command-finished"], "once, and not twice");
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_falls_silent_ends_what_runs() {
    let mut world = World::new(WHOLE);
    let diary = world.diary().clone();
    world.stage.services.recorders = Arc::new(FakeRecorders { diary, open: Mood::Works, write: Mood::Hangs });
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        program.send(Output::Stdout("hello\n".into())).await.expect("send");
        program.closed().await;
    };
    let both = async { tokio::join!(world.run("echo hello", &mut client), playing).0 };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), both).await, Ok(125));
    assert!(client.output.is_empty(), "nothing passes unrecorded");
    assert_eq!(world.finished().as_deref(), Some("recording"));
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
    let ask = |line: &[u8]| CommandAsk { target: "web-1".parse().unwrap(), choice: Choice::Any, line: line.to_vec() };
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
