//! The audit log as an outsider sees it: files that anybody may have touched, a disk that is full, verifiers that we did
//! not write. What is shown: every kind of tampering is found and named, a forged side file hides nothing, the bastion
//! refuses to write to a log that is not whole, decisions fail and endings survive when the disk is full.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails so")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use doorward::audit::event::{AuditEvent, What};
use doorward::audit::log::{self, Condition, Log, LogOptions, OpenError, Opened};
use doorward::audit::note::VerifierKey;
use doorward::audit::search::{SearchError, search};
use doorward::audit::verify::{Problem, verify};
use doorward::domain::{Clock, Timestamp};
use doorward::service::ports::{AuditLog as _, AuditQuery};
use ed25519_dalek::SigningKey;

#[path = "audit_log/tampering.rs"]
mod tampering;

const ORIGIN: &str = "bastion.example.com/audit";
const START: i64 = 1_790_000_000;

/// A clock that ticks one second a look.
#[derive(Default)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(START + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn verifier(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, key(seed).verifying_key()).unwrap()
}

/// Segments of about three entries.
fn small() -> LogOptions {
    LogOptions { segment_bytes: 250, retry: Duration::from_millis(20), ..LogOptions::default() }
}

fn open(dir: &Path, seed: u8) -> Result<(Arc<Log>, Opened), OpenError> {
    log::open(dir, ORIGIN, key(seed), Arc::new(Ticks::default()), small())
}

fn said(text: impl Into<String>) -> AuditEvent {
    AuditEvent::of(What::Error { message: text.into() })
}

/// Appends an entry that must get through.
async fn put(log: &Log, event: AuditEvent) {
    drop(log.append(event).await.unwrap());
}

/// A log of ten entries in three segments or more.
async fn ten_entries() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), 1).unwrap();
    for number in 0..10 {
        assert_eq!(log.append(said(format!("text {number}"))).await.unwrap().sequence(), number);
    }
    log.close();
    dir
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    found.sort();
    found
}

fn flip(dir: &Path, file: &str, at: usize) {
    let path = dir.join(file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn an_older_checkpoint_shows_entries_it_does_not_cover() {
    let dir = ten_entries().await;
    let old = std::fs::read(dir.path().join("checkpoint")).unwrap();
    let (log, opened) = open(dir.path(), 1).unwrap();
    assert_eq!((opened.entries, opened.last_time), (10, Some(Timestamp::from_secs(START + 9))));
    put(&log, said("to be unsaid")).await;
    log.close();
    drop(log);
    assert_eq!(verify(dir.path(), &verifier(1)).unwrap().uncovered, 0);
    std::fs::write(dir.path().join("checkpoint"), old).unwrap();
    let report = verify(dir.path(), &verifier(1)).unwrap();
    assert_eq!(report.entries, 10);
    assert!(report.uncovered > 0, "verify cannot prove it, but it says so");
    let found = search(dir.path(), &verifier(1), &AuditQuery::default()).unwrap();
    assert_eq!(found.len(), 10, "what is not under the checkpoint is not shown as the log");
    // The next start keeps those bytes and says where.
    let (log, opened) = open(dir.path(), 1).unwrap();
    log.close();
    let aside = std::fs::read_to_string(dir.path().join(&opened.moved_aside[0])).unwrap();
    assert!(aside.contains("to be unsaid"));
    let last = search(dir.path(), &verifier(1), &AuditQuery::default()).unwrap().pop().unwrap();
    assert!(matches!(last.event.what, What::LogRepaired { moved_to, bytes }
        if moved_to == opened.moved_aside[0] && bytes == aside.len() as u64));
}

#[tokio::test]
async fn verifiers_and_trees_that_we_did_not_write_agree() {
    use signed_note::{Note, StandardVerifier, VerifierList};
    use tlog_tiles::{checkpoint::Checkpoint, tlog};
    struct Stored(Vec<tlog::Hash>);
    impl tlog::HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
            Ok(indexes.iter().map(|&index| self.0[usize::try_from(index).unwrap()]).collect())
        }
    }
    let dir = ten_entries().await;
    let note = Note::from_bytes(&std::fs::read(dir.path().join("checkpoint")).unwrap()).unwrap();
    let key = StandardVerifier::new(&verifier(1).to_string()).unwrap();
    assert_eq!(note.verify(&VerifierList::new(vec![Box::new(key)])).unwrap().0.len(), 1);
    let checkpoint = Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((checkpoint.origin(), checkpoint.size()), (ORIGIN, 10));
    let mut stored = Stored(Vec::new());
    let text: String = segments(dir.path()).iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for (number, line) in (0..).zip(text.lines()) {
        let more = tlog::stored_hashes(number, line.as_bytes(), &stored).unwrap();
        stored.0.extend(more);
    }
    assert_eq!(tlog::tree_hash(10, &stored).unwrap(), *checkpoint.hash());
}

#[tokio::test]
async fn the_side_file_is_rebuilt_from_a_log_that_is_whole() {
    for damage in ["flipped", "gone", "short", "long"] {
        let dir = ten_entries().await;
        let path = dir.path().join("leaves");
        let right = std::fs::read(&path).unwrap();
        match damage {
            "flipped" => flip(dir.path(), "leaves", 100),
            "gone" => std::fs::remove_file(&path).unwrap(),
            "short" => std::fs::write(&path, &right[..70]).unwrap(),
            _ => std::fs::write(&path, [&right[..], &[0; 50]].concat()).unwrap(),
        }
        assert_eq!(verify(dir.path(), &verifier(1)).unwrap().entries, 10, "{damage}: it is derived, not evidence");
        let (log, _) = open(dir.path(), 1).unwrap();
        put(&log, said("more")).await;
        log.close();
        let rebuilt = std::fs::read(&path).unwrap();
        assert_eq!(rebuilt.len(), 11 * 32, "{damage}");
        assert_eq!(rebuilt[..320], right[..], "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writers_share_commits_and_each_gets_its_own_number() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = log::open(dir.path(), ORIGIN, key(1), Arc::new(Ticks::default()), LogOptions::default()).unwrap();
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for number in 0..20 {
                    numbers.push(log.append(said(format!("{writer}/{number}"))).await.unwrap().sequence());
                }
                assert!(numbers.is_sorted());
                numbers
            })
        })
        .collect();
    let mut all = Vec::new();
    for writer in writers {
        all.extend(writer.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (0..1280).collect::<Vec<u64>>());
    assert!(matches!(open(dir.path(), 1), Err(OpenError::Locked(_))), "one writer a log");
    log.close();
    log.append(said("after the end")).await.unwrap_err();
    drop(log);
    let report = verify(dir.path(), &verifier(1)).unwrap();
    assert_eq!((report.entries, report.uncovered), (1280, 0));
    assert!(report.first < report.last);
    let mut nobody_else_can_read = segments(dir.path());
    nobody_else_can_read.push(dir.path().join("checkpoint"));
    for path in nobody_else_can_read {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn search_finds_what_is_asked_for_newest_last() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), 1).unwrap();
    let by = |user: &str, what: What| AuditEvent { user: Some(user.parse().unwrap()), ..AuditEvent::of(what) };
    let request = "r-7K2Q4M".parse().unwrap();
    let on_grant = |what: What| AuditEvent { grant: Some("g-7K2Q4M".parse().unwrap()), ..AuditEvent::of(what) };
    let events = [
        by("alice", What::Control { line: "request \"é\u{202e}\"".to_owned(), exit: 0 }),
        by("bob", What::Denied { request, text: "not \"alice\"".to_owned() }),
        on_grant(What::Ended { why: "expired".to_owned(), text: String::new() }),
        AuditEvent { target: Some("web-1".parse().unwrap()), ..by("alice", What::Refused { what: "x11".to_owned() }) },
        AuditEvent {
            session: Some("s-7K2Q4M9D".parse().unwrap()),
            ..by("alice", What::Disconnected { dropped_env: 0, refusals_left_out: 0 })
        },
        said("7K2Q4M and \"user\":\"bob\" in a text"),
    ];
    for event in events {
        put(&log, event).await;
    }
    let at = |second: i64| Some(Timestamp::from_secs(START + second));
    let all = AuditQuery::default;
    let cases: Vec<(&str, AuditQuery, &[u64])> = vec![
        ("all", all(), &[0, 1, 2, 3, 4, 5]),
        ("user", AuditQuery { user: Some("alice".parse().unwrap()), ..all() }, &[0, 3, 4]),
        ("user in text only", AuditQuery { user: Some("bob".parse().unwrap()), ..all() }, &[1]),
        ("target", AuditQuery { target: Some("web-1".parse().unwrap()), ..all() }, &[3]),
        ("grant", AuditQuery { grant: Some("g-7K2Q4M".parse().unwrap()), ..all() }, &[2]),
        ("request and its grant", AuditQuery { request: Some("r-7K2Q4M".parse().unwrap()), ..all() }, &[1, 2]),
        ("session", AuditQuery { session: Some("s-7K2Q4M9D".parse().unwrap()), ..all() }, &[4]),
        ("kind", AuditQuery { kind: Some("denied".to_owned()), ..all() }, &[1]),
        ("text as said, not as escaped", AuditQuery { text: Some("\"é\u{202e}\"".to_owned()), ..all() }, &[0]),
        ("limit", AuditQuery { limit: Some(2), ..all() }, &[4, 5]),
        ("limit of one user", AuditQuery { user: Some("alice".parse().unwrap()), limit: Some(1), ..all() }, &[4]),
        ("since", AuditQuery { since: at(4), ..all() }, &[4, 5]),
        ("until", AuditQuery { until: at(2), ..all() }, &[0, 1]),
        ("between", AuditQuery { since: at(1), until: at(3), ..all() }, &[1, 2]),
        ("none", AuditQuery { since: at(100), ..all() }, &[]),
    ];
    for (what, filter, wanted) in cases {
        // The log is being written meanwhile; readers do not mind.
        let found = search(dir.path(), &verifier(1), &filter).unwrap();
        assert_eq!(found.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), wanted, "{what}");
    }
    drop(log);
    std::fs::remove_file(&segments(dir.path())[0]).unwrap();
    assert!(matches!(search(dir.path(), &verifier(1), &AuditQuery::default()), Err(SearchError::Log(_))));
}

/// A file system of so many bytes; unmounted in the end. Needs root, as the CI of this project has in its container.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=700"), "doorward-test"])
            .arg(dir.path())
            .status()
            .unwrap();
        assert!(status.success(), "mounting a tmpfs failed");
        Self(dir)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn on_a_really_full_disk_no_decision_passes_endings_do_and_all_heals() {
    if !nix::unistd::geteuid().is_root() {
        // As an ordinary user the same test runs as root of a user namespace, where tmpfs can be mounted.
        let again = std::process::Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "--"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "on_a_really_full_disk_no_decision_passes_endings_do_and_all_heals"])
            .status()
            .unwrap();
        assert!(again.success());
        return;
    }
    let disk = SmallDisk::mount("512k");
    let dir = disk.0.path().join("audit");
    let options = LogOptions { reserve_bytes: 128 * 1024, retry: Duration::from_millis(20), ..LogOptions::default() };
    let (log, _) = log::open(&dir, ORIGIN, key(1), Arc::new(Ticks::default()), options).unwrap();
    put(&log, said("before")).await;
    let ballast = disk.0.path().join("ballast");
    let filled = std::fs::write(&ballast, vec![1; 1024 * 1024]);
    assert_eq!(filled.unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    // What is left of the last page of the segment takes a few entries.
    let mut released = 1;
    let refusal = loop {
        match log.append(said("x".repeat(2000))).await {
            Ok(_) => released += 1,
            Err(refusal) => break refusal,
        }
        assert!(released < 10, "the disk is full, and entries pass");
    };
    assert!(refusal.to_string().contains("No space"), "{refusal}");
    log.append_later(AuditEvent::of(What::Ended { why: "revoked".to_owned(), text: String::new() }));
    let waited = |wanted: fn(&Log) -> bool| {
        let log = Arc::clone(&log);
        async move {
            for _ in 0..300 {
                if wanted(&log) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("never: {:?}", log.health());
        }
    };
    waited(|log| log.health().waiting == 0 && log.health().condition == Condition::EndingsOnly).await;
    let found =
        search(&dir, &verifier(1), &AuditQuery { text: Some("revoked".to_owned()), ..AuditQuery::default() }).unwrap();
    assert_eq!(found.len(), 1, "the ending is on the full disk");
    log.append(said("refused")).await.unwrap_err();
    std::fs::remove_file(&ballast).unwrap();
    waited(|log| log.health().condition == Condition::Working).await;
    put(&log, said("after")).await;
    log.close();
    drop(log);
    let report = verify(&dir, &verifier(1)).unwrap();
    // before and what passed, revoked, the entry about the failure, after.
    assert_eq!((report.entries, report.uncovered), (released + 3, 0));
}

#[tokio::test]
async fn the_example_in_the_documentation_is_real_and_its_commands_give_what_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path(), 1).unwrap();
    let by = |user: &str, what: What| AuditEvent { user: Some(user.parse().unwrap()), ..AuditEvent::of(what) };
    put(&log, by("alice", What::Control { line: "whoami".to_owned(), exit: 0 })).await;
    put(&log, by("alice", What::Refused { what: "x11-req\u{1b}[2J".to_owned() })).await;
    log.close();
    let documentation = include_str!("../docs/audit-log-format.md");
    let files = segments(dir.path()).into_iter().chain([dir.path().join("checkpoint")]);
    let mut shown: String = files.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    shown.push_str(log.verifier_key().to_string().as_str());
    let proof = doorward::audit::prove::prove_entry(dir.path(), &verifier(1), 1).unwrap().proof;
    shown.push_str(&format!("\n{proof}"));
    for line in shown.lines().filter(|line| !line.is_empty()) {
        assert!(documentation.contains(&format!("{line}\n")), "missing in the documentation:\n{shown}");
    }
    std::fs::write(dir.path().join("audit.pub"), log.verifier_key().to_string()).unwrap();
    let blocks: Vec<&str> =
        documentation.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 2, "the documentation lost its commands");
    for block in blocks {
        let commands: String =
            block.lines().filter_map(|line| line.strip_prefix("$ ")).map(|line| format!("{line}\n")).collect();
        let wanted: Vec<&str> = block.lines().filter(|line| !line.starts_with("$ ")).collect();
        let ran =
            std::process::Command::new("bash").arg("-ec").arg(&commands).current_dir(dir.path()).output().unwrap();
        let got = String::from_utf8(ran.stdout).unwrap();
        assert_eq!(got.lines().collect::<Vec<_>>(), wanted, "{commands}\n{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn a_well_signed_log_of_a_newer_version_or_out_of_order_is_refused_and_not_guessed_at() {
    use doorward::audit::merkle::{Tree, hash_leaf};
    use doorward::audit::note::{Checkpoint, sign};
    let line = |v: u8, seq: u8, second: u8| {
        format!(r#"{{"v":{v},"seq":{seq},"time":"2026-01-01T00:00:0{second}Z","kind":"stop","data":{{"reason":""}}}}"#)
    };
    let cases = [
        ([line(1, 0, 1), line(2, 1, 2)], "newer"),
        ([line(1, 0, 1), line(1, 0, 2)], "numbered 0"),
        ([line(1, 0, 2), line(1, 1, 1)], "earlier"),
        ([line(1, 0, 1), r#"{"v":1}"#.to_owned()], "not an entry"),
    ];
    for (lines, wanted) in cases {
        let dir = tempfile::tempdir().unwrap();
        let mut tree = Tree::default();
        lines.iter().for_each(|line| tree.push(hash_leaf(line.as_bytes())));
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
        std::fs::write(dir.path().join("checkpoint"), sign(&checkpoint, &key(1)).unwrap()).unwrap();
        std::fs::write(dir.path().join("00000000000000000000.jsonl"), lines.map(|line| line + "\n").concat()).unwrap();
        let problem = verify(dir.path(), &verifier(1)).unwrap_err().to_string();
        assert!(problem.contains(wanted), "{problem}");
        let Err(OpenError::Refused { problem, .. }) = open(dir.path(), 1) else { panic!("opened: {wanted}") };
        assert!(problem.to_string().contains(wanted), "{problem}");
    }
}
