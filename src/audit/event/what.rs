//! The kinds of entries: one variant each, exhaustive. Entries are never changed afterwards, only added.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::command::{AllowedCommand, FinishedCommand};
use crate::domain::{
    AccountName, CertificateId, CommandId, Digest, GrantId, RequestId, RoleName, Serial, TargetName, Timestamp,
};

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
