use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::{CertificateId, RequestId, Serial, SessionId, Timestamp};
use crate::grant::request::Filing;
use crate::grant::{AccessRequest, Scope};
use crate::identity::certificate::{CertificateError, Presented};
use crate::identity::{Directory, Proof, SessionCertificate, User, VerifiedUser};
use crate::inventory::{Inventory, Reach, Target};
use crate::policy::Role;
use crate::service::fakes::{
    Counter, Diary, FakeClient, FakeClock, FakeLog, FakeRecorders, FakeStore, FakeTargets, Mood,
};
use crate::service::ports::{
    AuthorityError, Output, Running, SessionAuthority, SessionCertificateRequest, Store, TargetError,
};
use crate::service::{ApprovedRoles, Settings};

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

const NOW: Timestamp = Timestamp::from_secs(1_000_000);
const HOUR: Duration = Duration::from_secs(3600);

/// No certificate is made or checked here.
struct NoAuthority;

#[async_trait]
impl SessionAuthority for NoAuthority {
    async fn issue(&self, _: SessionCertificateRequest) -> Result<Certificate, AuthorityError> {
        Err(AuthorityError { reason: "none".to_owned() })
    }

    fn verify(&self, _: &Certificate, _: &Presented<'_>) -> Result<SessionCertificate, CertificateError> {
        panic!("not called")
    }
}

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
    diary: Diary,
    services: Services,
    session: Session,
    log: Arc<FakeLog>,
    store: Arc<FakeStore>,
    clock: Arc<FakeClock>,
    request: AccessRequest,
    held: Vec<HeldGrant>,
    certificate: CurrentCertificate,
    /// Where the test plays the programs that were started.
    programs: Arc<Mutex<Vec<mpsc::Sender<Output>>>>,
}

fn target(account: &str) -> Target {
    Target {
        name: "web-1".parse().expect("a name"),
        labels: BTreeMap::new(),
        run_as: [("ops".parse().expect("a name"), account.parse().expect("a name"))].into(),
        reach: Reach::Local,
    }
}

fn snapshot(role: &Arc<Role>, user: User) -> Snapshot {
    Snapshot {
        settings: Settings { drain: Duration::from_millis(100), ..Settings::default() },
        directory: Directory::new([user]),
        inventory: Inventory::new([target("ops")]),
        roles: [(role.name().clone(), Arc::clone(role))].into(),
        digest: Digest::of(b"policy"),
    }
}

impl World {
    fn new(broken: Broken) -> Self {
        let diary = Diary::default();
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).expect("a key").public_key().clone();
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let (role, _) = Role::parse("talk".parse().expect("a name"), "talk.toml", ROLE).expect("a role");
        let role = Arc::new(role);
        let filing = Filing {
            user: "alice".parse().expect("a name"),
            role: role.name().clone(),
            role_text: ROLE.to_owned(),
            approvals_needed: 0,
            scope: Scope {
                targets: [("web-1".parse().expect("a name"), "ops".parse().expect("a name"))].into(),
                duration: HOUR,
            },
            reason: String::new(),
            ticket: None,
            source: "127.0.0.1".parse().expect("an address"),
        };
        let request = AccessRequest::file(RequestId::from_bits(1), filing, NOW, HOUR, HOUR);
        let request = request.activate(NOW, HOUR).expect("approved");
        let grant = request.active_grant(NOW).expect("active");
        let certificate = SessionCertificate {
            serial: Serial::new(1).expect("not zero"),
            id: CertificateId::from_bits(1),
            user: "alice".parse().expect("a name"),
            key: fingerprint,
            grants: [grant.id().clone()].into(),
        };
        let user = User {
            name: "alice".parse().expect("a name"),
            keys: vec![key.clone()],
            groups: [].into(),
            team: None,
            networks: Vec::new(),
        };
        let log = Arc::new(FakeLog::new(&diary));
        log.works.store(!broken.log, Ordering::SeqCst);
        let store = Arc::new(FakeStore::default());
        store.requests.lock().expect("requests").insert(request.id.clone(), request.clone());
        let clock = Arc::new(FakeClock(NOW.micros().into()));
        let programs: Arc<Mutex<Vec<mpsc::Sender<Output>>>> = Arc::default();
        let started = Arc::clone(&programs);
        let start = move |_: &crate::service::ports::Cleared| {
            if broken.target {
                return Err(TargetError::Unreachable { target: "web-1".to_owned(), reason: "\x1b[2Jno".to_owned() });
            }
            let (output, received) = mpsc::channel(4);
            started.lock().expect("programs").push(output);
            Ok(Running { input: Box::new(tokio::io::sink()), output: received })
        };
        let services = Services {
            snapshot: ArcSwap::from_pointee(snapshot(&role, user)),
            store: Arc::clone(&store) as Arc<dyn Store>,
            audit: Arc::clone(&log) as Arc<dyn crate::service::ports::AuditLog>,
            recorders: Arc::new(FakeRecorders { diary: diary.clone(), open: broken.recorder, write: Mood::Works }),
            targets: Arc::new(FakeTargets { diary: diary.clone(), start: Box::new(start) }),
            authority: Arc::new(NoAuthority),
            clock: Arc::clone(&clock) as Arc<dyn crate::domain::Clock>,
            random: Arc::new(Counter::default()),
            changed: Notify::new(),
            approved_roles: ApprovedRoles::default(),
            stopping: CancellationToken::new(),
        };
        let session = Session {
            id: SessionId::from_bits(1),
            user: VerifiedUser {
                name: "alice".parse().expect("a name"),
                key,
                fingerprint,
                proof: Proof::Certificate(certificate.clone()),
            },
            peer: "127.0.0.1:1".parse().expect("an address"),
            login: "web-1".to_owned(),
        };
        Self {
            diary,
            services,
            session,
            log,
            store,
            clock,
            request,
            held: vec![HeldGrant { grant, role }],
            certificate: CurrentCertificate { certificate, presented: true },
            programs,
        }
    }

    /// Runs `line` under what alice holds, as [`run_command`] does once it has read that.
    async fn run(&self, line: &str, client: &mut FakeClient) -> u8 {
        let ask = CommandAsk { target: "web-1".parse().expect("a name"), role: None, line: line.into() };
        let command = CommandId::from_bits(1);
        let attempt =
            Attempt { services: &self.services, session: &self.session, ask: &ask, command, typed: line.to_owned() };
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
            if let Some(program) = self.programs.lock().expect("programs").pop() {
                return program;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn becomes(&self, after: AccessRequest) {
        self.store.requests.lock().expect("requests").insert(after.id.clone(), after);
    }

    fn finished(&self) -> Option<String> {
        let entries = self.log.entries.lock().expect("entries");
        entries.iter().find_map(|entry| match &entry.what {
            What::CommandFinished(finished) => Some(finished.ended_by.clone().unwrap_or_default()),
            _ => None,
        })
    }
}

#[tokio::test]
async fn decision_log_recorder_target_in_this_order() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(&world.diary);
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
    assert_eq!(world.diary.lines(), expected);
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
        let (mut client, _typist) = FakeClient::new(&world.diary);
        assert_eq!(world.run(line, &mut client).await, expected, "{name}");
        assert!(client.said().starts_with("doorward: "), "{name}: {}", client.said());
        assert_eq!(world.diary.only(&["target"]), [""; 0], "{name}");
        let opened = world.diary.only(&["recorder"]).len();
        assert_eq!(opened, usize::from(name == "the recorder"), "{name}");
    }
}

#[tokio::test]
async fn a_target_that_fails_is_said_escaped_and_closes_the_command_in_the_log() {
    let world = World::new(Broken { target: true, ..WHOLE });
    let (mut client, _typist) = FakeClient::new(&world.diary);
    assert_eq!(world.run("echo hello", &mut client).await, 125);
    assert_eq!(client.said(), "doorward: not run: web-1 cannot be reached: \\u{1b}[2Jno\n");
    let expected = ["log: command-allowed written", "log: command-failed later", "recorder: finish 125"];
    assert_eq!(world.diary.only(&["log", "recorder: finish"]), expected);
}

/// Takes something away from alice.
type Change = fn(&World);

const CHANGES: [(&str, Change, &str); 6] = [
    ("given back", |world| world.becomes(world.request.give_back(NOW).expect("active")), "given-back"),
    (
        "revoked",
        |world| {
            let bob = "bob".parse().expect("a name");
            world.becomes(world.request.revoke(&bob, "", NOW).expect("active"));
        },
        "revoked",
    ),
    ("expired", |world| world.clock.set(NOW.after(HOUR)), "expired"),
    (
        "the key is gone",
        |world| {
            let now = Snapshot { directory: Directory::default(), ..(**world.services.snapshot.load()).clone() };
            world.services.snapshot.store(Arc::new(now));
        },
        "withdrawn",
    ),
    (
        "another account",
        |world| {
            let inventory = Inventory::new([target("root")]);
            let now = Snapshot { inventory, ..(**world.services.snapshot.load()).clone() };
            world.services.snapshot.store(Arc::new(now));
        },
        "withdrawn",
    ),
    (
        "the role is gone",
        |world| {
            let now = Snapshot { roles: BTreeMap::new(), ..(**world.services.snapshot.load()).clone() };
            world.services.snapshot.store(Arc::new(now));
        },
        "withdrawn",
    ),
];

#[tokio::test]
async fn what_was_taken_away_while_the_log_was_written_starts_nothing() {
    for (name, change, _) in CHANGES {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(&world.diary);
        let changing = async {
            while world.diary.only(&["log"]).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        // The change comes between the log entry and the last look: the fake recorder is opened in between.
        let ask = CommandAsk { target: "web-1".parse().expect("a name"), role: None, line: b"echo hello".to_vec() };
        let attempt = Attempt {
            services: &world.services,
            session: &world.session,
            ask: &ask,
            command: CommandId::from_bits(1),
            typed: String::new(),
        };
        let words = Words::split(&ask.line).expect("words");
        let Ok((permit, policy)) = attempt.decide(&words, &world.held).await else { panic!("{name}: denied") };
        let (written, ()) = tokio::join!(attempt.log(&permit, &world.certificate, policy), changing);
        let Ok(written) = written else { panic!("{name}: not logged") };
        change(&world);
        let stop = attempt.execute(permit, policy, written, &mut client).await.err();
        assert_eq!(stop.map(|stop| stop.code), Some(126), "{name}");
        assert_eq!(world.diary.only(&["target"]), [""; 0], "{name}");
        assert_eq!(world.diary.only(&["log: command-failed"]).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_rule_that_was_narrowed_while_the_log_was_written_starts_nothing() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(&world.diary);
    let ask = CommandAsk { target: "web-1".parse().expect("a name"), role: None, line: b"echo hello".to_vec() };
    let attempt = Attempt {
        services: &world.services,
        session: &world.session,
        ask: &ask,
        command: CommandId::from_bits(1),
        typed: String::new(),
    };
    let words = Words::split(&ask.line).expect("words");
    let Ok((permit, policy)) = attempt.decide(&words, &world.held).await else { panic!("denied") };
    let Ok(written) = attempt.log(&permit, &world.certificate, policy).await else { panic!("not logged") };
    let narrower = ROLE.replace("\"hello\", \"world\"", "\"world\"");
    let (role, _) = Role::parse("talk".parse().expect("a name"), "talk.toml", &narrower).expect("a role");
    let roles = [(role.name().clone(), Arc::new(role))].into();
    let now = Snapshot { roles, digest: Digest::of(b"narrower"), ..(**world.services.snapshot.load()).clone() };
    world.services.snapshot.store(Arc::new(now));
    let stop = attempt.execute(permit, policy, written, &mut client).await.err();
    assert_eq!(stop.map(|stop| stop.code), Some(125));
    assert_eq!(world.diary.only(&["target"]), [""; 0]);
    assert_eq!(world.diary.only(&["log: command-failed"]).len(), 1);
}

#[tokio::test]
async fn what_is_taken_away_while_it_runs_ends_it_within_seconds() {
    for (name, change, ended_by) in CHANGES {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(&world.diary);
        let taking = async {
            let program = world.program().await;
            change(&world);
            world.services.changed.notify_waiters();
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
        ("time-limit", |world, _| world.clock.set(NOW.after(Duration::from_secs(301)))),
        ("client-gone", |_, gone| gone.cancel()),
        ("bastion-stopping", |world, _| world.services.stopping.cancel()),
    ];
    for (ended_by, act) in cases {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(&world.diary);
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
    for (mood, away, expected) in [
        (Mood::Fails, Duration::from_secs(20), 0),
        (Mood::Fails, Duration::from_secs(60), 124),
        (Mood::Hangs, Duration::from_secs(60), 124),
    ] {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(&world.diary);
        let playing = async {
            let program = world.program().await;
            *world.store.mood.lock().expect("mood") = mood;
            tokio::time::sleep(away).await;
            *world.store.mood.lock().expect("mood") = Mood::Works;
            let _ = program.send(Output::Exit(0)).await;
        };
        let (code, ()) = tokio::join!(world.run("echo hello", &mut client), playing);
        assert_eq!(code, expected, "{mood:?} {away:?}");
    }
}

#[tokio::test]
async fn a_command_whose_task_is_dropped_is_closed_in_the_log() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(&world.diary);
    tokio::select! {
        _ = world.run("echo hello", &mut client) => panic!("it ended"),
        program = world.program() => drop(program),
    }
    assert_eq!(world.diary.only(&["log"]), ["log: command-allowed written", "log: command-outcome-unknown later"]);
}

#[tokio::test]
async fn what_is_no_plain_words_or_comes_too_late_is_refused_first() {
    let world = World::new(WHOLE);
    let ask = |line: &[u8]| CommandAsk { target: "web-1".parse().expect("a name"), role: None, line: line.to_vec() };
    for line in [&b"echo hello; id"[..], b"", b"echo \xff", b"echo a\x1b[2J", &[b'a'; 100_000]] {
        let (mut client, _typist) = FakeClient::new(&world.diary);
        assert_eq!(run_command(&world.services, &world.session, ask(line), &mut client).await, 126);
        assert!(client.said().starts_with("doorward: denied: "), "{}", client.said());
        assert!(!client.said().contains('\x1b'));
    }
    world.services.stopping.cancel();
    let (mut client, _typist) = FakeClient::new(&world.diary);
    assert_eq!(run_command(&world.services, &world.session, ask(b"echo hello"), &mut client).await, 125);
    assert!(client.said().contains("stopping"));
    assert_eq!(world.diary.only(&["target", "recorder"]), [""; 0]);
}

#[test]
fn a_command_can_change_threads() {
    fn takes<T: Send>(
        _: impl FnOnce(&'static Services, &'static Session, CommandAsk, &'static mut dyn ClientSide) -> T,
    ) {
    }
    takes(run_command);
}
