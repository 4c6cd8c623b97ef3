//! `doorward target add|enroll|test|list`.

use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use russh::keys::{HashAlg, PublicKey};

use crate::app::{StartError, target_test};
use crate::config::edit::{self, NewIdentity, NewTarget};
use crate::config::{Address, Paths, load, shipped};
use crate::domain::text::shell_word;
use crate::domain::{AccountName, TargetName};
use crate::inventory::Reach;

use super::enroll::Enroll;
use super::input::{key_line, pair, read_key};
use super::{CliError, Dir, Screen};

#[derive(Debug, Subcommand)]
pub(super) enum Target {
    /// Add a target to targets.toml
    Add(Add),
    /// Print what to put on the target: a script to read and to run there as root
    Enroll(Enroll),
    /// Prove on the target itself that it holds what enrolment promised
    Test(Test),
    /// List the targets with their addresses and fingerprints
    List(Dir),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    dir: Dir,
    /// The name that people type
    name: TargetName,
    /// HOST or HOST:PORT; an IPv6 address in brackets
    address: Address,
    /// Its host key: a file, `-` for standard input, or the line itself
    #[arg(long, value_name = "FILE|-|LINE", conflicts_with = "scan")]
    host_key: Option<String>,
    /// The CA that certifies its host key: a file, `-` for standard input, or the line itself
    #[arg(long, value_name = "FILE|-|LINE", conflicts_with_all = ["scan", "host_key"])]
    host_ca: Option<String>,
    /// With --host-ca: the name in the certificate, if it is another than the address
    #[arg(long, value_name = "NAME", requires = "host_ca")]
    host_name: Option<String>,
    /// Ask the machine for its host key, and show the fingerprint to compare
    #[arg(long)]
    scan: bool,
    /// With --scan: the fingerprint was compared, or the network is trusted; write the key
    #[arg(long, requires = "scan")]
    yes: bool,
    /// A label that roles select by
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = pair::<String, String>)]
    labels: Vec<(String, String)>,
    /// A role's word for an account, and the account there; ops=ops if unsaid
    #[arg(long, value_name = "ROLE=ACCOUNT", value_parser = pair::<AccountName, AccountName>)]
    run_as: Vec<(AccountName, AccountName)>,
}

#[derive(Debug, Args)]
pub(super) struct Test {
    #[command(flatten)]
    dir: Dir,
    /// The target
    name: TargetName,
}

impl Target {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        match self {
            Self::Add(add) => add.run(screen),
            Self::Enroll(enroll) => enroll.run(screen),
            Self::Test(test) => test.run(screen),
            Self::List(dir) => list(dir, screen),
        }
    }
}

impl Test {
    fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        match target_test(&self.dir.dir, &self.name, screen.out()) {
            Ok(true) => {
                screen.say(format_args!("{} holds what was enrolled", self.name));
                Ok(())
            }
            Ok(false) => {
                screen.say(format_args!("{} does not hold what was enrolled: no role should reach it yet", self.name));
                Err(CliError::Reported)
            }
            Err(StartError::Configuration(findings)) => Err(CliError::Findings(findings)),
            Err(error) => Err(CliError::failed(error.to_string())),
        }
    }
}

impl Add {
    fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let Some(identity) = self.identity(screen)? else {
            return Err(CliError::failed(format!("{} was not added yet", self.name)));
        };
        let run_as = match self.run_as.as_slice() {
            [] => {
                let account: AccountName =
                    shipped::ACCOUNT.parse().map_err(|error| CliError::failed(format!("{error}")))?;
                vec![(account.clone(), account)]
            }
            some => some.to_vec(),
        };
        let new = NewTarget {
            name: self.name.clone(),
            address: self.address.clone(),
            identity,
            labels: self.labels.clone(),
            run_as,
        };
        edit::add_target(&Paths::new(&self.dir.dir), &new)?;
        let dir = shell_word(&self.dir.dir.to_string_lossy());
        screen.say(format_args!("added {} to targets.toml; next, put on it what this prints:", self.name));
        screen.say(format_args!("    doorward target enroll {dir} {}", self.name));
        Ok(())
    }

    /// By what the target will be recognised; `None` when somebody has to compare first.
    fn identity(&self, screen: &mut Screen) -> Result<Option<NewIdentity>, CliError> {
        let key = match (&self.host_key, &self.host_ca, self.scan) {
            (_, Some(text), _) => {
                let authority = key_line(&read_key(text)?)?;
                return Ok(Some(NewIdentity::Certificate { authority, name: self.host_name.clone() }));
            }
            (Some(text), None, _) => read_key(text)?,
            (None, None, true) => {
                let key = scan(&self.address)?;
                screen.say(format_args!("{} shows the host key {}", self.address, key.fingerprint(HashAlg::Sha256)));
                if !self.yes {
                    self.ask_to_compare(&key, screen)?;
                    return Ok(None);
                }
                key
            }
            (None, None, false) => {
                let how = "a target is recognised by its host key: --host-key with its line, --host-ca with that of the CA that \
                           certifies it, or --scan to ask the machine";
                return Err(CliError::Usage(how.to_owned()));
            }
        };
        Ok(Some(NewIdentity::Key(key_line(&key)?)))
    }

    /// Whoever answers on the network may be anybody, so the operator compares before anything is written.
    fn ask_to_compare(&self, key: &PublicKey, screen: &mut Screen) -> Result<(), CliError> {
        screen.say("Compare it with what that machine itself says:");
        screen.say("    ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub");
        screen.say("If it is the same, type the command again with --yes, or with this in the place of --scan:");
        screen.say(format_args!("    --host-key '{}'", key_line(key)?));
        Ok(())
    }
}

/// Asks the machine for its ed25519 host key.
fn scan(address: &Address) -> Result<PublicKey, CliError> {
    let output = Command::new("ssh-keyscan")
        .args(["-T", "5", "-t", "ed25519", "-p", &address.port.to_string(), "--", &address.host])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| CliError::failed(format!("ssh-keyscan (of OpenSSH's client) cannot be run: {error}")))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line =
        text.lines().find_map(|line| line.split_once(" ssh-ed25519 ").map(|(_, key)| format!("ssh-ed25519 {key}")));
    let Some(line) = line else {
        let message = format!("{address} showed no ed25519 host key within 5 seconds; give its line with --host-key");
        return Err(CliError::failed(message));
    };
    read_key(&line)
}

fn list(dir: &Dir, screen: &mut Screen) -> Result<(), CliError> {
    let loaded = load(&dir.dir).map_err(CliError::Findings)?;
    for target in loaded.snapshot.inventory.iter() {
        let labels = target.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",");
        match &target.reach {
            Reach::Local => screen.say(format_args!("{:<24} local {labels}", target.name)),
            Reach::Ssh(reach) => {
                let address = Address { host: reach.host.clone(), port: reach.port };
                screen.say(format_args!("{:<24} {address} {} {labels}", target.name, reach.identity));
            }
        }
    }
    Ok(())
}
