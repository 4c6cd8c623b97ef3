//! What is the evidence worth? Control characters in logs, evidence that silently is none.

use std::process::Command;

use crate::support::bastion::{Bastion, DOORWARD, Setup, came, eventually};
use crate::support::sshd::text;

#[test]
fn sudo_cve_2023_28486_nothing_that_is_logged_drives_the_terminal_of_who_reads_it() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let hostile = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\r\u{202e}\u{8}";
    // As a line, as a login name, as text in quotes, as a client's version.
    bastion.run("alice", &["web-1@bastion", hostile]);
    bastion.run("alice", &["-l", &format!("x{}", hostile.replace('\r', "")), "bastion", "whoami"]);
    bastion.run("alice", &["bastion", &format!("request ops --on {hostile} --reason {hostile}")]);
    bastion.run("alice", &["-W", &format!("{}:1", hostile.replace([':', '\r'], "")), "bastion"]);
    eventually("the denial", || !bastion.entries("command-denied").is_empty());
    let controls = |text: &str| {
        let hidden =
            |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        text.chars().find(|&c| hidden(c))
    };
    let folder = bastion.dir().join("state/audit");
    let segments = std::fs::read_dir(folder).expect("the log").flatten().map(|entry| entry.path());
    for segment in segments.filter(|path| path.extension().is_some_and(|end| end == "jsonl")) {
        let text = std::fs::read_to_string(&segment).expect("UTF-8");
        assert_eq!(controls(&text), None, "in {}", segment.display());
    }
    let shown = bastion.run("carol", &["bastion", "audit search"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.out.contains("\\u{1b}"), "shown as what it is: {}", shown.out);
    assert_eq!(controls(&shown.out), None, "{}", shown.out);
    assert_eq!(controls(&bastion.server_log()), None, "{}", bastion.server_log());
    bastion.verify();
}

#[test]
fn ovh_cve_2025_59339_there_is_no_log_without_a_signature() {
    let mut bastion = Bastion::start();
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0);
    bastion.stop();
    // Without its signing key the bastion does not start, instead of writing on without signatures.
    let key = bastion.dir().join("keys/log_key");
    let kept = bastion.home().join("kept");
    std::fs::rename(&key, &kept).expect("the key away");
    let said = bastion.serve_refused();
    assert!(said.contains("log_key"), "{said}");
    std::fs::rename(&kept, &key).expect("the key back");
    // And a checkpoint whose signature is taken off is not a checkpoint.
    let checkpoint = bastion.dir().join("state/audit/checkpoint");
    let signed = std::fs::read_to_string(&checkpoint).expect("the checkpoint");
    let (body, _) = signed.split_once("\n\n").expect("a body and signatures");
    std::fs::write(&checkpoint, format!("{body}\n\n")).expect("the checkpoint");
    let verified = came(&Command::new(DOORWARD).args(["audit", "verify", text(&bastion.dir())]).output().expect("it"));
    assert_ne!(verified.code, 0, "{verified:?}");
    assert!(!bastion.serve_refused().is_empty());
    std::fs::write(&checkpoint, signed).expect("the checkpoint");
    bastion.verify();
}

#[test]
fn recorders_that_gave_up_without_a_record_there_is_no_command() {
    // Warpgate went on without a recorder when the recorder failed.
    let bastion = Bastion::with(Setup { tables: "[limits]\nrecordings_mib = 1\n".to_owned(), ..Setup::default() });
    bastion.grant("ops", "web-1", "10m");
    let recordings = bastion.dir().join("state/recordings");
    std::fs::rename(&recordings, bastion.home().join("recordings")).expect("the folder away");
    std::fs::write(&recordings, "in the way").expect("a file in its place");
    let came = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((came.code, came.out.as_str()), (125, ""), "{came:?}");
    assert!(came.err.contains("recording"), "{came:?}");
    assert_eq!(bastion.sshd.log().matches("Accepted publickey").count(), 0);
    bastion.verify();
}
