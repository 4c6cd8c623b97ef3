//! What the readers of the log ask of any entry: its name, what it speaks of, whether it takes something away.

use super::What;
use crate::domain::{GrantId, RequestId};

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
