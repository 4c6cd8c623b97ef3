//! The demo's world: three people with keys, two roles over harmless programs, a `local` target and, where an `sshd` is
//! installed, a real OpenSSH target. Everything lies in one temporary directory.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use russh::keys::PublicKey;

use crate::ca::signer::generate_key_file;
use crate::cli::{self, Screen};
use crate::config::Paths;
use crate::config::enroll::{EnrollFacts, Places, snippet};
use crate::domain::AccountName;

use super::DemoError;
use super::script::as_typed;
use super::sshd::{self, Sshd};

/// The bastion's name in its certificates.
const NAME: &str = "bastion.demo";
/// Who is who: name, what `init` calls them.
const PEOPLE: [(&str, &str); 3] = [("alice", "--user"), ("bob", "--approver"), ("carol", "--reviewer")];

/// The role that alice asks for and bob approves. `DIR` stands for the demo's directory.
const READ_LOGS: &str = r#"# Shows the log files of the demo's web server, and a little more.
description = "Read the web server's logs"
targets     = ["web-1", "here"]
run_as      = "demo"

[request]
eligible     = ["user:alice"]
approvers    = ["user:bob"]
approvals    = 1
max_duration = "1h"
reason       = "required"

[[command]]
run  = "/usr/bin/tail -n {lines} {file}"
help = "Show the end of a log file"
where.lines = { int = [1, 1000] }
where.file  = { path = "DIR/logs/*.log" }

[[command]]
run   = "/usr/bin/sha256sum"
help  = "Digest of what you pipe in"
stdin = true

[[command]]
run  = "/usr/bin/sleep {seconds}"
help = "Something that takes a while, to revoke while it runs"
where.seconds = { int = [1, 600] }

[examples]
allow = ["tail -n 5 DIR/logs/web.log", "sha256sum"]
deny  = ["tail -n 5 /etc/passwd", "tail -n 5 DIR/logs/../alice.log", "tail -f DIR/logs/web.log"]
"#;

/// The role that needs no approval.
const LOOK_AROUND: &str = r#"# Harmless, so nobody needs to approve it.
description = "See how the machine is doing"
targets     = ["web-1", "here"]
run_as      = "demo"

[request]
eligible     = ["user:alice", "user:bob", "user:carol"]
approvals    = 0
max_duration = "1h"

[[command]]
run  = "/usr/bin/uptime"
help = "How long it is up, and the load"

[[command]]
run  = "/usr/bin/df -h"
help = "Disk space"

[examples]
allow = ["uptime", "df -h"]
deny  = ["df", "uptime -p"]
"#;

const WEB_LOG: &str = "GET / 200\nGET /style.css 200\nGET /broken 500\nGET / 200\n";

/// Everything the demo made.
pub(super) struct World {
    /// Its directory; removed when dropped. The people's `ssh` configurations are `DIR/alice`, `DIR/bob`, `DIR/carol`.
    pub(super) dir: tempfile::TempDir,
    /// The OpenSSH target.
    pub(super) sshd: Option<Sshd>,
    /// What the demo goes without, and why.
    left_out: Option<String>,
    port: u16,
}

impl World {
    /// Makes it all. The bastion is not running yet.
    pub(super) fn build() -> Result<Self, DemoError> {
        let dir = tempfile::Builder::new().prefix("doorward-demo-").tempdir()?;
        fs::create_dir(dir.path().join("keys"))?;
        fs::create_dir(dir.path().join("logs"))?;
        fs::write(dir.path().join("logs/web.log"), WEB_LOG)?;
        let port = super::free_port()?;
        for (who, _) in PEOPLE {
            write_key(&dir.path().join("keys").join(who), who)?;
        }
        let mut world = Self { dir, sshd: None, left_out: None, port };
        world.init()?;
        world.start_target()?;
        world.configure()?;
        world.write_clients()?;
        Ok(world)
    }

    /// The bastion's DIR.
    pub(super) fn bastion_dir(&self) -> PathBuf {
        self.dir.path().join("bastion")
    }

    /// The target of the story: the OpenSSH one, if there is one.
    pub(super) fn best_target(&self) -> &'static str {
        if self.sshd.is_some() { "web-1" } else { "here" }
    }

    /// `doorward init`, as an operator would type it.
    fn init(&self) -> Result<(), DemoError> {
        let mut words = vec!["doorward".to_owned(), "init".to_owned(), self.bastion_dir().display().to_string()];
        words.extend(["--name".to_owned(), NAME.to_owned(), "--port".to_owned(), self.port.to_string()]);
        for (who, option) in PEOPLE {
            let key = self.dir.path().join("keys").join(format!("{who}.pub"));
            words.extend([option.to_owned(), format!("{who}={}", key.display())]);
        }
        run_cli(&words)
    }

    /// An `sshd` with the snippet of `target enroll`, under paths of the demo's own.
    fn start_target(&mut self) -> Result<(), DemoError> {
        let Some(program) = sshd::installed() else {
            self.left_out = Some("no sshd is installed, so the story plays on the `local` target alone".to_owned());
            return Ok(());
        };
        let place = self.dir.path().join("web-1");
        fs::create_dir_all(place.join("principals"))?;
        write_key(&place.join("host_key"), "web-1")?;
        let setup = |error: String| DemoError::Setup(error);
        let authority = fs::read_to_string(Paths::new(self.bastion_dir()).public_key("target_ca"))?;
        let authority = PublicKey::from_openssh(&authority).map_err(|error| setup(error.to_string()))?;
        let places = Places {
            authority: place.join("target_ca.pub"),
            principals: place.join("principals"),
            snippet: place.join("snippet"),
        };
        let facts = EnrollFacts {
            target: &"web-1".parse().map_err(|error: crate::domain::names::NameError| setup(error.to_string()))?,
            bastion: NAME,
            accounts: &[own_account()?],
            authority: &authority,
            places: &places,
            openssh: None,
            from: &[],
        };
        for file in snippet(&facts).map_err(setup)? {
            fs::write(&file.path, &file.text)?;
            fs::set_permissions(&file.path, fs::Permissions::from_mode(file.mode))?;
        }
        match Sshd::start(&program, &place, &fs::read_to_string(&places.snippet)?) {
            Ok(server) => self.sshd = Some(server),
            Err(error) => self.left_out = Some(format!("{error}; the story plays on the `local` target alone")),
        }
        Ok(())
    }

    /// The demo's own settings, targets and roles in the place of those that `init` wrote.
    fn configure(&self) -> Result<(), DemoError> {
        let (dir, account) = (self.bastion_dir(), own_account()?);
        let listen = format!("127.0.0.1:{}", self.port);
        let settings = format!(
            "name   = \"{NAME}\"\nlisten = [\"{listen}\"]\ndemo   = true\n\n[rights]\nreviewers = [\"user:carol\"]\n"
        );
        fs::write(dir.join("doorward.toml"), settings)?;
        let mut targets = format!("[here]\nkind   = \"local\"\nrun_as = {{ demo = \"{account}\" }}\n");
        if let Some(server) = &self.sshd {
            let host_key = fs::read_to_string(self.dir.path().join("web-1/host_key.pub"))?;
            targets.push_str(&format!(
                "\n[web-1]\naddress  = \"127.0.0.1:{}\"\nlabels   = {{ tier = \"web\" }}\nhost_key = \"{}\"\nrun_as   = {{ demo = \"{account}\" }}\n",
                server.port,
                host_key.trim()
            ));
        }
        fs::write(dir.join("targets.toml"), targets)?;
        for entry in fs::read_dir(dir.join("roles"))? {
            fs::remove_file(entry?.path())?;
        }
        let place = self.dir.path().display().to_string();
        fs::write(dir.join("roles/read-logs.toml"), READ_LOGS.replace("DIR", &place))?;
        fs::write(dir.join("roles/look-around.toml"), LOOK_AROUND)?;
        Ok(())
    }

    /// One `ssh` configuration a person, with the host CA pinned: no trust on first use.
    fn write_clients(&self) -> Result<(), DemoError> {
        let (place, port) = (self.dir.path().display(), self.port);
        let authority = fs::read_to_string(Paths::new(self.bastion_dir()).public_key("host_ca"))?;
        fs::write(self.dir.path().join("known_hosts"), format!("@cert-authority {NAME},*.jea {authority}"))?;
        for (who, _) in PEOPLE {
            let config = format!(
                "Host bastion\n    HostName 127.0.0.1\n    Port {port}\n    HostKeyAlias {NAME}\n    User {who}\n    \
                 IdentityFile {place}/keys/{who}\n    IdentitiesOnly yes\n    IdentityAgent none\n    \
                 CertificateFile {place}/keys/{who}-cert.pub\n\
                 Host *.jea\n    ProxyJump bastion\n    PubkeyAuthentication no\n    ForwardAgent no\n\
                 Host *\n    UserKnownHostsFile {place}/known_hosts\n    GlobalKnownHostsFile /dev/null\n    \
                 StrictHostKeyChecking yes\n    BatchMode yes\n"
            );
            fs::write(self.dir.path().join(who), config)?;
        }
        Ok(())
    }

    /// Who and what there is.
    pub(super) fn introduce(&self, screen: &mut dyn Write) -> io::Result<()> {
        writeln!(
            screen,
            "doorward demo: a bastion on 127.0.0.1 port {}, everything in {}",
            self.port,
            self.dir.path().display()
        )?;
        writeln!(
            screen,
            "alice administers, bob approves, carol reviews; each has a key and an ssh configuration there."
        )?;
        match (&self.sshd, &self.left_out) {
            (Some(server), _) => writeln!(
                screen,
                "Targets: `web-1`, a real OpenSSH server on port {} set up by what `target enroll` prints, and `here`, this machine.",
                server.port
            ),
            (None, left_out) => {
                writeln!(screen, "Target: `here`, this machine. Left out: {}.", left_out.as_deref().unwrap_or("web-1"))
            }
        }
    }

    /// The story to paste, in its order.
    pub(super) fn what_to_paste(&self, screen: &mut dyn Write) -> Result<(), DemoError> {
        let (dir, target) = (self.dir.path(), self.best_target());
        let tail = format!("{target}@bastion tail -n 2 {}/logs/web.log", dir.display());
        let ask = format!("bastion request read-logs --on {target} --for 10m --reason INC-4711 error page");
        writeln!(
            screen,
            "\nOpen two more terminals and paste, in this order (this one serves; Ctrl-C ends it and removes everything):\n"
        )?;
        for (who, title, line) in [
            ("alice", "what am I, what may I ask for?", "bastion"),
            ("alice", "no grant, no command; it says what to type", tail.as_str()),
            ("alice", "ask, and wait", ask.as_str()),
            ("bob", "see what is asked, and paste the line it shows", "bastion pending"),
            ("alice", "the same command now runs", tail.as_str()),
            ("alice", "the same through the jump door, in the target's own name", &tail.replace("@bastion", ".jea")),
            ("alice", "another file does not", &format!("{target}@bastion tail -n 2 /etc/passwd")),
            ("alice", "give the role back", "bastion done"),
            ("carol", "read what happened", "bastion audit search --user alice"),
            ("carol", "verify it", "bastion audit verify"),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            writeln!(screen, "  # {who}: {title}\n  {}\n", as_typed(dir, who, &words))?;
        }
        Ok(())
    }

    /// The bastion is stopped, and the log verifies with the files and the public key alone.
    pub(super) fn verify_offline(&self, screen: &mut dyn Write) -> Result<(), DemoError> {
        let dir = self.bastion_dir();
        let key = Paths::new(&dir).public_key("log_key");
        writeln!(screen, "\n# The bastion is stopped; whoever has the files and the public key can still verify")?;
        writeln!(screen, "$ doorward audit verify {} --key {}", dir.display(), key.display())?;
        screen.flush()?;
        let words = ["doorward", "audit", "verify"].map(str::to_owned).to_vec();
        let more = [dir.display().to_string(), "--key".to_owned(), key.display().to_string()];
        let words: Vec<String> = words.into_iter().chain(more).collect();
        let said = run_cli_showing(&words)?;
        said.lines().try_for_each(|line| writeln!(screen, "  {line}"))?;
        Ok(())
    }
}

/// The account that runs the demo, which is also the one its targets use.
fn own_account() -> Result<AccountName, DemoError> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).map_err(io::Error::from)?;
    let user = user.ok_or_else(|| DemoError::Setup("the account that runs this has no name".to_owned()))?;
    user.name.parse().map_err(|error: crate::domain::names::NameError| DemoError::Setup(error.to_string()))
}

/// A new ed25519 key pair in OpenSSH's format: `path` and `path.pub`.
fn write_key(path: &Path, comment: &str) -> Result<(), DemoError> {
    let public = generate_key_file(path, comment).map_err(|error| DemoError::Setup(error.to_string()))?;
    let public = public.to_openssh().map_err(|error| DemoError::Setup(error.to_string()))?;
    fs::write(path.with_extension("pub"), public)?;
    Ok(())
}

fn run_cli(words: &[String]) -> Result<(), DemoError> {
    run_cli_showing(words).map(drop)
}

/// Runs a `doorward` command in this process and gives what it said.
fn run_cli_showing(words: &[String]) -> Result<String, DemoError> {
    let (code, said) = run_cli_for(words);
    if code == 0 { Ok(said) } else { Err(DemoError::Setup(format!("`{}` failed: {said}", words.join(" ")))) }
}

/// The same with its exit code, for what says something by it.
pub(super) fn run_cli_for(words: &[String]) -> (u8, String) {
    let (screen, said) = Screen::collecting();
    let code = cli::run_on(words.iter().map(Into::into), screen);
    (code, said.text())
}
