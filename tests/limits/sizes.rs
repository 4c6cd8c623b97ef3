//! How much one request, one line, one queue and the waiting input may be.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use russh::{ChannelMsg, Pty};

use crate::client::limited;
use crate::support::bastion::{Bastion, PATIENCE, ROLE, Setup, came, eventually};
use crate::support::client::proven;

#[test]
fn a_line_may_be_so_long() {
    let bastion = limited("max_line_bytes = 256");
    bastion.grant("ops", "web-1", "30m");
    let line = |length: usize| format!("printf {}", "x".repeat(length - 7));
    let fits = bastion.run("alice", &["web-1@bastion", &line(100)]);
    assert_eq!((fits.code, fits.out.len()), (0, 93), "{fits:?}");
    let denied = bastion.run("alice", &["web-1@bastion", &line(256)]);
    assert!(denied.code == 126 && denied.err.contains("printf"), "read, and denied by the rule: {denied:?}");
    for host in ["web-1@bastion", "bastion"] {
        let before = bastion.entries("refused").len();
        let long = bastion.run("alice", &[host, &line(257)]);
        assert_eq!(long.code, 126, "{long:?}");
        assert!(long.err.contains("a line of 257 bytes, and at most 256 are read"), "{long:?}");
        eventually("its entry", || bastion.entries("refused").len() == before + 1);
    }
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn any_other_request_may_be_so_long() {
    let bastion = limited("max_request_bytes = 600");
    let terminal = bastion.run("alice", &["-tt", "bastion", "whoami"]);
    assert!(terminal.code == 0 && !terminal.err.contains("PTY"), "the stock client's is shorter: {terminal:?}");
    let alice = proven(&bastion, "alice").await;
    let modes: Vec<(Pty, u32)> = vec![(Pty::ECHO, 1); 120];
    for (term, modes, granted) in [("xterm", &[][..], true), (&"x".repeat(601), &[], false), ("xterm", &modes, false)] {
        let mut channel = alice.channel_open_session().await.expect("a channel");
        channel.request_pty(true, term, 80, 24, 0, 0, modes).await.expect("sent");
        let answer = tokio::time::timeout(PATIENCE, channel.wait()).await.expect("an answer");
        assert_eq!(matches!(answer, Some(ChannelMsg::Success)), granted, "{} {}: {answer:?}", term.len(), modes.len());
    }
    eventually("an entry each", || bastion.entries("refused").len() == 2);
}

#[test]
fn a_short_queue_loses_nothing() {
    let bastion = limited("channel_queue = 1");
    bastion.grant("ops", "web-1", "30m");
    let sent: Vec<u8> = (0..400_000_u32).map(|n| u8::try_from(n % 251).expect("a byte")).collect();
    let mut ssh = bastion.ssh("alice", &["web-1@bastion", "cat"]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ssh");
    let (mut input, bytes) = (ssh.stdin.take().expect("its input"), sent.clone());
    let writing = std::thread::spawn(move || input.write_all(&bytes).expect("written"));
    let output = ssh.wait_with_output().expect("ssh");
    writing.join().expect("written");
    assert!(output.status.success() && output.stdout == sent, "{} of {} bytes", output.stdout.len(), sent.len());
}

#[test]
fn one_user_has_so_many_requests_waiting() {
    let tables = "[requests]\npending_per_user = 2\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    bastion.request("ops", "web-1", "30m");
    bastion.request("ops", "web-1", "30m");
    let third = bastion.run("alice", &["bastion", "request ops --on web-1 --no-wait --reason INC-1 more"]);
    assert!(third.code != 0 && third.err.contains('2'), "{third:?}");
    assert_eq!(bastion.entries("requested").len(), 2);
}

/// A bastion where alice and dave may run what reads nothing, on the local target.
fn deaf(limits: &str) -> Bastion {
    let role = ROLE
        .replace("[\"user:alice\"]", "[\"user:alice\", \"user:dave\"]")
        .replace("approvals    = 1", "approvals = 0");
    let role = role.replace("approvers    = [\"user:bob\"]\n", "");
    let role = format!(
        "{role}\n[[command]]\nrun = \"/usr/bin/sleep {{seconds}} 1\"\nwhere.seconds = {{ int = [1, 3600] }}\nstdin = true\ntimeout = \"1h\"\n"
    );
    let (roles, tables) = (vec![("ops".to_owned(), role)], format!("[limits]\n{limits}\n"));
    let bastion = Bastion::with(Setup { roles, tables, ..Setup::default() });
    for who in ["alice", "dave"] {
        let given = bastion.run(who, &["bastion", "request ops --on here --reason INC-1 deaf"]);
        assert_eq!(given.code, 0, "{given:?}");
    }
    bastion
}

/// Sends 2 MiB to a command of `who` that reads nothing: what the target does not take, about 1.4 MiB, waits.
fn sending(bastion: &Bastion, who: &str) -> Child {
    let mut head = std::process::Command::new("head");
    let mut head = head.args(["-c", "2M", "/dev/zero"]).stdout(Stdio::piped()).spawn().expect("head");
    let input = head.stdout.take().expect("its output");
    let mut ssh = {
        // Gone before the wait: it holds our end of the pipe, and `head` would never learn that ssh has ended.
        let mut command = bastion.ssh(who, &["here@bastion", "sleep 600 1"]);
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh")
    };
    // Whether all of it was sent, or ssh has ended before, is what follows.
    head.wait().expect("head");
    let patience = Instant::now();
    while ssh.try_wait().expect("its status").is_none() && written_by(ssh.id()) < 2 * 1024 * 1024 {
        assert!(patience.elapsed() < PATIENCE, "{} bytes are on their way", written_by(ssh.id()));
        std::thread::sleep(Duration::from_millis(50));
    }
    // From the socket into the queue.
    std::thread::sleep(Duration::from_millis(500));
    ssh
}

/// Bytes that a process has written, to sockets too.
fn written_by(process: u32) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    io.lines().find_map(|line| line.strip_prefix("wchar: ")).and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// Bytes in files without a name.
fn spilled(bastion: &Bastion) -> u64 {
    let open = std::fs::read_dir(format!("/proc/{}/fd", bastion.pid())).expect("its files");
    let nameless = open
        .flatten()
        .filter(|file| std::fs::read_link(file.path()).is_ok_and(|to| to.to_string_lossy().ends_with("(deleted)")));
    nameless.filter_map(|file| std::fs::metadata(file.path()).ok()).map(|file| file.len()).sum()
}

#[test]
fn input_that_waits_is_bounded_for_a_command_a_user_and_all() {
    // The key that is tried, the limits, who sends one after the other, and whether the last one is ended.
    let rows: [(&str, &str, &[&str], bool); 4] = [
        ("no cap", "input_mib = 4\ninput_per_user_mib = 4", &["alice", "alice"], false),
        ("a command", "input_per_command_mib = 1", &["alice"], true),
        ("a user", "input_mib = 4\ninput_per_user_mib = 2", &["dave", "alice", "alice"], true),
        ("all", "input_mib = 2\ninput_per_user_mib = 2", &["dave", "alice"], true),
    ];
    for (key, limits, senders, ended) in rows {
        let bastion = deaf(limits);
        let mut running: Vec<Child> = senders.iter().map(|who| sending(&bastion, who)).collect();
        let last = running.pop().expect("the last one");
        let mut last = last;
        if ended {
            let came = came(&last.wait_with_output().expect("ssh"));
            assert_eq!(came.code, 124, "{key}: {came:?}");
            eventually("its entry", || {
                let entries = bastion.entries("command-finished");
                entries.iter().any(|entry| entry.to_string().contains("input-overflow"))
            });
        } else {
            assert!(last.try_wait().expect("its status").is_none(), "{key}");
            let _ = last.kill();
            let _ = last.wait();
        }
        for mut child in running {
            assert!(child.try_wait().expect("its status").is_none(), "{key}: the others go on");
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn input_waits_in_memory_to_the_mark_and_in_files_beyond() {
    for (limits, in_files) in [("input_memory_kib = 64", true), ("input_memory_kib = 8192", false)] {
        let bastion = deaf(limits);
        let mut ssh = sending(&bastion, "alice");
        if in_files {
            eventually("files", || spilled(&bastion) > 0);
        } else {
            assert_eq!(spilled(&bastion), 0);
        }
        let _ = ssh.kill();
        let _ = ssh.wait();
    }
}
