//! The targets: what targets.toml says of each machine. Pure data and its parser.
//!
//! Refuses to know how a target is reached (that is `target/`) and which role may use it (that is `policy/`).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use russh::keys::{HashAlg, PublicKey};

use crate::domain::{AccountName, TargetName};

/// One machine.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name people type.
    pub name: TargetName,
    /// What role selectors match on.
    pub labels: BTreeMap<String, String>,
    /// The role's word for an account -> the account on this machine. A role whose account is not here cannot be used here.
    pub run_as: BTreeMap<AccountName, AccountName>,
    /// How it is reached.
    pub reach: Reach,
}

/// How a target is reached.
#[derive(Clone, Debug)]
pub enum Reach {
    /// A stock OpenSSH server.
    Ssh(SshReach),
    /// This machine, as the bastion's own user, without an `sshd`. For the demo and tests; `check` refuses it elsewhere.
    Local,
}

/// The address and identity of an OpenSSH target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SshReach {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// By what it is recognised.
    pub identity: HostIdentity,
    /// The address the target sees us come from, where NAT changes it; goes into `source-address`. Our own socket's address
    /// if `None`.
    pub from: Option<IpAddr>,
}

/// By what an OpenSSH target is recognised. Never by being seen first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum HostIdentity {
    /// It shows this very key; a certificate would not do.
    Pinned(PublicKey),
    /// It shows a host certificate; a plain key would not do.
    Certified {
        /// The host CA that must have signed it.
        authority: Box<PublicKey>,
        /// The name that must be in it, in lower case.
        name: String,
    },
}

impl fmt::Display for HostIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(key) => write!(f, "{}", key.fingerprint(HashAlg::Sha256)),
            Self::Certified { authority, name } => {
                write!(f, "{name} certified by {}", authority.fingerprint(HashAlg::Sha256))
            }
        }
    }
}

/// All targets by name.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    targets: BTreeMap<TargetName, Target>,
}

impl Inventory {
    /// An inventory of these targets.
    #[must_use]
    pub fn new(targets: impl IntoIterator<Item = Target>) -> Self {
        Self { targets: targets.into_iter().map(|target| (target.name.clone(), target)).collect() }
    }

    /// The target of that name.
    #[must_use]
    pub fn target(&self, name: &TargetName) -> Option<&Target> {
        self.targets.get(name)
    }

    /// Every target, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.targets.values()
    }
}
