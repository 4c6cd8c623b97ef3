//! Clients that mean harm: with a key that was taken away, in numbers, with more than anybody reads, in odd orders.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use russh::{ChannelOpenFailure, Error};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use support::bastion::{Bastion, Setup, came, eventually};
use support::client::{proven, proven_as, said};
use support::master::Master;

#[test]
fn a_key_that_was_taken_away_decides_nothing_over_an_open_connection() {
    let bastion = Bastion::start();
    let id = bastion.request("ops", "web-1", "30m");
    let master = Master::open(&bastion, "bob", "bastion", &[]);
    let through = |line: &str| bastion.run("bob", &master.through(&["bastion", line]));
    let pending = through("pending");
    let (_, digest) = pending.out.split_once(&format!("approve {id} ")).unwrap_or_else(|| panic!("{pending:?}"));
    let digest = digest.split_whitespace().next().expect("a digest");

    // bob's key was stolen: the operator enrols another one for him.
    let key = |who: &str| fs::read_to_string(bastion.home().join(format!("{who}.pub"))).expect("a key");
    let blob = |line: String| line.split_whitespace().nth(1).expect("a key").to_owned();
    let users = bastion.dir().join("users.toml");
    let text = fs::read_to_string(&users).expect("users");
    assert!(text.contains(&blob(key("bob"))));
    fs::write(&users, text.replace(&blob(key("bob")), &blob(key("mallory")))).expect("users");
    bastion.reload();

    for line in [&format!("approve {id} {digest}")[..], "pending", "whoami", "roles", "cert", "request ops", ""] {
        let refused = through(line);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{line}: {refused:?}");
        assert!(refused.err.starts_with("doorward: you are not enrolled here any more"), "{line}: {refused:?}");
    }
    let status = bastion.run("alice", &["bastion", &format!("status {id}")]);
    assert!(status.out.contains("waits for approval"), "{status:?}");
    assert!(bastion.entries("approved").is_empty());
    bastion.verify();
}

#[test]
fn a_network_that_was_taken_away_decides_nothing_and_opens_nothing_over_an_open_connection() {
    let bastion = Bastion::start();
    let master = Master::open(&bastion, "alice", "bastion", &[]);
    let jump = || bastion.run("alice", &["-o", master.proxy(), "web-1", "id -un"]);
    assert_eq!(bastion.run("alice", &master.through(&["bastion", "whoami"])).code, 0);
    assert_eq!(jump().code, 126, "answered, and nothing is held");

    let users = bastion.dir().join("users.toml");
    let text = fs::read_to_string(&users).expect("users");
    fs::write(&users, text.replacen("[alice]", "[alice]\nnetworks = [\"192.0.2.0/24\"]", 1)).expect("users");
    bastion.reload();
    for line in ["whoami", "request ops --on web-1 --no-wait --reason INC-1 more", ""] {
        let refused = bastion.run("alice", &master.through(&["bastion", line]));
        assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{line}: {refused:?}");
        assert!(
            refused.err.starts_with("doorward: you may not come from this address any more"),
            "{line}: {refused:?}"
        );
    }
    let refused = jump();
    assert_eq!((refused.code, refused.out.as_str()), (255, ""), "{refused:?}");
    assert!(bastion.entries("requested").is_empty());
    bastion.verify();
}

#[test]
fn a_stranger_who_says_nothing_keeps_nobody_else_out() {
    let bastion = Bastion::start();
    let silent: Vec<TcpStream> =
        (0..150).map(|_| TcpStream::connect(("127.0.0.1", bastion.port)).expect("connect")).collect();
    let came = bastion.run("alice", &["-o", "BindAddress=127.0.0.2", "bastion", "whoami"]);
    assert_eq!(came.code, 0, "{came:?}");
    drop(silent);
    eventually("room again", || bastion.run("alice", &["bastion", "whoami"]).code == 0);
}

#[test]
fn what_is_sent_to_a_waiting_verb_is_kept_nowhere() {
    const SENT: &str = "30M";
    let bastion = Bastion::start();
    let mut flood = std::process::Command::new("head");
    let mut flood = flood.args(["-c", SENT, "/dev/zero"]).stdout(Stdio::piped()).spawn().expect("head");
    let input = flood.stdout.take().expect("its output");
    let mut asking = bastion.ssh("alice", &["bastion", "request ops --on web-1 --reason INC-1 flood"]);
    let mut asking = asking.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the request", || bastion.entries("requested").len() == 1);
    assert!(flood.wait().expect("head").success());
    // Everything has left `head`; give the last window time to arrive.
    std::thread::sleep(Duration::from_millis(500));
    let open = fs::read_dir(format!("/proc/{}/fd", bastion.pid())).expect("its files");
    let spilled: u64 = open
        .flatten()
        .filter(|file| fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().ends_with("(deleted)")))
        .filter_map(|file| fs::metadata(file.path()).ok())
        .map(|file| file.len())
        .sum();
    assert_eq!(spilled, 0, "bytes wait in files for a verb that reads nothing");
    assert!(asking.try_wait().expect("its status").is_none(), "it still waits for an approver");
    let _ = asking.kill();
    let _ = came(&asking.wait_with_output().expect("ssh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_channel_at_once_makes_no_room_for_more_than_the_cap() {
    let tables = "[limits]\nmax_channels = 3\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    let alice = proven(&bastion, "alice").await;
    // While somebody else writes to the database, what alice asks for takes its time.
    let database = format!("sqlite://{}", bastion.dir().join("state/doorward.db").display());
    let mut other = SqliteConnection::connect(&database).await.expect("the database");
    other.execute("BEGIN IMMEDIATE").await.expect("a lock");
    for _ in 0..3 {
        let channel = alice.channel_open_session().await.expect("a channel");
        channel.exec(false, "request ops --on web-1 --no-wait --reason INC-1 more").await.expect("sent");
        channel.close().await.expect("sent");
    }
    let fourth = alice.channel_open_session().await.map(|_| ());
    assert!(matches!(fourth, Err(Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage))), "{fourth:?}");
    other.execute("ROLLBACK").await.expect("the end");
    for attempt in 0.. {
        if alice.channel_open_session().await.is_ok() {
            break;
        }
        assert!(attempt < 100, "its room was never given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_leaves_room_for_whoever_stops_them() {
    let bastion = Bastion::with(Setup { tables: "[limits]\nmax_sessions = 4\n".to_owned(), ..Setup::default() });
    let (first, second) = (proven(&bastion, "alice").await, proven(&bastion, "alice").await);
    let third = bastion.run("alice", &["bastion", "whoami"]);
    assert_eq!(third.code, 255, "{third:?}");
    assert_eq!(bastion.run("bob", &["bastion", "whoami"]).code, 0);
    let told = |entry: &serde_json::Value| entry.to_string().contains("too many connections");
    eventually("an entry", || bastion.entries("authentication-failed").iter().any(told));
    drop((first, second));
    eventually("room again", || bastion.run("alice", &["bastion", "whoami"]).code == 0);
}

/// `yes`, which writes for ever.
const FLOOD: &str = r#"
description = "Writes for ever"
targets     = ["web-1", "here"]
run_as      = "ops"
[request]
eligible     = ["user:alice"]
approvers    = ["user:bob"]
max_duration = "1h"
[[command]]
run = "/usr/bin/yes {word}"
where.word = { pattern = '[a-z0-9]+' }
max_output = 1073741824
"#;

#[test]
fn a_client_that_reads_nothing_does_not_keep_its_command() {
    let roles = vec![("ops".to_owned(), FLOOD.to_owned())];
    let bastion = Bastion::with(Setup { roles, ..Setup::default() });
    for target in ["web-1", "here"] {
        let grant = bastion.grant("ops", target, "30m");
        let word = format!("flood{}{}", std::process::id(), target.len());
        let running = || {
            let output = std::process::Command::new("pgrep").args(["-fx", &format!("/usr/bin/yes {word}")]).output();
            output.expect("pgrep").status.success()
        };
        let mut ssh = bastion.ssh("alice", &[&format!("{target}@bastion"), &format!("yes {word}")]);
        let mut ssh = ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
        eventually("the flood", running);
        let pid = nix::unistd::Pid::from_raw(i32::try_from(ssh.id()).expect("a number"));
        nix::sys::signal::kill(pid, nix::sys::signal::SIGSTOP).expect("stopped");
        // Every window on the way is full by now, or soon.
        std::thread::sleep(Duration::from_secs(1));
        let before = bastion.entries("command-finished").len();
        let revoked = bastion.run("bob", &["bastion", "revoke", &grant, "flood"]);
        assert_eq!(revoked.code, 0, "{revoked:?}");
        eventually("its end on the target", || !running());
        eventually("its entry", || bastion.entries("command-finished").len() > before);
        let _ = ssh.kill();
        let _ = ssh.wait();
    }
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_odd_orders_end_with_an_exit_code() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let control = proven(&bastion, "alice").await;
    let target = proven_as(&bastion, "alice", "web-1").await;

    // The end of the input before the command that reads it.
    let mut channel = target.channel_open_session().await.expect("a channel");
    channel.eof().await.expect("sent");
    channel.exec(true, "cat").await.expect("sent");
    assert_eq!(said(&mut channel).await, (vec![true], Some(0)));

    // A second program, a terminal after the first one, things that are not served, input for a verb.
    for handle in [&control, &target] {
        let mut channel = handle.channel_open_session().await.expect("a channel");
        channel.request_subsystem(true, "sftp").await.expect("sent");
        channel.set_env(true, "LD_PRELOAD", "/tmp/x.so").await.expect("sent");
        channel.request_x11(true, false, "MIT-MAGIC-COOKIE-1", "00", 0).await.expect("sent");
        channel.exec(true, "id -un").await.expect("sent");
        channel.exec(true, "sleep 600").await.expect("sent");
        channel.request_shell(true).await.expect("sent");
        channel.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.expect("sent");
        let (replies, exit) = said(&mut channel).await;
        // The later ones may meet a channel that is closed already.
        assert_eq!(replies.get(..4), Some(&[false, false, false, true][..]), "{replies:?}");
        assert!(replies.iter().skip(4).all(|granted| !granted), "{replies:?}");
        assert!(exit == Some(0) || exit == Some(2), "{exit:?}");
    }
    assert_eq!(bastion.entries("command-allowed").len(), 2, "cat and id, and nothing else");

    // No other kind of channel.
    let refused = control.channel_open_direct_tcpip("127.0.0.1", u32::from(bastion.sshd.port), "127.0.0.1", 1).await;
    assert!(matches!(refused.map(|_| ()), Err(Error::ChannelOpenFailure(_))));
    let refused = control.channel_open_direct_streamlocal("/run/x").await;
    assert!(matches!(refused.map(|_| ()), Err(Error::ChannelOpenFailure(_))));
    assert!(control.tcpip_forward("0.0.0.0", 0).await.is_err());
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.verify();
}

#[test]
fn strangers_do_not_fill_the_log() {
    let bastion = Bastion::start();
    // The harness's own look at the port.
    let before = bastion.eventual_entries("authentication-failed", 1).len();
    for _ in 0..40 {
        let knocks: Vec<TcpStream> =
            (0..10).map(|_| TcpStream::connect(("127.0.0.1", bastion.port)).expect("connect")).collect();
        std::thread::sleep(Duration::from_millis(5));
        drop(knocks);
    }
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0);
    eventually("their entries", || bastion.entries("authentication-failed").len() - before >= 100);
    bastion.caught_up();
    let entries = bastion.entries("authentication-failed").len() - before;
    assert!(entries <= 130, "{entries} entries of 400 strangers");
    bastion.verify();
}

#[test]
fn who_waits_for_an_approver_does_not_hold_up_the_end() {
    let mut bastion = Bastion::start();
    let mut asking = bastion.ssh("alice", &["bastion", "request ops --on web-1 --reason INC-1 wait"]);
    let asking = asking.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the request", || bastion.entries("requested").len() == 1);
    let began = std::time::Instant::now();
    bastion.stop();
    // Less than what runs would get (`drain`).
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
    let came = came(&asking.wait_with_output().expect("ssh"));
    assert_eq!(came.code, 4, "{came:?}");
    assert!(came.err.contains("still waits"), "{came:?}");
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_opens_so_many_channels_and_no_more() {
    let tables = "[limits]\nmax_channels_in_all = 64\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    let alice = proven(&bastion, "alice").await;
    for number in 0..64 {
        // Those to targets count too, also the ones that are refused.
        if number % 2 == 0 {
            let opened = alice.channel_open_direct_tcpip("nowhere", 22, "127.0.0.1", 65535).await.map(|_| ());
            let refused =
                matches!(opened, Err(Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)));
            assert!(refused, "{number}: {opened:?}");
        } else {
            let mut channel = alice.channel_open_session().await.expect("a channel");
            channel.exec(true, "whoami").await.expect("sent");
            assert_eq!(said(&mut channel).await.1, Some(0), "{number}");
        }
    }
    let more = [
        alice.channel_open_session().await.map(|_| ()),
        alice.channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 65535).await.map(|_| ()),
    ];
    for opened in more {
        let short = matches!(opened, Err(Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage)));
        assert!(short, "{opened:?}");
    }
    let told = |entry: &serde_json::Value| entry.to_string().contains("more than 64 channels one after the other");
    eventually("an entry", || bastion.entries("refused").iter().any(told));
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0, "another connection is answered");
}
