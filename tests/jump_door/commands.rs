//! Commands through it.

use std::io::Write as _;
use std::process::Stdio;

use crate::support::bastion::{Bastion, came};

/// The words for a command of alice's through the jump door.
fn jump<'a>(host: &'a str, line: &'a str) -> [&'a str; 4] {
    ["-J", "bastion", host, line]
}

#[test]
fn a_command_runs_with_its_own_output_error_and_exit_code() {
    let bastion = Bastion::start();
    let denied = bastion.run("alice", &jump("web-1", "id -un"));
    assert_eq!(denied.code, 126, "{denied:?}");
    assert!(denied.err.contains("request ops --on web-1"), "{denied:?}");
    bastion.grant("ops", "web-1", "30m");
    let ran = bastion.run("alice", &jump("web-1", "id -un"));
    assert_eq!((ran.code, ran.out.trim(), ran.err.as_str()), (0, &*crate::support::sshd::own_account(), ""), "{ran:?}");
    // With the suffix, ssh finds the bastion by itself.
    let ran = bastion.run("alice", &["web-1.jea", "printf two"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "two", ""), "{ran:?}");
    let missing = bastion.run("alice", &["web-1.jea", "ls /nowhere/there"]);
    assert_eq!((missing.code, missing.out.as_str()), (2, ""), "{missing:?}");
    assert!(missing.err.starts_with("/usr/bin/ls: "), "{missing:?}");

    let entries = bastion.entries("forward");
    assert_eq!(entries.len(), 4, "{entries:?}");
    for entry in &entries {
        let told = (&entry["user"], &entry["target"], &entry["data"]["originator"], &entry["data"]["proof"]);
        assert_eq!(told, (&"alice".into(), &"web-1".into(), &"127.0.0.1:65535".into(), &"none".into()), "{entry}");
        assert!(
            entry["data"]["client"].as_str().is_some_and(|client| client.starts_with("SSH-2.0-OpenSSH")),
            "{entry}"
        );
    }
    // One connection, one session: what ran inside belongs to the connection that was proved.
    let sessions = |kind| bastion.entries(kind).iter().map(|entry| entry["session"].clone()).collect::<Vec<_>>();
    assert!(sessions("command-allowed").iter().all(|session| sessions("connection").contains(session)));
    bastion.verify();
}

#[test]
fn input_reaches_the_program_and_what_it_says_after_the_end_of_it_comes_back() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let sent: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut ssh = bastion.ssh("alice", &jump("web-1", "cat"));
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    let mut input = ssh.stdin.take().expect("its input");
    let writing = std::thread::spawn({
        let sent = sent.clone();
        move || input.write_all(&sent)
    });
    let output = ssh.wait_with_output().expect("ssh");
    writing.join().expect("the writer").expect("written");
    assert!(output.stdout == sent, "{} of {} bytes, {:?}", output.stdout.len(), sent.len(), came(&output).err);
    assert_eq!(output.status.code(), Some(0));
}
