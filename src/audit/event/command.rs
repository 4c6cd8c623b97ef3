//! The data of the entries about one command: that it may run, and how it ended.

use serde::{Deserialize, Serialize};

use crate::domain::{AccountName, CertificateId, CommandId, Digest, GrantId, RoleName, Timestamp};

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
