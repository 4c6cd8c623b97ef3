//! Ports that keep everything in memory, take their time, and fail on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::super::ports::{
    AuditError, AuditLog, AuthorityError, CertificateRecord, Cleared, Committed, Random, RecordError, Recorder,
    RecorderHeader, Recorders, RequestQuery, Running, SessionAuthority, SessionCertificateRequest, Store, StoreError,
    Stored, TargetError, Targets,
};
use crate::audit::event::{AuditEvent, What};
use crate::domain::{Clock, RequestId, Serial, Timestamp};
use crate::grant::AccessRequest;
use crate::identity::SessionCertificate;
use crate::identity::certificate::{CertificateError, Presented};
use crate::inventory::Target;

/// A clock that stands until it is moved.
pub(in crate::service) struct SetClock(AtomicI64);

impl Default for SetClock {
    fn default() -> Self {
        Self(AtomicI64::new(Timestamp::from_secs(1_000_000).micros()))
    }
}

impl SetClock {
    pub(in crate::service) fn pass(&self, span: Duration) {
        self.0.store(self.now().after(span).micros(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Counts, after the numbers it was loaded with.
#[derive(Default)]
pub(in crate::service) struct Dice {
    pub(in crate::service) loaded: Mutex<VecDeque<u64>>,
    count: AtomicU64,
}

impl Random for Dice {
    fn bits(&self) -> u64 {
        let loaded = self.loaded.lock().unwrap().pop_front();
        loaded.unwrap_or_else(|| self.count.fetch_add(1, Ordering::SeqCst) + 1000)
    }
}

/// A log that can break. What it is handed meanwhile waits and comes first when it is mended.
#[derive(Default)]
pub(in crate::service) struct MemoryLog {
    pub(in crate::service) broken: AtomicBool,
    written: Mutex<Vec<AuditEvent>>,
    waiting: Mutex<Vec<AuditEvent>>,
}

impl MemoryLog {
    /// Every entry written so far, in order.
    pub(in crate::service) fn entries(&self) -> Vec<AuditEvent> {
        self.written.lock().unwrap().clone()
    }

    /// What they say, as the words that the log uses for their kinds.
    pub(in crate::service) fn kinds(&self) -> Vec<String> {
        let kind = |event: &AuditEvent| serde_json::to_value(&event.what).unwrap()["kind"].as_str().unwrap().to_owned();
        self.entries().iter().map(kind).collect()
    }

    pub(in crate::service) fn last(&self) -> What {
        self.entries().pop().unwrap().what
    }

    pub(in crate::service) fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    pub(in crate::service) fn mend(&self) {
        self.broken.store(false, Ordering::SeqCst);
        self.written.lock().unwrap().append(&mut self.waiting.lock().unwrap());
    }
}

#[async_trait]
impl AuditLog for MemoryLog {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        // The disk takes its time, and others run meanwhile.
        tokio::task::yield_now().await;
        if self.broken.load(Ordering::SeqCst) {
            return Err(AuditError { reason: "the disk is full".to_owned() });
        }
        let mut written = self.written.lock().unwrap();
        written.push(event);
        Ok(Committed::at(u64::try_from(written.len()).unwrap() - 1))
    }

    fn append_later(&self, event: AuditEvent) {
        let kept = if self.broken.load(Ordering::SeqCst) { &self.waiting } else { &self.written };
        kept.lock().unwrap().push(event);
    }
}

/// A store that can break, for all or for changes alone.
#[derive(Default)]
pub(in crate::service) struct MemoryStore {
    pub(in crate::service) broken: AtomicBool,
    pub(in crate::service) read_only: AtomicBool,
    pub(super) requests: Mutex<BTreeMap<RequestId, (i64, AccessRequest)>>,
}

impl MemoryStore {
    fn works(&self, changes: bool) -> Result<(), StoreError> {
        let broken = self.broken.load(Ordering::SeqCst) || (changes && self.read_only.load(Ordering::SeqCst));
        if broken { Err(StoreError::Unavailable("broken for the test".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert_request(&self, request: &AccessRequest) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.works(true)?;
        let mut requests = self.requests.lock().unwrap();
        if requests.contains_key(&request.id) {
            return Err(StoreError::Taken);
        }
        requests.insert(request.id.clone(), (1, request.clone()));
        Ok(())
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        self.works(false)?;
        let found = self.requests.lock().unwrap().get(id).cloned();
        // What was read may be old when the caller gets it, as with a real store.
        tokio::task::yield_now().await;
        Ok(found.map(|(version, value)| Stored { version, value }))
    }

    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.works(true)?;
        let mut requests = self.requests.lock().unwrap();
        match requests.get_mut(&before.value.id) {
            Some((version, value)) if *version == before.version => {
                (*version, *value) = (*version + 1, after.clone());
                Ok(())
            }
            _ => Err(StoreError::Changed),
        }
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.works(false)?;
        let requests = self.requests.lock().unwrap();
        let wanted = |request: &AccessRequest| {
            query.user.as_ref().is_none_or(|user| *user == request.user)
                && query.role.as_ref().is_none_or(|role| *role == request.role)
                && !(query.open && request.state.is_over())
        };
        let found = requests.values().filter(|(_, value)| wanted(value));
        let mut found: Vec<_> =
            found.map(|(version, value)| Stored { version: *version, value: value.clone() }).collect();
        found.sort_by_key(|stored| std::cmp::Reverse((stored.value.filed, stored.value.id.clone())));
        found.truncate(if query.limit == 0 { RequestQuery::MOST } else { query.limit });
        Ok(found)
    }

    async fn reserve_serials(&self, _count: u32) -> Result<Serial, StoreError> {
        Err(off_stage())
    }

    async fn file_certificate(&self, _certificate: &CertificateRecord) -> Result<(), StoreError> {
        Err(off_stage())
    }

    async fn certificate(&self, _serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        Err(off_stage())
    }

    async fn certificate_of_key(&self, _key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        Err(off_stage())
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(now)
    }
}

fn off_stage() -> StoreError {
    StoreError::Unavailable("no certificates in these tests".to_owned())
}

/// The ports that requests and grants have no use for.
pub(super) struct NotOnStage;

#[async_trait]
impl Recorders for NotOnStage {
    async fn open(&self, _header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        Err(RecordError { reason: "no recordings in these tests".to_owned() })
    }
}

#[async_trait]
impl Targets for NotOnStage {
    async fn start(&self, _cleared: Cleared, _target: &Target) -> Result<Running, TargetError> {
        Err(TargetError::Internal { reason: "no targets in these tests".to_owned() })
    }
}

#[async_trait]
impl SessionAuthority for NotOnStage {
    async fn issue(&self, _: SessionCertificateRequest) -> Result<russh::keys::Certificate, AuthorityError> {
        Err(AuthorityError { reason: "no certificates in these tests".to_owned() })
    }

    fn verify(
        &self,
        _certificate: &russh::keys::Certificate,
        _presented: &Presented<'_>,
    ) -> Result<SessionCertificate, CertificateError> {
        panic!("no certificates in these tests")
    }
}
