//! The yes, as a value: exactly what runs, where, as whom, until when. Only [`super::decide()`] makes one.

use std::time::Duration;

use crate::domain::{AccountName, Digest, GrantId, RoleName, TargetName, Timestamp};

/// The terms under which a command runs: of several that allow it, the strictest of each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Whether the client's standard input reaches the program; else it reads end-of-file.
    pub stdin: bool,
    /// How long it may run, before the grant's end is considered.
    pub timeout: Duration,
    /// How many bytes of output and error it may write in all.
    pub max_output: u64,
    /// How many bytes of input it may be sent; [`u64::MAX`] for no bound.
    pub max_stdin: u64,
}

impl Terms {
    /// What both allow.
    pub(super) fn strictest(self, other: Self) -> Self {
        Self {
            stdin: self.stdin && other.stdin,
            timeout: self.timeout.min(other.timeout),
            max_output: self.max_output.min(other.max_output),
            max_stdin: self.max_stdin.min(other.max_stdin),
        }
    }
}

/// Proof that [`decide`](super::decide()) allowed exactly this command. What the log says, what `force-command` carries and what runs are
/// this one value. Fields of this room, one constructor, not `Clone`: it cannot run anything else, or run twice.
#[derive(Debug)]
pub struct Permit {
    pub(super) target: TargetName,
    pub(super) account: AccountName,
    pub(super) grants: Vec<GrantId>,
    pub(super) role: RoleName,
    pub(super) rule: usize,
    pub(super) command: Vec<String>,
    pub(super) argv: Vec<String>,
    pub(super) line: String,
    pub(super) digest: Digest,
    pub(super) terms: Terms,
    pub(super) deadline: Timestamp,
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
