//! Ports of which one call goes wrong: whichever call of a scenario the test says, over all ports together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use russh::keys::Certificate;
use tokio::sync::oneshot;

use crate::audit::event::AuditEvent;
use crate::domain::{Digest, RequestId, Serial, Timestamp};
use crate::grant::AccessRequest;
use crate::identity::SessionCertificate;
use crate::identity::certificate::{CertificateError, Presented};
use crate::inventory::Target;
use crate::service::ports::{
    AuditError, AuditLog, AuthorityError, CertificateRecord, Cleared, Committed, OpenLimit, OwedEntry, RecordError,
    Recorder, RecorderHeader, Recorders, RequestQuery, Running, SessionAuthority, SessionCertificateRequest, Store,
    StoreError, Stored, Stream, TargetError, Targets,
};

use super::Rehearsal;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// It fails, and has done nothing.
    Before,
    /// It is done, and says that it failed.
    After,
}

/// Which call goes wrong. Counts the calls of all ports.
pub(crate) struct Saboteur {
    at: usize,
    way: Way,
    calls: AtomicUsize,
    hit: Mutex<Option<&'static str>>,
}

impl Saboteur {
    /// Call number `at`, counted from 0, goes wrong that way.
    pub(crate) fn new(at: usize, way: Way) -> Arc<Self> {
        Arc::new(Self { at, way, calls: AtomicUsize::new(0), hit: Mutex::default() })
    }

    /// The call that went wrong, once one has.
    pub(crate) fn hit(&self) -> Option<&'static str> {
        *self.hit.lock().unwrap()
    }

    /// Takes the place of the ports of `stage`.
    pub(crate) fn enter(self: &Arc<Self>, stage: &mut Rehearsal) {
        let services = &mut stage.services;
        services.store = Arc::new(Port(Arc::clone(&services.store), Arc::clone(self)));
        services.audit = Arc::new(Port(Arc::clone(&services.audit), Arc::clone(self)));
        services.recorders = Arc::new(Port(Arc::clone(&services.recorders), Arc::clone(self)));
        services.targets = Arc::new(Port(Arc::clone(&services.targets), Arc::clone(self)));
        services.authority = Arc::new(Port(Arc::clone(&services.authority), Arc::clone(self)));
    }

    async fn call<T, E>(
        &self,
        name: &'static str,
        error: impl FnOnce() -> E,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        if self.calls.fetch_add(1, Ordering::SeqCst) != self.at {
            return work.await;
        }
        *self.hit.lock().unwrap() = Some(name);
        if self.way == Way::After {
            let _ = work.await?;
        }
        Err(error())
    }
}

/// A port with the saboteur before it.
struct Port<P: ?Sized>(Arc<P>, Arc<Saboteur>);

impl Port<dyn Store> {
    async fn call<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.1.call(name, || StoreError::Unavailable("sabotaged".to_owned()), work).await
    }
}

#[async_trait]
impl Store for Port<dyn Store> {
    async fn insert_request(&self, request: &AccessRequest, limit: OpenLimit) -> Result<(), StoreError> {
        self.call("insert_request", self.0.insert_request(request, limit)).await
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        self.call("request", self.0.request(id)).await
    }

    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        self.call("replace_request", self.0.replace_request(before, after)).await
    }

    async fn replace_request_owing(
        &self,
        before: &Stored<AccessRequest>,
        after: &AccessRequest,
        owed: &AuditEvent,
    ) -> Result<i64, StoreError> {
        self.call("replace_request_owing", self.0.replace_request_owing(before, after, owed)).await
    }

    async fn owed_entries(&self) -> Result<Vec<OwedEntry>, StoreError> {
        self.call("owed_entries", self.0.owed_entries()).await
    }

    async fn entry_written(&self, id: i64) -> Result<(), StoreError> {
        self.call("entry_written", self.0.entry_written(id)).await
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.call("requests", self.0.requests(query)).await
    }

    async fn open_requests(
        &self,
        after: Option<(Timestamp, RequestId)>,
    ) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        self.call("open_requests", self.0.open_requests(after)).await
    }

    async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError> {
        self.call("reserve_serials", self.0.reserve_serials(count)).await
    }

    async fn file_certificate(&self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        self.call("file_certificate", self.0.file_certificate(certificate)).await
    }

    async fn certificate(&self, serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        self.call("certificate", self.0.certificate(serial)).await
    }

    async fn certificate_of_key(&self, key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        self.call("certificate_of_key", self.0.certificate_of_key(key)).await
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        self.call("witness_time", self.0.witness_time(now)).await
    }
}

#[async_trait]
impl AuditLog for Port<dyn AuditLog> {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        let error = || AuditError { reason: "sabotaged".to_owned() };
        self.1.call("append", error, self.0.append(event)).await
    }

    fn append_later(&self, event: AuditEvent) {
        self.0.append_later(event);
    }

    fn append_owed(&self, event: AuditEvent) -> oneshot::Receiver<()> {
        self.0.append_owed(event)
    }
}

fn unrecorded() -> RecordError {
    RecordError { reason: "sabotaged".to_owned() }
}

#[async_trait]
impl Recorders for Port<dyn Recorders> {
    async fn open(&self, header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        let opened = self.1.call("open", unrecorded, self.0.open(header)).await?;
        Ok(Box::new(SabotagedRecorder(opened, Arc::clone(&self.1))))
    }
}

struct SabotagedRecorder(Box<dyn Recorder>, Arc<Saboteur>);

#[async_trait]
impl Recorder for SabotagedRecorder {
    fn file_name(&self) -> &str {
        self.0.file_name()
    }

    async fn write(&mut self, stream: Stream, data: Bytes) -> Result<(), RecordError> {
        self.1.call("write", unrecorded, self.0.write(stream, data)).await
    }

    async fn finish(self: Box<Self>, exit: u8) -> Result<Digest, RecordError> {
        self.1.call("finish", unrecorded, self.0.finish(exit)).await
    }
}

#[async_trait]
impl Targets for Port<dyn Targets> {
    async fn start(&self, cleared: Cleared, target: &Target) -> Result<Running, TargetError> {
        let error = || TargetError::Internal { reason: "sabotaged".to_owned() };
        self.1.call("start", error, self.0.start(cleared, target)).await
    }
}

#[async_trait]
impl SessionAuthority for Port<dyn SessionAuthority> {
    async fn issue(&self, request: SessionCertificateRequest) -> Result<Certificate, AuthorityError> {
        let error = || AuthorityError { reason: "sabotaged".to_owned() };
        self.1.call("issue", error, self.0.issue(request)).await
    }

    fn verify(
        &self,
        certificate: &Certificate,
        presented: &Presented<'_>,
    ) -> Result<SessionCertificate, CertificateError> {
        self.0.verify(certificate, presented)
    }
}
