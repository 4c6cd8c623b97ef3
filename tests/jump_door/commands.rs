//! Commands through it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::bastion::{Bastion, Setup, came};
use crate::support::master::Master;

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

    let entries = bastion.eventual_entries("forward", 4);
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

#[test]
fn commands_over_one_connection_keep_apart() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    for (place, host) in [("outer", "bastion"), ("inner", "web-1.jea")] {
        let master = Master::open(&bastion, "alice", host, &[]);
        bastion.caught_up();
        let before = bastion.entries("connection").len();
        // Of the outer connection the jump takes a channel; inside, the commands are channels of one connection.
        let through: Vec<&str> = match place {
            "outer" => vec!["-o", master.proxy(), "web-1"],
            _ => master.through(&["web-1.jea"]),
        };
        let running: Vec<_> = (0..8)
            .map(|number| {
                let line = if number % 2 == 0 { format!("printf {number}") } else { "ls /nowhere/at-all".to_owned() };
                let mut ssh = bastion.ssh("alice", &[&through[..], &[&line]].concat());
                ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh")
            })
            .collect();
        for (number, ssh) in running.into_iter().enumerate() {
            let ran = came(&ssh.wait_with_output().expect("ssh"));
            let wanted = if number % 2 == 0 { (0, number.to_string()) } else { (2, String::new()) };
            assert_eq!((ran.code, ran.out.clone()), wanted, "{place} {number}: {ran:?}");
        }
        bastion.caught_up();
        assert_eq!(bastion.entries("connection").len(), before, "{place}: they all go over the master's connection");
    }
    bastion.verify();
}

#[test]
fn one_connection_serves_as_many_jumps_one_after_the_other_as_come() {
    let tables = "[limits]\nmax_channels = 3\n".to_owned();
    let bastion = Bastion::with(Setup { tables, ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    let master = Master::open(&bastion, "alice", "bastion", &[]);
    for number in 0..9 {
        let ran = bastion.run("alice", &["-o", master.proxy(), "web-1", &format!("printf {number}")]);
        assert_eq!((ran.code, ran.out.clone()), (0, number.to_string()), "{ran:?}");
    }
}

#[test]
fn a_shell_request_gets_the_greeting() {
    let bastion = Bastion::start();
    for words in [&["web-1.jea"][..], &["web-1@bastion"]] {
        let greeted = bastion.run("alice", words);
        assert!(greeted.out.starts_with("You are alice at bastion.test. There is no shell here."), "{greeted:?}");
    }
}

#[test]
fn file_transfer_is_refused_and_does_not_hang() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let copy = |program: &str, words: &[&str]| {
        let mut copy = Command::new("timeout");
        copy.args(["20", program, "-F"]).arg(bastion.home().join("alice.conf")).args(words);
        came(&copy.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).output().expect(program))
    };
    let target = format!("{}/copy", bastion.home().display());
    for (program, words) in
        [("scp", &["web-1.jea:/etc/hostname", &target][..]), ("sftp", &["-b", "/dev/null", "web-1.jea"])]
    {
        let refused = copy(program, words);
        assert_eq!(refused.code, 255, "{program}: {refused:?}");
        assert!(refused.err.contains("subsystem request failed"), "{program}: {refused:?}");
    }
    let refused = copy("scp", &["-O", "web-1.jea:/etc/hostname", &target]);
    assert!(refused.code > 0 && refused.err.contains("doorward: denied"), "{refused:?}");
    assert!(!std::path::Path::new(&target).exists());
    let told = bastion.eventual_entries_with("refused", 2, |entry| entry["data"]["what"] == "subsystem sftp");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told.iter().all(|entry| entry["target"] == "web-1"), "{told:?}");
}
