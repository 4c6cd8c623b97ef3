//! SIGKILL between any two steps: the test starts itself again as a child, which dies at a named step; then the log is
//! opened as after a crash.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::audit::event::AllowedCommand;
use crate::domain::Digest;

const DIR: &str = "DOORWARD_TEST_KILLED_DIR";
const STEP: &str = "DOORWARD_TEST_KILLED_STEP";
const STEPS: [&str; 6] = ["half-append", "append", "fsync", "checkpoint-fsync", "checkpoint-rename", "names-fsync"];

/// Dies right after the named step, once the file `armed` is there.
struct Deadly {
    folder: PathBuf,
    step: String,
}

impl Deadly {
    fn after(&self, step: &str) {
        if self.step == step && self.folder.join("armed").exists() {
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        }
    }

    fn inner(&self) -> Folder {
        Folder(self.folder.clone())
    }

    fn handle(&self, name: &str, handle: Box<dyn Handle>) -> Box<dyn Handle> {
        let disk = Self { folder: self.folder.clone(), step: self.step.clone() };
        Box::new(DeadlyHandle { disk, segment: name.ends_with(".jsonl"), handle })
    }
}

struct DeadlyHandle {
    disk: Deadly,
    segment: bool,
    handle: Box<dyn Handle>,
}

impl Handle for DeadlyHandle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (half, rest) = bytes.split_at(bytes.len() / 2);
        self.handle.write(half)?;
        if self.segment {
            self.disk.after("half-append");
        }
        self.handle.write(rest)?;
        if self.segment {
            self.disk.after("append");
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.handle.sync()?;
        self.disk.after(if self.segment { "fsync" } else { "checkpoint-fsync" });
        Ok(())
    }
}

impl Disk for Deadly {
    fn create(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        Ok(self.handle(name, self.inner().create(name)?))
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        Ok(self.handle(name, self.inner().append(name)?))
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        self.inner().truncate(name, length)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner().rename(from, to)?;
        self.after("checkpoint-rename");
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.inner().remove(name)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.inner().sync_names()?;
        // The last step before callers are let go on.
        self.after("names-fsync");
        Ok(())
    }
}

fn allowed(number: u64) -> AuditEvent {
    AuditEvent {
        user: Some("alice".parse().unwrap()),
        ..AuditEvent::of(What::CommandAllowed(AllowedCommand {
            command: CommandId::from_bits(number),
            role: "web-restart".parse().unwrap(),
            rule: 1,
            grants: Vec::new(),
            certificate: "k-7K2Q4M9D".parse().unwrap(),
            presented: false,
            account: "ops".parse().unwrap(),
            typed: "systemctl restart nginx".to_owned(),
            argv: Vec::new(),
            digest: Digest::of(b""),
            policy: Digest::of(b""),
            withheld: Vec::new(),
            deadline: Timestamp::from_secs(0),
        }))
    }
}

/// Not a test by itself: the child of the next one. It releases two commands, says so, and dies in the third commit.
#[test]
fn child() {
    let (Ok(dir), Ok(step)) = (std::env::var(DIR), std::env::var(STEP)) else { return };
    let dir = PathBuf::from(dir);
    let disk = Deadly { folder: dir.clone(), step };
    let clock = Arc::new(Ticks::default());
    let (log, _) = super::super::open::open(&dir, ORIGIN, key(), clock, quick(), Box::new(disk)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        put(&log, allowed(0)).await;
        put(&log, allowed(1)).await;
        std::fs::write(dir.join("armed"), "").unwrap();
        put(&log, allowed(2)).await;
        std::fs::write(dir.join("released"), "").unwrap();
    });
}

#[test]
fn after_sigkill_at_any_step_the_log_holds_all_that_was_released_and_nothing_torn() {
    for step in STEPS {
        let dir = tempfile::tempdir().unwrap();
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "audit::log::tests::killed::child"])
            .envs([(DIR, dir.path().as_os_str()), (STEP, step.as_ref())])
            .output()
            .unwrap()
            .status;
        assert_eq!(status.signal(), Some(9), "{step}: the child must have been killed");
        assert!(!dir.path().join("released").exists(), "{step}: it died before anybody was let go on");
        let covered = if ["checkpoint-rename", "names-fsync"].contains(&step) { 3 } else { 2 };
        assert_eq!(verify(dir.path(), &verifier()).unwrap().entries, covered, "{step}");

        let (log, opened) = open_folder(dir.path());
        assert_eq!(opened.entries, covered, "{step}");
        assert_eq!(opened.unfinished, (0..covered).map(CommandId::from_bits).collect::<Vec<_>>(), "{step}");
        assert_eq!(opened.moved_aside.len(), if covered == 2 { 1 } else { 0 }, "{step}");
        log.close();
        let mut wanted = vec!["command-allowed"; usize::try_from(covered).unwrap()];
        wanted.extend(opened.moved_aside.iter().map(|_| "log-repaired"));
        wanted.extend(opened.unfinished.iter().map(|_| "command-outcome-unknown"));
        assert_eq!(texts(dir.path()), wanted, "{step}");
        drop(log);
        let (_log, again) = open_folder(dir.path());
        assert!(again.unfinished.is_empty() && again.moved_aside.is_empty(), "{step}: {again:?}");
    }
}
