//! What the kernel says of processes: processor time and memory, with all their children.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The fields of `/proc/PID/stat` after the name, from the state on (proc_pid_stat(5)).
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// All processes that come from `pid`, itself first.
pub fn family(pid: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let parent = stat(child).and_then(|fields| fields.get(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut all = vec![pid];
    let mut next = 0;
    while let Some(parent) = all.get(next) {
        all.extend(children.get(parent).into_iter().flatten());
        next += 1;
    }
    all
}

/// Seconds of processor time of a server so far, with those of children that have ended. Waits, two seconds at most, until
/// it has no child left whose time would be missing.
pub fn cpu_seconds(pid: u32) -> f64 {
    let patience = Instant::now();
    while family(pid).len() > 1 && patience.elapsed() < Duration::from_secs(2) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let fields = stat(pid).unwrap_or_default();
    // utime, stime, cutime, cstime
    let ticks: u64 = (11..15).filter_map(|place| fields.get(place)?.parse::<u64>().ok()).sum();
    ticks as f64 / ticks_a_second()
}

fn ticks_a_second() -> f64 {
    static TICKS: OnceLock<f64> = OnceLock::new();
    *TICKS.get_or_init(|| {
        let said = Command::new("getconf").arg("CLK_TCK").output();
        said.ok().and_then(|output| String::from_utf8(output.stdout).ok()?.trim().parse().ok()).unwrap_or(100.0)
    })
}

/// The memory of a server and all its children in MiB: proportional set size, in which a page that several processes share
/// counts once.
///
/// # Errors
/// When the kernel does not tell.
pub fn memory_mib(pid: u32) -> Result<f64, String> {
    let mut kib = 0.0;
    for member in family(pid) {
        let path = format!("/proc/{member}/smaps_rollup");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // It ended meanwhile.
            Err(_) if member != pid && stat(member).is_none() => continue,
            Err(error) => return Err(format!("{path}: {error}")),
        };
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).ok_or("no Pss in smaps_rollup")?;
        kib += line.trim().trim_end_matches(" kB").parse::<f64>().map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(kib / 1024.0)
}
