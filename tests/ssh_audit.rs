//! What an outside auditor of SSH says of our algorithms: `ssh-audit`, pinned in tests/verifiers/requirements.txt, looks at the front door as
//! a client would, and at our side of the connection to a target as a server would.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use support::bastion::Bastion;
use support::sshd::free_port;

/// The auditor. scripts/verifiers installs it; without it there is no result, and no result is a failure.
fn ssh_audit() -> Command {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.parent().expect("the target folder").join("verifiers");
    assert!(folder.join("ssh_audit").is_dir(), "no auditor in {}: run scripts/verifiers", folder.display());
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", folder).args(["-m", "ssh_audit"]).stdin(Stdio::null());
    command
}

/// Every complaint of `kind` in a report: (what, about which algorithm, why).
fn complaints(report: &Value, kind: &str) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for section in ["kex", "key", "enc", "mac"] {
        for entry in report[section].as_array().unwrap_or_else(|| panic!("no {section} in {report}")) {
            for why in entry["notes"][kind].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                found.push((section.to_owned(), text(&entry["algorithm"]), text(why)));
            }
        }
    }
    found
}

/// No failure, and no warning but that the classical key exchange is not post-quantum: clients before OpenSSH 9.9 have no other.
fn judge(report: &Value) {
    assert_eq!(complaints(report, "fail"), [], "{report}");
    for (section, algorithm, why) in complaints(report, "warn") {
        assert_eq!(section, "kex", "{algorithm}: {why}");
        assert!(algorithm.starts_with("curve25519-sha256"), "{algorithm}: {why}");
        assert!(why.contains("post-quantum"), "{algorithm}: {why}");
    }
    let offered: Vec<&str> =
        report["kex"].as_array().expect("a list").iter().filter_map(|entry| entry["algorithm"].as_str()).collect();
    assert_eq!(offered.first(), Some(&"mlkem768x25519-sha256"), "post-quantum first: {offered:?}");
    let strict = offered.iter().any(|name| name.starts_with("kex-strict-"));
    assert!(strict, "Terrapin (CVE-2023-48795): strict key exchange is offered: {offered:?}");
    assert_eq!(report["cves"].as_array().map_or(0, Vec::len), 0, "{report}");
}

fn report(output: &[u8]) -> Value {
    let text = String::from_utf8_lossy(output);
    let json = text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("no report: {text}"));
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[test]
fn the_front_door_has_no_failure_and_no_warning_but_the_known_one() {
    let bastion = Bastion::start();
    let port = bastion.port.to_string();
    let output = ssh_audit().args(["-j", "--skip-rate-test", "-p", &port, "127.0.0.1"]).output().expect("ssh-audit");
    let report = report(&output.stdout);
    assert_eq!(report["banner"]["raw"], "SSH-2.0-doorward", "the version stays ours");
    judge(&report);
}

#[test]
fn our_side_of_the_connection_to_a_target_is_no_weaker() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    // The auditor takes the target's place.
    let port = free_port();
    let mut auditor = ssh_audit();
    let auditor =
        auditor.args(["-c", "-j", "-p", &port.to_string()]).stdout(Stdio::piped()).spawn().expect("ssh-audit");
    let targets = bastion.dir().join("targets.toml");
    let text = fs::read_to_string(&targets).expect("targets.toml");
    let to_auditor = text.replace(&format!("127.0.0.1:{}", bastion.sshd.port), &format!("127.0.0.1:{port}"));
    assert_ne!(text, to_auditor);
    fs::write(&targets, to_auditor).expect("targets.toml");
    bastion.reload();
    support::bastion::eventually("the auditor listens", || {
        let tcp = fs::read_to_string("/proc/net/tcp").expect("sockets");
        let tcp6 = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
        let listens = |line: &str| line.contains(&format!(":{port:04X} ")) && line.contains(" 0A ");
        tcp.lines().chain(tcp6.lines()).any(listens)
    });
    let came = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!(came.code, 125, "the auditor runs nothing: {came:?}");
    let output = auditor.wait_with_output().expect("ssh-audit");
    judge(&report(&output.stdout));
}
