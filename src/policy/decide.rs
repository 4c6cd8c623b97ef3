//! The decision. The file an auditor reads first.

use std::time::Duration;

use crate::domain::{AccountName, Digest, GrantId, RoleName, TargetName, Timestamp};
use crate::grant::ActiveGrant;

use super::role::Role;
use super::words::Words;

/// A command line for a target.
#[derive(Debug)]
pub struct CommandRequest<'a> {
    /// Where.
    pub target: &'a TargetName,
    /// What.
    pub words: &'a Words,
    /// The role that the user chose (`ROLE+TARGET`); all held roles if `None`.
    pub role: Option<&'a RoleName>,
}

/// A grant with what bounds it: the role as approved and the role as loaded now.
#[derive(Debug)]
pub struct HeldRole<'a> {
    /// The grant.
    pub grant: &'a ActiveGrant,
    /// The role as approved.
    pub approved: &'a Role,
    /// The role as loaded now; `None` when it is gone, and then nothing is allowed.
    pub loaded: Option<&'a Role>,
    /// The account that the loaded role's `run_as` means on the request's target now; `None` when the loaded role or
    /// inventory no longer reaches that target.
    pub account: Option<&'a AccountName>,
}

/// The answer.
#[must_use]
#[derive(Debug)]
pub enum Decision {
    /// Yes, exactly this.
    Allow(Permit),
    /// No, and why.
    Deny(Denial),
}

/// The terms under which a command runs: of several that allow it, the strictest of each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Whether the client's standard input reaches the program; else it reads end-of-file.
    pub stdin: bool,
    /// How long it may run, before the grant's end is considered.
    pub timeout: Duration,
    /// How many bytes of output and error it may write in all.
    pub max_output: u64,
}

/// Proof that [`decide`] allowed exactly this command. What the log says, what `force-command` carries and what runs are
/// this one value. Private fields, one constructor, not `Clone`: it cannot run anything else, or run twice.
#[derive(Debug)]
pub struct Permit {
    target: TargetName,
    account: AccountName,
    grants: Vec<GrantId>,
    role: RoleName,
    rule: usize,
    command: Vec<String>,
    argv: Vec<String>,
    line: String,
    digest: Digest,
    terms: Terms,
    deadline: Timestamp,
}

impl Permit {
    /// Where it runs.
    #[must_use]
    pub fn target(&self) -> &TargetName {
        &self.target
    }

    /// As which account of the target.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// The grants that allow it, at least one; when any of them ends, it ends.
    #[must_use]
    pub fn grants(&self) -> &[GrantId] {
        &self.grants
    }

    /// The role of the first of them.
    #[must_use]
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// The rule of that role, from 1 in file order.
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// The program and its arguments (with `sudo -n` before them where the rule says so): for people.
    #[must_use]
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// The whole vector that is executed: fixed environment, the command's own end, then [`Self::command`].
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.argv
    }

    /// [`Self::argv`] as a line for a POSIX shell, `exec` first and every word single-quoted: the value of `force-command`.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Digest of [`Self::line`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// When it is over at the latest: the lesser of its timeout and the end of its grants.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }
}

/// Why not. Data; [`super::explain`] has the words.
#[derive(Clone, Debug)]
pub enum Denial {
    /// Nothing the user holds reaches this target.
    NoGrant,
}

/// Decides whether `request` may run at `now` under what the user holds. Default deny; roles never merge.
///
/// `held` are the active grants that the certificate covers, whatever their targets.
pub fn decide(_request: &CommandRequest<'_>, _held: &[HeldRole<'_>], _now: Timestamp) -> Decision {
    todo!()
}
