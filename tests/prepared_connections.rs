//! The bastion prepares a connection to the target while the client still says what to run, only for a target of an active grant,
//! and the log says when nobody used it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use support::bastion::{Bastion, Setup, eventually};

fn connections(bastion: &Bastion) -> usize {
    bastion.sshd.log().matches("Connection from ").count()
}

fn unused(bastion: &Bastion) -> usize {
    bastion.entries("target-connection-unused").len()
}

fn runs(bastion: &Bastion, arguments: &[&str]) {
    let came = bastion.run("alice", &[arguments, &["web-1@bastion", "printf", "ran"]].concat());
    assert_eq!((came.code, came.out.as_str()), (0, "ran"), "{came:?}");
}

#[test]
fn a_login_for_a_target_prepares_a_connection_that_its_command_takes() {
    let bastion = Bastion::start();
    let denied = bastion.run("alice", &["web-1@bastion", "printf", "ran"]);
    assert_eq!((denied.code, connections(&bastion)), (126, 0), "no grant, no connection: {denied:?}");
    let grant = bastion.grant("ops", "web-1", "10m");
    assert_eq!(connections(&bastion), 0, "the control door prepares nothing");
    let taken = || bastion.server_log().matches("a command took the prepared connection").count();
    // On a machine that is very busy a command may come before its connection was begun. Not every time.
    let mut commands = 0;
    while taken() == 0 && commands < 10 {
        runs(&bastion, &[]);
        commands += 1;
    }
    eventually("a command with a prepared connection", || taken() > 0);
    eventually("the end of those that were begun too late", || connections(&bastion) == commands + unused(&bastion));
    // A connection of the client that stays has one for each of its commands.
    let control = format!("ControlPath={}/mux-%C", bastion.home().display());
    let master = ["-o", "ControlMaster=auto", "-o", "ControlPersist=20", "-o", &control];
    let (before, mut more) = (taken(), 0);
    while taken() < before + 2 && more < 10 {
        runs(&bastion, &master);
        more += 1;
    }
    let _ = bastion.ssh("alice", &["-o", &control, "-O", "exit", "web-1@bastion"]).output();
    eventually("two commands of one connection", || taken() >= before + 2);
    bastion.caught_up();
    let logins = bastion.entries("connection").iter().filter(|entry| entry["data"]["login"] == "web-1").count();
    assert_eq!(logins, 1 + commands + 1, "all of these were commands of one connection");
    // Given back: nothing is prepared any more.
    let came = bastion.run("alice", &["bastion", &format!("done {grant}")]);
    assert_eq!(came.code, 0, "{came:?}");
    let before = connections(&bastion);
    let denied = bastion.run("alice", &["web-1@bastion", "printf", "ran"]);
    assert_eq!((denied.code, connections(&bastion)), (126, before), "{denied:?}");
    bastion.verify();
}

#[test]
fn one_that_no_command_used_is_closed_and_logged_and_the_setting_switches_it_off() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let denied = bastion.run("alice", &["web-1@bastion", "reboot"]);
    assert_eq!(denied.code, 126, "{denied:?}");
    eventually("the entry", || unused(&bastion) == 1);
    let entry = bastion.entries("target-connection-unused").remove(0);
    assert_eq!((&entry["user"], &entry["target"]), (&"alice".into(), &"web-1".into()), "{entry}");
    assert!(!bastion.sshd.log().contains("Accepted"), "nobody logged in: {}", bastion.sshd.log());
    assert_eq!(connections(&bastion), 1);
    bastion.verify();

    let setup = Setup { top: "prepared_connections = 0\n".to_owned(), ..Setup::default() };
    let without = Bastion::with(setup);
    without.grant("ops", "web-1", "10m");
    runs(&without, &[]);
    assert_eq!(connections(&without), 1);
    assert!(!without.server_log().contains("prepared"), "{}", without.server_log());
}
