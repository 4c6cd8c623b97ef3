//! The demo, as a new user starts it: the tour with a real `sshd`, without one, and the demo that serves until Ctrl-C.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use support::bastion::{DOORWARD, is_root};
use support::sshd::shown;

/// The directory that the demo names in its first line, which must be gone afterwards.
fn its_directory(said: &str) -> &str {
    let first = said.lines().next().unwrap_or_default();
    first.split_once("everything in ").map(|(_, dir)| dir.trim()).unwrap_or_default()
}

fn went_well(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", shown(output));
    assert!(said.trim_end().ends_with("every step came out as it should."), "{said}");
    let dir = its_directory(&said);
    assert!(dir.contains("doorward-demo-") && !std::path::Path::new(dir).exists(), "{dir:?} is left behind");
    said
}

#[test]
fn the_tour_walks_the_story_with_a_real_target_and_leaves_nothing_behind() {
    let output = Command::new(DOORWARD).args(["demo", "--tour"]).stdin(Stdio::null()).output().expect("doorward demo");
    let said = went_well(&output);
    assert!(said.contains("`web-1`, a real OpenSSH server") && said.contains("ID doorward:alice:g-"), "{said}");
    // Each question about the policy with its answer, which the tour itself has judged.
    for (question, answer) in [
        ("can", "{file}: a path like "),
        ("why", "^^^^^^^^^^^"),
        ("diff", "role read-logs: rule 4 `date` is new"),
        ("what-if", "1 of 6 answers would change"),
        ("learn", "nobody used rule 3 (`sleep {seconds}`)"),
    ] {
        let (_, rest) = said.split_once(&format!("$ doorward {question} ")).unwrap_or_else(|| panic!("{said}"));
        assert!(rest.split("\n# ").next().is_some_and(|shown| shown.contains(answer)), "{question}: {said}");
    }
}

#[test]
fn without_an_sshd_the_tour_says_what_it_left_out() {
    // In a mount namespace of its own, where `sshd` is no program.
    let mut hidden = Command::new("unshare");
    hidden.arg(if is_root() { "-m" } else { "-Urm" });
    hidden.args(["sh", "-c", "mount --bind /dev/null /usr/sbin/sshd && exec \"$0\" demo --tour", DOORWARD]);
    let said = went_well(&hidden.stdin(Stdio::null()).output().expect("unshare"));
    assert!(said.contains("Left out: no sshd is installed"), "{said}");
}

#[test]
fn the_demo_prints_what_to_paste_and_ends_with_ctrl_c() {
    let mut child = Command::new(DOORWARD)
        .arg("demo")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("doorward demo");
    let mut said = String::new();
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    while !said.contains("audit verify") {
        said.push_str(&lines.next().expect("more lines").expect("a line"));
        said.push('\n');
    }
    let pasted =
        said.lines().find(|line| line.trim_end().ends_with("/alice bastion")).expect("the first line to paste");
    let greeted = Command::new("sh").args(["-c", pasted]).stdin(Stdio::null()).output().expect("sh");
    assert!(greeted.status.success() && shown(&greeted).contains("You are alice"), "{}", shown(&greeted));
    let jump = said.lines().find(|line| line.contains(".jea tail")).expect("the line for the jump door");
    let denied = Command::new("sh").args(["-c", jump]).stdin(Stdio::null()).output().expect("sh");
    assert!(shown(&denied).contains("doorward: denied"), "{}", shown(&denied));
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("SIGINT");
    assert!(child.wait().expect("its end").success());
    let dir = its_directory(&said);
    assert!(!dir.is_empty() && !std::path::Path::new(dir).exists(), "{dir:?} is left behind");
}
