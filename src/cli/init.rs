//! `doorward init DIR`: a new set of files in which something works at once.
//!
//! Everything is written beside DIR, read back as `serve` would read it, and only then renamed into place: there is never
//! half a bastion.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use russh::keys::PublicKey;

use crate::ca::signer::generate_key_file;
use crate::config::paths::KEYS;
use crate::config::{Paths, host_name, load, shipped};
use crate::control::handout::{Door, known_hosts, ssh_config};
use crate::domain::text::{escape, shell_word};

use super::{CliError, Screen};

mod files;

use files::Member;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The directory to make; it must not exist or be empty
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The bastion's own host name, as people reach it and as certificates say it
    #[arg(long, value_name = "HOST")]
    name: String,
    /// The port that people reach
    #[arg(long, default_value_t = 22, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// An address to listen on; 0.0.0.0 with the port if unsaid
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<SocketAddr>,
    /// What people type after `ssh`
    #[arg(long, default_value = "bastion", value_name = "NAME")]
    alias: String,
    /// Somebody who may ask for the shipped roles, with their public key
    #[arg(long, value_name = "NAME=FILE", value_parser = files::member)]
    user: Vec<Member>,
    /// Somebody who may approve the shipped roles
    #[arg(long, value_name = "NAME=FILE", value_parser = files::member)]
    approver: Vec<Member>,
    /// Somebody who may read the log and the recordings
    #[arg(long, value_name = "NAME=FILE", value_parser = files::member)]
    reviewer: Vec<Member>,
    /// More roles to begin with, besides those for everybody; docs/roles-cookbook.md tells of each
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',', value_parser = cookbook())]
    with: Vec<String>,
}

/// The names that `--with` takes: `--help` lists them, and a misspelt one is refused with the nearest.
fn cookbook() -> PossibleValuesParser {
    PossibleValuesParser::new(shipped::COOKBOOK.iter().map(|(name, _)| *name))
}

impl Init {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        for (option, text) in [("--name", &self.name), ("--alias", &self.alias)] {
            host_name(text).map_err(|why| CliError::Usage(format!("{option} {}: {why}", escape(text))))?;
        }
        must_be_new(&self.dir)?;
        let people = files::people(&[
            (shipped::ADMINS, &self.user),
            (shipped::APPROVERS, &self.approver),
            (shipped::REVIEWERS, &self.reviewer),
        ])?;
        let parent = match self.dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
            _ => PathBuf::from("."),
        };
        let cannot = |error: std::io::Error| {
            CliError::failed(format!("{} cannot be made: {error}", escape(&self.dir.to_string_lossy())))
        };
        let beside = tempfile::Builder::new()
            .prefix(".doorward-init-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(&parent)
            .map_err(cannot)?;
        let paths = Paths::new(beside.path());
        self.write(&paths, &people).map_err(cannot)?;
        let loaded = load(beside.path()).map_err(CliError::Findings)?;
        // `rename` replaces an empty directory and refuses any other: nobody can have filled it meanwhile.
        fs::rename(beside.path(), &self.dir).map_err(cannot)?;
        let _gone = beside.keep();
        fs::File::open(&parent).and_then(|parent| parent.sync_all()).map_err(cannot)?;
        for warning in &loaded.warnings {
            screen.note(format_args!("{warning}\n"));
        }
        self.say_what_next(&loaded, screen)
    }

    fn write(&self, paths: &Paths, people: &files::People) -> std::io::Result<()> {
        for dir in [paths.roles(), paths.certs(), paths.dir().join("tests")] {
            fs::DirBuilder::new().mode(0o755).create(dir)?;
        }
        for dir in [paths.keys(), paths.state(), paths.audit(), paths.recordings()] {
            fs::DirBuilder::new().mode(0o700).create(dir)?;
        }
        let listen = match self.listen.as_slice() {
            [] => vec![SocketAddr::from(([0, 0, 0, 0], self.port))],
            some => some.to_vec(),
        };
        write(&paths.settings(), &files::settings(&self.name, &self.alias, self.port, &listen), 0o644)?;
        write(&paths.users(), &files::users(people), 0o644)?;
        write(&paths.targets(), files::TARGETS, 0o644)?;
        write(&paths.dir().join(".gitignore"), files::GITIGNORE, 0o644)?;
        for (name, text) in shipped::FILES.iter().chain([&shipped::SCENARIOS]) {
            write(&paths.dir().join(name), text, 0o644)?;
        }
        crate::config::digest_key::make(&paths.digest_key())?;
        for (name, text) in shipped::COOKBOOK.iter().filter(|(name, _)| self.with.iter().any(|one| one == name)) {
            write(&paths.roles().join(format!("{name}.toml")), text, 0o644)?;
        }
        KEYS.iter().try_for_each(|name| self.write_key(paths, name))
    }

    /// A new key, and its public part where it may be read by all.
    fn write_key(&self, paths: &Paths, name: &str) -> std::io::Result<()> {
        let key = generate_key_file(&paths.key(name), &format!("doorward {name} of {}", self.name))
            .map_err(std::io::Error::other)?;
        let public = match name {
            "log_key" => files::verifier_key(&crate::config::log_origin(&self.name), &key),
            _ => key.to_openssh().ok(),
        };
        let public = public.ok_or_else(|| std::io::Error::other("a public key cannot be written"))?;
        write(&paths.public_key(name), &format!("{public}\n"), 0o644)
    }

    fn say_what_next(&self, loaded: &crate::config::Loaded, screen: &mut Screen) -> Result<(), CliError> {
        let settings = &loaded.snapshot.settings;
        let door = Door {
            name: &self.name,
            alias: &self.alias,
            port: self.port,
            suffix: &settings.suffix,
            key_inside: settings.require_key_inside,
        };
        let host_ca = super::input::read_key(&Paths::new(&self.dir).public_key("host_ca").to_string_lossy())?;
        // Without the comment: it is for the operator.
        let host_ca = PublicKey::from(host_ca.key_data().clone()).to_openssh();
        let host_ca = host_ca.map_err(|error| CliError::failed(format!("the host CA has no line: {error}")))?;
        let dir = shell_word(&self.dir.to_string_lossy());
        screen.say(files::next_steps(&files::Next {
            dir: &dir,
            alias: &self.alias,
            users: loaded.snapshot.directory.iter().count(),
            roles: loaded.snapshot.roles.len(),
            low_port: loaded.listen.addresses.iter().any(|address| address.port() < 1024),
            ssh_config: ssh_config(&door, None, "id_ed25519").trim_end(),
            known_hosts: known_hosts(&door, &host_ca).trim_end(),
        }));
        Ok(())
    }
}

fn must_be_new(dir: &Path) -> Result<(), CliError> {
    let shown = escape(&dir.to_string_lossy()).into_owned();
    match fs::read_dir(dir).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let why = "is not empty, and init changes nothing that exists; name a new directory";
            Err(CliError::failed(format!("{shown} {why}")))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CliError::failed(format!("{shown}: {error}"))),
    }
}

/// Writes a new file and has it on disk before the directory gets its name.
fn write(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
