//! Ports for the tests of the use cases: each writes what it was asked into one shared list, and can be broken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::audit::event::{AuditEvent, What};
use crate::domain::{Clock, Digest, RequestId, Serial, Timestamp, UserName};
use crate::grant::AccessRequest;
use crate::inventory::Target;

use super::ports::{
    AuditError, AuditLog, CertificateRecord, Cleared, ClientSide, Committed, Random, RecordError, Recorder,
    RecorderHeader, Recorders, RequestQuery, Running, Store, StoreError, Stored, Stream, TargetError, Targets,
};

/// What happened, in order, over all fakes of one test.
#[derive(Clone, Default)]
pub(super) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(super) fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("diary").push(line.into());
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("diary").clone()
    }

    /// The lines that begin with one of these, in order.
    pub(super) fn only(&self, begins: &[&str]) -> Vec<String> {
        self.lines().into_iter().filter(|line| begins.iter().any(|begin| line.starts_with(begin))).collect()
    }
}

/// A client whose input the test sends and whose output it reads afterwards.
pub(super) struct FakeClient {
    diary: Diary,
    input: mpsc::UnboundedReceiver<Bytes>,
    pub(super) output: Vec<u8>,
    pub(super) error: Vec<u8>,
    pub(super) gone: CancellationToken,
    pub(super) overflowed: Arc<AtomicBool>,
    /// Never takes any output.
    pub(super) stuck: bool,
}

impl FakeClient {
    /// A client, and where the test types for it; dropping that ends the input.
    pub(super) fn new(diary: &Diary) -> (Self, mpsc::UnboundedSender<Bytes>) {
        let (typist, input) = mpsc::unbounded_channel();
        let client = Self {
            diary: diary.clone(),
            input,
            output: Vec::new(),
            error: Vec::new(),
            gone: CancellationToken::new(),
            overflowed: Arc::default(),
            stuck: false,
        };
        (client, typist)
    }

    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&self.error).into_owned()
    }

    async fn stick(&self) {
        if self.stuck {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl ClientSide for FakeClient {
    async fn input(&mut self) -> Option<Bytes> {
        self.input.recv().await
    }

    async fn gone(&self) {
        self.gone.cancelled().await;
    }

    async fn output(&mut self, data: Bytes) -> bool {
        self.stick().await;
        self.diary.note("client: output");
        self.output.extend_from_slice(&data);
        !self.gone.is_cancelled()
    }

    async fn error(&mut self, data: Bytes) -> bool {
        self.stick().await;
        self.diary.note("client: error");
        self.error.extend_from_slice(&data);
        !self.gone.is_cancelled()
    }

    fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::SeqCst)
    }
}

/// What a fake does when it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Works,
    Fails,
    Hangs,
}

/// Recordings that only the diary keeps.
pub(super) struct FakeRecorders {
    pub(super) diary: Diary,
    pub(super) open: Mood,
    pub(super) write: Mood,
}

/// One of them.
pub(super) struct FakeRecorder {
    pub(super) diary: Diary,
    pub(super) write: Mood,
}

#[async_trait]
impl Recorders for FakeRecorders {
    async fn open(&self, header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        self.diary.note(format!("recorder: open {}", header.line));
        match self.open {
            Mood::Works => Ok(Box::new(FakeRecorder { diary: self.diary.clone(), write: self.write })),
            Mood::Fails => Err(RecordError { reason: "disk full".to_owned() }),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Recorder for FakeRecorder {
    fn file_name(&self) -> &str {
        "fake.cast"
    }

    async fn write(&mut self, stream: Stream, _: Bytes) -> Result<(), RecordError> {
        self.diary.note(format!("recorder: {stream:?}"));
        match self.write {
            Mood::Works => Ok(()),
            Mood::Fails => Err(RecordError { reason: "disk full".to_owned() }),
            Mood::Hangs => std::future::pending().await,
        }
    }

    async fn finish(self: Box<Self>, exit: u8) -> Result<Digest, RecordError> {
        self.diary.note(format!("recorder: finish {exit}"));
        Ok(Digest::of(b"recording"))
    }
}

/// A log that keeps its entries.
pub(super) struct FakeLog {
    pub(super) diary: Diary,
    pub(super) works: AtomicBool,
    pub(super) entries: Mutex<Vec<AuditEvent>>,
    written: AtomicU64,
}

impl FakeLog {
    pub(super) fn new(diary: &Diary) -> Self {
        Self {
            diary: diary.clone(),
            works: AtomicBool::new(true),
            entries: Mutex::default(),
            written: AtomicU64::new(0),
        }
    }

    fn keep(&self, event: AuditEvent, how: &str) {
        self.diary.note(format!("log: {} {how}", kind(&event.what)));
        self.entries.lock().expect("entries").push(event);
    }
}

fn kind(what: &What) -> String {
    let value = serde_json::to_value(what).expect("an entry");
    value.get("kind").and_then(|kind| kind.as_str()).unwrap_or("?").to_owned()
}

#[async_trait]
impl AuditLog for FakeLog {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        if !self.works.load(Ordering::SeqCst) {
            self.diary.note(format!("log: {} fails", kind(&event.what)));
            return Err(AuditError { reason: "disk full".to_owned() });
        }
        // A real log waits for the disk here, and others run meanwhile.
        tokio::task::yield_now().await;
        self.keep(event, "written");
        Ok(Committed::at(self.written.fetch_add(1, Ordering::SeqCst)))
    }

    fn append_later(&self, event: AuditEvent) {
        self.keep(event, "later");
    }
}

type Start = Box<dyn Fn(&Cleared) -> Result<Running, TargetError> + Send + Sync>;

/// Targets that do what the test says.
pub(super) struct FakeTargets {
    pub(super) diary: Diary,
    pub(super) start: Start,
}

#[async_trait]
impl Targets for FakeTargets {
    async fn start(&self, cleared: Cleared, target: &Target) -> Result<Running, TargetError> {
        self.diary.note(format!("target: start {} on {}", cleared.permit().command().join(" "), target.name));
        (self.start)(&cleared)
    }
}

/// A clock that the test sets.
pub(super) struct FakeClock(pub(super) AtomicI64);

impl FakeClock {
    pub(super) fn set(&self, now: Timestamp) {
        self.0.store(now.micros(), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Random bits that count.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Random for Counter {
    fn bits(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A store in memory.
pub(super) struct FakeStore {
    pub(super) mood: Mutex<Mood>,
    pub(super) requests: Mutex<BTreeMap<RequestId, AccessRequest>>,
    pub(super) certificates: Mutex<Vec<CertificateRecord>>,
    serials: AtomicU64,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self {
            mood: Mutex::new(Mood::Works),
            requests: Mutex::default(),
            certificates: Mutex::default(),
            serials: AtomicU64::new(1),
        }
    }
}

impl FakeStore {
    async fn answer(&self) -> Result<(), StoreError> {
        let mood = *self.mood.lock().expect("mood");
        match mood {
            Mood::Works => Ok(()),
            Mood::Fails => Err(StoreError::Unavailable("gone".to_owned())),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Store for FakeStore {
    async fn insert_request(&self, request: &AccessRequest) -> Result<(), StoreError> {
        self.answer().await?;
        self.requests.lock().expect("requests").insert(request.id.clone(), request.clone());
        Ok(())
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        self.answer().await?;
        let found = self.requests.lock().expect("requests").get(id).cloned();
        Ok(found.map(|value| Stored { version: 1, value }))
    }

    async fn replace_request(&self, _: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        self.insert_request(after).await
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.answer().await?;
        let all = self.requests.lock().expect("requests");
        let wanted = |request: &&AccessRequest| query.user.as_ref().is_none_or(|user: &UserName| *user == request.user);
        Ok(all.values().filter(wanted).map(|value| Stored { version: 1, value: value.clone() }).collect())
    }

    async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError> {
        self.answer().await?;
        Serial::new(self.serials.fetch_add(u64::from(count), Ordering::SeqCst))
            .ok_or_else(|| StoreError::Unavailable("zero".to_owned()))
    }

    async fn file_certificate(&self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        self.answer().await?;
        self.certificates.lock().expect("certificates").push(certificate.clone());
        Ok(())
    }

    async fn certificate(&self, serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        self.answer().await?;
        Ok(self.certificates.lock().expect("certificates").iter().find(|one| one.serial == serial).cloned())
    }

    async fn certificate_of_key(&self, key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        self.answer().await?;
        Ok(self.certificates.lock().expect("certificates").iter().rev().find(|one| one.key == key).cloned())
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        self.answer().await?;
        Ok(now)
    }
}
