//! What to put on a target so that it trusts the bastion for one command at a time, and for nothing else.
//!
//! Text alone: nothing is written or sent. The demo starts a real `sshd` with this very text, in other places.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use russh::keys::PublicKey;

use crate::ca::profile::target_principal;
use crate::domain::{AccountName, TargetName};

/// A version of OpenSSH: `9.2`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct OpenSsh {
    /// Before the dot.
    pub major: u32,
    /// After the dot.
    pub minor: u32,
}

impl OpenSsh {
    /// The first with `DisableForwarding` and everything else the snippet needs.
    pub const OLDEST: Self = Self { major: 7, minor: 4 };
    /// The first of which we are sure that `ClientAlive…` may stand inside `Match`; earlier ones may not even start with it.
    /// Also the first with `Include`, which the script for a target needs.
    pub const ALIVE_IN_MATCH: Self = Self { major: 8, minor: 2 };
    /// The first that punishes addresses for failed logins, and lets some be spared.
    pub const PENALTIES: Self = Self { major: 9, minor: 8 };

    /// The version in a banner such as `SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3`.
    #[must_use]
    pub fn of_banner(banner: &str) -> Option<Self> {
        banner.split_once("OpenSSH_")?.1.split([' ', 'p']).next()?.parse().ok()
    }
}

impl FromStr for OpenSsh {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "a version of OpenSSH looks like 9.2".to_owned();
        let plain = text.split(['p', 'P']).next().unwrap_or_default();
        let (major, minor) = plain.split_once('.').ok_or_else(wrong)?;
        let number = |text: &str| text.parse().map_err(|_| wrong());
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}

impl fmt::Display for OpenSsh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Where the files go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Places {
    /// The public key of the target CA.
    pub authority: PathBuf,
    /// The directory with one file of principals an account.
    pub principals: PathBuf,
    /// The part of `sshd`'s configuration.
    pub snippet: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            authority: PathBuf::from("/etc/ssh/doorward_target_ca.pub"),
            principals: PathBuf::from("/etc/ssh/doorward_principals"),
            // The first value of an option wins, so this file wants to be read before the others.
            snippet: PathBuf::from("/etc/ssh/sshd_config.d/00-doorward.conf"),
        }
    }
}

/// What the snippet depends on.
#[derive(Clone, Debug)]
pub struct EnrollFacts<'a> {
    /// The target.
    pub target: &'a TargetName,
    /// The bastion's name.
    pub bastion: &'a str,
    /// The accounts on the target; at least one.
    pub accounts: &'a [AccountName],
    /// The public key of the target CA.
    pub authority: &'a PublicKey,
    /// Where the files go.
    pub places: &'a Places,
    /// The target's version, if it is known.
    pub openssh: Option<OpenSsh>,
    /// The addresses that the target sees the bastion come from, if they are known.
    pub from: &'a [IpAddr],
}

/// One file to create on the target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnrollFile {
    /// Where.
    pub path: PathBuf,
    /// Its mode; it belongs to root (in the demo, to whoever runs `sshd`).
    pub mode: u32,
    /// Its text.
    pub text: String,
}

/// The files to create, in an order in which a half-done enrolment opens nothing.
///
/// # Errors
/// In words: a version that cannot be made safe, a bastion without a host name, or a CA key that cannot be written.
pub fn snippet(facts: &EnrollFacts<'_>) -> Result<Vec<EnrollFile>, String> {
    if let Some(version) = facts.openssh.filter(|version| *version < OpenSsh::OLDEST) {
        return Err(format!(
            "OpenSSH {version} on {} is too old: it cannot switch all forwarding off; {} or later is needed",
            facts.target,
            OpenSsh::OLDEST
        ));
    }
    let key = facts.authority.key_data().clone();
    let key = PublicKey::new(key, format!("doorward target CA of {}", facts.bastion));
    let key = key.to_openssh().map_err(|_| "the key of the target CA cannot be written".to_owned())?;
    let places = facts.places;
    let mut files = vec![EnrollFile { path: places.authority.clone(), mode: 0o644, text: format!("{key}\n") }];
    for account in facts.accounts {
        let principal = target_principal(facts.target, account, facts.bastion).map_err(|error| error.to_string())?;
        let text = format!("{principal}\n");
        files.push(EnrollFile { path: places.principals.join(account.as_str()), mode: 0o644, text });
    }
    files.push(EnrollFile { path: places.snippet.clone(), mode: 0o644, text: configuration(facts) });
    Ok(files)
}

fn configuration(facts: &EnrollFacts<'_>) -> String {
    let accounts = facts.accounts.iter().map(AccountName::as_str).collect::<Vec<_>>().join(",");
    let authority = quoted(&facts.places.authority);
    let principals = quoted(&facts.places.principals.join("%u"));
    let penalties = penalties(facts);
    let alive = alive(facts);
    format!(
        "# doorward: {target}, a target of {bastion}. Written by `doorward target enroll`; change nothing by hand.
{penalties}
Match User {accounts}
    # A login is a certificate for one command, and nothing else.
    AuthenticationMethods publickey
    PubkeyAuthentication yes
    TrustedUserCAKeys {authority}
    AuthorizedPrincipalsFile {principals}
    AuthorizedPrincipalsCommand none
    AuthorizedKeysFile none
    AuthorizedKeysCommand none
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    # The certificate's forced command runs in the account's shell; nothing of the account runs before it.
    PermitUserRC no
    DisableForwarding yes
    MaxSessions 1
{alive}    # The certificate says for each command whether it gets a terminal.
    PermitTTY yes
Match all
",
        target = facts.target,
        bastion = facts.bastion,
    )
}

/// A bastion that vanishes without a word (power, network) leaves its connection open: `sshd` has to ask, because the end of
/// the connection is what ends a command.
fn alive(facts: &EnrollFacts<'_>) -> &'static str {
    if facts.openssh.is_some_and(|version| version < OpenSsh::ALIVE_IN_MATCH) {
        return "";
    }
    "    # The end of the connection ends the command; a network that dies silently must be noticed too, within 45 seconds.
    ClientAliveInterval 15
    ClientAliveCountMax 3
"
}

/// From 9.8 on, `sshd` slows addresses down that fail often. All users come from the bastion's address, so one refused
/// certificate would slow everybody down.
fn penalties(facts: &EnrollFacts<'_>) -> String {
    if facts.openssh.is_some_and(|version| version < OpenSsh::PENALTIES) {
        return String::new();
    }
    let known = !facts.from.is_empty();
    let from = facts.from.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let (from, active) = match (known, facts.openssh) {
        (true, Some(_)) => (from, ""),
        (true, None) => (from, "#"),
        (false, _) => ("ADDRESS-OF-THE-BASTION".to_owned(), "#"),
    };
    let why = if active.is_empty() {
        "# All users come from this address: one who fails must not slow the others down."
    } else {
        "# From OpenSSH 9.8 on, take the `#` away, with the address from which this machine sees the bastion."
    };
    format!("\n{why}\n{active}PerSourcePenaltyExemptList {from}\n")
}

/// A path as `sshd_config` wants it. `%` would be a token.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.chars().any(|c| c.is_whitespace() || c == '"' || c == '#') {
        format!("\"{text}\"")
    } else {
        text.into_owned()
    }
}

/// The lines to run as root that make the account: no password, no startup files, a home it cannot write to.
#[must_use]
pub fn account_commands(account: &AccountName) -> Vec<String> {
    let home = format!("/var/lib/doorward/{account}");
    vec![
        format!("install -d -o root -g root -m 0755 /var/lib/doorward {home}"),
        // `*` is no password but, other than `!`, not a locked account, which sshd without PAM would refuse.
        format!(
            "useradd --system --user-group --no-create-home --home-dir {home} --shell /bin/sh --password '*' {account}"
        ),
    ]
}
