//! System calls of the serving process that fail or take their time, by `strace`; keys and clocks that are not right.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sqlx::{Connection as _, Executor as _, SqliteConnection};

use crate::support::bastion::{Bastion, DOORWARD, Setup, came, eventually};
use crate::support::sshd::{own_account, text};

/// System calls of one thread of the server go wrong until this is dropped.
struct Wrong(Child);

impl Wrong {
    /// Calls of the thread of that name (as `ps -L` has it) are injected as `strace -e inject=` says.
    fn in_thread(bastion: &Bastion, name: &str, inject: &str) -> Self {
        let tasks = fs::read_dir(format!("/proc/{}/task", bastion.pid())).expect("its threads").flatten();
        let named = |task: &fs::DirEntry| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name)
        };
        let thread = tasks.filter(named).map(|task| task.file_name()).next().expect("the thread");
        let mut strace = Command::new("strace");
        strace.arg("-e").arg(format!("inject={inject}")).args(["-o", "/dev/null", "-p"]).arg(thread);
        let mut child = strace.stderr(Stdio::piped()).spawn().expect("strace (package strace)");
        let mut said = String::new();
        BufReader::new(child.stderr.take().expect("its stderr")).read_line(&mut said).expect("a line");
        assert!(said.contains("attached"), "{said}");
        Self(child)
    }
}

impl Drop for Wrong {
    fn drop(&mut self) {
        // It lets the thread go.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[test]
fn a_log_whose_sync_fails_runs_nothing_takes_power_away_and_heals_by_itself() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    let waiting = bastion.request("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    for error in ["EIO", "ENOSPC"] {
        let accepted = bastion.sshd.log().matches("Accepted publickey").count();
        let wrong = Wrong::in_thread(&bastion, "audit-log", &format!("fdatasync:error={error}"));
        for _ in 0..3 {
            let refused = bastion.run("alice", &["web-1@bastion", "id -un"]);
            assert_eq!((refused.code, refused.out.as_str()), (125, ""), "{error}: {refused:?}");
            assert!(refused.err.contains("not run: the audit log cannot be written"), "{error}: {refused:?}");
        }
        assert_eq!(bastion.sshd.log().matches("Accepted publickey").count(), accepted, "nothing authenticated");
        // Nothing is given either, and taking away works.
        let asked = bastion.run("alice", &["bastion", "request ops --on web-1 --no-wait --reason INC-1 now"]);
        assert_eq!(asked.code, 4, "{error}: {asked:?}");
        if error == "EIO" {
            assert_eq!(bastion.run("bob", &["bastion", &format!("deny {waiting} no")]).code, 0);
        } else {
            assert_eq!(bastion.run("bob", &["bastion", &format!("revoke {grant} enough")]).code, 0);
        }
        drop(wrong);
        let wanted = if error == "EIO" { 0 } else { 126 };
        eventually("the log's recovery", || bastion.run("alice", &["web-1@bastion", "id -un"]).code == wanted);
    }
    eventually("their entries", || (bastion.entries("denied").len(), bastion.entries("ended").len()) == (1, 1));
    let told = |entry: &serde_json::Value| entry.to_string().contains("could not be written");
    assert!(bastion.entries("error").iter().any(told), "the log says itself that there is a gap");
    bastion.verify();
}

/// What a file system does when its disk fails under it: it goes on read-only. (The kernel remounts none by hand while a file on
/// it is open to write, so the calls fail here as they would there.)
#[test]
fn a_log_that_became_read_only_runs_nothing_takes_power_away_and_heals_by_itself() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    // Not `write`: with that the thread could wake nobody either, which is no file system's doing.
    let wrong = Wrong::in_thread(&bastion, "audit-log", "openat,rename,unlink,ftruncate,fdatasync:error=EROFS");
    for _ in 0..3 {
        let refused = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!((refused.code, refused.out.as_str()), (125, ""), "{refused:?}");
        assert!(refused.err.contains("not run: the audit log cannot be written"), "{refused:?}");
    }
    drop(wrong);
    eventually("the log's recovery", || bastion.run("alice", &["web-1@bastion", "id -un"]).code == 0);
    let wrong = Wrong::in_thread(&bastion, "audit-log", "openat,rename,unlink,ftruncate,fdatasync:error=EROFS");
    assert_eq!(bastion.run("bob", &["bastion", &format!("revoke {grant} enough")]).code, 0);
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 126);
    drop(wrong);
    bastion.eventual_entries("ended", 1);
    let said = bastion.server_log();
    assert!(said.contains("Read-only file system") && !said.contains("panicked"), "{said}");
    bastion.verify();
}

#[test]
fn a_journal_that_went_away_loses_its_lines_and_stops_nothing() {
    let wrap = |command: Command| {
        let mut wrapped = Command::new("bash");
        wrapped.args(["-c", "exec \"$0\" \"$@\" 2> >(exit 0)"]).arg(command.get_program()).args(command.get_args());
        wrapped
    };
    let mut bastion = Bastion::with(Setup { wrap: Box::new(wrap), ..Setup::default() });
    bastion.grant("ops", "web-1,here", "30m");
    for target in ["web-1@bastion", "here@bastion"] {
        assert_eq!(bastion.run("alice", &[target, "id -un"]).code, 0, "{target}");
    }
    assert_eq!(bastion.run("mallory", &["bastion", "help"]).code, 255);
    // What the audit log's own thread has to say is lost as well, and it goes on.
    let wrong = Wrong::in_thread(&bastion, "audit-log", "fdatasync:error=EIO");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 125);
    drop(wrong);
    eventually("the log's recovery", || bastion.run("alice", &["web-1@bastion", "id -un"]).code == 0);
    bastion.eventual_entries("disconnected", 5);
    bastion.stop();
    bastion.verify();
}

#[test]
fn what_was_decided_too_long_ago_because_the_disk_is_slow_does_not_run() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    // Two syncs a commit: entries, checkpoint.
    let wrong = Wrong::in_thread(&bastion, "audit-log", "fdatasync:delay_enter=3500000");
    let refused = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((refused.code, refused.out.as_str()), (125, ""), "{refused:?}");
    assert!(refused.err.contains("took too long"), "{refused:?}");
    // Acts at once: its entry comes when the disk has it.
    assert_eq!(bastion.run("bob", &["bastion", &format!("revoke {grant} slow")]).code, 0);
    drop(wrong);
    eventually("its entry", || bastion.entries("ended").len() == 1);
    assert_eq!(bastion.entries("command-failed").len(), 1);
    bastion.verify();
}

#[test]
fn a_recording_that_cannot_go_on_ends_its_command_and_nobody_elses() {
    let role = crate::support::bastion::ROLE.replace("/usr/bin/ls {path}", "/usr/bin/seq {path}");
    let role = role.replace("where.path = { path = \"/nowhere/*\" }", "where.path = { int = [1, 10000000] }");
    let roles = vec![("ops".to_owned(), role)];
    let tables = "[limits]\nrecordings_mib = 1\nkeep_free_mib = 1\n".to_owned();
    let bastion = Bastion::with(Setup { roles, tables, ..Setup::default() });
    bastion.grant("ops", "web-1,here", "30m");
    for target in ["web-1@bastion", "here@bastion"] {
        let ended = bastion.run("alice", &[target, "seq 1000000"]);
        assert_eq!(ended.code, 125, "{target}: {:?}", ended.err);
        assert!(ended.err.contains("what passes cannot be recorded"), "{:?}", ended.err);
        // An eighth of a mebibyte fits into the recording; besides that only what waited for its disk has passed.
        assert!(ended.out.starts_with("1\n2\n") && ended.out.len() < 1024 * 1024, "{} bytes", ended.out.len());
    }
    let finished = bastion.entries("command-finished");
    assert_eq!(finished.len(), 2, "{finished:?}");
    assert!(finished.iter().all(|entry| entry["data"]["ended_by"] == "recording"), "{finished:?}");
    assert_eq!(bastion.run("bob", &["bastion", "whoami"]).code, 0);
    bastion.verify();
}

#[test]
fn a_private_key_that_cannot_be_read_is_named_and_nothing_is_served() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let keys = bastion.dir().join("keys");
    let names: Vec<_> = fs::read_dir(&keys).expect("keys").flatten().map(|entry| entry.path()).collect();
    assert!(names.len() >= 5, "{names:?}");
    for key in names {
        let aside = bastion.dir().join("aside");
        // While it serves it needs no file: the keys were read at the start.
        fs::rename(&key, &aside).expect("rename");
        let came = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!(came.code, 0, "{}: {came:?}", key.display());
        bastion.stop();
        let said = bastion.serve_refused();
        let name = key.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(said.contains(&name), "{name}: {said}");
        fs::write(&key, "no key").expect("garbage");
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("permissions");
        let said = bastion.serve_refused();
        assert!(said.contains(&name), "{name}: {said}");
        fs::rename(&aside, &key).expect("rename");
        let starts = bastion.entries("start").len();
        bastion.serve();
        // It listens before it has read everything.
        eventually("the start's own entry", || bastion.entries("start").len() > starts);
    }
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.verify();
}

/// The highest time that the database of a bastion that is down has seen becomes `seconds` from now.
async fn seen(bastion: &Bastion, seconds: i64) {
    let database = format!("sqlite://{}", bastion.dir().join("state/doorward.db").display());
    let mut connection = SqliteConnection::connect(&database).await.expect("the database");
    let sql = format!("UPDATE counters SET value = (unixepoch() + {seconds}) * 1000000 WHERE name = 'highest_time'");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("changed");
    connection.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_leap_of_the_clock_grants_are_over_and_new_ones_work_although_it_came_back() {
    let mut bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.stop();
    // As if the clock had been a day ahead for a while, and was then set right.
    seen(&bastion, 86_400).await;
    bastion.serve();
    let said = bastion.server_log();
    assert!(said.contains("before the highest time this bastion has seen"), "{said}");
    let over = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!(over.code, 126, "its time is up: {over:?}");
    eventually("its entry", || bastion.entries("ended").len() == 1);
    assert_eq!(bastion.entries("ended")[0]["data"]["why"], "expired");

    // Clients believe the host certificate and the target believes the command's: both go by the clock as it is.
    let second = bastion.grant("ops", "web-1", "8s");
    let ran = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((ran.code, ran.out.trim()), (0, own_account().as_str()), "{ran:?}");
    // Its time goes by although the clock is behind: a command under it ends with it.
    let mut ssh = bastion.ssh("alice", &["web-1@bastion", "sleep 3600"]);
    let came = came(&ssh.output().expect("ssh"));
    assert_eq!(came.code, 124, "{came:?}");
    let expired = |entry: &serde_json::Value| entry["grant"] == second.as_str() && entry["data"]["why"] == "expired";
    eventually("its end", || bastion.entries("ended").iter().any(expired));

    // The way back that docs/degraded-mode.md describes: an empty state, the old one kept as evidence.
    bastion.stop();
    let (audit, aside) = (bastion.dir().join("state/audit"), bastion.dir().join("state/audit.before"));
    bastion.verify();
    fs::rename(&audit, &aside).expect("rename");
    fs::rename(bastion.dir().join("state/doorward.db"), bastion.dir().join("state/doorward.db.before"))
        .expect("rename");
    bastion.serve();
    assert!(!bastion.server_log().contains("highest time"), "{}", bastion.server_log());
    bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    bastion.verify();
    // The old log still verifies by itself.
    tokio::time::sleep(Duration::from_millis(10)).await;
    bastion.stop();
    fs::rename(&audit, bastion.dir().join("state/audit.after")).expect("rename");
    fs::rename(&aside, &audit).expect("rename");
    let old = Command::new(DOORWARD).args(["audit", "verify", text(&bastion.dir())]).output().expect("doorward");
    assert!(old.status.success(), "{}", crate::support::sshd::shown(&old));
}
