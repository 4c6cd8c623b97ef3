//! Ports that keep everything in memory, take their time, and fail on demand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::Signature;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{PrivateKey, PublicKey};
use tokio::sync::oneshot;

use super::execution::Diary;
use crate::audit::event::{AuditEvent, What};
use crate::ca::signer::Signer;
use crate::domain::{Clock, Digest, RequestId, Serial, Timestamp};
use crate::grant::{AccessRequest, State};
use crate::service::ports::{
    AuditError, AuditLog, AuthorityError, CertificateRecord, Committed, OpenLimit, OwedEntry, Random, RequestQuery,
    Store, StoreError, Stored,
};

/// When every rehearsal begins: 2026-01-31T14:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_769_868_000);

/// A clock that stands until it is moved.
pub(crate) struct SetClock(AtomicI64);

impl Default for SetClock {
    fn default() -> Self {
        Self(AtomicI64::new(NOW.micros()))
    }
}

impl SetClock {
    pub(crate) fn pass(&self, span: Duration) {
        self.0.store(self.now().after(span).micros(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Counts from 1, after the numbers it was loaded with.
#[derive(Default)]
pub(crate) struct Dice {
    pub(crate) loaded: Mutex<VecDeque<u64>>,
    count: AtomicU64,
}

impl Random for Dice {
    fn bits(&self) -> u64 {
        let loaded = self.loaded.lock().unwrap().pop_front();
        loaded.unwrap_or_else(|| self.count.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

/// The key of that name: everybody and every authority has one, and it is always the same.
pub(crate) fn key_of(name: &str) -> PrivateKey {
    let pair = Ed25519Keypair::from(&SigningKey::from_bytes(Digest::of(name.as_bytes()).as_bytes()));
    PrivateKey::new(pair.into(), name).unwrap()
}

/// Signs with a key in memory.
pub(crate) struct Pen(pub(crate) PrivateKey);

impl Signer for Pen {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, AuthorityError> {
        self.0.try_sign(message).map_err(|error| AuthorityError { reason: error.to_string() })
    }
}

/// A log that can break. What it is handed meanwhile waits and comes first when it is mended.
#[derive(Default)]
pub(crate) struct MemoryLog {
    pub(crate) broken: AtomicBool,
    /// Takes what it is given and never answers.
    pub(crate) silent: AtomicBool,
    pub(crate) diary: Diary,
    written: Mutex<Vec<AuditEvent>>,
    waiting: Mutex<Vec<AuditEvent>>,
    /// Those who want to know when what waits is written.
    owed: Mutex<Vec<oneshot::Sender<()>>>,
}

impl MemoryLog {
    /// Every entry written so far, in order.
    pub(crate) fn entries(&self) -> Vec<AuditEvent> {
        self.written.lock().unwrap().clone()
    }

    /// What they say, as the words that the log uses for their kinds.
    pub(crate) fn kinds(&self) -> Vec<String> {
        self.entries().iter().map(|event| event.what.kind().to_owned()).collect()
    }

    pub(crate) fn last(&self) -> What {
        self.entries().pop().unwrap().what
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    pub(crate) fn mend(&self) {
        self.broken.store(false, Ordering::SeqCst);
        self.silent.store(false, Ordering::SeqCst);
        self.written.lock().unwrap().append(&mut self.waiting.lock().unwrap());
        for durable in self.owed.lock().unwrap().drain(..) {
            let _ = durable.send(());
        }
    }
}

#[async_trait]
impl AuditLog for MemoryLog {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        if self.broken.load(Ordering::SeqCst) {
            self.diary.note(format!("log: {} fails", event.what.kind()));
            return Err(AuditError { reason: "the disk is full".to_owned() });
        }
        if self.silent.load(Ordering::SeqCst) {
            self.diary.note(format!("log: {} waits", event.what.kind()));
            self.waiting.lock().unwrap().push(event);
            return std::future::pending().await;
        }
        // The disk takes its time, and others run meanwhile.
        tokio::task::yield_now().await;
        self.diary.note(format!("log: {} written", event.what.kind()));
        let mut written = self.written.lock().unwrap();
        written.push(event);
        Ok(Committed::at(u64::try_from(written.len()).unwrap() - 1))
    }

    fn append_later(&self, event: AuditEvent) {
        self.diary.note(format!("log: {} later", event.what.kind()));
        let kept = if self.broken.load(Ordering::SeqCst) || self.silent.load(Ordering::SeqCst) {
            &self.waiting
        } else {
            &self.written
        };
        kept.lock().unwrap().push(event);
    }

    fn append_owed(&self, event: AuditEvent) -> oneshot::Receiver<()> {
        self.append_later(event);
        let (durable, written) = oneshot::channel();
        if self.broken.load(Ordering::SeqCst) {
            self.owed.lock().unwrap().push(durable);
        } else {
            let _ = durable.send(());
        }
        written
    }
}

/// A store that can break, for all or for changes alone, or never answer.
#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) broken: AtomicBool,
    pub(crate) read_only: AtomicBool,
    pub(crate) hangs: AtomicBool,
    pub(crate) requests: Mutex<BTreeMap<RequestId, (i64, AccessRequest)>>,
    pub(crate) certificates: Mutex<BTreeMap<Serial, CertificateRecord>>,
    pub(crate) owed: Mutex<BTreeMap<i64, AuditEvent>>,
    serials: AtomicU64,
    debts: AtomicI64,
}

impl MemoryStore {
    async fn works(&self, changes: bool) -> Result<(), StoreError> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let broken = self.broken.load(Ordering::SeqCst) || (changes && self.read_only.load(Ordering::SeqCst));
        if broken { Err(StoreError::Unavailable("/var/lib/secret/path: disk I/O error".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn insert_request(&self, request: &AccessRequest, limit: OpenLimit) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.works(true).await?;
        let mut requests = self.requests.lock().unwrap();
        if requests.contains_key(&request.id) {
            return Err(StoreError::Taken);
        }
        let open = |(_, one): &&(i64, AccessRequest)| one.user == request.user && !one.state.is_over();
        let waiting = |(_, one): &&(i64, AccessRequest)| !matches!(one.state, State::Active { .. });
        let count = (requests.values().filter(open).filter(waiting).count(), requests.values().filter(open).count());
        if count.0 >= limit.waiting || count.1 >= limit.all {
            return Err(StoreError::Full(if count.0 >= limit.waiting { count.0 } else { count.1 }));
        }
        requests.insert(request.id.clone(), (1, request.clone()));
        Ok(())
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        self.works(false).await?;
        let found = self.requests.lock().unwrap().get(id).cloned();
        // What was read may be old when the caller gets it, as with a real store.
        tokio::task::yield_now().await;
        Ok(found.map(|(version, value)| Stored { version, value }))
    }

    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.works(true).await?;
        let mut requests = self.requests.lock().unwrap();
        match requests.get_mut(&before.value.id) {
            Some((version, value)) if *version == before.version => {
                (*version, *value) = (*version + 1, after.clone());
                Ok(())
            }
            _ => Err(StoreError::Changed),
        }
    }

    async fn replace_request_owing(
        &self,
        before: &Stored<AccessRequest>,
        after: &AccessRequest,
        owed: &AuditEvent,
    ) -> Result<i64, StoreError> {
        self.replace_request(before, after).await?;
        let id = self.debts.fetch_add(1, Ordering::SeqCst);
        self.owed.lock().unwrap().insert(id, owed.clone());
        Ok(id)
    }

    async fn owed_entries(&self) -> Result<Vec<OwedEntry>, StoreError> {
        self.works(false).await?;
        let owed = self.owed.lock().unwrap();
        Ok(owed.iter().map(|(id, event)| OwedEntry { id: *id, event: event.clone() }).collect())
    }

    async fn entry_written(&self, id: i64) -> Result<(), StoreError> {
        self.works(true).await?;
        self.owed.lock().unwrap().remove(&id);
        Ok(())
    }

    async fn open_requests(
        &self,
        after: Option<(Timestamp, RequestId)>,
    ) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.works(false).await?;
        let key = |request: &AccessRequest| Some((request.filed, request.id.clone()));
        let requests = self.requests.lock().unwrap();
        let open = requests.values().filter(|(_, value)| !value.state.is_over() && key(value) > after);
        let mut open: Vec<_> =
            open.map(|(version, value)| Stored { version: *version, value: value.clone() }).collect();
        open.sort_by_key(|stored| key(&stored.value));
        open.truncate(RequestQuery::MOST);
        Ok(open)
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.works(false).await?;
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

    async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError> {
        self.works(true).await?;
        Ok(Serial::new(self.serials.fetch_add(u64::from(count), Ordering::SeqCst) + 1).unwrap())
    }

    async fn file_certificate(&self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        self.works(true).await?;
        let mut certificates = self.certificates.lock().unwrap();
        if certificates.values().any(|row| row.id == certificate.id || row.serial == certificate.serial) {
            return Err(StoreError::Taken);
        }
        certificates.values_mut().filter(|row| row.key == certificate.key).for_each(|row| row.superseded = true);
        certificates.insert(certificate.serial, certificate.clone());
        Ok(())
    }

    async fn certificate(&self, serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        self.works(false).await?;
        Ok(self.certificates.lock().unwrap().get(&serial).cloned())
    }

    async fn certificate_of_key(&self, key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        self.works(false).await?;
        Ok(self.certificates.lock().unwrap().values().rfind(|row| row.key == key && !row.superseded).cloned())
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        self.works(false).await?;
        Ok(now)
    }
}
