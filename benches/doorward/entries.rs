//! Log entries committed a second (i): the real log in a real folder, each entry synced and under a signed checkpoint before
//! its writer goes on. Beside it, what the disk itself can do: a line appended and synced.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use doorward::app::clock::WallClock;
use doorward::audit::event::{AuditEvent, What};
use doorward::audit::log::{self, Log, LogOptions};
use doorward::service::ports::AuditLog as _;

use crate::plan::Plan;
use crate::report::{Report, Row};
use crate::stats::{Samples, alternate};
use crate::world::World;

/// (i)
///
/// # Errors
/// When the log cannot be opened or written.
pub fn committed(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let folder = world.home().join("log");
    let key = ed25519_dalek::SigningKey::from_bytes(&rand::random());
    let clock = Arc::new(WallClock::default());
    let opened = log::open(&folder, "bench.test/audit", key, clock, LogOptions::default());
    let (log, _) = opened.map_err(|error| error.to_string())?;
    let disk = world.home().join("synced");
    for writers in [1, 64] {
        let (ours, theirs) = alternate(plan.rounds, || entries(plan, &log, writers), || syncs(plan, &disk))?;
        report.add(Row {
            letter: "i",
            what: format!("log entries committed, {writers} writer{}", if writers == 1 { "" } else { "s" }),
            unit: "1/s",
            ours: Samples(ours),
            theirs: Some(("append and sync", Samples(theirs))),
            aim: None,
        });
    }
    log.close();
    Ok(())
}

/// As the bastion's runtime: as many threads as the machine has cores.
fn entries(plan: &Plan, log: &Arc<Log>, writers: usize) -> Result<f64, String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    let (count, begun) = (Arc::new(AtomicU64::new(0)), Instant::now());
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..writers {
            let (log, count, lasting) = (Arc::clone(log), Arc::clone(&count), plan.lasting);
            tasks.spawn(async move {
                while begun.elapsed() < lasting {
                    drop(log.append(entry()).await.map_err(|error| error.to_string())?);
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            });
        }
        tasks.join_all().await.into_iter().collect::<Result<(), String>>()
    })?;
    Ok(count.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

/// About as long as the entry of a command.
fn entry() -> AuditEvent {
    let mut event = AuditEvent::of(What::Control { line: "systemctl restart nginx ".repeat(25), exit: 0 });
    event.user = "alice".parse().ok();
    event
}

fn syncs(plan: &Plan, path: &Path) -> Result<f64, String> {
    let failed = |error: std::io::Error| error.to_string();
    let mut file: File = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    let (begun, mut count) = (Instant::now(), 0_u32);
    while begun.elapsed() < plan.lasting {
        file.write_all(&[b'x'; 700]).and_then(|()| file.sync_data()).map_err(failed)?;
        count += 1;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}
