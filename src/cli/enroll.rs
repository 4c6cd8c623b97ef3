//! `doorward target enroll DIR NAME`: prints a script for the target.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{IpAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use clap::Args;
use russh::keys::HashAlg;

use crate::config::enroll::{EnrollFacts, EnrollFile, OpenSsh, Places, account_commands, snippet};
use crate::config::{Loaded, Paths, load};
use crate::domain::text::shell_word;
use crate::domain::{AccountName, TargetName};
use crate::inventory::{HostIdentity, Reach, SshReach, Target};
use crate::policy::sudoers_lines;

use super::input::read_key;
use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct Enroll {
    #[command(flatten)]
    dir: Dir,
    /// The target
    name: TargetName,
    /// The target's version of OpenSSH; asked of the target if unsaid
    #[arg(long, value_name = "VERSION")]
    openssh: Option<OpenSsh>,
    /// The address from which the target sees the bastion; `from` of targets.toml if unsaid
    #[arg(long, value_name = "ADDRESS")]
    from: Vec<IpAddr>,
}

impl Enroll {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load(&self.dir.dir).map_err(CliError::Findings)?;
        let target = loaded.snapshot.inventory.target(&self.name);
        let target =
            target.ok_or_else(|| CliError::failed(format!("there is no target {} in targets.toml", self.name)))?;
        let Reach::Ssh(reach) = &target.reach else {
            return Err(CliError::failed(format!("{} is a local target: there is nothing to enrol", self.name)));
        };
        let accounts: Vec<AccountName> = target.run_as.values().cloned().collect::<BTreeSet<_>>().into_iter().collect();
        if accounts.is_empty() {
            let help = "write run_as = { ops = \"ops\" } there in targets.toml first";
            return Err(CliError::failed(format!("{} has no account: {help}", self.name)));
        }
        let openssh = self.openssh.or_else(|| ask(reach));
        if openssh.is_none() {
            screen.note("doorward: the target's version of OpenSSH is not known (it did not answer); see --openssh");
        }
        let authority = Paths::new(&self.dir.dir).public_key("target_ca");
        let authority = read_key(&authority.to_string_lossy())?;
        let from = if self.from.is_empty() { reach.from.into_iter().collect() } else { self.from.clone() };
        let places = Places::default();
        let facts = EnrollFacts {
            target: &self.name,
            bastion: &loaded.snapshot.settings.name,
            accounts: &accounts,
            authority: &authority,
            places: &places,
            openssh,
            from: &from,
        };
        let files = snippet(&facts).map_err(CliError::Failed)?;
        screen.say(script(&facts, &files, &sudoers_of(&loaded, target), &reach.identity));
        let dir = shell_word(&self.dir.dir.to_string_lossy());
        screen.note(format_args!("doorward: when it is done: doorward target test {dir} {}", self.name));
        Ok(())
    }
}

/// The version in the target's greeting; nothing is proved by it, and nothing is trusted because of it.
fn ask(reach: &SshReach) -> Option<OpenSsh> {
    let wait = Duration::from_secs(3);
    let address = (reach.host.as_str(), reach.port).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, wait).ok()?;
    stream.set_read_timeout(Some(wait)).ok()?;
    let mut greeting = [0_u8; 255];
    let read = stream.read(&mut greeting).ok()?;
    OpenSsh::of_banner(&String::from_utf8_lossy(greeting.get(..read)?))
}

/// The text for /etc/sudoers.d that the roles on this target need; empty if none of them needs sudo.
fn sudoers_of(loaded: &Loaded, target: &Target) -> String {
    let snapshot = &loaded.snapshot;
    let mut text = String::new();
    for role in snapshot.roles.values() {
        let Some(account) = snapshot.account_on(role, target).filter(|account| account.as_str() != "root") else {
            continue;
        };
        let here = role.rules().iter().filter(|rule| rule.is_for(&target.name));
        let lines: Vec<String> = here.flat_map(|rule| sudoers_lines(rule, account)).collect();
        if !lines.is_empty() {
            text.push_str(&format!("# {} as {account}\n{}\n", role.name(), lines.join("\n")));
        }
    }
    text
}

const END: &str = "END_OF_FILE";

/// An older sudo takes `^…$` for wildcards, which would allow more than is meant; sudo-rs knows neither.
const EXPRESSIONS: &str = r#"if ! sudo -V | awk '
    BEGIN { bad = 1 }
    /^Sudo version/ { split($3, v, "[.p]"); bad = !(v[1] > 1 || v[2] > 9 || v[2] == 9 && v[3] >= 10) }
    END { exit bad }'
then
    echo 'the lines for sudo need sudo 1.9.10 or later (not sudo-rs): list the values in the roles with one_of, or update sudo' >&2
    exit 1
fi
"#;

fn script(facts: &EnrollFacts<'_>, files: &[EnrollFile], sudoers: &str, identity: &HostIdentity) -> String {
    let mut script = format!(
        "#!/bin/sh
# Makes this machine the target {target} of {bastion}. Read it, then run it as root. It may be run again.
set -eu
umask 022

# The accounts: no password, no startup files, a home they cannot write to.
",
        target = facts.target,
        bastion = facts.bastion
    );
    for account in facts.accounts.iter().filter(|account| account.as_str() != "root") {
        script.push_str(&format!("if ! id -u {account} >/dev/null 2>&1; then\n"));
        account_commands(account).iter().for_each(|line| script.push_str(&format!("    {line}\n")));
        script.push_str("fi\n");
    }
    let principals = shell_word(&facts.places.principals.to_string_lossy());
    script.push_str(&format!(
        "\n# Whom sshd believes, for which account, and for nothing else.\ninstall -d -m 0755 {principals}\n"
    ));
    for file in files {
        script.push_str(&heredoc(&shell_word(&file.path.to_string_lossy()), file.mode, &file.text));
    }
    if !sudoers.is_empty() {
        script.push_str("\n# What the roles run with sudo, and no more.\n");
        if sudoers.contains(" ^") {
            script.push_str(EXPRESSIONS);
        }
        script.push_str(&heredoc("/etc/sudoers.d/doorward.new", 0o440, sudoers));
        script.push_str(
            "visudo -cf /etc/sudoers.d/doorward.new\nmv /etc/sudoers.d/doorward.new /etc/sudoers.d/doorward\n",
        );
    }
    script.push_str(
        "
# sshd reads the new file if its own configuration includes the directory. Then check, and reload.
if ! grep -Eiq '^[[:space:]]*Include[[:space:]]+\"?/etc/ssh/sshd_config\\.d/\\*\\.conf' /etc/ssh/sshd_config; then
    echo 'put this line at the top of /etc/ssh/sshd_config, and run this again:' >&2
    echo '    Include /etc/ssh/sshd_config.d/*.conf' >&2
    exit 1
fi
sshd=$(command -v sshd || echo /usr/sbin/sshd)
\"$sshd\" -t
if command -v systemctl >/dev/null 2>&1; then
    systemctl reload ssh 2>/dev/null || systemctl reload sshd
else
    kill -HUP \"$(cat /run/sshd.pid)\"
fi
",
    );
    script.push_str(&host_certificate(identity));
    script.push_str("echo 'done'");
    script
}

/// Where the machine is recognised by a host certificate, says so on the machine if it shows none. Certifying its key is the
/// host CA's business, not ours.
fn host_certificate(identity: &HostIdentity) -> String {
    let HostIdentity::Certified { authority, name } = identity else { return String::new() };
    let authority = authority.fingerprint(HashAlg::Sha256);
    format!(
        "
# The bastion recognises this machine by a host certificate for {name}, signed by {authority}.
if ! \"$sshd\" -T 2>/dev/null | grep -qi '^hostcertificate '; then
    echo 'there is no HostCertificate in the configuration of sshd: without one for {name},' >&2
    echo 'signed by {authority}, the bastion will not talk to this machine' >&2
fi
"
    )
}

fn heredoc(path: &str, mode: u32, text: &str) -> String {
    format!("cat > {path} <<'{END}'\n{text}{END}\nchmod {mode:04o} {path}\n")
}
