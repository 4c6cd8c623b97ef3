//! The main job with the stock `ssh` and a stock `sshd`: asked for, approved, certified, run, denied, logged.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[path = "main_job/observing.rs"]
mod observing;
#[path = "main_job/secrets.rs"]
mod secrets;
mod support;

use std::io::Write as _;
use std::process::Stdio;

use support::bastion::{Bastion, Setup, came};

#[test]
fn a_denied_command_says_what_to_type_and_runs_once_that_is_approved() {
    let bastion = Bastion::start();
    let denied = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!(denied.code, 126, "{denied:?}");
    let line = denied.err.lines().find(|line| line.contains("request ops")).unwrap_or_else(|| panic!("{denied:?}"));
    let (_, request) = line.split_once("ssh ").expect("the line to type");
    assert!(request.contains("request ops --on web-1"), "{line}");

    // Typed as it stands, with a reason where it says so, and without waiting.
    let mut words: Vec<&str> = request.split_whitespace().collect();
    let reason = words.iter().position(|word| *word == "--reason").expect("a place for the reason");
    words.truncate(reason);
    words.extend(["--no-wait", "--reason", "INC-4711", "broken"]);
    let asked = bastion.run("alice", &words);
    assert_eq!(asked.code, 0, "{asked:?}");
    bastion.approve(asked.out.lines().next().expect("an ID").trim());

    let ran = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((ran.code, ran.out.trim()), (0, support::sshd::own_account().as_str()), "{ran:?}");
    assert_eq!(ran.err, "", "nothing of ours between the program and its user");
    bastion.verify();
}

#[test]
fn output_exit_code_and_errors_are_the_programs_own() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1,here", "10m");
    for target in ["web-1", "here"] {
        let host = format!("{target}@bastion");
        let printed = bastion.run("alice", &[&host, "printf", "'two  words; $(id) `id` \\n'"]);
        assert_eq!((printed.code, printed.out.as_str()), (0, "two  words; $(id) `id` \n"), "{target}: {printed:?}");
        let failed = bastion.run("alice", &[&host, "ls /nowhere/x"]);
        assert_eq!((failed.code, failed.out.as_str()), (2, ""), "{target}: {failed:?}");
        assert!(failed.err.contains("/nowhere/x") && !failed.err.contains("doorward"), "{target}: {failed:?}");

        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let mut cat = bastion
            .ssh("alice", &[&host, "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ssh");
        let mut stdin = cat.stdin.take().expect("its stdin");
        let sent = bytes.clone();
        let writer = std::thread::spawn(move || stdin.write_all(&sent));
        let output = cat.wait_with_output().expect("ssh");
        writer.join().expect("the writer").expect("all of it written");
        assert!(output.stdout == bytes, "{target}: {} bytes came back: {:?}", output.stdout.len(), came(&output));
    }
}

#[test]
fn an_approved_grant_gives_these_commands_on_these_targets_and_nothing_else() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    for (target, line, part) in [
        ("web-1", "id -un; id", ";"),
        ("web-1", "id -un\nid", "control"),
        ("web-1", "id -u", "-u"),
        ("web-1", "sleep 1h", "1h"),
        ("web-1", "/usr/bin/cat /etc/passwd", "/etc/passwd"),
        ("web-1", "ls /nowhere/../etc", ".."),
        ("web-1", "LD_PRELOAD=x id -un", "LD_PRELOAD"),
        ("here", "id -un", "request ops --on here"),
    ] {
        let denied = bastion.run("alice", &[&format!("{target}@bastion"), line]);
        assert_eq!(denied.code, 126, "{line:?}: {denied:?}");
        assert!(denied.err.contains(part), "{line:?}: {denied:?}");
        assert!(denied.err.lines().all(|line| line.starts_with("doorward:")), "{denied:?}");
    }
    assert_eq!(bastion.entries("command-allowed").len(), 0);
    assert_eq!(bastion.entries("command-denied").len(), 8);
    bastion.verify();
}

#[test]
fn the_targets_own_log_names_user_grant_session_and_command() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "10m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    let allowed = bastion.entries("command-allowed").pop().expect("the entry");
    let (session, command) =
        (allowed["session"].as_str().expect("s-"), allowed["data"]["command"].as_str().expect("c-"));
    let key_id = format!("doorward:alice:{grant}:{session}:{command}");
    bastion.sshd.log_with(&key_id);
}

#[test]
fn the_person_who_asks_never_approves_and_nobody_else_learns_of_it() {
    let bastion = Bastion::start();
    let id = bastion.request("ops", "web-1", "10m");
    let own = bastion.run("alice", &["bastion", "approve", &id, "0000"]);
    assert_eq!(own.code, 1, "{own:?}");
    assert!(own.err.contains("bob"), "who can: {own:?}");
    let mut answers = Vec::new();
    for asked in [id.as_str(), "r-000000"] {
        let other = bastion.run("dave", &["bastion", "approve", asked, "0000"]);
        answers.push((other.code, other.err.replace(asked, "ID"), other.out.replace(asked, "ID")));
    }
    assert_eq!(answers[0], answers[1], "the same answer for unknown and not yours");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
    assert_eq!(bastion.run("alice", &["bastion", "withdraw", &id]).code, 0);
    let late = bastion.run("bob", &["bastion", "approve", &id, "0000"]);
    assert_eq!(late.code, 1, "{late:?}");
}

#[test]
fn somebody_unknown_gets_nothing_and_the_operator_gets_the_line_to_paste() {
    let bastion = Bastion::start();
    let refused = bastion.run("mallory", &["bastion", "help"]);
    assert_eq!(refused.code, 255, "ssh's own: {refused:?}");
    let key = std::fs::read_to_string(bastion.home().join("mallory.pub")).expect("her key");
    let base64 = key.split_whitespace().nth(1).expect("the key's base64");
    support::bastion::eventually("the line to paste", || bastion.server_log().contains(base64));
    // The harness's own look whether the port is open is a failed authentication, too, without a key.
    let with_key =
        |entry: &serde_json::Value| entry["data"]["key"].as_str().is_some_and(|key| key.starts_with("SHA256:"));
    support::bastion::eventually("the entry", || bastion.entries("authentication-failed").iter().any(with_key));
}

#[test]
fn every_other_kind_of_channel_and_request_is_refused_by_name_and_logged() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let forward = format!("127.0.0.1:{}:127.0.0.1:{}", support::sshd::free_port(), bastion.sshd.port);
    for arguments in [
        vec!["-W", "127.0.0.1:22", "bastion"],
        vec!["-o", "ExitOnForwardFailure=yes", "-R", forward.as_str(), "bastion", "whoami"],
        vec!["-s", "bastion", "sftp"],
    ] {
        let came = bastion.run("alice", &arguments);
        assert_ne!(came.code, 0, "{arguments:?}: {came:?}");
    }
    let agent = bastion.run("alice", &["-A", "bastion", "whoami"]);
    assert_eq!(agent.code, 0, "{agent:?}");
    for part in ["direct-tcpip to 127.0.0.1:22", "tcpip-forward", "subsystem sftp"] {
        let named = |entry: &serde_json::Value| entry["data"]["what"].as_str().is_some_and(|what| what.contains(part));
        support::bastion::eventually(part, || bastion.entries("refused").iter().any(named));
    }
    bastion.verify();
}

#[test]
fn a_role_that_several_must_approve_waits_for_all_of_them() {
    let two = support::bastion::ROLE
        .replace("approvers    = [\"user:bob\"]", "approvers    = [\"user:bob\", \"user:carol\"]")
        .replace("approvals    = 1", "approvals    = 2");
    let bastion = Bastion::with(Setup { roles: vec![("ops".to_owned(), two)], ..Setup::default() });
    let id = bastion.request("ops", "web-1", "10m");
    bastion.approve(&id);
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126, "one of two is not enough");
    bastion.approve(&id); // bob again: idempotent, and he does not count twice
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
    let pending = bastion.run("carol", &["bastion", "pending"]);
    let (_, rest) = pending.out.split_once(&format!("approve {id} ")).unwrap_or_else(|| panic!("{pending:?}"));
    let digest = rest.split_whitespace().next().expect("a digest").to_owned();
    assert_eq!(bastion.run("carol", &["bastion", "approve", &id, &digest]).code, 0);
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
}

/// `docs/messages.md` has what a stock client says by itself; these are the cases in which it does.
#[test]
fn what_the_stock_client_says_by_itself_is_in_the_page_of_messages() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/messages.md")).expect("the page");
    let forward = format!("127.0.0.1:{}:127.0.0.1:22", support::sshd::free_port());
    let says = |who: &str, arguments: &[&str], message: &str| {
        let came = bastion.run(who, &[&["-o", "LogLevel=INFO"], arguments].concat());
        assert!(came.code != 0 && came.err.contains(message), "{message}: {came:?}");
        assert!(page.contains(&format!("| `{message}` |")), "docs/messages.md does not have {message}");
    };
    says("mallory", &["bastion", "help"], "Permission denied (publickey)");
    says("alice", &["-o", "UserKnownHostsFile=/dev/null", "bastion", "help"], "Host key verification failed");
    let other = "Certificate invalid: name is not a listed principal";
    says("alice", &["-J", "bastion", "-o", "HostKeyAlias=here", "web-1", "id -un"], other);
    says("alice", &["-W", "127.0.0.1:22", "bastion"], "open failed: administratively prohibited");
    let remote = ["-o", "ExitOnForwardFailure=yes", "-R", forward.as_str(), "bastion", "whoami"];
    says("alice", &remote, "remote port forwarding failed");
    says("alice", &["-s", "bastion", "sftp"], "subsystem request failed");
    bastion.stop();
    let came = bastion.run("alice", &["bastion", "help"]);
    assert!(came.code == 255 && came.err.contains("Connection refused"), "{came:?}");
    assert!(page.contains("| `Connection refused` |"));
}
