//! The writer against disks that fail at every step, and against SIGKILL.

use std::io;
use std::path::PathBuf;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::disk::{Disk, Folder, Handle};
use super::*;
use crate::audit::event::What;
use crate::audit::search::search;
use crate::audit::verify::verify;
use crate::service::ports::AuditQuery;

const ORIGIN: &str = "bastion.example.com/audit";

mod killed;
mod power;

/// A clock that ticks once a look.
#[derive(Default)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_790_000_000 + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn verifier() -> VerifierKey {
    VerifierKey::new(ORIGIN, key().verifying_key()).unwrap()
}

fn said(text: impl Into<String>) -> AuditEvent {
    AuditEvent::of(What::Error { message: text.into() })
}

/// A revocation: an ending.
fn revoked(text: impl Into<String>) -> AuditEvent {
    AuditEvent::of(What::Ended { why: "revoked".to_owned(), text: text.into() })
}

/// Appends an entry that must get through.
async fn put(log: &Log, event: AuditEvent) {
    drop(log.append(event).await.unwrap());
}

fn quick() -> LogOptions {
    LogOptions { segment_bytes: 1000, reserve_bytes: 4096, later_bytes: 100_000, retry: Duration::from_millis(20) }
}

fn open_folder(dir: &Path) -> (Arc<Log>, Opened) {
    super::open(dir, ORIGIN, key(), Arc::new(Ticks::default()), quick()).unwrap()
}

/// The texts of the `error` entries in `dir`, after checking that the whole log verifies.
fn texts(dir: &Path) -> Vec<String> {
    verify(dir, &verifier()).unwrap();
    let entries = search(dir, &verifier(), &AuditQuery::default()).unwrap();
    entries
        .into_iter()
        .map(|entry| match entry.event.what {
            What::Error { message } => message,
            other => other.kind().to_owned(),
        })
        .collect()
}

/// What the faulty disk does.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Step `n` fails once, having done nothing.
    Once(u64),
    /// Step `n` fails once, having done half or all of its work.
    OnceAfter(u64),
    /// The disk is full: all writing fails until the reserve is removed, and then those longer than so many bytes.
    Full { room: usize },
    /// None.
    Healed,
}

/// A real folder with faults between the writer and it.
#[derive(Clone)]
struct Faulty {
    folder: PathBuf,
    step: Arc<AtomicU64>,
    fault: Arc<StdMutex<Fault>>,
}

impl Faulty {
    fn new(dir: &Path, fault: Fault) -> Self {
        let fault = Arc::new(StdMutex::new(fault));
        Self { folder: dir.to_owned(), step: Arc::default(), fault }
    }

    fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
        self.step.store(0, Ordering::SeqCst);
    }

    fn step<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let step = self.step.fetch_add(1, Ordering::SeqCst);
        let fault = *self.fault.lock().unwrap();
        match fault {
            Fault::Once(at) if at == step => Err(io::Error::other("injected before")),
            Fault::OnceAfter(at) if at == step => work().and_then(|_| Err(io::Error::other("injected after"))),
            _ => work(),
        }
    }

    fn inner(&self) -> Folder {
        Folder(self.folder.clone())
    }

    fn handle(&self, handle: io::Result<Box<dyn Handle>>) -> io::Result<Box<dyn Handle>> {
        Ok(Box::new(FaultyHandle { disk: self.clone(), handle: handle? }))
    }
}

struct FaultyHandle {
    disk: Faulty,
    handle: Box<dyn Handle>,
}

impl Handle for FaultyHandle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fault = *self.disk.fault.lock().unwrap();
        if let Fault::Full { room } = fault {
            let reserved = self.disk.folder.join("reserve").metadata().is_ok_and(|data| data.len() > 0);
            if reserved || bytes.len() > room {
                // As a real disk does: part of it is written.
                self.handle.write(&bytes[..bytes.len() / 2])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        let disk = self.disk.clone();
        // Half a write, when it is this one that fails.
        let half = &bytes[..bytes.len() / 2];
        if matches!(fault, Fault::OnceAfter(at) if at == disk.step.load(Ordering::SeqCst)) {
            return disk.step(|| self.handle.write(half));
        }
        disk.step(|| self.handle.write(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        let disk = self.disk.clone();
        disk.step(|| self.handle.sync())
    }
}

impl Disk for Faulty {
    fn create(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        self.handle(self.step(|| self.inner().create(name)))
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        self.handle(self.step(|| self.inner().append(name)))
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.step(|| self.inner().truncate(name, length))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step(|| self.inner().rename(from, to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step(|| self.inner().remove(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        self.step(|| self.inner().sync_names())
    }
}

fn open_faulty(dir: &Path, disk: &Faulty) -> Arc<Log> {
    let disk = Box::new(disk.clone());
    super::open::open(dir, ORIGIN, key(), Arc::new(Ticks::default()), quick(), disk).unwrap().0
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn whichever_step_fails_nothing_released_is_lost_and_endings_come_first_afterwards() {
    for at in 0..12 {
        for fault in [Fault::Once(at), Fault::OnceAfter(at)] {
            let dir = tempfile::tempdir().unwrap();
            let disk = Faulty::new(dir.path(), Fault::Healed);
            let log = open_faulty(dir.path(), &disk);
            let mut released = vec![(log.append(said("first")).await.unwrap().sequence(), "first".to_owned())];
            disk.set(fault);
            for number in 0..6 {
                log.append_later(said(format!("ending {number}")));
                let text = format!("decision {number}");
                if let Ok(committed) = log.append(said(&text)).await {
                    released.push((committed.sequence(), text));
                }
            }
            until("it works again", || log.health().condition == Condition::Working).await;
            log.close();
            let texts = texts(dir.path());
            for (sequence, text) in &released {
                let found = texts.get(usize::try_from(*sequence).unwrap());
                assert_eq!(found, Some(text), "{fault:?}");
            }
            let endings: Vec<_> = texts.iter().filter(|text| text.starts_with("ending")).collect();
            assert_eq!(
                endings,
                (0..6).map(|n| format!("ending {n}")).collect::<Vec<_>>().iter().collect::<Vec<_>>(),
                "each ending is written once and in order: {fault:?}"
            );
            drop(log);
            let (log, opened) = open_folder(dir.path());
            assert_eq!(opened.entries, texts.len() as u64, "{fault:?}");
            assert!(opened.moved_aside.is_empty(), "{fault:?}: {opened:?}");
            drop(log);
        }
    }
}

#[tokio::test]
async fn a_failed_sync_is_final_for_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(dir.path(), Fault::Healed);
    let log = open_faulty(dir.path(), &disk);
    put(&log, said("good")).await;
    let length = || std::fs::metadata(dir.path().join("00000000000000000000.jsonl")).unwrap().len();
    let good = length();
    // Step 0 is the write, step 1 the sync.
    disk.set(Fault::OnceAfter(1));
    assert!(log.append(said("lost")).await.unwrap_err().to_string().contains("injected"));
    log.append_later(said("ending"));
    until("the ending is written", || log.health().entries >= 3).await;
    assert_eq!(length(), good, "the old segment holds what its checkpoint covered and nothing more");
    assert!(dir.path().join("00000000000000000001.jsonl").exists(), "and a new one goes on");
    assert!(!texts(dir.path()).contains(&"lost".to_owned()));
}

#[tokio::test]
async fn on_a_full_disk_endings_are_written_and_decisions_refused_until_there_is_space() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(dir.path(), Fault::Healed);
    let log = open_faulty(dir.path(), &disk);
    put(&log, said("before")).await;
    disk.set(Fault::Full { room: 2000 });
    log.append(said("refused")).await.unwrap_err();
    log.append_later(revoked("for cause"));
    until("the ending is written", || log.health().entries >= 2 && log.health().waiting == 0).await;
    assert_eq!(log.health().condition, Condition::EndingsOnly);
    let refusal = log.append(said("refused too")).await.unwrap_err();
    assert!(refusal.to_string().contains("full"), "{refusal}");
    disk.set(Fault::Healed);
    until("it works again", || log.health().condition == Condition::Working).await;
    put(&log, said("after")).await;
    log.close();
    let texts = texts(dir.path());
    assert_eq!(
        texts.iter().filter(|text| !text.contains("could not be")).collect::<Vec<_>>(),
        ["before", "ended", "after"]
    );
}

/// A stop must not hang on a disk that stays full: the last entries then go to the operator's journal.
#[tokio::test]
async fn on_a_disk_that_stays_full_the_log_can_be_closed() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(dir.path(), Fault::Healed);
    let log = open_faulty(dir.path(), &disk);
    put(&log, said("before")).await;
    disk.set(Fault::Full { room: 0 });
    log.append(said("refused")).await.unwrap_err();
    log.append_later(revoked("for cause"));
    let closing = Arc::clone(&log);
    let (closed, ended) = std::sync::mpsc::channel();
    // A thread of its own and never joined: were it to hang, the test must end all the same.
    std::thread::spawn(move || {
        closing.close();
        let _ = closed.send(());
    });
    let ended = tokio::task::spawn_blocking(move || ended.recv_timeout(Duration::from_secs(10))).await.unwrap();
    disk.set(Fault::Healed);
    ended.expect("the log is closed");
    assert_eq!(log.health().condition, Condition::Closed);
}

/// Failed authentications and control lines come as often as anybody likes: on a full disk they must neither use up the space
/// that the reserve gave for endings nor, in memory, the room that endings have.
#[tokio::test]
async fn on_a_full_disk_what_anybody_can_say_takes_nothing_from_endings() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(dir.path(), Fault::Healed);
    // More than the disk has room for below, so that it cannot be made again while the disk is full.
    let options = LogOptions { reserve_bytes: 200_000, ..quick() };
    let opened = open::open(dir.path(), ORIGIN, key(), Arc::new(Ticks::default()), options, Box::new(disk.clone()));
    let (log, _) = opened.unwrap();
    put(&log, said("before")).await;
    disk.set(Fault::Full { room: 100_000 });
    log.append(said("refused")).await.unwrap_err();
    until("only endings", || log.health().condition == Condition::EndingsOnly && log.health().waiting == 0).await;
    let full = log.health().entries;
    for _ in 0..60 {
        log.append_later(AuditEvent::of(What::Control { line: "x".repeat(5000), exit: 2 }));
    }
    let kept = log.health().waiting;
    for number in 0..8 {
        log.append_later(revoked(format!("{number} {}", "y".repeat(5000))));
    }
    until("the endings are written", || log.health().entries == full + 8).await;
    assert_eq!(log.health().waiting, kept, "the others wait");
    assert_eq!(kept, 9, "in half of the room");
    disk.set(Fault::Healed);
    until("it works again", || log.health().condition == Condition::Working && log.health().waiting == 0).await;
    log.close();
    let written = texts(dir.path());
    assert_eq!(written.iter().filter(|kind| *kind == "control").count(), kept);
    assert!(written.iter().any(|text| text.contains("51 entries were lost")), "{written:?}");
}

#[tokio::test]
async fn while_nothing_can_be_written_callers_are_told_and_endings_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(dir.path(), Fault::Healed);
    let log = open_faulty(dir.path(), &disk);
    put(&log, said("before")).await;
    disk.set(Fault::Full { room: 0 });
    log.append(said("refused")).await.unwrap_err();
    for _ in 0..40 {
        log.append_later(said("x".repeat(5000)));
    }
    assert!(log.health().waiting <= 20, "{:?}", log.health());
    disk.set(Fault::Healed);
    until("it works again", || log.health().waiting == 0 && log.health().condition == Condition::Working).await;
    log.close();
    let entries = verify(dir.path(), &verifier()).unwrap().entries;
    let filter = AuditQuery { text: Some("were lost".to_owned()), ..AuditQuery::default() };
    let lost = search(dir.path(), &verifier(), &filter).unwrap();
    // Besides what was kept: `before`, the entry about the failure, the entry about the loss.
    let lost_entries = 40 - (entries - 3);
    assert!(lost_entries >= 5);
    assert!(lost[0].line.contains(&format!("\"{lost_entries} entries were lost")), "{}", lost[0].line);
}

#[tokio::test]
async fn an_attacker_who_swaps_the_checkpoint_meanwhile_is_not_signed_over() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Faulty::new(dir.path(), Fault::Healed);
    let log = open_faulty(dir.path(), &disk);
    put(&log, said("one")).await;
    let old = std::fs::read(dir.path().join("checkpoint")).unwrap();
    put(&log, said("two")).await;
    std::fs::write(dir.path().join("checkpoint"), old).unwrap();
    disk.set(Fault::Once(0));
    log.append(said("three")).await.unwrap_err();
    disk.set(Fault::Healed);
    tokio::time::sleep(Duration::from_millis(60)).await;
    let refusal = log.append(said("four")).await.unwrap_err();
    assert!(refusal.to_string().contains("not the one that was written"), "{refusal}");
}

/// Ticks until it is told not to.
struct Bomb(Ticks, std::sync::atomic::AtomicBool);

impl Clock for Bomb {
    fn now(&self) -> Timestamp {
        assert!(!self.1.load(Ordering::SeqCst), "the writer panics");
        self.0.now()
    }
}

#[tokio::test]
async fn a_writer_that_panics_refuses_everybody_at_once_and_from_then_on() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(Bomb(Ticks::default(), false.into()));
    let (log, _) = super::open(dir.path(), ORIGIN, key(), Arc::clone(&clock) as Arc<dyn Clock>, quick()).unwrap();
    put(&log, said("first")).await;
    clock.1.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let answer = tokio::time::timeout(Duration::from_secs(20), log.append(said("never"))).await;
        assert!(answer.expect("an answer").is_err());
    }
    let owed = tokio::time::timeout(Duration::from_secs(20), log.append_owed(revoked("owed"))).await;
    assert!(owed.expect("an answer").is_err(), "the database keeps what is owed");
    assert_eq!(log.health().condition, Condition::Closed);
    drop(log);
    assert_eq!(texts(dir.path()), ["first"]);
}
