//! The log's files for the control verbs, read away from the async threads.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::audit::entry::AuditEntry;
use crate::audit::note::VerifierKey;
use crate::audit::{search, verify};
use crate::service::ports::{AuditQuery, AuditReadError, AuditReader, FoundEntry, Verdict};

/// The audit folder and the key it must be signed by.
pub(super) struct LogFiles {
    pub(super) dir: PathBuf,
    pub(super) key: VerifierKey,
}

/// Runs blocking `work` on its own thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AuditReadError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AuditReadError { reason: error.to_string() })
}

#[async_trait]
impl AuditReader for LogFiles {
    async fn search(&self, query: AuditQuery) -> Result<Vec<FoundEntry>, AuditReadError> {
        let (dir, key) = (self.dir.clone(), self.key.clone());
        let found = blocking(move || search::search(&dir, &key, &query)).await?;
        let entries = found.map_err(|error| AuditReadError { reason: error.to_string() })?;
        let entry = |entry: AuditEntry| FoundEntry { sequence: entry.sequence, time: entry.time, event: entry.event };
        Ok(entries.into_iter().map(entry).collect())
    }

    async fn verify(&self) -> Result<Verdict, AuditReadError> {
        let (dir, key) = (self.dir.clone(), self.key.clone());
        match blocking(move || verify::verify(&dir, &key)).await? {
            Ok(report) => {
                let verify::Report { entries, root, last, uncovered, .. } = report;
                Ok(Verdict::Sound { entries, root, last, uncovered })
            }
            Err(problem) => Ok(Verdict::Broken { problem: problem.to_string() }),
        }
    }
}
