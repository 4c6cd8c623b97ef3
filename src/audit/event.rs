//! What is written to the audit log: an event is one [`What`] and whom it concerns.
//!
//! The kinds and their data stand in `event/what.rs`, the two that speak of a whole command in `event/command.rs`, what the
//! readers of the log ask of any kind in `event/about.rs`. Fields hold outside text as it came; [`super::log`] escapes it when
//! it is written.

use serde::{Deserialize, Serialize};

use crate::domain::{Digest, GrantId, SessionId, TargetName, UserName};

mod about;
mod command;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
mod what;

pub use command::{AllowedCommand, FinishedCommand};
pub use what::What;

/// One thing that happened, and to whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// The connection it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The user whose doing it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// The grant it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The target it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetName>,
    /// Digest of the configuration that was in force, where something was decided under it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

impl AuditEvent {
    /// An event of nobody in particular; fill in what is known.
    #[must_use]
    pub fn of(what: What) -> Self {
        Self { session: None, user: None, grant: None, target: None, policy: None, what }
    }

    /// The same event, decided under the configuration with this digest.
    #[must_use]
    pub fn under(self, policy: Digest) -> Self {
        Self { policy: Some(policy), ..self }
    }
}
