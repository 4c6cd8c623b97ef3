//! The facts of one certificate of each kind: what whoever asks for it knows, and no profile says.

use std::net::IpAddr;

use ipnet::IpNet;
use russh::keys::PublicKey;

use crate::domain::{AccountName, CertificateId, CommandIdentity, Serial, TargetName, Timestamp, UserName, Window};

/// The facts of one session certificate.
#[derive(Debug)]
pub struct SessionFacts<'a> {
    /// The bastion's name.
    pub bastion: &'a str,
    /// Its identifier.
    pub id: &'a CertificateId,
    /// Its number.
    pub serial: Serial,
    /// The user it names.
    pub user: &'a UserName,
    /// The key that user proved.
    pub key: &'a PublicKey,
    /// The value of `grants@doorward`.
    pub grants: &'a str,
    /// From now to the end of the last grant.
    pub validity: Window,
    /// The user's own networks.
    pub networks: &'a [IpNet],
}

/// The facts of one target certificate.
#[derive(Debug)]
pub struct TargetFacts<'a> {
    /// The bastion's name.
    pub bastion: &'a str,
    /// Its number.
    pub serial: Serial,
    /// Whose command it is.
    pub identity: &'a CommandIdentity,
    /// Where.
    pub target: &'a TargetName,
    /// As whom.
    pub account: &'a AccountName,
    /// The new key.
    pub key: &'a PublicKey,
    /// The rendered line, exactly.
    pub force_command: &'a str,
    /// The address the target sees.
    pub source_address: IpAddr,
    /// When it was decided; the minute counts from here.
    pub at: Timestamp,
    /// Whether the command has a terminal.
    pub pty: bool,
}

/// The facts of one certificate of `target test`: as for a command, but nobody's.
#[derive(Debug)]
pub struct TestFacts<'a> {
    /// The bastion's name.
    pub bastion: &'a str,
    /// Its number.
    pub serial: Serial,
    /// The target of the principal.
    pub target: &'a TargetName,
    /// The account of the principal.
    pub account: &'a AccountName,
    /// The new key.
    pub key: &'a PublicKey,
    /// The line of the test, exactly.
    pub force_command: &'a str,
    /// The one address it may be used from.
    pub source_address: IpAddr,
    /// Its validity counts from here.
    pub at: Timestamp,
    /// Whether it permits forwarding, as no other certificate of ours does: to see that the target refuses all the same.
    pub forwarding: bool,
}

/// The facts of one host certificate.
#[derive(Debug)]
pub struct HostFacts<'a> {
    /// Its number.
    pub serial: Serial,
    /// The host key.
    pub key: &'a PublicKey,
    /// Every name that clients look up; the first one is in the key ID.
    pub names: &'a [String],
    /// From now on, for how long.
    pub validity: Window,
}
