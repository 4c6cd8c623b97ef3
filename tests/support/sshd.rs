//! A stock OpenSSH server of the test's own: free loopback port, temporary directory, configuration given by the test, log in
//! a file, ended by its process id when dropped. A missing `sshd` fails the test.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SSHD: &str = "/usr/sbin/sshd";
const START_WITHIN: Duration = Duration::from_secs(20);

/// A running `sshd`. Its directory, with all that the test put there, is removed with it.
pub struct Sshd {
    dir: tempfile::TempDir,
    child: Child,
    /// Its port on 127.0.0.1.
    pub port: u16,
}

impl Sshd {
    /// Starts a server. `config` gets the server's directory (to write keys and principal files into) and answers with the
    /// lines of `sshd_config` that the test is about: keys that [`write_config`] does not set, then `Match` blocks.
    ///
    /// Without further lines nobody can log in: no authorized keys, no passwords, no trusted CA.
    pub fn start(config: impl FnOnce(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // sshd gives up root in its children: an account other than root must be able to pass through to principal files.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        prepare_privilege_separation();
        keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "test-host", "-f", text(&dir.path().join("host_key"))]);
        let lines = config(dir.path());
        // Another process may take the port between our probe and sshd's bind: then try another one.
        for _ in 0..5 {
            let port = free_port();
            write_config(dir.path(), port, &lines);
            let mut child = spawn(dir.path());
            if is_listening(dir.path(), &mut child) {
                return Self { dir, child, port };
            }
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = fs::read_to_string(dir.path().join("log")).unwrap_or_default();
        panic!("{SSHD} does not start:\n{log}");
    }

    /// The server's directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has logged so far (`LogLevel VERBOSE`).
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).expect("sshd's log")
    }

    /// Waits until a line of the log contains `wanted`; the whole log then. Panics with the log if not.
    pub fn log_with(&self, wanted: &str) -> String {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            let log = self.log();
            if log.contains(wanted) {
                return log;
            }
            assert!(Instant::now() < deadline, "no {wanted:?} in sshd's log:\n{log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The host's public key, one line in OpenSSH form.
    pub fn host_key(&self) -> String {
        fs::read_to_string(self.dir.path().join("host_key.pub")).expect("the host's public key").trim().to_owned()
    }

    /// A stock `ssh` to this server as `user` with exactly this key file (and `KEY-cert.pub` beside it, if there is one). It
    /// asks nothing and knows the host. Add the command as arguments.
    pub fn ssh(&self, user: &str, key: &Path) -> Command {
        self.ssh_knowing(&format!("[127.0.0.1]:{} {}\n", self.port, self.host_key()), user, key)
    }

    /// As [`Self::ssh`], with another known_hosts file.
    pub fn ssh_knowing(&self, known: &str, user: &str, key: &Path) -> Command {
        let known_hosts = self.dir.path().join("known_hosts");
        fs::write(&known_hosts, known).expect("known_hosts");
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"]);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", known_hosts.display()));
        ssh.arg("-i").arg(key);
        ssh.args(["-p", &self.port.to_string(), &format!("{user}@127.0.0.1")]);
        ssh.stdin(Stdio::null());
        ssh
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The account the tests run as: the one a server that is not root can log in.
pub fn own_account() -> String {
    stdout(Command::new("id").arg("-un"))
}

/// Runs `ssh-keygen` with these arguments and gives its standard output; panics with its message if it fails.
pub fn keygen(arguments: &[&str]) -> String {
    stdout(Command::new("ssh-keygen").args(arguments).stdin(Stdio::null()))
}

/// A new key pair of `ssh-keygen`, without a passphrase, at `path` and `path.pub`.
pub fn new_key(path: &Path) -> PathBuf {
    keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", text(path)]);
    path.to_owned()
}

/// What a command printed, both streams, for messages of failing tests.
pub fn shown(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{:?}\nstdout: {out}\nstderr: {err}", output.status)
}

/// A path as text; test paths are UTF-8.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", shown(&output));
    String::from_utf8(output.stdout).expect("UTF-8").trim_end().to_owned()
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// As root, sshd wants an empty directory for its unprivileged half; the package makes it when the service starts.
fn prepare_privilege_separation() {
    if stdout(Command::new("id").arg("-u")) == "0" {
        fs::create_dir_all("/run/sshd").expect("/run/sshd");
    }
}

/// The tests log in as whoever runs them, whose shell may read `~/.bashrc` for commands of sshd: slow, noisy and none of the
/// test's business. An enrolled account has no such files.
fn no_startup_files(dir: &Path, lines: &str) -> String {
    if lines.contains("SetEnv") { String::new() } else { format!("SetEnv HOME={}/no-home\n", dir.display()) }
}

fn write_config(dir: &Path, port: u16, lines: &str) {
    let host_key = dir.join("host_key");
    // Global keys are not allowed after a `Match`, so ours stand before the test's own lines, which may end in `Match` blocks.
    let global = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nUsePAM no\nStrictModes no\nLogLevel VERBOSE\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n{}",
        host_key.display(),
        no_startup_files(dir, lines)
    );
    // sshd would look into the homes of the test's accounts otherwise.
    let default = if lines.contains("AuthorizedKeysFile") { "" } else { "AuthorizedKeysFile none\n" };
    fs::write(dir.join("sshd_config"), format!("{global}{default}{lines}\n")).expect("sshd_config");
}

fn spawn(dir: &Path) -> Child {
    let _ = fs::remove_file(dir.join("log"));
    Command::new(SSHD)
        .args(["-D", "-f"])
        .arg(dir.join("sshd_config"))
        .arg("-E")
        .arg(dir.join("log"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{SSHD} (package openssh-server): {error}"))
}

fn is_listening(dir: &Path, child: &mut Child) -> bool {
    let deadline = Instant::now() + START_WITHIN;
    while Instant::now() < deadline {
        let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
        if log.contains("Server listening on") {
            return true;
        }
        if child.try_wait().ok().flatten().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}
