//! The port to requests, grants and certificates. It keeps; it never decides.

use async_trait::async_trait;

use crate::audit::event::AuditEvent;
use crate::domain::{CertificateId, GrantId, RequestId, RoleName, Serial, Timestamp, UserName};
use crate::grant::AccessRequest;

/// A value with the version it was read at, for compare-and-set.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    /// Goes up by one with each change.
    pub version: i64,
    /// The value.
    pub value: T,
}

/// Why the store could not answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// An identifier that exists already: draw another.
    #[error("the identifier is taken")]
    Taken,
    /// Somebody changed the value since it was read: read again and decide again.
    #[error("it was changed meanwhile")]
    Changed,
    /// The user has so many open requests that one more is not filed.
    #[error("there are {0} open requests already")]
    Full(usize),
    /// The database does not work.
    #[error("the database cannot be used: {0}")]
    Unavailable(String),
}

/// Which requests.
#[derive(Clone, Debug, Default)]
pub struct RequestQuery {
    /// Of this user only.
    pub user: Option<UserName>,
    /// For this role only.
    pub role: Option<RoleName>,
    /// Only those that are not over: pending, approved, active.
    pub open: bool,
    /// At most so many, newest first; 0 is [`Self::MOST`].
    pub limit: usize,
}

impl RequestQuery {
    /// The most rows one query gives.
    pub const MOST: usize = 1000;
}

/// How many open requests one user may have, for one more to be filed.
#[derive(Clone, Copy, Debug)]
pub struct OpenLimit {
    /// Fewer than so many that are not active: pending, approved.
    pub waiting: usize,
    /// Fewer than so many in all: pending, approved, active.
    pub all: usize,
}

/// An entry of the audit log that is not known to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct OwedEntry {
    /// Its number in the store; never given again.
    pub id: i64,
    /// The entry.
    pub event: AuditEvent,
}

/// A session certificate on file.
#[derive(Clone, Debug)]
pub struct CertificateRecord {
    /// Its number.
    pub serial: Serial,
    /// Its identifier.
    pub id: CertificateId,
    /// Whose.
    pub user: UserName,
    /// `SHA256:…` of the key it certifies.
    pub key: String,
    /// The grants it lists.
    pub grants: Vec<GrantId>,
    /// When it was issued.
    pub issued: Timestamp,
    /// First instant at which it is not valid.
    pub valid_before: Timestamp,
    /// The certificate in OpenSSH's one-line form.
    pub text: String,
    /// Whether a later one for the same key took its place.
    pub superseded: bool,
}

/// Requests with their grants, certificates, serial numbers.
#[async_trait]
pub trait Store: Send + Sync {
    /// Files a new request, if its user has room for it. Counting and filing are one step: many at once do not file more.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when its identifier exists; [`StoreError::Full`] when `limit` is reached.
    async fn insert_request(&self, request: &AccessRequest, limit: OpenLimit) -> Result<(), StoreError>;

    /// The request of that identifier.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError>;

    /// Replaces `before` by `after` if nobody changed it since.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if somebody did.
    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError>;

    /// As [`replace_request`](Self::replace_request), and keeps `owed`, all or nothing, until
    /// [`entry_written`](Self::entry_written) is told the number that this gives.
    ///
    /// # Errors
    /// [`StoreError::Changed`] if somebody changed it; then nothing is owed.
    async fn replace_request_owing(
        &self,
        before: &Stored<AccessRequest>,
        after: &AccessRequest,
        owed: &AuditEvent,
    ) -> Result<i64, StoreError>;

    /// The entries that are still owed, in the order in which they were stored; at most [`RequestQuery::MOST`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn owed_entries(&self) -> Result<Vec<OwedEntry>, StoreError>;

    /// Forgets an owed entry, because the log has it. One that is not there was forgotten before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn entry_written(&self, id: i64) -> Result<(), StoreError>;

    /// Requests that match, newest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError>;

    /// Open requests of everybody, oldest first, at most [`RequestQuery::MOST`]: the page after the request that was filed
    /// then and is called that, which itself may be over by now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn open_requests(
        &self,
        after: Option<(Timestamp, RequestId)>,
    ) -> Result<Vec<Stored<AccessRequest>>, StoreError>;

    /// Takes `count` numbers out of the sequence and gives the first. They are never given again, not even after a crash.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError>;

    /// Files a certificate; earlier ones of the same key are superseded in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when its serial or identifier exists.
    async fn file_certificate(&self, certificate: &CertificateRecord) -> Result<(), StoreError>;

    /// The certificate of that serial.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn certificate(&self, serial: Serial) -> Result<Option<CertificateRecord>, StoreError>;

    /// The latest certificate of that key (`SHA256:…`), superseded ones never.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn certificate_of_key(&self, key: &str) -> Result<Option<CertificateRecord>, StoreError>;

    /// Keeps the highest time seen, and gives it back.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError>;
}
