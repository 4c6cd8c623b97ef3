//! Many commands over one connection of the user's, and many connections at once.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use crate::support::bastion::{Bastion, came};
use crate::support::master::Master;
use crate::transfer::{MIB, Noise, PATIENCE, Reader, bastion, exits, peak_memory, round_trip, scaled};

/// `ssh` of alice through `master`.
fn ssh(bastion: &Bastion, master: &Master, host: &str, line: &str) -> Command {
    bastion.ssh("alice", &master.through(&[host, line]))
}

#[test]
fn a_thousand_commands_over_one_connection_each_return_their_own_exit_status() {
    let bastion = bastion("", "");
    let run = |(code, mut command): (i32, Command)| {
        let came = came(&command.output().expect("ssh"));
        ((came.code, came.err.as_str()) != (code, "")).then_some((code, came))
    };
    let fewer = if cfg!(debug_assertions) { 5 } else { 1 };
    for (host, commands) in [("here@bastion", 1000 / fewer), ("here.jea", 200 / fewer)] {
        let before = bastion.entries("command-finished").len();
        let master = Master::open(&bastion, "alice", host, &[]);
        let mut lanes: [Vec<(i32, Command)>; 4] = Default::default();
        for number in 0..commands {
            let code = i32::try_from(number % 124).expect("small");
            lanes[number % 4].push((code, ssh(&bastion, &master, host, &format!("dash {} {code}", exits()))));
        }
        let lanes = lanes.map(|lane| std::thread::spawn(move || lane.into_iter().filter_map(run).collect::<Vec<_>>()));
        let wrong: Vec<_> = lanes.into_iter().flat_map(|lane| lane.join().expect("a lane")).collect();
        assert!(wrong.is_empty(), "{host}: {} went wrong, such as {:#?}", wrong.len(), wrong.first());
        assert_eq!(bastion.entries("command-finished").len() - before, commands);
        let peak = peak_memory(&bastion);
        assert!(peak < 64 * MIB, "{host}: {peak} bytes");
    }
}

#[test]
fn a_command_that_reads_nothing_holds_up_no_neighbour_on_its_connection() {
    let bastion = bastion("", "");
    for host in ["web-1@bastion", "here@bastion", "web-1.jea"] {
        let master = Master::open(&bastion, "alice", host, &[]);
        let mut deaf = ssh(&bastion, &master, host, "sleep 600").stdin(Stdio::piped()).spawn().expect("ssh");
        let mut stdin = deaf.stdin.take().expect("stdin");
        // More than every buffer and window on the way takes, so all of it waits in the bastion.
        let sent = scaled(96 * MIB);
        let feeding = std::thread::spawn(move || {
            let fed = std::io::copy(&mut Noise::new(1).take(sent), &mut stdin).expect("the bastion takes everything");
            stdin.flush().expect("flushed");
            (fed, stdin)
        });
        for seed in 0..3 {
            let cat = ssh(&bastion, &master, host, "cat");
            let round = round_trip(cat, scaled(4 * MIB), seed, Reader::Fast, PATIENCE);
            round.assert_whole(scaled(4 * MIB), "beside a command that reads nothing");
        }
        let (fed, _open) = feeding.join().expect("the feeder");
        assert_eq!(fed, sent);
        assert!(deaf.try_wait().expect("its status").is_none(), "it still sleeps");
        let _ = deaf.kill();
        let _ = deaf.wait();
    }
    let peak = peak_memory(&bastion);
    assert!(peak < 64 * MIB, "{peak} bytes");
}

#[test]
fn uploads_on_several_channels_survive_key_exchanges() {
    let bastion = bastion("", "");
    let master = Master::open(&bastion, "alice", "here@bastion", &["-o", "RekeyLimit=4M"]);
    let size = scaled(48 * MIB);
    let lanes: Vec<_> = (0..6)
        .map(|seed| {
            let cat = ssh(&bastion, &master, "here@bastion", "cat");
            std::thread::spawn(move || round_trip(cat, size, seed, Reader::Fast, PATIENCE))
        })
        .collect();
    for lane in lanes {
        lane.join().expect("a lane").assert_whole(size, "one of six");
    }
}

#[test]
fn fifty_sessions_at_once_each_get_their_own_bytes_back() {
    let bastion = bastion("", "MaxStartups 100\n");
    let lanes: Vec<_> = (0..50_u64)
        .map(|seed| {
            let host = if seed % 2 == 0 { "web-1@bastion" } else { "here@bastion" };
            // One address may have forty connections that have not proved who they are yet.
            let from = format!("BindAddress=127.0.0.{}", 1 + seed % 4);
            let cat = bastion.ssh("alice", &["-o", &from, host, "cat"]);
            std::thread::spawn(move || round_trip(cat, 300_000 + seed, seed, Reader::Slow, PATIENCE))
        })
        .collect();
    for (lane, seed) in lanes.into_iter().zip(0..) {
        lane.join().expect("a lane").assert_whole(300_000 + seed, "one of fifty");
    }
    assert_eq!(bastion.entries("command-finished").len(), 50);
    bastion.verify();
}
