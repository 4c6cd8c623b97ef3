//! What each kind of certificate carries, and what we refuse to sign. Pure.
//!
//! A [`Profile`] is what `certs/session.toml`, `certs/target.toml` or `certs/host.toml` say. With the facts of one certificate
//! it becomes [`Fields`], which can be made nowhere else, have passed every refusal, and go to [`super::signer`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, PublicKey};

use crate::domain::{AccountName, CommandIdentity, Serial, TargetName, Timestamp, Window};

mod facts;
mod file;
#[cfg(test)]
mod tests;

pub use facts::{HostFacts, SessionFacts, TargetFacts, TestFacts};

/// Longest value of `force-command` that is signed, in bytes. The certificate has to fit into one SSH packet of 256 KiB.
const COMMAND_LENGTH: usize = 128 * 1024;

/// Which of our three authorities signs, for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Opens the bastion for a user's key.
    Session,
    /// Runs one command on one target.
    Target,
    /// Shows who the bastion is.
    Host,
}

/// What a kind of certificate carries. [`Profile::parse`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {
    kind: Kind,
    validity: Duration,
    skew: Duration,
    key_types: Vec<Algorithm>,
    extensions: BTreeSet<String>,
}

/// Why a certificate is not signed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// The profile is for another kind of certificate.
    #[error("the profile is not one for this kind of certificate")]
    Kind,
    /// The key type is not among `key_types`.
    #[error("keys of the type {shown} are not certified (`key_types` of the profile)")]
    KeyType {
        /// The key's type.
        shown: String,
    },
    /// A principal that would open more than it says: none, a pattern, a login name, two in one.
    #[error("{shown:?} is no principal we sign")]
    Principal {
        /// The principal, or nothing.
        shown: String,
    },
    /// It would never be valid.
    #[error("its validity is empty")]
    WindowEmpty,
    /// It would be valid for longer than `validity`.
    #[error("it would be valid for longer than {longest:?} (`validity` of the profile)")]
    WindowTooLong {
        /// The longest.
        longest: Duration,
    },
    /// No grants, or so many that the option gets too long.
    #[error("a session certificate covers some grants, and not hundreds")]
    Grants,
    /// A command line that cannot be an option's value.
    #[error("the command line is empty, too long, or has control characters")]
    Command,
}

/// What is signed. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Fields {
    pub(super) cert_type: CertType,
    pub(super) key: PublicKey,
    pub(super) serial: Serial,
    pub(super) key_id: String,
    pub(super) principals: Vec<String>,
    pub(super) valid_after: u64,
    pub(super) valid_before: u64,
    pub(super) critical_options: BTreeMap<&'static str, String>,
    pub(super) extensions: BTreeSet<String>,
}

/// What the certificate of a command and that of a test have in common.
struct OneCommand<'a> {
    key_id: String,
    serial: Serial,
    principal: String,
    key: &'a PublicKey,
    force_command: &'a str,
    source_address: IpAddr,
    at: Timestamp,
    extensions: BTreeSet<String>,
}

impl Profile {
    /// How long a certificate is valid after it was signed, at most.
    #[must_use]
    pub fn validity(&self) -> Duration {
        self.validity
    }

    /// A session certificate.
    ///
    /// # Errors
    /// [`ProfileError`] names what is not signed.
    pub fn session(&self, facts: &SessionFacts<'_>) -> Result<Fields, ProfileError> {
        self.is_for(Kind::Session)?;
        if facts.grants.is_empty() || facts.grants.len() > crate::domain::limits::GRANTS_OPTION {
            return Err(ProfileError::Grants);
        }
        let mut critical_options = BTreeMap::from([("grants@doorward", facts.grants.to_owned())]);
        if !facts.networks.is_empty() {
            // sshd refuses a network with bits set after its prefix.
            let networks = facts.networks.iter().map(|network| network.trunc().to_string()).collect::<Vec<_>>();
            critical_options.insert("source-address", networks.join(","));
        }
        self.checked(Fields {
            cert_type: CertType::User,
            key: facts.key.clone(),
            serial: facts.serial,
            key_id: format!("doorward:{}:{}", facts.user, facts.id),
            principals: vec![bound_principal(facts.user.as_str(), facts.bastion)?],
            valid_after: self.valid_after(facts.validity)?,
            valid_before: self.valid_before(facts.validity)?,
            critical_options,
            extensions: self.extensions.clone(),
        })
    }

    /// A target certificate, valid from the decision for as long as the profile says.
    ///
    /// # Errors
    /// [`ProfileError`] names what is not signed.
    pub fn target(&self, facts: &TargetFacts<'_>) -> Result<Fields, ProfileError> {
        let CommandIdentity { user, grant, session, command } = facts.identity;
        self.for_one_command(OneCommand {
            key_id: format!("doorward:{user}:{grant}:{session}:{command}"),
            serial: facts.serial,
            principal: target_principal(facts.target, facts.account, facts.bastion)?,
            key: facts.key,
            force_command: facts.force_command,
            source_address: facts.source_address,
            at: facts.at,
            extensions: if facts.pty { self.extensions.clone() } else { BTreeSet::new() },
        })
    }

    /// A certificate of `target test`. Its key ID, `doorward-target-test:TARGET/ACCOUNT`, can be no user's: theirs begin with
    /// `doorward:`.
    ///
    /// # Errors
    /// [`ProfileError`] names what is not signed.
    pub fn target_test(&self, facts: &TestFacts<'_>) -> Result<Fields, ProfileError> {
        let forwarding = facts.forwarding.then(|| "permit-port-forwarding".to_owned());
        self.for_one_command(OneCommand {
            key_id: format!("doorward-target-test:{}/{}", facts.target, facts.account),
            serial: facts.serial,
            principal: target_principal(facts.target, facts.account, facts.bastion)?,
            key: facts.key,
            force_command: facts.force_command,
            source_address: facts.source_address,
            at: facts.at,
            extensions: forwarding.into_iter().collect(),
        })
    }

    fn for_one_command(&self, one: OneCommand<'_>) -> Result<Fields, ProfileError> {
        self.is_for(Kind::Target)?;
        let command = one.force_command;
        if command.is_empty() || command.len() > COMMAND_LENGTH || command.chars().any(char::is_control) {
            return Err(ProfileError::Command);
        }
        let validity = Window { start: one.at, end: one.at.after(self.validity) };
        self.checked(Fields {
            cert_type: CertType::User,
            key: one.key.clone(),
            serial: one.serial,
            key_id: one.key_id,
            principals: vec![one.principal],
            valid_after: self.valid_after(validity)?,
            valid_before: self.valid_before(validity)?,
            critical_options: BTreeMap::from([
                ("force-command", command.to_owned()),
                ("source-address", IpNet::from(one.source_address.to_canonical()).to_string()),
            ]),
            extensions: one.extensions,
        })
    }

    /// A host certificate.
    ///
    /// # Errors
    /// [`ProfileError`] names what is not signed.
    pub fn host(&self, facts: &HostFacts<'_>) -> Result<Fields, ProfileError> {
        self.is_for(Kind::Host)?;
        let first = facts.names.first().ok_or_else(|| ProfileError::Principal { shown: String::new() })?;
        if let Some(name) = facts.names.iter().find(|name| !is_host_name(name)) {
            return Err(ProfileError::Principal { shown: name.clone() });
        }
        self.checked(Fields {
            cert_type: CertType::Host,
            key: facts.key.clone(),
            serial: facts.serial,
            key_id: format!("doorward:host:{first}"),
            principals: facts.names.to_vec(),
            valid_after: self.valid_after(facts.validity)?,
            valid_before: self.valid_before(facts.validity)?,
            critical_options: BTreeMap::new(),
            extensions: BTreeSet::new(),
        })
    }

    fn is_for(&self, kind: Kind) -> Result<(), ProfileError> {
        if self.kind == kind { Ok(()) } else { Err(ProfileError::Kind) }
    }

    /// The refusals that all kinds share.
    fn checked(&self, fields: Fields) -> Result<Fields, ProfileError> {
        // A certificate given as the key has an algorithm too; its key must not be certified through it.
        let shown = fields.key.algorithm();
        if fields.key.key_data().is_certificate() || !self.key_types.contains(&shown) {
            return Err(ProfileError::KeyType { shown: shown.to_string() });
        }
        if fields.valid_before <= fields.valid_after {
            return Err(ProfileError::WindowEmpty);
        }
        Ok(fields)
    }

    fn valid_after(&self, window: Window) -> Result<u64, ProfileError> {
        u64::try_from(window.start.before(self.skew).secs()).map_err(|_| ProfileError::WindowEmpty)
    }

    /// Rounded down: a certificate never outlives the grant by a part of a second.
    fn valid_before(&self, window: Window) -> Result<u64, ProfileError> {
        if window.end <= window.start {
            return Err(ProfileError::WindowEmpty);
        }
        if window.start.until(window.end) > self.validity {
            return Err(ProfileError::WindowTooLong { longest: self.validity });
        }
        u64::try_from(window.end.secs()).map_err(|_| ProfileError::WindowEmpty)
    }
}

/// The one principal that opens `account` on `target`, and nothing else anywhere: certificates carry it, targets list it.
///
/// # Errors
/// [`ProfileError::Principal`] if `bastion` is no host name.
pub fn target_principal(target: &TargetName, account: &AccountName, bastion: &str) -> Result<String, ProfileError> {
    bound_principal(&format!("{target}/{account}"), bastion)
}

/// `WHAT@BASTION`. The `@` is what makes it differ from every login name: a stock `sshd` without a principals file accepts
/// the principal that equals the login name, and ours never does.
fn bound_principal(what: &str, bastion: &str) -> Result<String, ProfileError> {
    let principal = format!("{what}@{bastion}");
    if what.is_empty() || what.contains('@') || !is_host_name(bastion) {
        return Err(ProfileError::Principal { shown: principal });
    }
    Ok(principal)
}

/// A name or address without anything that a principals list, a known_hosts line or a pattern gives a meaning to.
fn is_host_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    !name.is_empty() && name.len() <= 253 && !name.starts_with(['-', '.']) && name.bytes().all(plain)
}
