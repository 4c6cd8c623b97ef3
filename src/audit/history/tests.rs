use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ed25519_dalek::SigningKey;

use super::*;
use crate::audit::event::{FinishedCommand, samples};
use crate::audit::log::{self, LogOptions};
use crate::domain::Clock;
use crate::service::ports::AuditLog as _;

/// A minute passes from one look to the next.
struct Minutes(AtomicI64);

impl Clock for Minutes {
    fn now(&self) -> Timestamp {
        at(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_secs(1_790_000_000 + 60 * minute)
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn allowed(command: u64, line: &str, user: &str, observed: bool) -> AuditEvent {
    let sample = samples::one_of_each("x").into_iter().find_map(|what| match what {
        What::CommandAllowed(allowed) => Some(allowed),
        _ => None,
    });
    let argv = "/usr/bin/env -i PATH=x LANG=C.UTF-8 /bin/sh -c script doorward -k 5s 9s".split(' ').map(str::to_owned);
    let argv = argv.chain(line.split(' ').map(str::to_owned)).collect();
    let of = AllowedCommand { command: id(command), typed: line.to_owned(), argv, ..sample.unwrap() };
    event(user, if observed { What::Observed(AllowedCommand { rule: 0, ..of }) } else { What::CommandAllowed(of) })
}

fn id(command: u64) -> CommandId {
    CommandId::from_bits(command)
}

fn event(user: &str, what: What) -> AuditEvent {
    AuditEvent {
        user: Some(user.parse().unwrap()),
        target: Some("web-1".parse().unwrap()),
        session: Some(SessionId::from_bits(9)),
        ..AuditEvent::of(what)
    }
}

fn finished(command: u64, exit: u8) -> AuditEvent {
    event(
        "alice",
        What::CommandFinished(FinishedCommand {
            command: id(command),
            exit,
            ended_by: None,
            bytes: [0; 3],
            milliseconds: 1,
            recording: String::new(),
            recording_digest: None,
            stream_digests: [None; 3],
        }),
    )
}

async fn written(dir: &Path, events: Vec<AuditEvent>) -> VerifierKey {
    let clock = Arc::new(Minutes(AtomicI64::new(0)));
    let (log, _) = log::open(dir, "test/audit", key(), clock, LogOptions::default()).unwrap();
    for event in events {
        drop(log.append(event).await.unwrap());
    }
    log.close();
    VerifierKey::new("test/audit", key().verifying_key()).unwrap()
}

fn read(dir: &Path, key: &VerifierKey, query: HistoryQuery) -> Vec<PastCommand> {
    past_commands(dir, key, query).unwrap().map(Result::unwrap).collect()
}

fn lines(commands: &[PastCommand]) -> Vec<&str> {
    commands.iter().map(|command| command.line.as_str()).collect()
}

#[tokio::test]
async fn the_entries_of_a_command_come_together_and_each_is_given_once_by_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let peer = What::Connection {
        peer: "192.0.2.7:5".parse().unwrap(),
        via: None,
        login: "\"kind\":\"observed\"".to_owned(),
        key: String::new(),
        certificate: None,
        client: String::new(),
    };
    let denied =
        What::CommandDenied { command: id(4), line: "id".to_owned(), reason: "no".to_owned(), withheld: false };
    let events = vec![
        event("alice", peer),
        allowed(1, "/bin/slow a=b", "alice", false),
        allowed(2, "/bin/quick", "alice", true),
        finished(2, 3),
        event("alice", denied),
        allowed(3, "/bin/lost", "bob", false),
        event("bob", What::CommandOutcomeUnknown { command: id(3) }),
        allowed(5, "/bin/open", "alice", false),
        finished(1, 0),
    ];
    let key = written(dir.path(), events).await;
    let all = read(dir.path(), &key, HistoryQuery::default());
    assert_eq!(lines(&all), ["/bin/quick", "id", "/bin/lost", "/bin/slow a=b", "/bin/open"]);
    let ran = |at: usize| match &all[at].answer {
        Answer::Allowed(ran) => ran,
        Answer::Denied { .. } => panic!("{at} was allowed"),
    };
    let exit = |exit| Some(Outcome::Finished { exit, ended_by: None });
    assert_eq!([0, 2, 3, 4].map(|at| ran(at).outcome.clone()), [exit(3), Some(Outcome::Unknown), exit(0), None]);
    assert_eq!([0, 2, 3, 4].map(|at| ran(at).succeeded()), [false, false, true, false]);
    assert_eq!(
        [0, 2, 3, 4].map(|at| (ran(at).observed, ran(at).rule)),
        [(true, 0), (false, 2), (false, 2), (false, 2)]
    );
    assert_eq!(all[1].answer, Answer::Denied { reason: "no".to_owned() });
    assert_eq!(ran(3).executed.as_ref().unwrap().vector, ["/bin/slow", "a=b"]);
    assert!(all.iter().all(|command| command.source == Some("192.0.2.7".parse().unwrap())));
    assert_eq!(all[3].sequence, all[0].sequence - 1, "of the decision");

    let bob = HistoryQuery { user: Some("bob".parse().unwrap()), ..Default::default() };
    assert_eq!(lines(&read(dir.path(), &key, bob)), ["/bin/lost"]);
    let elsewhere = HistoryQuery { target: Some("db-1".parse().unwrap()), ..Default::default() };
    assert!(read(dir.path(), &key, elsewhere).is_empty());
    // Decided in time and ended later, it is there with its end.
    let early = HistoryQuery { until: Some(all[0].time), ..Default::default() };
    let early = read(dir.path(), &key, early);
    assert_eq!((lines(&early), &early[0]), (vec!["/bin/slow a=b"], &all[3]));
    let late = HistoryQuery { since: Some(all[2].time), ..Default::default() };
    assert_eq!(lines(&read(dir.path(), &key, late)), ["/bin/lost", "/bin/open"]);
}

#[tokio::test]
async fn a_log_that_is_short_of_its_checkpoint_is_an_error_at_its_end_and_no_shorter_answer() {
    let dir = tempfile::tempdir().unwrap();
    let key = written(dir.path(), vec![allowed(1, "/bin/a", "alice", false), finished(1, 0), finished(8, 0)]).await;
    let segment = segments::list(dir.path()).unwrap().remove(0).path;
    let text = std::fs::read_to_string(&segment).unwrap();
    let cut: String = text.lines().take(2).map(|line| format!("{line}\n")).collect();
    std::fs::write(&segment, cut).unwrap();
    let mut commands = past_commands(dir.path(), &key, HistoryQuery::default()).unwrap();
    assert_eq!(commands.next().unwrap().unwrap().line, "/bin/a");
    assert!(matches!(commands.next(), Some(Err(SearchError::Log(Problem::Truncated { found: 2, expected: 3 })))));
    assert!(commands.next().is_none());
}

#[test]
fn what_never_ends_costs_its_end_and_no_memory() {
    let command = |number| PastCommand {
        sequence: number,
        time: at(0),
        command: id(number),
        user: "alice".parse().unwrap(),
        target: "web-1".parse().unwrap(),
        session: None,
        source: None,
        line: "x".repeat(1000),
        withheld: false,
        answer: Answer::Denied { reason: String::new() },
    };
    let mut open = OpenCommands::default();
    let crowded: Vec<u64> = (0..5000).flat_map(|number| open.begin(command(number))).map(|one| one.sequence).collect();
    assert_eq!(crowded, (0..5000 - 4096).collect::<Vec<_>>(), "the oldest first");
    assert!(open.end(&id(0), Outcome::Failed).is_none() && open.end(&id(4999), Outcome::Failed).is_some());
    let big = PastCommand { line: "x".repeat((64 << 20) + 1), ..command(9999) };
    assert_eq!(open.begin(big).len(), 4096, "all of them and itself");
    assert!(open.is_empty() && open.take_oldest().is_none());
}
