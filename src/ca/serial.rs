//! Serial numbers without a database write each: blocks of them come from the `Store` port and are handed out from memory.
//!
//! A number is given once, over restarts too. Numbers of a block that was not used up are lost, which harms nothing.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::Serial;
use crate::service::ports::{Store, StoreError};

/// How many numbers one write reserves.
const BLOCK: u32 = 64;

/// Where certificates that are not filed (target, host) get their numbers.
pub struct SerialSource {
    store: Arc<dyn Store>,
    left: Mutex<Range<u64>>,
}

impl SerialSource {
    /// A source over `store`; reserves nothing yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, left: Mutex::new(0..0) }
    }

    /// The next number.
    ///
    /// # Errors
    /// The store's, when a block is used up and no other can be reserved.
    pub async fn next(&self) -> Result<Serial, StoreError> {
        if let Some(serial) = self.take() {
            return Ok(serial);
        }
        // The lock is not held here: several callers may reserve at once, and one of the blocks is then dropped.
        let first = self.store.reserve_serials(BLOCK).await?;
        let after = first.get().saturating_add(1);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if left.is_empty() {
            *left = after..first.get().saturating_add(u64::from(BLOCK));
        }
        Ok(first)
    }

    fn take(&self) -> Option<Serial> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).next().and_then(Serial::new)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::audit::event::AuditEvent;
    use crate::domain::{RequestId, Timestamp};
    use crate::grant::AccessRequest;
    use crate::service::ports::{CertificateRecord, OpenLimit, OwedEntry, RequestQuery, Stored};

    /// Counts on; 0 is broken.
    struct Counter(AtomicU64);

    fn not_here<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable("only numbers here".to_owned()))
    }

    #[async_trait]
    impl Store for Counter {
        async fn reserve_serials(&self, count: u32) -> Result<Serial, StoreError> {
            tokio::task::yield_now().await;
            Serial::new(self.0.fetch_add(u64::from(count), Ordering::SeqCst)).map_or_else(not_here, Ok)
        }
        async fn insert_request(&self, _: &AccessRequest, _: OpenLimit) -> Result<(), StoreError> {
            not_here()
        }
        async fn request(&self, _: &RequestId) -> Result<Option<Stored<AccessRequest>>, StoreError> {
            not_here()
        }
        async fn replace_request(&self, _: &Stored<AccessRequest>, _: &AccessRequest) -> Result<(), StoreError> {
            not_here()
        }
        async fn replace_request_owing(
            &self,
            _: &Stored<AccessRequest>,
            _: &AccessRequest,
            _: &AuditEvent,
        ) -> Result<i64, StoreError> {
            not_here()
        }
        async fn owed_entries(&self) -> Result<Vec<OwedEntry>, StoreError> {
            not_here()
        }
        async fn entry_written(&self, _: i64) -> Result<(), StoreError> {
            not_here()
        }
        async fn open_requests(
            &self,
            _: Option<(Timestamp, RequestId)>,
        ) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
            not_here()
        }
        async fn requests(&self, _: &RequestQuery) -> Result<Vec<Stored<AccessRequest>>, StoreError> {
            not_here()
        }
        async fn file_certificate(&self, _: &CertificateRecord) -> Result<(), StoreError> {
            not_here()
        }
        async fn certificate(&self, _: Serial) -> Result<Option<CertificateRecord>, StoreError> {
            not_here()
        }
        async fn certificate_of_key(&self, _: &str) -> Result<Option<CertificateRecord>, StoreError> {
            not_here()
        }
        async fn witness_time(&self, now: Timestamp) -> Result<Timestamp, StoreError> {
            Ok(now)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_number_is_given_once_also_to_many_at_once_and_after_a_restart() {
        let store = Arc::new(Counter(AtomicU64::new(1)));
        let mut given = BTreeSet::new();
        for _restart in 0..3 {
            let source = Arc::new(SerialSource::new(store.clone()));
            let mut callers = tokio::task::JoinSet::new();
            for _ in 0..300 {
                let source = source.clone();
                callers.spawn(async move { source.next().await.unwrap() });
            }
            for serial in callers.join_all().await {
                assert!(given.insert(serial), "{serial} twice");
            }
        }
        assert_eq!(given.len(), 900);
        let used = store.0.load(Ordering::SeqCst);
        assert!(used < 900 * 64, "blocks are used up, not one for each number: {used}");
        let broken = SerialSource::new(Arc::new(Counter(AtomicU64::new(0))));
        assert!(broken.next().await.is_err());
    }
}
