//! The long run: a gigabyte and more, fifty times. `just soak`.

use std::time::Duration;

use crate::transfer::{MIB, Reader, bastion, peak_memory, round_trip};

/// Sizes just under, at and over the default rekey limit of OpenSSH's and russh's sides (1 GiB).
fn sizes(limit: u64) -> [u64; 5] {
    [limit - 64 * 1024, limit - 1, limit, limit + 1, limit + 8 * MIB]
}

/// A number from the environment.
fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// `DOORWARD_SOAK_RUNS` (50) transfers of about `DOORWARD_SOAK_MIB` (1024) through `cat`, through both doors in turn, half
/// of them with a slow reader, every third with new keys every 8 MiB.
#[test]
#[ignore = "takes an hour: `just soak`"]
#[allow(clippy::print_stderr, reason = "an hour without a word looks like a hang")]
fn fifty_transfers_of_a_gigabyte_are_whole() {
    let (runs, limit) = (number("DOORWARD_SOAK_RUNS", 50), number("DOORWARD_SOAK_MIB", 1024) * MIB);
    let bastion = bastion("recorded_mib = 4", "");
    for (run, size) in (0..runs).zip(sizes(limit).into_iter().cycle()) {
        let reader = if run % 4 >= 2 { Reader::Slow } else { Reader::Fast };
        let host = if run % 2 == 0 { "web-1@bastion" } else { "web-1.jea" };
        let mut arguments = if run % 3 == 2 { vec!["-o", "RekeyLimit=8M"] } else { Vec::new() };
        arguments.extend([host, "cat"]);
        let round = round_trip(bastion.ssh("alice", &arguments), size, run, reader, Duration::from_secs(1800));
        round.assert_whole(size, &format!("run {run}, {arguments:?}, {reader:?}"));
        let rate = size as f64 / MIB as f64 / round.took.as_secs_f64();
        let peak = peak_memory(&bastion);
        eprintln!(
            "run {run}: {size} bytes, {reader:?}, {arguments:?}: {rate:.0} MiB/s, peak memory {} MiB",
            peak / MIB
        );
        assert!(peak < 64 * MIB, "{peak} bytes");
    }
    bastion.verify();
}
