//! A directory with keys and a set in it, the operator's verbs run there, and what they answer.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

pub(crate) struct Host {
    pub(crate) root: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        for name in ["alice", "bob", "carol", "dave", "host"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(root.path().join(name))
                .status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        Self { root }
    }

    /// Makes the set `b`: alice, who approves, who looks at it afterwards, and no target.
    pub(crate) fn init(&self) -> Answer {
        let set = ["init", "b", "--name", "bastion.example.com", "--port", "2222"];
        let people = ["--user", "alice=alice.pub", "--approver", "bob=bob.pub", "--reviewer", "carol=carol.pub"];
        self.run(&[&set[..], &people].concat())
    }

    pub(crate) fn with_set() -> Self {
        let host = Self::new();
        let made = host.init();
        assert_eq!(made.code, 0, "{made:?}");
        host
    }

    /// The set, and the target web-1: what `docs/asking.md` is about.
    pub(crate) fn with_target() -> Self {
        let host = Self::with_set();
        let key = host.read("host.pub");
        let words = ["target", "add", "b", "web-1", "192.0.2.11", "--label", "tier=web", "--host-key", key.trim()];
        assert_eq!(host.run(&words).code, 0);
        host
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(words).current_dir(self.root.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Answer {
        Answer::of(self.command(words).output().expect("doorward runs"))
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }
}
