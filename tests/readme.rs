//! The README's commands, run as they stand: a new user's first five minutes. Only the program's place, the directory and the
//! target's address are the test's own. `cargo …` and `scripts/test` are what runs this test.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::bastion::{DOORWARD, free_port};
use support::sshd::{Sshd, new_key, shown, text};

/// The commands of every `sh` block, continuation lines joined.
fn commands() -> Vec<String> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let mut commands = Vec::new();
    let mut inside = false;
    let mut pending = String::new();
    for line in readme.lines().map(str::trim) {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            _ if inside => {
                pending.push_str(line.trim_end_matches('\\'));
                if !line.ends_with('\\') {
                    commands.push(std::mem::take(&mut pending));
                }
            }
            _ => {}
        }
    }
    commands
}

#[test]
fn the_first_five_minutes_of_the_readme_go_as_it_says() {
    let home = tempfile::tempdir().expect("a temporary directory");
    for who in ["alice", "bob", "carol"] {
        new_key(&home.path().join(who));
    }
    let target = Sshd::start(|_| String::new());
    let (dir, port) = (home.path().join("srv"), free_port());
    let here = |command: &str| {
        command
            .replace("target/release/doorward", DOORWARD)
            .replace("/srv/doorward", text(&dir))
            .replace("10.0.0.11", &format!("127.0.0.1:{}", target.port))
            .replace("--port 2222", &format!("--port {port} --listen 127.0.0.1:{port}"))
    };
    let mut ran = Vec::new();
    for command in commands() {
        if command.starts_with("cargo ") || command == "scripts/test" {
            continue;
        }
        if command.contains("doorward serve") {
            serves(&here(&command), home.path(), port);
        } else {
            let output =
                Command::new("sh").args(["-c", &here(&command)]).current_dir(home.path()).output().expect("sh");
            assert!(output.status.success(), "{command}: {}", shown(&output));
        }
        let words = command.split_whitespace().skip(1).take_while(|word| !word.starts_with('/'));
        ran.push(words.collect::<Vec<_>>().join(" "));
    }
    assert_eq!(
        ran,
        ["init", "target add", "target enroll", "check", "serve"],
        "what the README tells a new user to do"
    );
    let enroll = fs::read_to_string(home.path().join("enroll-web-1.sh")).expect("what `target enroll` printed");
    assert!(enroll.contains("web-1/ops@bastion.example.com"), "{enroll}");
}

/// Runs `serve` until it listens, then asks it to stop. Root is refused, which is said.
fn serves(command: &str, home: &Path, port: u16) {
    let log = fs::File::create(home.join("serve.log")).expect("a log");
    let mut child = Command::new("sh")
        .args(["-c", &format!("exec {command}")])
        .current_dir(home)
        .stdin(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("sh");
    let said = || fs::read_to_string(home.join("serve.log")).unwrap_or_default();
    let patience = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if let Some(status) = child.try_wait().expect("its status") {
            assert!(support::bastion::is_root() && said().contains("root"), "{status}: {}", said());
            return;
        }
        assert!(patience.elapsed() < Duration::from_secs(20), "serve does not answer: {}", said());
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("SIGTERM");
    assert!(child.wait().expect("its end").success(), "{}", said());
}
