//! The log's files for the control verbs, read away from the async threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tracing::warn;

use crate::audit::entry::AuditEntry;
use crate::audit::note::VerifierKey;
use crate::audit::proof::{ConsistencyProof, InclusionProof};
use crate::audit::prove::{self, ProveError, Proved};
use crate::audit::tiles::TileState;
use crate::audit::{search, verify};
use crate::service::ports::{AuditProofError, AuditQuery, AuditReadError, AuditReader, FoundEntry, Verdict};

/// The audit folder and the key it must be signed by.
pub(super) struct LogFiles {
    dir: PathBuf,
    key: VerifierKey,
    /// One reader at a time: each reads the whole log, on threads that the database and the recordings need too.
    turn: Arc<Semaphore>,
}

impl LogFiles {
    /// The log in `dir`, signed by `key`.
    pub(super) fn new(dir: PathBuf, key: VerifierKey) -> Self {
        Self { dir, key, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Runs blocking `work` on its own thread when it is its turn.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path, &VerifierKey) -> T + Send + 'static,
    ) -> Result<T, AuditReadError> {
        let failed = |error: String| AuditReadError { reason: error };
        let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|error| failed(error.to_string()))?;
        let (dir, key) = (self.dir.clone(), self.key.clone());
        let reading = tokio::task::spawn_blocking(move || {
            // Held here, because the thread goes on when whoever asked has left.
            let _turn = turn;
            work(&dir, &key)
        });
        reading.await.map_err(|error| failed(error.to_string()))
    }
}

#[async_trait]
impl AuditReader for LogFiles {
    async fn search(&self, query: AuditQuery) -> Result<Vec<FoundEntry>, AuditReadError> {
        let found = self.blocking(move |dir, key| search::search(dir, key, &query)).await?;
        let entries = found.map_err(|error| AuditReadError { reason: error.to_string() })?;
        let entry = |entry: AuditEntry| FoundEntry { sequence: entry.sequence, time: entry.time, event: entry.event };
        Ok(entries.into_iter().map(entry).collect())
    }

    async fn verify(&self) -> Result<Verdict, AuditReadError> {
        match self.blocking(verify::verify).await? {
            Ok(report) => {
                let verify::Report { entries, root, last, uncovered, tiles, .. } = report;
                if let TileState::Wrong { path } = tiles {
                    // No news for the reviewer: the log is whole, and proofs are made from it where a tile does not fit.
                    warn!(
                        path,
                        "a tile of the audit log does not fit it; `doorward audit rebuild-tiles` makes them anew"
                    );
                }
                Ok(Verdict::Sound { entries, root, last, uncovered })
            }
            Err(problem) => Ok(Verdict::Broken { problem: problem.to_string() }),
        }
    }

    async fn checkpoint(&self) -> Result<String, AuditProofError> {
        let checkpoint = self.blocking(prove::checkpoint).await?;
        checkpoint.map_err(|problem| AuditProofError::Broken(problem.to_string()))
    }

    async fn prove(&self, index: u64) -> Result<InclusionProof, AuditProofError> {
        proof(self.blocking(move |dir, key| prove::prove_entry(dir, key, index)).await?)
    }

    async fn prove_growth(&self, old: u64) -> Result<ConsistencyProof, AuditProofError> {
        proof(self.blocking(move |dir, key| prove::prove_growth(dir, key, old, None)).await?)
    }
}

fn proof<P>(proved: Result<Proved<P>, ProveError>) -> Result<P, AuditProofError> {
    match proved {
        Ok(Proved { proof, derived_is_wrong }) => {
            if derived_is_wrong {
                warn!(
                    "the audit log's tiles are missing or do not fit it; `doorward audit rebuild-tiles` makes them anew"
                );
            }
            Ok(proof)
        }
        Err(ProveError::Log(problem)) => Err(AuditProofError::Broken(problem.to_string())),
        Err(error) => Err(AuditProofError::NotSo(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_reads_at_a_time_and_the_next_has_its_turn_when_that_one_is_done() {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        let files = LogFiles::new(PathBuf::from("/nowhere"), VerifierKey::new("test", key).unwrap());
        let (release, held) = std::sync::mpsc::channel::<()>();
        let first = files.blocking(move |_, _| held.recv().is_ok());
        // Whoever asked leaves; the thread reads on.
        assert!(tokio::time::timeout(Duration::from_millis(100), first).await.is_err());
        let mut second = Box::pin(files.verify());
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut second).await.is_err());
        release.send(()).unwrap();
        assert!(matches!(second.await, Ok(Verdict::Broken { .. })));
    }
}
