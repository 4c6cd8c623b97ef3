//! The servers of a run and the ways to them: a bastion with log and recorder on, an OpenSSH jump host, and one OpenSSH
//! target a cipher that both lead to.
//!
//! Every leg has the same key exchange, cipher and kinds of host and user keys: the client's configuration and the targets'
//! name one of each, so neither OpenSSH nor doorward has a choice.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::plan::Plan;
use crate::support::bastion::{Bastion, Setup, is_root};
use crate::support::sshd::{Sshd, own_account};

/// The key exchange of every leg.
pub const KEX: &str = "curve25519-sha256";

/// The ciphers; a leg has one of them on all its connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cipher {
    /// What `ssh` of these years prefers.
    ChaCha20,
    /// What a processor with AES instructions is fastest with.
    Aes256Gcm,
}

impl Cipher {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ChaCha20, Self::Aes256Gcm];

    /// SSH's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChaCha20 => "chacha20-poly1305@openssh.com",
            Self::Aes256Gcm => "aes256-gcm@openssh.com",
        }
    }

    /// For people, and in names of targets.
    pub fn short(self) -> &'static str {
        match self {
            Self::ChaCha20 => "chacha20",
            Self::Aes256Gcm => "aes256gcm",
        }
    }
}

/// How a client gets to the target.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Route {
    /// `ssh TARGET`.
    Direct,
    /// `ssh -J JUMPHOST TARGET`, with OpenSSH's own jump host.
    OpensshJump,
    /// `ssh JUMPHOST`, and no further.
    JumpHostItself,
    /// `ssh TARGET@bastion`.
    Door,
    /// `ssh -J bastion TARGET`.
    Jump,
}

impl Route {
    /// What stands for this way on the command line, for the target of that cipher.
    pub fn host(self, cipher: Cipher) -> String {
        let cipher = cipher.short();
        match self {
            Self::Direct => format!("direct-{cipher}"),
            Self::OpensshJump => format!("jumped-{cipher}"),
            Self::JumpHostItself => "jump-host".to_owned(),
            Self::Door => format!("bench-{cipher}@bastion"),
            Self::Jump => format!("bench-{cipher}.jea"),
        }
    }
}

/// Everything that runs.
pub struct World {
    bastion: Bastion,
    jump_host: Sshd,
    targets: Vec<(Cipher, Sshd)>,
}

impl World {
    /// Starts everything; there is a grant for the rest of the run.
    pub fn start(plan: &Plan) -> Self {
        let tables = "[limits]\nmax_sessions = 2000\nrecordings_mib = 1048576\n";
        let bastion = Bastion::with(Setup { tables: tables.to_owned(), ..Setup::default() });
        let home = bastion.home().to_owned();
        let key = fs::read_to_string(home.join("alice.pub")).expect("alice's key");
        fs::write(home.join("authorized_keys"), &key).expect("the authorized keys");
        write_data(&home, plan.bytes / Plan::PIECES);
        let jump_host = Sshd::start(|_| {
            let ciphers = Cipher::ALL.map(Cipher::name).join(",");
            format!("{}AuthorizedKeysFile {}/authorized_keys\n", common(&ciphers), home.display())
        });
        let targets = Cipher::ALL.map(|cipher| (cipher, target(&bastion, cipher))).into();
        let world = Self { bastion, jump_host, targets };
        world.enrol();
        for cipher in Cipher::ALL {
            world.write_client(cipher);
        }
        world.bastion.grant("ops", "bench-chacha20,bench-aes256gcm", "4h");
        world
    }

    /// Where everything is kept.
    pub fn home(&self) -> &Path {
        self.bastion.home()
    }

    /// The bastion's process.
    pub fn bastion_pid(&self) -> u32 {
        self.bastion.pid()
    }

    /// The jump host's process.
    pub fn jump_host_pid(&self) -> u32 {
        self.jump_host.pid()
    }

    /// A stock `ssh` on that way. Add options with [`Command::args`] by giving them as `options`, then the host, then `line`.
    pub fn ssh(&self, route: Route, cipher: Cipher, options: &[&str], line: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.arg("-F").arg(self.home().join(format!("{}.conf", cipher.short()))).args(options);
        ssh.arg(route.host(cipher));
        if !line.is_empty() {
            ssh.arg(line);
        }
        ssh.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null()).stdout(Stdio::null());
        ssh.stderr(fs::File::create(self.errors()).expect("a file for errors"));
        ssh
    }

    /// Where the last `ssh` said what went wrong.
    pub fn errors(&self) -> PathBuf {
        self.home().join("ssh.errors")
    }

    /// What the last `ssh` said, for the message of a measurement that failed.
    pub fn said(&self) -> String {
        fs::read_to_string(self.errors()).unwrap_or_default().trim().to_owned()
    }

    /// The file that transfers read; so many of them make one transfer.
    pub fn data(&self) -> PathBuf {
        self.home().join("data")
    }

    /// Removes what was recorded, so that many transfers do not fill the disk.
    pub fn forget_recordings(&self) {
        for day in fs::read_dir(self.bastion.dir().join("state/recordings")).into_iter().flatten().flatten() {
            for file in fs::read_dir(day.path()).into_iter().flatten().flatten() {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// Verifies the log: figures of a bastion that kept no evidence would be worth nothing.
    pub fn verify(&self) {
        self.bastion.verify();
    }

    /// The targets and the role, taken over by the running bastion.
    fn enrol(&self) {
        let account = own_account();
        let stanza = |(cipher, sshd): &(Cipher, Sshd)| {
            let (name, port, key) = (cipher.short(), sshd.port, sshd.host_key());
            format!(
                "[bench-{name}]\naddress = \"127.0.0.1:{port}\"\nhost_key = \"{key}\"\nrun_as = {{ ops = \"{account}\" }}\n\n"
            )
        };
        let targets: String = self.targets.iter().map(stanza).collect();
        fs::write(self.bastion.dir().join("targets.toml"), targets).expect("the targets");
        self.bastion.reload_with_role("ops", &role(&self.data()));
    }

    /// The configuration of the client whose every connection has that cipher, and its known hosts.
    fn write_client(&self, cipher: Cipher) {
        let home = self.home();
        let (_, target) = self.targets.iter().find(|(other, _)| *other == cipher).expect("a target of each cipher");
        let host_ca = fs::read_to_string(self.bastion.dir().join("certs/host_ca.pub")).expect("the host CA");
        let known = format!(
            "@cert-authority bastion.test,*.jea {}\njump-host {}\ntarget {}\n",
            host_ca.trim(),
            self.jump_host.host_key(),
            target.host_key()
        );
        let (name, known_hosts) = (cipher.short(), home.join(format!("{}.known", cipher.short())));
        fs::write(&known_hosts, known).expect("the known hosts");
        let at = |host: &str, port: u16, alias: &str, user: &str| {
            format!("Host {host}\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias {alias}\n  User {user}\n")
        };
        let jump_user = if is_root() { "nobody".to_owned() } else { own_account() };
        let hosts = [
            at("bastion", self.bastion.port, "bastion.test", "alice"),
            "Host *.jea\n  ProxyJump bastion\n  PubkeyAuthentication no\n  User ops\n".to_owned(),
            at("jump-host", self.jump_host.port, "jump-host", &jump_user),
            at(&format!("direct-{name}"), target.port, "target", &own_account()),
            at(&format!("jumped-{name}"), target.port, "target", &own_account()) + "  ProxyJump jump-host\n",
        ];
        let all = format!(
            "Host *\n  KexAlgorithms {KEX}\n  Ciphers {}\n  HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-ed25519\n  \
             IdentityFile {}/alice\n  IdentitiesOnly yes\n  IdentityAgent none\n  PreferredAuthentications publickey\n  \
             UserKnownHostsFile {}\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n  UpdateHostKeys no\n  \
             BatchMode yes\n  LogLevel ERROR\n",
            cipher.name(),
            home.display(),
            known_hosts.display()
        );
        fs::write(home.join(format!("{name}.conf")), hosts.concat() + &all).expect("the client's configuration");
    }
}

/// What jump host and targets have in common. Many clients come at once, and from one address.
fn common(ciphers: &str) -> String {
    format!("KexAlgorithms {KEX}\nCiphers {ciphers}\nMaxStartups 1000\nMaxSessions 1000\n")
}

/// A target that lets in alice's key, for the legs without a bastion, and the bastion's certificates: else the same.
fn target(bastion: &Bastion, cipher: Cipher) -> Sshd {
    let account = own_account();
    let ca = bastion.dir().join("certs/target_ca.pub");
    let ca = fs::read_to_string(ca).expect("the target CA's public key");
    Sshd::start(|place| {
        fs::write(place.join("target_ca.pub"), &ca).expect("the CA");
        let principal = format!("bench-{}/{account}@bastion.test\n", cipher.short());
        fs::write(place.join("principals"), principal).expect("the principals");
        let (place, home) = (place.display(), bastion.home().display());
        format!(
            "{}Match User {account}\n  TrustedUserCAKeys {place}/target_ca.pub\n  AuthorizedPrincipalsFile {place}/principals\n  \
             AuthorizedKeysFile {home}/authorized_keys\n  DisableForwarding yes\n  PermitUserRC no\n",
            common(cipher.name())
        )
    })
}

/// A file of random bytes: what compresses and escapes worst.
fn write_data(home: &Path, bytes: u64) {
    let length = usize::try_from(bytes).expect("a length");
    let mut data = vec![0; length];
    rand::Rng::fill_bytes(&mut rand::rng(), &mut data);
    fs::write(home.join("data"), data).expect("the data");
}

/// What the benchmarks run.
fn role(data: &Path) -> String {
    let data = data.display();
    let words: String = (0..Plan::PIECES).map(|piece| format!(" {{file{piece}}}")).collect();
    let files: String =
        (0..Plan::PIECES).map(|piece| format!("where.file{piece} = {{ one_of = [\"{data}\"] }}\n")).collect();
    format!(
        r#"
description = "What the benchmarks run"
targets     = ["bench-*"]
run_as      = "ops"

[request]
eligible     = ["user:alice"]
approvers    = ["user:bob"]
approvals    = 1
max_duration = "8h"
reason       = "required"

[[command]]
run = "/usr/bin/true"

[[command]]
run        = "/usr/bin/cat{words}"
{files}max_output = 1073741824

[[command]]
run   = "/usr/bin/wc -c"
stdin = true

[[command]]
run        = "/usr/bin/tail -n 1 -f {{file}}"
where.file = {{ one_of = ["/etc/passwd"] }}
"#
    )
}
