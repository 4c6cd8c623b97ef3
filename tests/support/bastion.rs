//! A real bastion of the test's own: `doorward init`, roles and targets given by the test, `doorward serve` as a process on a
//! free loopback port, users with keys and the stock `ssh`, and a stock `sshd` as target. Ended by process id when dropped.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::sshd::{Sshd, free_port, shown, text};

mod setup;

pub use setup::{ROLE, Setup, another_key, check_of, is_root};

use setup::{NOBODY, give_to_server, init, target};

/// The program under test.
pub const DOORWARD: &str = env!("CARGO_BIN_EXE_doorward");

/// A running bastion with its users and one OpenSSH target, `web-1`; `here` is the local target.
pub struct Bastion {
    dir: tempfile::TempDir,
    setup: Setup,
    child: Option<Child>,
    /// Its port.
    pub port: u16,
    /// The target.
    pub sshd: Sshd,
}

impl Bastion {
    /// A bastion with [`ROLE`].
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    /// A bastion as `setup` says.
    pub fn with(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        for user in ["alice", "bob", "carol", "dave", "mallory"] {
            super::sshd::new_key(&dir.path().join(user));
        }
        let port = free_port();
        init(dir.path(), port);
        let bastion_dir = dir.path().join("bastion");
        let sshd = target(&bastion_dir, &setup.target);
        let bastion = Self { dir, setup, child: None, port, sshd };
        bastion.write_configuration();
        bastion.write_clients();
        let mut bastion = bastion;
        bastion.serve();
        bastion
    }

    /// Where the bastion keeps everything.
    pub fn dir(&self) -> PathBuf {
        self.dir.path().join("bastion")
    }

    /// Where the users keep everything.
    pub fn home(&self) -> &Path {
        self.dir.path()
    }

    /// (Re)starts `serve`, and waits until it answers.
    pub fn serve(&mut self) {
        (self.setup.prepare)(&self.dir());
        give_to_server(&self.dir());
        let child = self.command().spawn().expect("doorward serve");
        self.child = Some(child);
        let patience = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let gone = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if gone.is_some() || patience.elapsed() > PATIENCE {
                panic!("doorward serve does not answer ({gone:?}):\n{}", self.server_log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Tries to start `serve` and gives what it said when it refused.
    pub fn serve_refused(&mut self) -> String {
        give_to_server(&self.dir());
        let mut child = self.command().spawn().expect("doorward serve");
        let patience = Instant::now();
        loop {
            if let Some(status) = child.try_wait().expect("its status") {
                assert!(!status.success(), "serve ended with success");
                return self.server_log();
            }
            if patience.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                panic!("serve did not refuse");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn command(&self) -> Command {
        let log = fs::File::create(self.home().join("serve.log")).expect("a log");
        let mut command = Command::new(DOORWARD);
        command.arg("serve").arg(self.dir());
        let mut command = (self.setup.wrap)(command);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// What `serve` has said on its standard output and error.
    pub fn server_log(&self) -> String {
        fs::read_to_string(self.home().join("serve.log")).unwrap_or_default()
    }

    /// The server's process number.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status().expect("kill");
        assert!(status.success());
    }

    /// Kills the server as a power failure would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks the server to stop and waits for it.
    pub fn stop(&mut self) {
        self.signal("TERM");
        let mut child = self.child.take().expect("a running server");
        let patience = Instant::now();
        while child.try_wait().expect("its status").is_none() {
            if patience.elapsed() > Duration::from_secs(40) {
                let _ = child.kill();
                let _ = child.wait();
                panic!("serve did not stop:\n{}", self.server_log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Replaces a role and has the configuration read again.
    pub fn reload_with_role(&self, name: &str, role: &str) {
        let path = self.dir().join("roles").join(format!("{name}.toml"));
        fs::write(&path, role).expect("the role");
        give_to_server(&self.dir());
        self.reload();
    }

    /// Has the configuration read again, and waits until the log says so.
    pub fn reload(&self) {
        let before = self.entries("reload").len();
        self.signal("HUP");
        eventually("the reload", || self.entries("reload").len() > before);
    }

    /// `ssh` of a user to a host of their configuration: `bastion`, or `web-1@bastion`.
    pub fn ssh(&self, who: &str, arguments: &[&str]) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.home().join(format!("{who}.conf"))).args(arguments);
        ssh.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        ssh
    }

    /// Runs that, and gives exit code, standard output, standard error.
    pub fn run(&self, who: &str, arguments: &[&str]) -> Came {
        came(&self.ssh(who, arguments).output().expect("ssh"))
    }

    /// A grant of `role` on `target` for alice, approved by bob; its identifier (`g-…`).
    pub fn grant(&self, role: &str, target: &str, duration: &str) -> String {
        let id = self.request(role, target, duration);
        self.approve(&id);
        let cert = self.run("alice", &["bastion", "cert"]);
        assert_eq!(cert.code, 0, "{cert:?}");
        id.replacen("r-", "g-", 1)
    }

    /// A pending request of alice's; its identifier.
    pub fn request(&self, role: &str, target: &str, duration: &str) -> String {
        let line = format!("request {role} --on {target} --for {duration} --no-wait --reason INC-4711 test");
        let came = self.run("alice", &["bastion", &line]);
        assert_eq!(came.code, 0, "{came:?}");
        came.out.lines().next().expect("the request's ID").trim().to_owned()
    }

    /// Bob approves what `pending` shows him.
    pub fn approve(&self, id: &str) {
        let pending = self.run("bob", &["bastion", "pending"]);
        let (_, rest) = pending.out.split_once(&format!("approve {id} ")).unwrap_or_else(|| panic!("{pending:?}"));
        let digest = rest.split_whitespace().next().expect("a digest");
        let came = self.run("bob", &["bastion", "approve", id, digest]);
        assert_eq!(came.code, 0, "{came:?}");
    }

    /// The audit log's lines of a kind, as JSON: those that are on the disk now. The bastion waits for the entries of what it
    /// decides before it acts; entries of other kinds (connection, refused, control, forward, disconnected,
    /// authentication-failed, an end) come a moment after what they tell of: see [`Self::eventual_entries`].
    pub fn entries(&self, kind: &str) -> Vec<serde_json::Value> {
        let mut segments: Vec<PathBuf> = fs::read_dir(self.dir().join("state/audit"))
            .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
            .unwrap_or_default();
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        segments.sort();
        let lines = segments.iter().flat_map(|path| {
            let text = fs::read_to_string(path).unwrap_or_default();
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<serde_json::Value>>()
        });
        lines.filter(|entry| entry["kind"] == kind).collect()
    }

    /// The entries of a kind once there are at least so many.
    pub fn eventual_entries(&self, kind: &str, count: usize) -> Vec<serde_json::Value> {
        self.eventual_entries_with(kind, count, |_| true)
    }

    /// The entries of a kind with which this holds, once there are at least so many.
    pub fn eventual_entries_with(
        &self,
        kind: &str,
        count: usize,
        holds: impl Fn(&serde_json::Value) -> bool,
    ) -> Vec<serde_json::Value> {
        let patience = Instant::now();
        loop {
            let all = self.entries(kind);
            let found: Vec<_> = all.iter().filter(|entry| holds(entry)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            assert!(patience.elapsed() < PATIENCE, "{} of {count} among the entries {kind}: {all:#?}", found.len());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until everything that the bastion has handed to its log by now is on the disk. The log keeps the order in which
    /// entries come, so that is when one that comes now is there.
    pub fn caught_up(&self) {
        self.reload();
    }

    /// Verifies the log offline.
    pub fn verify(&self) {
        let output = Command::new(DOORWARD).args(["audit", "verify", text(&self.dir())]).output().expect("doorward");
        assert!(output.status.success(), "{}", shown(&output));
    }
}

impl Drop for Bastion {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let (server, target) = (self.server_log(), self.sshd.log());
            let _ = writeln!(std::io::stderr(), "--- serve said:\n{server}\n--- sshd said:\n{target}");
        }
    }
}

/// What came back from a command.
#[derive(Debug)]
pub struct Came {
    /// Its exit code; -1 for a signal.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// `output` as text.
pub fn came(output: &Output) -> Came {
    Came {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// How long anything is waited for. It only matters where a test fails, so it is long enough for a machine that is slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits, at most [`PATIENCE`], until `holds`.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now();
    while !holds() {
        assert!(patience.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
