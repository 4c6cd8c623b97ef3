//! One transfer after the other, at sizes around a limit, through both doors. Every test run does a few small ones; `just soak`
//! does fifty of a gigabyte, at sizes around the rekey limit of OpenSSH's side (1 GiB).

use std::io::Write as _;
use std::time::Duration;

use crate::transfer::{MIB, Reader, bastion, peak_memory, round_trip};

/// Sizes just under, at and over `limit`.
fn sizes(limit: u64) -> [u64; 5] {
    [limit - 64 * 1024, limit - 1, limit, limit + 1, limit + limit / 128]
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// `DOORWARD_SOAK_RUNS` (5) transfers of about `DOORWARD_SOAK_MIB` (1) through `cat`, through both doors in turn, half of them
/// with a slow reader, every third with new keys every 8 MiB.
#[test]
fn transfers_one_after_the_other_are_whole() {
    let (runs, mib) = (number("DOORWARD_SOAK_RUNS"), number("DOORWARD_SOAK_MIB").unwrap_or(1));
    let bastion = bastion("recorded_mib = 4", "");
    for (run, size) in (0..runs.unwrap_or(5)).zip(sizes(mib * MIB).into_iter().cycle()) {
        let reader = if run % 4 >= 2 { Reader::Slow } else { Reader::Fast };
        let host = if run % 2 == 0 { "web-1@bastion" } else { "web-1.jea" };
        let mut arguments = if run % 3 == 2 { vec!["-o", "RekeyLimit=8M"] } else { Vec::new() };
        arguments.extend([host, "cat"]);
        let round = round_trip(bastion.ssh("alice", &arguments), size, run, reader, Duration::from_secs(1800));
        round.assert_whole(size, &format!("run {run}, {arguments:?}, {reader:?}"));
        let peak = peak_memory(&bastion);
        if runs.is_some() {
            // An hour without a word looks like a hang.
            let rate = size as f64 / MIB as f64 / round.took.as_secs_f64();
            let line =
                format!("run {run}: {size} bytes, {reader:?}, {arguments:?}: {rate:.0} MiB/s, peak {} MiB", peak / MIB);
            let _ = writeln!(std::io::stderr(), "{line}");
        }
        assert!(peak < 64 * MIB, "{peak} bytes");
    }
    bastion.verify();
}
