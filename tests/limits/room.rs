//! Whose connections there is room for, and what is left when there are no descriptors.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::client::{descriptors, failed_because, is_closed, knock, limited};
use crate::support::bastion::{Bastion, Setup, eventually, is_root};
use crate::support::client::proven;

fn source(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, number)
}

/// Waits until exactly these of `streams` are closed.
fn eventually_closed(streams: &mut [TcpStream], closed: &[bool]) {
    let mut found = Vec::new();
    for _ in 0..500 {
        found = streams.iter_mut().map(is_closed).collect();
        if found == closed {
            return;
        }
    }
    panic!("{found:?} are closed instead of {closed:?}");
}

#[test]
fn a_newcomer_replaces_who_got_no_further_for_the_longest() {
    let bastion = limited("handshake_deadline = \"10m\"\nmax_unproven = 6\nmax_unproven_per_source = 3");
    eventually("room", || bastion.run("alice", &["bastion", "whoami"]).code == 0);
    let knock = |number: u8| {
        let stream = knock(source(number), bastion.port);
        std::thread::sleep(std::time::Duration::from_millis(50));
        stream
    };
    let mut silent: Vec<TcpStream> = (0..4).map(|_| knock(2)).collect();
    eventually_closed(&mut silent, &[true, false, false, false]);
    silent.extend((0..3).map(|_| knock(3)));
    eventually_closed(&mut silent, &[true, false, false, false, false, false, false]);
    // The room is full; two sources have the most, and the older of them pays.
    silent.push(knock(4));
    eventually_closed(&mut silent, &[true, true, false, false, false, false, false, false]);
    // Nobody waits for the ten minutes: alice comes in, again and again.
    for _ in 0..3 {
        assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0);
    }
    let said = bastion.server_log();
    assert!(said.contains("have not proved who they are"), "{said}");
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_take_no_sessions_and_users_take_no_more_than_theirs() {
    let bastion = limited("max_sessions = 2\nmax_sessions_per_user = 1\nhandshake_deadline = \"10m\"");
    let strangers: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(("127.0.0.1", bastion.port)).expect("connect")).collect();
    let (alice, bob) = (proven(&bastion, "alice").await, proven(&bastion, "bob").await);
    for (who, reason) in [("alice", "too many connections"), ("carol", "as many sessions as max_sessions allows")] {
        assert_eq!(bastion.run(who, &["bastion", "whoami"]).code, 255, "{who}");
        eventually("its entry", || failed_because(&bastion, reason));
    }
    drop(alice);
    eventually("room", || bastion.run("carol", &["bastion", "whoami"]).code == 0);
    drop((bob, strangers));
}

#[test]
fn without_descriptors_what_runs_goes_on_and_afterwards_everybody_comes_in_again() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let mut running = bastion.ssh("alice", &["web-1@bastion", "cat"]);
    let mut running = running.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ssh");
    let mut input = running.stdin.take().expect("its input");
    let mut output = BufReader::new(running.stdout.take().expect("its output"));
    let mut line = String::new();
    writeln!(input, "it runs").expect("written");
    output.read_line(&mut line).expect("read");
    // What a limit of the system would do, below anything that the bastion could have planned for.
    let limit = |most: usize| {
        let (pid, most) = (bastion.pid().to_string(), format!("--nofile={most}:"));
        let mut prlimit = Command::new("prlimit");
        if is_root() {
            // As the one whose process it is: to set another's limits even root may need more than it has.
            prlimit.uid(65534).gid(65534);
        }
        assert!(prlimit.args(["--pid", &pid, &most]).status().expect("prlimit").success());
    };
    limit(descriptors(&bastion) + 5);
    let strangers: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(("127.0.0.1", bastion.port)).expect("connect")).collect();
    eventually("the line for the operator", || bastion.server_log().contains("cannot accept"));
    writeln!(input, "still here").expect("written");
    drop(input);
    output.read_to_string(&mut line).expect("read");
    let ended = running.wait().expect("ssh");
    assert!(ended.success() && line == "it runs\nstill here\n", "{ended:?} {line:?}");
    drop(strangers);
    eventually("a login", || bastion.run("alice", &["bastion", "whoami"]).code == 0);
    limit(1024);
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.verify();
}

#[test]
fn strangers_leave_descriptors_for_what_users_do() {
    let most = Arc::new(AtomicU64::new(260));
    let allowed = Arc::clone(&most);
    let wrap = move |command: Command| {
        let number = allowed.load(Ordering::Relaxed);
        let mut wrapped = Command::new("prlimit");
        wrapped.arg(format!("--nofile={number}:{number}")).arg(command.get_program()).args(command.get_args());
        wrapped
    };
    let tables = "[limits]\nhandshake_deadline = \"10m\"\n".to_owned();
    let mut bastion = Bastion::with(Setup { wrap: Box::new(wrap), tables, ..Setup::default() });
    let said = bastion.server_log();
    assert!(said.contains("260 files may be open") && said.contains("for lack of descriptors"), "{said}");
    bastion.grant("ops", "web-1", "30m");
    let strangers: Vec<TcpStream> = (0..=255_u8).map(|n| knock(source(n.max(2)), bastion.port)).collect();
    for _ in 0..3 {
        let came = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!(came.code, 0, "{came:?}");
    }
    assert!(descriptors(&bastion) < 260 - 50, "{} are open", descriptors(&bastion));
    assert!(!bastion.server_log().contains("cannot accept"));
    drop(strangers);
    bastion.verify();
    bastion.stop();
    most.store(100, Ordering::Relaxed);
    let said = bastion.serve_refused();
    assert!(said.contains("only 100 files may be open") && said.contains("LimitNOFILE="), "{said}");
}
