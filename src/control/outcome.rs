//! What a verb answers with: text and an exit code, or why it could not.

use crate::service::end_grant::EndError;
use crate::service::ports::StoreError;
use crate::service::request_access::RequestError;
use crate::service::review_request::ReviewError;
use crate::service::{Unavailable, UnseenRequest};

use super::arguments::Absent;

/// The exit codes of control verbs, as `docs/control-verbs.md` has them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// Refused, denied, withdrawn, lapsed.
    Refused = 1,
    /// It cannot be typed like this.
    Usage = 2,
    /// It does not exist, or is not theirs.
    NotFound = 3,
    /// Store or log do not work.
    Unavailable = 4,
}

/// What a verb prints when it could do what it is for.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// For standard output, as it is: every line ended, all foreign text escaped.
    pub(super) stdout: String,
    /// For standard error, without our prefix.
    pub(super) stderr: String,
    /// Whether the answer itself is a no.
    pub(super) refused: bool,
}

impl Answer {
    pub(super) fn out(stdout: impl Into<String>) -> Self {
        Self { stdout: stdout.into(), ..Self::default() }
    }

    pub(super) fn saying(self, stderr: impl Into<String>) -> Self {
        Self { stderr: stderr.into(), ..self }
    }

    pub(super) fn refused(self) -> Self {
        Self { refused: true, ..self }
    }
}

/// Why a verb did not do it; the message says what to type instead.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// Without our prefix; may have several lines. Foreign text in it is escaped.
    pub(super) message: String,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// What the user is told of `error`. What lies behind an outage is for the operator alone, who is told here.
    pub(super) fn of(exit: Exit, error: &dyn std::error::Error) -> Self {
        if exit == Exit::Unavailable {
            let inside = error.source().map(ToString::to_string).unwrap_or_default();
            tracing::error!(error = inside, "a verb could not be answered");
        }
        Self::new(exit, error.to_string())
    }

    pub(super) fn and(mut self, line: &str) -> Self {
        self.message.push('\n');
        self.message.push_str(line);
        self
    }
}

impl From<Absent> for Failure {
    fn from(Absent(name): Absent) -> Self {
        Self::new(Exit::Usage, format!("{name} is missing"))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Unavailable::from(error).into()
    }
}

impl From<Unavailable> for Failure {
    fn from(error: Unavailable) -> Self {
        Self::of(Exit::Unavailable, &error)
    }
}

impl From<UnseenRequest> for Failure {
    fn from(error: UnseenRequest) -> Self {
        Self::new(Exit::NotFound, error.to_string())
    }
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        let exit = match &error {
            RequestError::NotEligible { .. } | RequestError::Unseen(_) => Exit::NotFound,
            RequestError::Terms(_) | RequestError::TooMany { .. } | RequestError::State(_) => Exit::Refused,
            RequestError::Unavailable(_) => Exit::Unavailable,
        };
        Self::of(exit, &error)
    }
}

impl From<ReviewError> for Failure {
    fn from(error: ReviewError) -> Self {
        let exit = match &error {
            ReviewError::Unseen(_) => Exit::NotFound,
            ReviewError::Refused(_) | ReviewError::Outdated { .. } => Exit::Refused,
            ReviewError::Unavailable(_) => Exit::Unavailable,
        };
        Self::of(exit, &error)
    }
}

impl From<EndError> for Failure {
    fn from(error: EndError) -> Self {
        let exit = match &error {
            EndError::Unseen(_) => Exit::NotFound,
            EndError::Own(_) | EndError::State(_) => Exit::Refused,
            EndError::Unavailable(_) => Exit::Unavailable,
        };
        Self::of(exit, &error)
    }
}
