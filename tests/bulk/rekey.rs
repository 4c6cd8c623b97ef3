//! Key exchanges in the midst of a transfer, beside its end, and just before and after it.
//!
//! A product on the same SSH library lost the close of a channel when a new key exchange began at the end of a download: all
//! bytes were there and the client waited for ever. Here both peers exchange keys as often as they can.

use std::process::{Command, Stdio};

use crate::support::bastion::{Bastion, came};
use crate::transfer::{MIB, PATIENCE, Reader, bastion, peak_memory, round_trip, scaled};

/// After so many bytes both OpenSSH peers ask for new keys.
const LIMIT: u64 = scaled(8 * MIB);

/// Both doors to the OpenSSH target, and a target without one.
const HOSTS: [&str; 3] = ["web-1@bastion", "web-1.jea", "here@bastion"];

/// A bastion whose peers do: the target's sshd, and alice's ssh on every connection it makes, the one inside a jump too.
fn often() -> Bastion {
    let bastion = bastion("", &format!("RekeyLimit {LIMIT}\n"));
    let path = bastion.home().join("alice.conf");
    let config = std::fs::read_to_string(&path).expect("alice's configuration");
    std::fs::write(&path, format!("{config}\nHost *\n  RekeyLimit {LIMIT}\n")).expect("written");
    bastion
}

fn ssh(bastion: &Bastion, host: &str, line: &str) -> Command {
    bastion.ssh("alice", &[host, line])
}

/// Sizes whose end is just before, at and just after a key exchange: payload and packets count differently on the way.
fn sizes() -> impl Iterator<Item = u64> {
    [LIMIT - 70_000, LIMIT - 4096, LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 4096, 2 * LIMIT - 1].into_iter()
}

#[test]
fn at_sizes_around_the_rekey_limit_every_byte_comes_back_and_the_command_ends() {
    let bastion = often();
    for host in HOSTS {
        for (size, seed) in sizes().zip(0..) {
            let reader = if seed % 3 == 1 { Reader::Slow } else { Reader::Fast };
            let round = round_trip(ssh(&bastion, host, "cat"), size, seed, reader, PATIENCE);
            round.assert_whole(size, &format!("{host}, {reader:?}"));
        }
    }
}

#[test]
fn downloads_around_the_rekey_limit_end_with_their_exit_status() {
    let bastion = often();
    for (size, host) in sizes().zip(HOSTS.into_iter().cycle()) {
        let mut head = ssh(&bastion, host, &format!("head -c {size} /dev/zero"));
        let head = head.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
        let output = head.wait_with_output().expect("ssh");
        let zeros = output.stdout.iter().all(|byte| *byte == 0);
        let whole = zeros && output.stdout.len() as u64 == size && output.status.success();
        assert!(whole, "{host}, {size}: {} bytes came; {:?}", output.stdout.len(), came(&output).err);
    }
}

#[test]
fn a_long_transfer_over_many_key_exchanges_is_whole_and_takes_little_memory() {
    let bastion = often();
    let size = scaled(128 * MIB);
    for (host, reader) in [(HOSTS[0], Reader::Slow), (HOSTS[1], Reader::Fast), (HOSTS[1], Reader::Slow)] {
        round_trip(ssh(&bastion, host, "cat"), size, 7, reader, PATIENCE)
            .assert_whole(size, &format!("{host}, {reader:?}"));
    }
    let peak = peak_memory(&bastion);
    assert!(peak < 64 * MIB, "{peak} bytes");
    bastion.verify();
}
