//! The targets: what targets.toml says of each machine. Pure data and its parser.
//!
//! Refuses to know how a target is reached (that is `target/`) and which role may use it (that is `policy/`).

use std::collections::BTreeMap;
use std::net::IpAddr;

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
#[derive(Clone, Debug)]
pub struct SshReach {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The one host key it must show.
    pub host_key: russh::keys::PublicKey,
    /// The address the target sees us come from, where NAT changes it; goes into `source-address`. Our own socket's address
    /// if `None`.
    pub from: Option<IpAddr>,
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
