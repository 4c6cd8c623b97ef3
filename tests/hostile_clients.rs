//! Clients that mean harm: with a key that was taken away, in numbers, with more than anybody reads, in odd orders.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::net::TcpStream;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{ChannelOpenFailure, Error};
use sqlx::{Connection as _, Executor as _, SqliteConnection};
use support::bastion::{Bastion, Setup, came, eventually};

#[test]
fn a_key_that_was_taken_away_decides_nothing_over_an_open_connection() {
    let bastion = Bastion::start();
    let id = bastion.request("ops", "web-1", "30m");
    let socket = bastion.home().join("master");
    let control = format!("ControlPath={}", socket.display());
    let mut master = bastion.ssh("bob", &["-o", "ControlMaster=yes", "-o", &control, "-N", "bastion"]);
    let mut master = master.spawn().expect("ssh");
    eventually("the master connection", || socket.exists());
    let through = |line: &str| bastion.run("bob", &["-o", &control, "bastion", line]);
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
    let _ = master.kill();
    let _ = master.wait();
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

/// A client that trusts anybody.
struct Trusting;

impl client::Handler for Trusting {
    type Error = Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Error> {
        Ok(true)
    }
}

async fn connected(bastion: &Bastion, who: &str) -> Handle<Trusting> {
    let key = russh::keys::load_secret_key(bastion.home().join(who), None).expect("a key");
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect(config, ("127.0.0.1", bastion.port), Trusting).await.expect("connect");
    let proof = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(handle.authenticate_publickey(who, proof).await.expect("an answer").success());
    handle
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_channel_at_once_makes_no_room_for_more_than_the_cap() {
    let tables = "[limits]\nmax_channels = 3\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    let alice = connected(&bastion, "alice").await;
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
