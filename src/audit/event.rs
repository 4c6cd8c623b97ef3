//! What is written to the audit log: one variant a kind of entry, exhaustive.
//!
//! Fields hold outside text as it came; [`super::log`] escapes it when it is written.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::domain::{
    AccountName, CertificateId, CommandId, Digest, GrantId, RequestId, RoleName, Serial, SessionId, TargetName,
    Timestamp, UserName,
};

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

/// The kinds of entries and their data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data", rename_all = "kebab-case")]
pub enum What {
    /// The bastion started.
    Start {
        /// Our version.
        version: String,
        /// Digest of the configuration in force.
        policy: Digest,
    },
    /// The bastion stops.
    Stop {
        /// Why.
        reason: String,
    },
    /// The configuration was read again.
    Reload {
        /// Digest of the configuration now in force.
        policy: Digest,
        /// First line of what was wrong, when the old one stayed.
        refused: Option<String>,
        /// How many changes give more, or cannot be compared; see `doorward diff`.
        #[serde(default)]
        widened: u64,
        /// How many give less.
        #[serde(default)]
        narrowed: u64,
    },
    /// The log itself was mended at the start.
    LogRepaired {
        /// The file the torn tail was moved to.
        moved_to: String,
        /// How many bytes.
        bytes: u64,
    },
    /// Somebody connected and proved who they are.
    Connection {
        /// Where from.
        peer: SocketAddr,
        /// The listed proxy that said so (`proxy_protocol_from`), where it connected from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<SocketAddr>,
        /// The login name they gave.
        login: String,
        /// Fingerprint of the key.
        key: String,
        /// The certificate presented, if one was.
        certificate: Option<CertificateId>,
        /// The client's version string.
        client: String,
    },
    /// Somebody failed to.
    AuthenticationFailed {
        /// Where from.
        peer: SocketAddr,
        /// The listed proxy that said so (`proxy_protocol_from`), where it connected from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        via: Option<SocketAddr>,
        /// The login name they gave.
        login: String,
        /// Fingerprint of the last key, if one was offered with a signature.
        key: Option<String>,
        /// Why, for the operator.
        reason: String,
    },
    /// A connection ended.
    Disconnected {
        /// How many channel requests of no use were dropped (`env`).
        dropped_env: u64,
        /// How many refusals got no entry of their own, because the connection had too many.
        #[serde(default)]
        refusals_left_out: u64,
    },
    /// A connection to a target's name was answered inside another one (`ssh -J`).
    Forward {
        /// Whom the client says it is for: `127.0.0.1:65535` is the client itself.
        originator: String,
        /// The login name they gave.
        login: String,
        /// How they proved who they are inside it: `none`, `key`, `certificate`.
        proof: String,
        /// The version string of the client inside it.
        client: String,
    },
    /// A forward, an agent, a subsystem or another thing we do not serve was asked for and refused.
    Refused {
        /// What, by its SSH name.
        what: String,
    },
    /// A control line was typed.
    Control {
        /// The line.
        line: String,
        /// Its exit code.
        exit: u8,
    },
    /// A role was asked for.
    Requested {
        /// The request.
        request: RequestId,
        /// The role.
        role: RoleName,
        /// Digest of the role's text.
        role_digest: Digest,
        /// The targets and accounts.
        targets: Vec<(TargetName, AccountName)>,
        /// For how many seconds.
        seconds: u64,
        /// The reason.
        reason: String,
        /// The ticket.
        ticket: Option<String>,
    },
    /// An approver said yes; `complete` when enough have.
    Approved {
        /// The request.
        request: RequestId,
        /// Digest of what they saw.
        digest: Digest,
        /// The targets that remain.
        targets: Vec<TargetName>,
        /// The seconds that remain.
        seconds: u64,
        /// Whether this was the last yes that was needed.
        complete: bool,
    },
    /// A yes was refused (self-approval, no right, wrong digest, …).
    ApprovalRefused {
        /// The request.
        request: RequestId,
        /// Why.
        reason: String,
    },
    /// An approver said no.
    Denied {
        /// The request.
        request: RequestId,
        /// What they said.
        text: String,
    },
    /// The requester took the request back.
    Withdrawn {
        /// The request.
        request: RequestId,
    },
    /// Nobody decided in time.
    Lapsed {
        /// The request.
        request: RequestId,
    },
    /// A grant began.
    Activated {
        /// When it ends.
        ends: Timestamp,
    },
    /// A grant ended.
    Ended {
        /// `expired`, `given-back`, `revoked`.
        why: String,
        /// What was said, if anything.
        text: String,
    },
    /// A session certificate was issued.
    CertificateIssued {
        /// Its identifier.
        certificate: CertificateId,
        /// Its serial.
        serial: Serial,
        /// The key it is for.
        key: String,
        /// The grants it covers.
        grants: Vec<GrantId>,
        /// First instant at which it is not valid.
        valid_before: Timestamp,
    },
    /// A connection to a target was begun for commands of this session and none took it. Nobody logged in on it.
    TargetConnectionUnused {
        /// Why.
        reason: String,
    },
    /// A command was allowed. On disk before anything authenticates to a target.
    CommandAllowed(AllowedCommand),
    /// As `CommandAllowed`, where no rule allowed it and an observe grant did. Its `rule` is 0.
    Observed(AllowedCommand),
    /// A command was denied.
    CommandDenied {
        /// The command.
        command: CommandId,
        /// The line as typed; with placeholders if `withheld`.
        line: String,
        /// Why.
        reason: String,
        /// Whether words of the line are placeholders, because a secret may be among them.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        withheld: bool,
    },
    /// A command was allowed and then could not run.
    CommandFailed {
        /// The command.
        command: CommandId,
        /// Why.
        reason: String,
    },
    /// A command ended.
    CommandFinished(FinishedCommand),
    /// A command was running when the bastion went down.
    CommandOutcomeUnknown {
        /// The command.
        command: CommandId,
    },
    /// Something went wrong that the operator should know.
    Error {
        /// What.
        message: String,
    },
}

impl What {
    /// Its name in the log, as `audit search --kind` takes it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Stop { .. } => "stop",
            Self::Reload { .. } => "reload",
            Self::LogRepaired { .. } => "log-repaired",
            Self::Connection { .. } => "connection",
            Self::AuthenticationFailed { .. } => "authentication-failed",
            Self::Disconnected { .. } => "disconnected",
            Self::Forward { .. } => "forward",
            Self::Refused { .. } => "refused",
            Self::Control { .. } => "control",
            Self::Requested { .. } => "requested",
            Self::Approved { .. } => "approved",
            Self::ApprovalRefused { .. } => "approval-refused",
            Self::Denied { .. } => "denied",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Lapsed { .. } => "lapsed",
            Self::Activated { .. } => "activated",
            Self::Ended { .. } => "ended",
            Self::CertificateIssued { .. } => "certificate-issued",
            Self::TargetConnectionUnused { .. } => "target-connection-unused",
            Self::CommandAllowed(_) => "command-allowed",
            Self::Observed(_) => "observed",
            Self::CommandDenied { .. } => "command-denied",
            Self::CommandFailed { .. } => "command-failed",
            Self::CommandFinished(_) => "command-finished",
            Self::CommandOutcomeUnknown { .. } => "command-outcome-unknown",
            Self::Error { .. } => "error",
        }
    }

    /// Whether it says that something ended, was refused for good or was taken away: what the log writes even on a full disk.
    ///
    /// Nothing that a stranger can bring about as often as they like is among it, nor what a user can without power to lose.
    #[must_use]
    pub fn is_ending(&self) -> bool {
        matches!(
            self,
            Self::Stop { .. }
                | Self::LogRepaired { .. }
                | Self::Denied { .. }
                | Self::Withdrawn { .. }
                | Self::Lapsed { .. }
                | Self::Ended { .. }
                | Self::CommandFailed { .. }
                | Self::CommandFinished(_)
                | Self::CommandOutcomeUnknown { .. }
        )
    }

    /// The request it speaks of.
    #[must_use]
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Requested { request, .. }
            | Self::Approved { request, .. }
            | Self::ApprovalRefused { request, .. }
            | Self::Denied { request, .. }
            | Self::Withdrawn { request }
            | Self::Lapsed { request } => Some(request),
            _ => None,
        }
    }

    /// The grants it lists, besides the one of the whole event.
    #[must_use]
    pub fn grants(&self) -> &[GrantId] {
        match self {
            Self::CommandAllowed(allowed) | Self::Observed(allowed) => &allowed.grants,
            Self::CertificateIssued { grants, .. } => grants,
            _ => &[],
        }
    }
}

/// A command that may run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AllowedCommand {
    /// The command.
    pub command: CommandId,
    /// The role and its rule, from 1; 0 where an observe grant allowed it.
    pub role: RoleName,
    /// See `role`.
    pub rule: usize,
    /// Every grant that allows it.
    pub grants: Vec<GrantId>,
    /// The certificate it runs under.
    pub certificate: CertificateId,
    /// Whether that was presented by the client (else it was on file).
    pub presented: bool,
    /// The account on the target.
    pub account: AccountName,
    /// The line as typed; with placeholders if words are `withheld`.
    pub typed: String,
    /// The argument vector, with placeholders for what is `withheld`.
    pub argv: Vec<String>,
    /// Digest of the rendered line, the value of `force-command`; if words are `withheld`, of the line that `argv` makes.
    pub digest: Digest,
    /// Digest of the configuration in force.
    pub policy: Digest,
    /// When it is over at the latest.
    pub deadline: Timestamp,
    /// Which words of `argv`, from 0, are placeholders for secrets (or end in one).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<usize>,
}

/// A command that ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishedCommand {
    /// The command.
    pub command: CommandId,
    /// The exit code the client got.
    pub exit: u8,
    /// Why we ended it, if we did: `time-limit`, `expired`, `revoked`, `given-back`, `lapsed-hours`, `client-gone`, `output-limit`, ….
    pub ended_by: Option<String>,
    /// Bytes of standard input, output, error that passed.
    pub bytes: [u64; 3],
    /// Milliseconds it ran.
    pub milliseconds: u64,
    /// The recording's file name.
    pub recording: String,
    /// Digest of the finished recording.
    pub recording_digest: Option<Digest>,
    /// SHA-256 of standard input, output, error where the recording holds only the beginning; absent where it holds all.
    #[serde(default, skip_serializing_if = "all_recorded")]
    pub stream_digests: [Option<Digest>; 3],
}

fn all_recorded(digests: &[Option<Digest>; 3]) -> bool {
    digests.iter().all(Option::is_none)
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind there is: what serde would have taken.
    fn kinds() -> Vec<String> {
        let error = serde_json::from_str::<What>(r#"{"kind":"?"}"#).unwrap_err().to_string();
        error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_kind_has_a_sample_and_is_searched_for_by_the_name_in_the_log() {
        let samples = samples::one_of_each("text");
        assert_eq!(samples.iter().map(What::kind).collect::<Vec<_>>(), kinds());
        for what in samples {
            assert_eq!(serde_json::to_value(&what).unwrap()["kind"], what.kind());
        }
    }

    #[test]
    fn the_documentation_names_every_kind_and_its_data() {
        let page = include_str!("../../docs/audit-log-format.md");
        let (_, table) = page.split_once("### The kinds\n").unwrap();
        let rows: Vec<Vec<&str>> = table
            .lines()
            .skip_while(|line| !line.starts_with("| `"))
            .take_while(|line| line.starts_with('|'))
            .map(|line| line.split('`').skip(1).step_by(2).collect())
            .collect();
        assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), kinds());
        for (what, row) in samples::one_of_each("text").iter().zip(rows) {
            let value = serde_json::to_value(what).unwrap();
            let mut data: Vec<&str> = value["data"].as_object().unwrap().keys().map(String::as_str).collect();
            let mut said = row[1..].to_vec();
            data.sort_unstable();
            said.sort_unstable();
            assert_eq!(said, data, "{}", what.kind());
        }
    }
}
