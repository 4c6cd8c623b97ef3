//! No record, no command: a full disk, a log that cannot be written, a recorder that fails, a database that is gone or newer,
//! a second `serve`, root. Taking power away works all the same.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::bastion::{Bastion, DOORWARD, Setup, eventually};

/// A small file system of the test's own, unmounted when dropped. Root only; other users get the size limit instead.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn over(place: &Path, size: &str) -> Self {
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700,uid=65534,gid=65534"), "tmpfs"])
            .arg(place)
            .status()
            .expect("mount");
        assert!(status.success(), "mount: {status}");
        Self(place.to_owned())
    }

    fn fill(&self) {
        let chunk = vec![0_u8; 4096];
        let mut file = fs::File::create(self.0.join("filler")).expect("the filler");
        while std::io::Write::write_all(&mut file, &chunk).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.0.join("filler")).expect("the filler");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A full disk under the whole state directory.
#[test]
fn on_a_full_disk_nothing_runs_but_power_can_be_taken_away_and_its_entry_follows() {
    if !support::bastion::is_root() {
        return size_limit();
    }
    let tables = "[limits]\nkeep_free_mib = 1\n".to_owned();
    let mut bastion = Bastion::with(Setup { tables, ..Setup::default() });
    let grant = bastion.grant("ops", "web-1", "30m");
    bastion.stop();
    // Its state moves to a file system of 16 MiB.
    let state = bastion.dir().join("state");
    let copy = bastion.dir().join("state.copy");
    fs::rename(&state, &copy).expect("rename");
    fs::create_dir(&state).expect("mkdir");
    let disk = SmallDisk::over(&state, "16m");
    let copied = Command::new("cp").args(["-a", "-T"]).arg(&copy).arg(&state).status().expect("cp");
    assert!(copied.success());
    bastion.serve();
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);

    disk.fill();
    let ran = bastion.entries("command-finished").len();
    let mut refused = 0;
    for _ in 0..40 {
        let came = bastion.run("alice", &["web-1@bastion", "id -un"]);
        // The reserve may carry a few more; every one that ran is in the log.
        match came.code {
            0 => assert_eq!(came.out.trim(), support::sshd::own_account()),
            125 => {
                refused += 1;
                assert!(came.out.is_empty() && came.err.contains("not run"), "{came:?}");
            }
            other => panic!("{other}: {came:?}"),
        }
    }
    assert!(refused > 0, "a full disk refused nothing");
    let revoked = bastion.run("bob", &["bastion", "revoke", &grant, "the disk is full"]);
    assert!(revoked.code == 0 || revoked.code == 4, "{revoked:?}");

    disk.empty();
    if revoked.code == 4 {
        // The database lies on the same disk: it could not be changed, and that was said.
        assert_eq!(bastion.run("bob", &["bastion", "revoke", &grant, "again"]).code, 0);
    }
    eventually("the log's recovery", || !bastion.entries("ended").is_empty());
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126, "revoked");
    let allowed = bastion.entries("command-allowed").len();
    assert!(allowed >= ran, "{allowed} {ran}");
    bastion.verify();
    drop(bastion);
    drop(disk);
}

/// A log that cannot be written keeps entries in memory, and the process dies: the database still owes them.
#[test]
fn what_was_taken_away_while_the_log_stood_still_is_the_first_entry_after_a_kill() {
    let mut bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    let waiting = bastion.request("ops", "web-1", "30m");
    // No checkpoint can be written any more, so no entry is ever under one.
    let in_the_way = bastion.dir().join("state/audit/checkpoint.next");
    // It is there for a moment whenever a group is written.
    eventually("a moment without a commit", || fs::create_dir(&in_the_way).is_ok());
    for line in [format!("revoke {grant} enough"), format!("deny {waiting} no")] {
        let came = bastion.run("bob", &["bastion", &line]);
        assert_eq!(came.code, 0, "{came:?}");
    }
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126, "revoked");
    bastion.kill();
    fs::remove_dir(&in_the_way).expect("rmdir");

    for starts in 2..4 {
        bastion.serve();
        eventually("the start's own entry", || bastion.entries("start").len() == starts);
        let number = |kind: &str| -> Vec<u64> {
            bastion.entries(kind).iter().map(|entry| entry["seq"].as_u64().expect("a number")).collect()
        };
        let (ended, denied, started) = (number("ended"), number("denied"), number("start"));
        assert_eq!((ended.len(), denied.len()), (1, 1), "{}", bastion.server_log());
        assert!(ended[0] < denied[0] && denied[0] < started[1], "{ended:?} {denied:?} {started:?}");
        let entry = &bastion.entries("ended")[0];
        assert_eq!((&entry["grant"], &entry["user"]), (&grant.as_str().into(), &"bob".into()));
        assert_eq!(entry["data"], serde_json::json!({ "why": "revoked", "text": "enough" }));
        bastion.stop();
    }
    bastion.verify();
}

/// As an ordinary user: no file may grow over a size.
fn size_limit() {
    let wrap = |command: Command| {
        let mut limited = Command::new("prlimit");
        limited.arg("--fsize=262144").arg(command.get_program()).args(command.get_args());
        limited
    };
    let bastion = Bastion::with(Setup { wrap: Box::new(wrap), ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    let mut codes = Vec::new();
    for _ in 0..400 {
        codes.push(bastion.run("alice", &["web-1@bastion", "id -un"]).code);
        if codes.last() == Some(&125) {
            break;
        }
    }
    assert_eq!(codes.last(), Some(&125), "the size limit refused nothing");
    bastion.verify();
}

#[test]
fn without_a_place_for_recordings_nothing_runs() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    let recordings = bastion.dir().join("state/recordings");
    let aside = bastion.dir().join("state/aside");
    fs::rename(&recordings, &aside).expect("rename");
    fs::write(&recordings, "not a directory").expect("a file in the way");
    let refused = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((refused.code, refused.out.as_str()), (125, ""), "{refused:?}");
    assert!(refused.err.contains("recording"), "{refused:?}");
    // The client hears of it before the entry that closes the command is on disk.
    eventually("the entry", || bastion.entries("command-failed").len() == 1);
    let accepted = bastion.sshd.log().matches("Accepted publickey").count();
    assert_eq!(accepted, 1, "nothing authenticated to the target for the second one");
    fs::remove_file(&recordings).expect("remove");
    fs::rename(&aside, &recordings).expect("rename");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.verify();
}

#[test]
fn a_second_serve_root_a_newer_database_and_a_cut_log_are_refused() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let mut second = Command::new(DOORWARD);
    second.arg("serve").arg(bastion.dir()).stdin(Stdio::null());
    let output = second.output().expect("doorward serve");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if support::bastion::is_root() {
        assert!(!output.status.success() && said.contains("root"), "{said}");
    } else {
        assert!(!output.status.success() && said.contains(&bastion.pid().to_string()), "{said}");
    }
    bastion.stop();

    let audit = bastion.dir().join("state/audit");
    let mut segments: Vec<_> = fs::read_dir(&audit).expect("audit").flatten().map(|entry| entry.path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    segments.sort();
    let last = segments.pop().expect("a segment");
    let whole = fs::read(&last).expect("the segment");
    fs::write(&last, &whole[..whole.len() - 40]).expect("cut");
    let said = bastion.serve_refused();
    assert!(said.contains("audit"), "{said}");
    fs::write(&last, &whole).expect("restore");
    bastion.serve();
    bastion.stop();

    let database = bastion.dir().join("state/doorward.db");
    let mut header = fs::read(&database).expect("the database");
    header[60..64].copy_from_slice(&9999_u32.to_be_bytes()); // user_version, sqlite.org/fileformat2.html 1.3
    fs::write(&database, &header).expect("a newer database");
    let said = bastion.serve_refused();
    assert!(said.contains("newer"), "{said}");
}
