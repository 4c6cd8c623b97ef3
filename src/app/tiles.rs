//! Keeps the audit log's tiles up with it, beside everything else: no entry waits for a tile, and none fails with one.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::audit::tiles::Keeper;

/// How often what was added is looked at.
const TICK: Duration = Duration::from_secs(5);
/// After a failure, which costs reading the whole log again.
const AFTER_FAILURE: Duration = Duration::from_secs(600);

/// The task that writes tiles.
pub(super) struct Tiles(JoinHandle<Option<Keeper>>);

impl Tiles {
    /// Begins; ends when `stopping` is cancelled.
    pub(super) fn keep(keeper: Keeper, stopping: CancellationToken) -> Self {
        Self(tokio::spawn(async move {
            let mut keeper = Some(keeper);
            let mut ticks = tokio::time::interval(TICK);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while let Some(idle) = keeper.take() {
                tokio::select! {
                    () = stopping.cancelled() => return Some(idle),
                    _ = ticks.tick() => {}
                }
                let (after, good) = update(idle).await?;
                if !good {
                    ticks.reset_after(AFTER_FAILURE);
                }
                keeper = Some(after);
            }
            None
        }))
    }

    /// Writes the tiles of what was added last. The log is closed by now.
    pub(super) async fn finish(self) {
        if let Ok(Some(keeper)) = self.0.await {
            update(keeper).await;
        }
    }
}

/// One look, away from the async threads; `None` if that had a fault.
async fn update(mut keeper: Keeper) -> Option<(Keeper, bool)> {
    let work = tokio::task::spawn_blocking(move || {
        let result = keeper.update();
        (keeper, result)
    });
    let (keeper, result) = work.await.ok()?;
    if let Err(error) = &result {
        warn!(%error, "the audit log's tiles, which are derived from it, were not written; the log goes on");
    }
    Some((keeper, result.is_ok()))
}
