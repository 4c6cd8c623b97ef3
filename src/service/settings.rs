//! What `doorward.toml` says, as the use cases need it.

use std::time::Duration;

use crate::domain::Subject;

/// Names, rights and limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bastion's own name, as in certificates: `bastion.example.com`.
    pub name: String,
    /// What people type after `ssh`, for the lines we suggest: `bastion`.
    pub alias: String,
    /// What may follow a target's name in a login name: `jea` in `web-1.jea`.
    pub suffix: String,
    /// Who reads and verifies the log, besides their own requests.
    pub reviewers: Vec<Subject>,
    /// Whether only a certificate presented by the client opens a role command.
    pub require_presented_certificate: bool,
    /// Whether a connection inside another one (`ssh -J`) proves the key again, whatever its client says about who it is for.
    pub require_key_inside: bool,
    /// How long a request waits for approvers.
    pub lapse: Duration,
    /// How long an approved request waits for its first use.
    pub activate_within: Duration,
    /// How many requests one user may have waiting.
    pub pending_per_user: usize,
    /// How long running commands get when the bastion stops.
    pub drain: Duration,
    /// How many connections to one target may wait for a command; 0 prepares none.
    pub prepared_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: "bastion".to_owned(),
            alias: "bastion".to_owned(),
            suffix: "jea".to_owned(),
            reviewers: Vec::new(),
            require_presented_certificate: false,
            require_key_inside: false,
            lapse: Duration::from_secs(8 * 3600),
            activate_within: Duration::from_secs(4 * 3600),
            pending_per_user: 10,
            drain: Duration::from_secs(20),
            prepared_connections: 2,
        }
    }
}
