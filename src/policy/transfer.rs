//! May this file be fetched or put, this port be reached? Pure, like [`mod@super::decide`], and judged by the same two roles
//! under the same conditions.
//!
//! No door of this build asks: `scp`, `sftp` and forwarding are refused by name before any role counts. The judgement is here
//! so that a role can be written, checked and tested now.

use std::fmt;

use crate::domain::{AccountName, GrantId, RoleName, TargetName, Timestamp};

use super::decide::{Choice, HeldRole, conditions};
use super::parameter::Parameter;
use super::role::Role;
use super::when::{Surroundings, sooner};

/// One `[[file]]`.
#[derive(Clone, Debug)]
pub struct FileRule {
    pub(super) direction: Direction,
    /// Always a path.
    pub(super) path: Parameter,
    pub(super) max_size: u64,
}

/// Which way a file goes, seen by the user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the target.
    Get,
    /// To the target.
    Put,
}

/// One `[[forward]]`.
#[derive(Clone, Debug)]
pub struct ForwardRule {
    pub(super) written: String,
    /// A host or an address.
    pub(super) host: Parameter,
    /// The least and the most.
    pub(super) ports: (u16, u16),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transfer<'a> {
    /// A file, by its absolute path on the target.
    File {
        /// Which way.
        direction: Direction,
        /// As it was asked for; it is not normalised.
        path: &'a str,
        /// In bytes.
        size: u64,
    },
    /// A connection from the target.
    Forward {
        /// A name or an address, without brackets.
        host: &'a str,
        /// The port there.
        port: u16,
    },
}

/// The yes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TransferPermit {
    /// The grant that allows it.
    pub grant: GrantId,
    /// Its role.
    pub role: RoleName,
    /// As which account of the target.
    pub account: AccountName,
    /// The most bytes of a file; 0 for a forward.
    pub max_size: u64,
    /// When the grant ends, or a condition that ends what runs.
    pub ends: Timestamp,
}

/// Whether `what` is allowed on `target` in these surroundings under what is held, as for a command: by one role as approved
/// *and* as loaded now, with the account that was approved, while the conditions of both hold; one that asks for more than is
/// known does not hold. `None` otherwise, and where roles would do it as different accounts. Of several the grant that ends
/// first counts, and the least size.
#[must_use]
pub fn transfer(
    what: &Transfer<'_>,
    target: &TargetName,
    choice: &Choice,
    held: &[HeldRole<'_>],
    surroundings: &Surroundings,
) -> Option<TransferPermit> {
    let now = surroundings.now;
    let here = held.iter().filter(|held| choice.means(held.grant, target) && now < held.grant.ends() && held.eligible);
    let mut permits = here.filter_map(|held| {
        let approved = held.grant.targets().get(target)?;
        let account = held.account.filter(|now| *now == approved)?;
        let max_size = held.approved.most_of(what)?.min(held.loaded?.most_of(what)?);
        let lapses = conditions(held, surroundings).ok()?;
        let ends = sooner(Some(held.grant.ends()), lapses)?;
        let grant = held.grant.id().clone();
        let role = held.grant.role().clone();
        Some(TransferPermit { grant, role, account: account.clone(), max_size, ends })
    });
    let first = permits.next()?;
    permits
        .try_fold(first, |best, next| {
            let max_size = best.max_size.min(next.max_size);
            let same = best.account == next.account;
            let first_to_end = if next.ends < best.ends { next } else { best };
            same.then_some(TransferPermit { max_size, ..first_to_end })
        })
        // The least size holds, so the file must fit it as well.
        .filter(|permit| !matches!(what, Transfer::File { size, .. } if *size > permit.max_size))
}

impl Role {
    /// The files it allows. Not served in this build.
    #[must_use]
    pub fn files(&self) -> &[FileRule] {
        &self.files
    }

    /// The forwards it allows. Not served in this build.
    #[must_use]
    pub fn forwards(&self) -> &[ForwardRule] {
        &self.forwards
    }

    /// The most bytes with which a rule allows `what`; `None` if none does.
    fn most_of(&self, what: &Transfer<'_>) -> Option<u64> {
        match what {
            Transfer::File { direction, path, size } => {
                let allows = |rule: &&FileRule| {
                    rule.direction == *direction && rule.path.accepts(path).is_ok() && *size <= rule.max_size
                };
                self.files.iter().filter(allows).map(|rule| rule.max_size).max()
            }
            Transfer::Forward { host, port } => {
                let allows = |rule: &ForwardRule| {
                    (rule.ports.0..=rule.ports.1).contains(port) && rule.host.accepts(host).is_ok()
                };
                self.forwards.iter().any(allows).then_some(0)
            }
        }
    }
}

/// `get a path like /var/log/*.log, at most 1000 bytes`.
impl fmt::Display for FileRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Get => "get",
            Direction::Put => "put",
        };
        write!(f, "{direction} {}, at most {} bytes", self.path, self.max_size)
    }
}

/// `forward to db-*.example.com:5432`.
impl fmt::Display for ForwardRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "forward to {}", self.written)
    }
}

#[cfg(test)]
mod tests;
