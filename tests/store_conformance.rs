//! What every store must do, whichever database it stands on: one suite over `Arc<dyn Store>`, stamped once for each adapter.
//!
//! It proves that nothing is lost or doubled when many write at once, that a change nobody saw is never overwritten, that of
//! each key one certificate counts, that a serial is never given twice (not even over SIGKILL), and that time never goes back.

// The allowances for tests in clippy.toml do not reach functions beside the tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use doorward::audit::event::{AuditEvent, What};
use doorward::domain::{CertificateId, Digest, RequestId, Serial, Timestamp, UserName, Window};
use doorward::grant::{AccessRequest, Approval, EndReason, Scope, State};
use doorward::service::ports::{CertificateRecord, OpenLimit, RequestQuery, Store, StoreError};
use doorward::store::SqliteStore;
use proptest::prelude::*;

#[path = "store_conformance/suite.rs"]
mod suite;

/// Room for everything.
const ANY: OpenLimit = OpenLimit { waiting: usize::MAX, all: usize::MAX };

/// One place where data lives. Opening it again is what a restart does.
struct Sqlite {
    folder: tempfile::TempDir,
}

impl Sqlite {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(SqliteStore::open(&self.path()).await.unwrap())
    }
}

/// Stamps the suite for one adapter: each line of it becomes a test.
macro_rules! conformance {
    ($adapter:ident: $($test:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let place = $adapter::new();
                suite::$test(|| place.open()).await;
            }
        )*
    };
}

mod sqlite {
    use super::{Sqlite, suite};

    conformance!(Sqlite:
        a_request_comes_back_as_it_was_filed,
        an_identifier_is_taken_once,
        of_many_changes_at_once_one_wins_and_the_others_know,
        an_unknown_request_is_not_there_and_cannot_be_changed,
        queries_give_what_matches_newest_first,
        a_query_is_bounded,
        open_requests_come_oldest_first_and_none_is_hidden_by_newer_ones,
        of_many_filed_at_once_only_so_many_find_room,
        active_ones_have_a_limit_of_their_own,
        a_change_and_the_entry_it_owes_are_stored_together_or_not_at_all,
        owed_entries_survive_restarts_in_their_order_until_they_are_written,
        a_certificate_supersedes_the_earlier_ones_of_its_key,
        a_certificate_that_is_refused_supersedes_nothing,
        of_certificates_filed_at_once_exactly_one_counts,
        serials_are_unique_over_tasks_and_restarts,
        the_highest_time_never_goes_back,
        everything_survives_a_restart,
    );
}

fn request(number: u64, user: &str, role: &str, filed: i64, state: State) -> AccessRequest {
    let role_text = format!("description = \"{role}\"");
    AccessRequest {
        id: RequestId::from_bits(number),
        user: user.parse().unwrap(),
        role: role.parse().unwrap(),
        role_digest: Digest::of(role_text.as_bytes()),
        role_text,
        scope: Scope {
            targets: BTreeMap::from([("web-1".parse().unwrap(), "ops".parse().unwrap())]),
            duration: Duration::from_secs(1800),
        },
        reason: "nginx stuck; it's \"bad\" \u{202e}\n$1 ' OR 1=1 --".to_owned(),
        ticket: Some("INC-4711".to_owned()),
        source: "2001:db8::7".parse().unwrap(),
        filed: Timestamp::from_micros(filed),
        approvals_needed: 1,
        approvals: Vec::new(),
        state,
    }
}

fn pending() -> State {
    State::Pending { lapses: Timestamp::from_secs(1000) }
}

fn every_state() -> [(State, bool); 9] {
    let at = Timestamp::from_secs;
    let bob: UserName = "bob".parse().unwrap();
    [
        (pending(), true),
        (State::Approved { at: at(1), activate_by: at(2) }, true),
        (State::Active { window: Window { start: at(1), end: at(2) } }, true),
        (State::Ended { at: at(3), why: EndReason::Expired }, false),
        (State::Ended { at: at(3), why: EndReason::GivenBack }, false),
        (State::Ended { at: at(3), why: EndReason::Revoked { by: bob.clone(), text: "enough".to_owned() } }, false),
        (State::Denied { by: bob, at: at(3), text: String::new() }, false),
        (State::Withdrawn { at: at(3) }, false),
        (State::Lapsed { at: at(3) }, false),
    ]
}

fn certificate(serial: u64, key: &str) -> CertificateRecord {
    CertificateRecord {
        serial: Serial::new(serial).unwrap(),
        id: CertificateId::from_bits(serial),
        user: "alice".parse().unwrap(),
        key: key.to_owned(),
        grants: vec![(&RequestId::from_bits(1)).into(), (&RequestId::from_bits(2)).into()],
        issued: Timestamp::from_secs(10),
        valid_before: Timestamp::from_secs(20),
        text: format!("ssh-ed25519-cert-v01@openssh.com AAAA{serial} alice"),
        superseded: false,
    }
}

/// What the child of the next test is told the database by.
const CHILD: &str = "DOORWARD_TEST_SERIALS_OF";

/// A serial that somebody has seen is never given again, whatever instant the process dies at: a child takes serials and says
/// each aloud until it is killed, again and again on the same file.
#[test]
fn serials_never_repeat_after_sigkill() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(path) = std::env::var_os(CHILD) {
        runtime.block_on(async {
            let store = SqliteStore::open(path.as_ref()).await.unwrap();
            loop {
                let serial = store.reserve_serials(1).await.unwrap();
                writeln!(std::io::stdout(), "serial {serial}").unwrap();
            }
        });
    }

    let place = Sqlite::new();
    let mut seen = BTreeSet::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "serials_never_repeat_after_sigkill", "--nocapture"])
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut note = |line: &str| {
            let Some(Ok(serial)) = line.split_once("serial ").map(|(_, number)| number.parse::<u64>()) else {
                return 0;
            };
            assert!(seen.insert(serial), "round {round}: serial {serial} was given before the kill");
            1
        };
        let mut heard = 0;
        while heard < 20 {
            heard += note(&lines.next().expect("the child ended by itself"));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said before the kill and is still in the pipe counts too.
        lines.for_each(|line| {
            note(&line);
        });
    }
    let next = runtime.block_on(async { place.open().await.reserve_serials(1).await.unwrap().get() });
    assert!(seen.len() >= 100 && next > *seen.last().unwrap(), "{next} after {:?}", seen.last());
}

fn any_state() -> impl Strategy<Value = State> {
    let time = || any::<i64>().prop_map(Timestamp::from_micros);
    let user = || "[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}".prop_map(|name| name.parse::<UserName>().unwrap());
    let ended = prop_oneof![
        Just(EndReason::Expired),
        Just(EndReason::GivenBack),
        (user(), any::<String>()).prop_map(|(by, text)| EndReason::Revoked { by, text }),
    ];
    prop_oneof![
        time().prop_map(|lapses| State::Pending { lapses }),
        (time(), time()).prop_map(|(at, activate_by)| State::Approved { at, activate_by }),
        (time(), time()).prop_map(|(start, end)| State::Active { window: Window { start, end } }),
        (time(), ended).prop_map(|(at, why)| State::Ended { at, why }),
        (user(), time(), any::<String>()).prop_map(|(by, at, text)| State::Denied { by, at, text }),
        time().prop_map(|at| State::Withdrawn { at }),
        time().prop_map(|at| State::Lapsed { at }),
    ]
}

prop_compose! {
    fn any_request()(
        id in any::<u64>(),
        names in ("[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}", "[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"),
        texts in (any::<String>(), any::<String>(), any::<Option<String>>()),
        targets in prop::collection::btree_map("[a-z0-9_][a-z0-9_.-]{0,62}", "[a-z][A-Za-z0-9_.-]{0,31}", 0..4),
        duration in any::<Duration>(),
        source in any::<IpAddr>(),
        filed in any::<i64>(),
        approvals in prop::collection::vec(("[a-z]{1,32}", any::<i64>(), any::<[u8; 32]>()), 0..4),
        approvals_needed in any::<u8>(),
        state in any_state(),
    ) -> AccessRequest {
        let targets = targets.iter().map(|(target, account)| (target.parse().unwrap(), account.parse().unwrap()));
        let approvals = approvals.iter().map(|(by, at, digest)| Approval {
            by: by.parse().unwrap(),
            at: Timestamp::from_micros(*at),
            digest: Digest::from_bytes(*digest),
        });
        AccessRequest {
            id: RequestId::from_bits(id),
            user: names.0.parse().unwrap(),
            role: names.1.parse().unwrap(),
            role_digest: Digest::of(texts.0.as_bytes()),
            role_text: texts.0,
            scope: Scope { targets: targets.collect(), duration },
            reason: texts.1,
            ticket: texts.2,
            source,
            filed: Timestamp::from_micros(filed),
            approvals_needed,
            approvals: approvals.collect(),
            state,
        }
    }
}

proptest! {
    #[test]
    fn any_request_survives_being_written_down(request in any_request()) {
        let text = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(serde_json::from_str::<AccessRequest>(&text).unwrap(), request);
    }
}

proptest! {
    // Each case opens a database.
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_request_survives_the_database(request in any_request()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let place = Sqlite::new();
        let stored = runtime.block_on(async {
            let store = place.open().await;
            store.insert_request(&request, ANY).await.unwrap();
            store.request(&request.id).await.unwrap().unwrap()
        });
        prop_assert_eq!(stored.value, request);
    }
}
