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
