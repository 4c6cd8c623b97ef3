//! A real bastion of the test's own: `doorward init`, roles and targets given by the test, `doorward serve` as a process on a
//! free loopback port, users with keys and the stock `ssh`, and a stock `sshd` as target. Ended by process id when dropped.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::sshd::{Sshd, free_port, keygen, own_account, shown, text};

/// The program under test.
pub const DOORWARD: &str = env!("CARGO_BIN_EXE_doorward");
/// The account that serves when the tests run as root: `serve` refuses root, as it should.
const NOBODY: u32 = 65534;

/// A role for tests: everything that needs no privilege, approved by bob, asked for by alice.
pub const ROLE: &str = r#"
description = "Harmless programs"
targets     = ["web-1", "here"]
run_as      = "ops"

[request]
eligible     = ["user:alice"]
approvers    = ["user:bob"]
approvals    = 1
max_duration = "1h"
reason       = "required"

[[command]]
run = "/usr/bin/id -un"

[[command]]
run = "/usr/bin/sleep {seconds}"
where.seconds = { int = [1, 3600] }
timeout = "1h"

[[command]]
run = "/usr/bin/cat"
stdin = true

[[command]]
run = "/usr/bin/printf {what}"
where.what = { text = 100 }

[[command]]
run = "/usr/bin/ls {path}"
where.path = { path = "/nowhere/*" }
"#;

/// What a test may set before the start.
pub struct Setup {
    /// `roles/NAME.toml`.
    pub roles: Vec<(String, String)>,
    /// More lines at the top of `doorward.toml`.
    pub top: String,
    /// More tables of `doorward.toml`.
    pub tables: String,
    /// Changes to DIR just before the start.
    pub prepare: Box<dyn Fn(&Path)>,
    /// How `serve` is started: environment, limits. Gets the command, may wrap it.
    pub wrap: Box<dyn Fn(Command) -> Command>,
    /// More lines of the OpenSSH target's `sshd_config`, before its `Match` blocks.
    pub target: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            roles: vec![("ops".to_owned(), ROLE.to_owned())],
            top: String::new(),
            tables: String::new(),
            prepare: Box::new(|_| {}),
            wrap: Box::new(|command| command),
            target: String::new(),
        }
    }
}

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
            if gone.is_some() || patience.elapsed() > Duration::from_secs(20) {
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
            if patience.elapsed() > Duration::from_secs(10) {
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

    /// The audit log's lines of a kind, as JSON.
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

/// Waits, at most ten seconds, until `holds`.
pub fn eventually(what: &str, holds: impl Fn() -> bool) {
    let patience = Instant::now();
    while !holds() {
        assert!(patience.elapsed() < Duration::from_secs(10), "{what} did not happen within ten seconds");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn init(home: &Path, port: u16) {
    let output = Command::new(DOORWARD)
        .args(["init", text(&home.join("bastion")), "--name", "bastion.test", "--port", &port.to_string()])
        .arg("--user")
        .arg(format!("alice={}", home.join("alice.pub").display()))
        .arg("--user")
        .arg(format!("dave={}", home.join("dave.pub").display()))
        .arg("--approver")
        .arg(format!("bob={}", home.join("bob.pub").display()))
        .arg("--reviewer")
        .arg(format!("carol={}", home.join("carol.pub").display()))
        .output()
        .expect("doorward init");
    assert!(output.status.success(), "{}", shown(&output));
}

/// The OpenSSH target, with the snippet of `target enroll` under paths of the test's own.
fn target(dir: &Path, lines: &str) -> Sshd {
    let ca = fs::read_to_string(dir.join("certs/target_ca.pub")).expect("the target CA's public key");
    let account = own_account();
    Sshd::start(|place| {
        fs::write(place.join("target_ca.pub"), &ca).expect("the CA");
        fs::write(place.join("principals"), format!("web-1/{account}@bastion.test\n")).expect("the principals");
        format!(
            "{lines}\nMatch User {account}\n  TrustedUserCAKeys {place}/target_ca.pub\n  AuthorizedPrincipalsFile {place}/principals\n  \
             AuthorizedKeysFile none\n  DisableForwarding yes\n  PermitUserRC no\n",
            place = place.display()
        )
    })
}

impl Bastion {
    fn write_configuration(&self) {
        let (dir, account) = (self.dir(), own_account());
        let (top, tables) = (&self.setup.top, &self.setup.tables);
        let settings = format!(
            "name = \"bastion.test\"\nlisten = [\"127.0.0.1:{}\"]\ndemo = true\n{top}\n[rights]\nreviewers = [\"user:carol\"]\n{tables}\n",
            self.port
        );
        fs::write(dir.join("doorward.toml"), settings).expect("settings");
        let server = if is_root() { "nobody".to_owned() } else { account.clone() };
        let targets = format!(
            "[web-1]\naddress = \"127.0.0.1:{}\"\nhost_key = \"{}\"\nrun_as = {{ ops = \"{account}\" }}\n\n\
             [here]\nkind = \"local\"\nrun_as = {{ ops = \"{server}\" }}\n",
            self.sshd.port,
            self.sshd.host_key()
        );
        fs::write(dir.join("targets.toml"), targets).expect("targets");
        for entry in fs::read_dir(dir.join("roles")).expect("roles").flatten() {
            fs::remove_file(entry.path()).expect("a shipped role");
        }
        for (name, role) in &self.setup.roles {
            fs::write(dir.join("roles").join(format!("{name}.toml")), role).expect("a role");
        }
    }

    fn write_clients(&self) {
        let host_ca = fs::read_to_string(self.dir().join("certs/host_ca.pub")).expect("the host CA's public key");
        let known = format!("@cert-authority bastion.test,*.jea,web-1,here {}", host_ca);
        fs::write(self.home().join("known_hosts"), known).expect("known_hosts");
        for who in ["alice", "bob", "carol", "dave", "mallory"] {
            let home = self.home().display();
            let config = format!(
                "Host bastion\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias bastion.test\n  User {who}\n  \
                 IdentityFile {home}/{who}\n  IdentitiesOnly yes\n  CertificateFile {home}/{who}.presented\n\
                 Host *.jea\n  ProxyJump bastion\n  PubkeyAuthentication no\n\
                 Host *\n  UserKnownHostsFile {home}/known_hosts\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  \
                 BatchMode yes\n  LogLevel ERROR\n",
                port = self.port
            );
            fs::write(self.home().join(format!("{who}.conf")), config).expect("an ssh configuration");
        }
    }
}

/// The server runs as another account when the tests are root: everything of DIR is its own.
fn give_to_server(dir: &Path) {
    if is_root() {
        let mut places = vec![dir.to_owned()];
        while let Some(place) = places.pop() {
            match chown(&place, Some(NOBODY), Some(NOBODY)) {
                // A running bastion replaces files of its own meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                other => other.expect("chown"),
            }
            if place.is_dir() {
                places.extend(fs::read_dir(&place).expect("a directory").flatten().map(|entry| entry.path()));
            }
        }
    }
}

/// A new key pair for somebody nobody knows, or a second key.
pub fn another_key(home: &Path, name: &str) -> PathBuf {
    let path = home.join(name);
    keygen(&["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", text(&path)]);
    path
}

/// What `doorward check` says of a set with these roles, standard output and error together.
pub fn check_of(roles: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().expect("a temporary directory");
    for user in ["alice", "bob", "carol", "dave"] {
        super::sshd::new_key(&home.path().join(user));
    }
    init(home.path(), 2222);
    for (name, role) in roles {
        fs::write(home.path().join("bastion/roles").join(format!("{name}.toml")), role).expect("a role");
    }
    let output = Command::new(DOORWARD).arg("check").arg(home.path().join("bastion")).output().expect("doorward check");
    let came = came(&output);
    came.out + &came.err
}
