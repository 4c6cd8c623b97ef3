//! What a bastion of the tests is made of: DIR, its target, the configurations of its users' `ssh`.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::sshd::{Sshd, keygen, new_key, own_account, shown, text};
use super::{Bastion, DOORWARD, came};

/// The account that serves when the tests run as root: `serve` refuses root, as it should.
pub(super) const NOBODY: u32 = 65534;

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

/// Whether the tests run as root.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub(super) fn init(home: &Path, port: u16) {
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
pub(super) fn target(dir: &Path, lines: &str) -> Sshd {
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
    pub(super) fn write_configuration(&self) {
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

    pub(super) fn write_clients(&self) {
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
pub(super) fn give_to_server(dir: &Path) {
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
        new_key(&home.path().join(user));
    }
    init(home.path(), 2222);
    for (name, role) in roles {
        fs::write(home.path().join("bastion/roles").join(format!("{name}.toml")), role).expect("a role");
    }
    let output = Command::new(DOORWARD).arg("check").arg(home.path().join("bastion")).output().expect("doorward check");
    let came = came(&output);
    came.out + &came.err
}
