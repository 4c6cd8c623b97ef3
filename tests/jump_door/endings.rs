//! What ends outside ends inside, and who proves nothing is closed.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::inside::{STDIO, channel, inner};
use crate::support::bastion::{Bastion, Setup, came, eventually};
use crate::support::client::proven;
use crate::support::master::Master;

/// Whether `sleep seconds` runs on this machine, where the targets are.
fn running(seconds: &str) -> bool {
    let found = Command::new("pgrep").args(["-fx", &format!("/usr/bin/sleep {seconds}")]).output();
    found.expect("pgrep").status.success()
}

/// A number of seconds that no other test sleeps.
fn seconds(more: u32) -> String {
    (1000 + (std::process::id() % 250) * 10 + more).to_string()
}

#[test]
fn a_revoked_grant_ends_its_command_inside() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    let nap = seconds(1);
    let mut ssh = bastion.ssh("alice", &["-J", "bastion", "web-1", &format!("sleep {nap}")]);
    let ssh = ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the command", || running(&nap));
    assert_eq!(bastion.run("bob", &["bastion", "revoke", &grant, "enough"]).code, 0);
    let ended = came(&ssh.wait_with_output().expect("ssh"));
    assert_eq!(ended.code, 124, "{ended:?}");
    eventually("its end on the target", || !running(&nap));
    bastion.verify();
}

#[test]
fn a_lost_connection_ends_what_runs_inside_it() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let nap = seconds(2);
    let mut master = Master::open(&bastion, "alice", "bastion", &[]);
    let proxy = master.proxy().to_owned();
    let mut ssh = bastion.ssh("alice", &["-o", &proxy, "web-1", &format!("sleep {nap}")]);
    let mut ssh = ssh.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ssh");
    eventually("the command", || running(&nap));
    // The connection outside is gone without a word.
    master.kill();
    eventually("its end on the target", || !running(&nap));
    eventually("its entry", || {
        bastion.entries("command-finished").iter().any(|entry| entry["data"]["ended_by"] == "client-gone")
    });
    let _ = ssh.kill();
    let _ = ssh.wait();
}

#[test]
fn the_end_of_the_bastion_ends_connections_inside_connections() {
    let mut bastion = Bastion::with(Setup { top: "drain = \"1s\"".to_owned(), ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    let nap = seconds(3);
    let mut ssh = bastion.ssh("alice", &["-J", "bastion", "web-1", &format!("sleep {nap}")]);
    let ssh = ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the command", || running(&nap));
    bastion.stop();
    let ended = came(&ssh.wait_with_output().expect("ssh"));
    assert_eq!(ended.code, 124, "{ended:?}");
    eventually("its end on the target", || !running(&nap));
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stalls_inside_is_closed_and_the_one_around_it_goes_on() {
    let tables = "[limits]\nhandshake_deadline = \"2s\"\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    let alice = proven(&bastion, "alice").await;
    // One says nothing at all, one stops before it proves anything.
    let mut silent = channel(&alice, "web-1", STDIO).await.expect("a channel");
    let unproven = inner(&alice, "web-1", ("127.0.0.1", 40000)).await;
    let closed = async { while silent.wait().await.is_some() {} };
    tokio::time::timeout(Duration::from_secs(60), closed).await.expect("the silent one is closed");
    for attempt in 0.. {
        if unproven.is_closed() {
            break;
        }
        assert!(attempt < 600, "the unproven one is still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let failed = |entry: &serde_json::Value| entry["target"] == "web-1";
    eventually("their entries", || {
        bastion.entries("authentication-failed").iter().filter(|entry| failed(entry)).count() == 2
    });
    assert!(alice.channel_open_session().await.is_ok(), "the connection around them goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_inside_that_we_close_gives_its_room_back() {
    let tables = "[limits]\nhandshake_deadline = \"2s\"\nmax_channels = 1\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    let alice = proven(&bastion, "alice").await;
    for _ in 0..3 {
        let mut silent = channel(&alice, "web-1", STDIO).await.expect("room for one");
        let closed = async { while silent.wait().await.is_some() {} };
        tokio::time::timeout(Duration::from_secs(60), closed).await.expect("the silent one is closed");
    }
}

#[test]
fn a_reload_that_takes_away_the_key_or_the_target_ends_what_runs_and_opens_nothing_more() {
    for what in ["key", "target"] {
        let bastion = Bastion::start();
        bastion.grant("ops", "web-1", "30m");
        let nap = seconds(if what == "key" { 4 } else { 5 });
        let master = Master::open(&bastion, "alice", "bastion", &[]);
        let jump = |line: &str| bastion.ssh("alice", &["-o", master.proxy(), "web-1", line]);
        let mut running_one = jump(&format!("sleep {nap}"));
        let running_one = running_one.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
        eventually("the command", || running(&nap));

        let (file, from, to) = match what {
            // The key was stolen: the operator enrols another one for alice, who stays a user.
            "key" => ("users.toml", blob(&bastion, "alice"), blob(&bastion, "mallory")),
            _ => ("targets.toml", "[web-1]".to_owned(), "[web-2]".to_owned()),
        };
        let path = bastion.dir().join(file);
        let text = std::fs::read_to_string(&path).expect("the file");
        assert!(text.contains(&from), "{text}");
        std::fs::write(&path, text.replace(&from, &to)).expect("the file");
        bastion.reload();

        let ended = came(&running_one.wait_with_output().expect("ssh"));
        assert_eq!(ended.code, 124, "{what}: {ended:?}");
        eventually("its end on the target", || !running(&nap));
        let refused = came(&jump("id -un").output().expect("ssh"));
        assert_eq!((refused.code, refused.out.as_str()), (255, ""), "{what}: {refused:?}");
        let told = |entry: &serde_json::Value| entry["data"]["what"] == "direct-tcpip to web-1:22";
        eventually("its entry", || bastion.entries("refused").iter().any(told));
        bastion.verify();
    }
}

/// The middle of a public key's line.
fn blob(bastion: &Bastion, who: &str) -> String {
    let line = std::fs::read_to_string(bastion.home().join(format!("{who}.pub"))).expect("a key");
    line.split_whitespace().nth(1).expect("a key").to_owned()
}
