//! The `Store` port on SQLite: one file, one writer at a time, readers that never wait for it.

use std::path::Path;

use async_trait::async_trait;
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{Row as _, Transaction};

use crate::audit::event::AuditEvent;
use crate::domain::{RequestId, Serial, Timestamp};
use crate::grant::AccessRequest;
use crate::service::ports::{CertificateRecord, OpenLimit, OwedEntry, RequestQuery, Store, StoreError, Stored};

use super::failure::{damaged, unavailable};
use super::open::{self, OpenError, Pools};
use super::{certificates, owed, requests};

/// Requests, grants, certificates and serial numbers in one SQLite file.
///
/// What a method has returned for is on disk (`synchronous = FULL`). Dropping a method's future before it returns undoes what
/// it had begun.
pub struct SqliteStore {
    write: SqlitePool,
    pub(super) read: SqlitePool,
}

impl SqliteStore {
    /// Opens the database at `path`; makes it (0600, in a folder of 0700) when there is none, and brings it up to date.
    ///
    /// # Errors
    /// [`OpenError`] says what the operator can do. A database of a newer doorward or of another program is left untouched.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let Pools { write, read } = open::open(path).await?;
        Ok(Self { write, read })
    }

    /// Waits for what is being written and closes the file. Later calls answer [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Begins to write. `IMMEDIATE` takes the lock now, where waiting for it works: a transaction that reads first and then
    /// wants to write fails at once with SQLITE_BUSY_SNAPSHOT, which no timeout waits for.
    pub(super) async fn begin(&self) -> Result<Transaction<'_, Sqlite>, StoreError> {
        self.write.begin_with("BEGIN IMMEDIATE").await.map_err(|error| unavailable(&error))
    }
}

/// Makes what was written durable.
async fn commit(transaction: Transaction<'_, Sqlite>) -> Result<(), StoreError> {
    transaction.commit().await.map_err(|error| unavailable(&error))
}

#[async_trait]
impl Store for SqliteStore {
    async fn insert_request(&self, request: &AccessRequest, limit: OpenLimit) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        requests::have_room(&mut transaction, &request.user, limit).await?;
        requests::insert(&mut transaction, request).await?;
        commit(transaction).await
    }

    async fn request(&self, id: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
        requests::one(&self.read, id).await
    }

    async fn replace_request(&self, before: &Stored<AccessRequest>, after: &AccessRequest) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        requests::replace(&mut transaction, before, after).await?;
        commit(transaction).await
    }

    async fn replace_request_owing(
        &self,
        before: &Stored<AccessRequest>,
        after: &AccessRequest,
        owed: &AuditEvent,
    ) -> Result<i64, StoreError> {
        let mut transaction = self.begin().await?;
        requests::replace(&mut transaction, before, after).await?;
        let id = owed::keep(&mut transaction, owed).await?;
        commit(transaction).await?;
        Ok(id)
    }

    async fn owed_entries(&self) -> Result<Vec<OwedEntry>, StoreError> {
        owed::all(&self.read).await
    }

    async fn entry_written(&self, id: i64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        owed::forget(&mut transaction, id).await?;
        commit(transaction).await
    }

    async fn requests(&self, query: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        requests::matching(&self.read, query).await
    }

    async fn open_requests(
        &self,
        after: Option<(Timestamp, RequestId)>,
    ) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
        requests::open_after(&self.read, after).await
    }

    async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError> {
        let count = i64::from(count.max(1));
        let mut transaction = self.begin().await?;
        let sql = "UPDATE counters SET value = value + $1 WHERE name = 'next_serial' AND value > 0 AND value <= $2 \
                   RETURNING value - $1 AS first";
        let row = sqlx::query(sql)
            .bind(count)
            // SQLite turns an integer that overflows into a fraction; it must not come to that.
            .bind(i64::MAX - count)
            .fetch_optional(&mut *transaction)
            .await
            .map_err(|error| unavailable(&error))?;
        let first: Option<i64> = match row {
            Some(row) => Some(row.try_get("first").map_err(|error| unavailable(&error))?),
            None => None,
        };
        let serial = first.and_then(|first| u64::try_from(first).ok()).and_then(Serial::new);
        let serial = serial.ok_or_else(|| damaged("the counter of serial numbers", "it is missing or out of range"))?;
        commit(transaction).await?;
        Ok(serial)
    }

    async fn file_certificate(&self, certificate: &CertificateRecord) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        certificates::file(&mut transaction, certificate).await?;
        commit(transaction).await
    }

    async fn certificate(&self, serial: Serial) -> Result<Option<CertificateRecord>, StoreError> {
        certificates::of_serial(&self.read, serial).await
    }

    async fn certificate_of_key(&self, key: &str) -> Result<Option<CertificateRecord>, StoreError> {
        certificates::of_key(&self.read, key).await
    }

    async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
        let mut transaction = self.begin().await?;
        let sql = "INSERT INTO counters (name, value) VALUES ('highest_time', $1) ON CONFLICT (name) DO UPDATE SET value = \
                   CASE WHEN excluded.value > counters.value THEN excluded.value ELSE counters.value END RETURNING value";
        let row = sqlx::query(sql)
            .bind(now.micros())
            .fetch_one(&mut *transaction)
            .await
            .map_err(|error| unavailable(&error))?;
        let highest: i64 =
            row.try_get("value").map_err(|error| damaged("the highest time seen", &error.to_string()))?;
        commit(transaction).await?;
        Ok(Timestamp::from_micros(highest))
    }
}
