//! What proves: the operator's verbs do what they say, change files gently, and answer with the right exit code.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a failed step is a failed test"
)]

use std::fs;
use std::process::{Command, Stdio};

use host::{Answer, Host};

#[path = "cli/asking.rs"]
mod asking;
#[path = "cli/host.rs"]
mod host;
#[path = "cli/init.rs"]
mod init;
#[path = "cli/sshd.rs"]
mod sshd;
#[path = "cli/targets.rs"]
mod targets;

#[test]
fn check_counts_and_answers_one_when_the_set_would_not_be_used() {
    let host = Host::with_set();
    fs::write(host.path("b/targets.toml"), "[web-1]\nadress = \"10.0.0.1\"\n").expect("a file");
    let check = host.run(&["check", "b"]);
    assert_eq!(check.code, 1);
    for part in ["targets.toml:2:1", "did you mean `address`?", "web-1 has no `host_key`", "3 errors"] {
        assert!(check.out.contains(part), "{part} in {}", check.out);
    }
    let json: serde_json::Value = serde_json::from_str(&host.run(&["check", "b", "--json"]).out).expect("JSON");
    assert_eq!((&json["ok"], &json["errors"]), (&false.into(), &3.into()));
    assert!(json["findings"].as_array().expect("a list").iter().any(|finding| finding["line"] == 2));
}

#[test]
fn users_and_keys_are_added_without_touching_a_comment() {
    let host = Host::with_set();
    let with_comments =
        host.read("b/users.toml").replace("groups = [\"admins\"]", "groups = [\"admins\"]  # until May")
            + "# the end\n";
    fs::write(host.path("b/users.toml"), &with_comments).expect("a file");
    let added = host.run(&["user", "add", "b", "dave", "--key", "dave.pub", "--group", "admins"]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(added.out.contains("SHA256:"), "the fingerprint to compare: {added:?}");
    let users = host.read("b/users.toml");
    assert!(users.starts_with(with_comments.trim_end()), "{users}");
    assert!(users.contains("\n\n[dave]\nkeys = [\"ssh-ed25519 "), "{users}");

    let key = host.run(&["user", "key", "add", "b", "dave", &host.read("host.pub")]);
    assert_eq!(key.code, 0, "{key:?}");
    assert!(host.read("b/users.toml").starts_with(with_comments.trim_end()));
    let listed = host.run(&["user", "list", "b"]).out;
    assert_eq!(listed.matches("SHA256:").count(), 5, "{listed}");

    let before = host.read("b/users.toml");
    let refused: &[(&[&str], &str)] = &[
        (&["user", "add", "b", "dave", "--key", "dave.pub"], "a user dave already"),
        (&["user", "add", "b", "erin", "--key", "alice.pub"], "also alice's"),
        (&["user", "key", "add", "b", "zoe", "dave.pub"], "no user zoe"),
        (&["user", "add", "b", "erin", "--key", "dave"], "private key"),
    ];
    for (words, part) in refused {
        let answer = host.run(words);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.err.contains(part), "{part} in {answer:?}");
    }
    assert_eq!(host.read("b/users.toml"), before, "what is refused changes nothing");
}

#[test]
fn words_that_are_no_verb_are_usage() {
    let host = Host::with_set();
    for words in [&["chek", "b"][..], &["check"], &["check", "b", "\u{1b}[2J"], &[]] {
        let answer = host.run(words);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(!answer.err.contains('\u{1b}'), "{answer:?}");
    }
    assert_eq!(host.run(&["--help"]).code, 0);
    assert_eq!(host.run(&["check", "nowhere"]).code, 1);
}

#[test]
fn a_reader_that_leaves_early_is_no_error_and_a_full_disk_is() {
    let host = Host::with_set();
    let mut gone =
        host.command(&["check", "b"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(gone.stdout.take());
    assert_eq!(Answer::of(gone.wait_with_output().expect("it ends")).code, 0);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let answer =
        Answer::of(host.command(&["check", "b"]).stdout(full).stderr(Stdio::piped()).output().expect("it runs"));
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("could not be written"), "{answer:?}");
}

#[test]
fn reload_tells_the_process_that_holds_the_directory_and_nobody_else() {
    let host = Host::with_set();
    let paths = doorward::config::Paths::new(host.path("b"));
    let none = host.run(&["reload", "b"]);
    assert_eq!((none.code, none.err.contains("no bastion serves")), (1, true), "{none:?}");
    // A number left behind by a dead process is not told anything: it may be somebody else's by now.
    fs::write(paths.lock(), "1\n").expect("a file");
    assert_eq!(host.run(&["reload", "b"]).code, 1);

    // Whoever started the tests may have had this signal ignored, as `nohup` does, and a shell could not trap it then.
    let mut told = Command::new("env")
        .args([
            "--default-signal=HUP",
            "sh",
            "-c",
            "exec 9>b/state/lock; flock 9; echo $$ >&9; trap 'echo told; exit 7' HUP; while :; do sleep 0.05; done",
        ])
        .current_dir(host.root.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut answer = host.run(&["reload", "b"]);
    for _ in 0..1000 {
        if answer.code == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        answer = host.run(&["reload", "b"]);
    }
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(told.wait().expect("it ends").code(), Some(7));

    let lock = doorward::config::DirLock::take(&paths).expect("it is free again");
    let second = doorward::config::DirLock::take(&paths).expect_err("one serve a DIR");
    assert!(second.to_string().contains(&format!("process {}", std::process::id())), "{second}");
    drop(lock);
}
