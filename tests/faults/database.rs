//! A database that is locked, or holds what doorward never wrote.

use std::process::Stdio;
use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::support::bastion::{Bastion, ROLE, Setup, came, eventually};
use crate::support::client::proven;

async fn database(bastion: &Bastion) -> SqliteConnection {
    let path = format!("sqlite://{}", bastion.dir().join("state/doorward.db").display());
    SqliteConnection::connect(&path).await.expect("the database")
}

/// A role for dave alone, which nobody approves.
fn for_dave() -> (String, String) {
    let role = ROLE.replace("user:alice", "user:dave").replace("approvals    = 1", "approvals    = 0");
    ("look".to_owned(), role.replace("approvers    = [\"user:bob\"]\n", ""))
}

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_locks_the_database_verbs_say_so_and_commands_go_on() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    let mut other = database(&bastion).await;
    other.execute("BEGIN IMMEDIATE").await.expect("a lock");
    for (who, line) in [
        ("alice", "request ops --on web-1 --no-wait --reason INC-1 more".to_owned()),
        ("bob", format!("revoke {grant} now")),
        ("alice", format!("done {grant}")),
    ] {
        let refused = bastion.run(who, &["bastion", &line]);
        assert_eq!(refused.code, 4, "{line}: {refused:?}");
        assert!(refused.err.contains("database does not work now"), "{line}: {refused:?}");
    }
    assert!(bastion.server_log().contains("another process holds it locked"), "{}", bastion.server_log());
    // What only reads goes on: nothing was taken away, so nothing is.
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    other.execute("ROLLBACK").await.expect("the end");
    assert_eq!(bastion.run("bob", &["bastion", &format!("revoke {grant} now")]).code, 0);
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
    bastion.caught_up();
    assert_eq!(bastion.entries("ended").len(), 1, "the refused ones left nothing behind");
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_gives_nothing_ends_what_runs_on_it_and_stops_nobody_else() {
    let roles = vec![("ops".to_owned(), ROLE.to_owned()), for_dave()];
    let bastion = Bastion::with(Setup { roles, ..Setup::default() });
    let grant = bastion.grant("ops", "web-1", "30m");
    let asked = bastion.run("dave", &["bastion", "request look --on web-1 --no-wait --reason INC-1 look"]);
    assert_eq!(asked.code, 0, "{asked:?}");
    let mut sleeping = bastion.ssh("alice", &["web-1@bastion", "sleep 3599"]);
    let sleeping = sleeping.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the sleep", || {
        let running = std::process::Command::new("pgrep").args(["-fx", "/usr/bin/sleep 3599"]).output();
        running.expect("pgrep").status.success()
    });

    let mut other = database(&bastion).await;
    other.execute("UPDATE requests SET document = '{}' WHERE user_name = 'alice'").await.expect("changed");
    let began = Instant::now();
    // At the target door it is an outage, not a denial, and not a verb.
    let refused = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((refused.code, refused.out.as_str()), (125, ""), "{refused:?}");
    assert_eq!(refused.err, "doorward: not run: the bastion's database does not work now; tell its operator\n");
    // Which targets there are is not said meanwhile.
    let elsewhere = bastion.run("alice", &["no-such-target@bastion", "id -un"]);
    assert_eq!((elsewhere.code, &elsewhere.err), (125, &refused.err), "{elsewhere:?}");
    assert!(bastion.server_log().contains("is not what doorward wrote"), "{}", bastion.server_log());
    // The row cannot be changed to anything that doorward would stand by.
    let revoked = bastion.run("bob", &["bastion", &format!("revoke {grant} damaged")]);
    assert_eq!(revoked.code, 4, "{revoked:?}");
    // Others go on.
    let others = bastion.run("dave", &["web-1@bastion", "id -un"]);
    assert_eq!(others.code, 0, "{others:?}");
    let done = bastion.run("dave", &["bastion", "done"]);
    assert_eq!(done.code, 0, "{done:?}");
    // What runs under a grant that cannot be read any more ends after half a minute.
    let ended = tokio::task::spawn_blocking(move || came(&sleeping.wait_with_output().expect("ssh")));
    let ended = tokio::time::timeout(Duration::from_secs(90), ended).await.expect("it ends").expect("a thread");
    assert_eq!(ended.code, 124, "{ended:?}");
    assert!(ended.err.contains("could not check your grant"), "{ended:?}");
    assert!(began.elapsed() > Duration::from_secs(20), "a moment without the database ends nothing");
    bastion.verify();
}

#[test]
fn a_database_that_is_gone_at_the_start_gives_nothing_and_is_missed() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    assert!(!bastion.server_log().contains("is empty now"), "the first start of all is no loss");
    bastion.stop();
    let (path, aside) = (bastion.dir().join("state/doorward.db"), bastion.dir().join("state/aside.db"));
    std::fs::rename(&path, &aside).expect("rename");
    bastion.serve();
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
    let said = bastion.server_log();
    assert!(said.contains("doorward.db was not there and is empty now"), "{said}");
    bastion.stop();
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    std::fs::rename(&aside, &path).expect("rename");
    bastion.serve();
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0, "restored");
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_connections_refusals_fifty_are_logged_and_the_rest_are_counted() {
    let bastion = Bastion::start();
    let alice = proven(&bastion, "alice").await;
    for number in 0..120 {
        let refused = alice.channel_open_direct_streamlocal(format!("/run/{number}")).await;
        assert!(refused.is_err(), "{number}");
    }
    let _ = alice.disconnect(russh::Disconnect::ByApplication, "", "").await;
    drop(alice);
    let counted = |entry: &serde_json::Value| entry["data"]["refusals_left_out"] == 70;
    eventually("the count", || bastion.entries("disconnected").iter().any(counted));
    bastion.caught_up();
    assert_eq!(bastion.entries("refused").len(), 50);
    bastion.verify();
}
