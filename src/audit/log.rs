//! The writer: every entry is synced and under a signed checkpoint before anybody acts on it.
//!
//! One thread owns the files. It takes what waits (a group), appends it, syncs, signs the new root, puts the checkpoint in
//! its place, syncs that, and only then lets those who wait go on. What is under the checkpoint on the disk is the log;
//! nothing else was ever released, so whatever stands behind it can be put aside.
//!
//! A file on which a write or sync failed is never written again: the kernel may have dropped the pages it could not write
//! and report success the next time. After a failure the writer reads back what the checkpoint covers, cuts the rest, and
//! goes on in a new segment; until that works `append` is refused at once and `append_later` keeps.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use tokio::sync::oneshot;

use super::entry::Body;
use super::event::AuditEvent;
use super::note::{KeyError, VerifierKey};
use super::verify::Problem;
use crate::domain::{Clock, CommandId, Timestamp};
use crate::service::ports::{AuditError, AuditLog, Committed};

mod disk;
mod open;
mod queue;
mod recovery;
#[cfg(test)]
mod tests;
mod writer;

use queue::{Item, Queue, Waiter};

/// Sizes and times of a log.
#[derive(Clone, Copy, Debug)]
pub struct LogOptions {
    /// A segment is followed by the next one when it has this many bytes.
    pub segment_bytes: u64,
    /// Bytes kept on the disk for endings when it is full.
    pub reserve_bytes: usize,
    /// Bytes of entries that `append_later` keeps while the log cannot be written. More are counted and lost.
    pub later_bytes: usize,
    /// The time between attempts to mend a log that cannot be written.
    pub retry: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        let mib = 1024 * 1024;
        Self {
            segment_bytes: 64 * mib,
            reserve_bytes: 1024 * 1024,
            later_bytes: 16 * 1024 * 1024,
            retry: Duration::from_secs(1),
        }
    }
}

/// What was found when the log was opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// How many entries the log has; the number of the next one.
    pub entries: u64,
    /// Time of the last entry: decision time is never earlier.
    pub last_time: Option<Timestamp>,
    /// Commands that were allowed and neither finished nor failed. Their `command-outcome-unknown` entries are being written.
    pub unfinished: Vec<CommandId>,
    /// Files that bytes behind the checkpoint were moved to. Their `log-repaired` entries are being written.
    pub moved_aside: Vec<String>,
}

/// Why the log cannot be opened. The bastion must not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The log is not what its checkpoint says.
    #[error(
        "the audit log in {dir} is refused: {problem}. Keep the files as they are; `doorward audit verify` checks them"
    )]
    Refused {
        /// The folder.
        dir: String,
        /// What is wrong.
        problem: Problem,
    },
    /// Another process has it open.
    #[error("the audit log in {0} is open in another process")]
    Locked(String),
    /// The name of the log cannot be one.
    #[error(transparent)]
    Origin(#[from] KeyError),
    /// The system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
}

/// How a log is doing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// It writes.
    Working,
    /// The disk is full and the reserve was given up: only endings are written.
    EndingsOnly,
    /// It cannot write, and tries again by itself.
    Failing(String),
    /// It was closed.
    Closed,
}

/// What an operator wants to know of a log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// How it is doing.
    pub condition: Condition,
    /// Entries on the disk.
    pub entries: u64,
    /// Entries waiting.
    pub waiting: usize,
}

/// The log, open for writing by this process alone.
pub struct Log {
    queue: Arc<Queue>,
    verifier: VerifierKey,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// Opens the log in `dir` (made if it is not there), called `origin`, and starts its writer.
///
/// Reads and checks the whole log; blocks. A folder without checkpoint and segments becomes a new log.
///
/// # Errors
/// [`OpenError`]: a log that is shorter than its checkpoint, was changed, is signed by another key or is of a newer
/// version is never written to.
pub fn open(
    dir: &Path,
    origin: &str,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    options: LogOptions,
) -> Result<(Arc<Log>, Opened), OpenError> {
    open::open(dir, origin, key, clock, options, Box::new(disk::Folder(dir.to_owned())))
}

impl Log {
    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let (condition, entries, waiting) = self.queue.health();
        Health { condition, entries, waiting }
    }

    /// The public key, in the form that verifiers take.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Writes what waits and ends the writer. Blocks for as long as a commit takes. What cannot be written by then is
    /// reported to the operator's journal.
    pub fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if writer.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of the audit log had a fault");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

#[async_trait]
impl AuditLog for Log {
    async fn append(&self, event: AuditEvent) -> Result<Committed, AuditError> {
        let body = Body::of(&event).map_err(|error| AuditError { reason: error.to_string() })?;
        let closed = || AuditError { reason: "it is closed".to_owned() };
        let room = self.queue.room(body.len()).await.ok_or_else(closed)?;
        let (answer, committed) = oneshot::channel();
        let ending = event.what.is_ending();
        self.queue.push(Item { body, waiter: Some(Waiter { answer, _room: room }), ending, durable: None });
        committed.await.map_err(|_| closed())?
    }

    fn append_later(&self, event: AuditEvent) {
        if let Some(item) = Item::later(&event) {
            self.queue.push(item);
        }
    }

    fn append_owed(&self, event: AuditEvent) -> oneshot::Receiver<()> {
        let (durable, written) = oneshot::channel();
        if let Some(item) = Item::later(&event) {
            self.queue.push(Item { durable: Some(durable), ..item.into_ending() });
        }
        written
    }
}
