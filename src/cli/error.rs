//! Why a verb did not do what it was asked, and the exit code that says so.

use crate::config::edit::EditError;
use crate::domain::wording::plural;
use crate::domain::{Diagnostic, Severity};

use super::screen::Screen;

/// What went wrong.
#[derive(Debug)]
pub enum CliError {
    /// In words, for the operator; already safe to show.
    Failed(String),
    /// In files.
    Findings(Vec<Diagnostic>),
    /// The words on the command line cannot be meant.
    Usage(String),
    /// Already said, as what was asked for.
    Reported,
    /// Any of these from a verb whose exit code 1 is an answer: exit code 2.
    Trouble(Box<CliError>),
}

impl CliError {
    /// A failure in words.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// Shows it and answers with its exit code: 1 failed, 2 usage.
    pub(super) fn show(&self, screen: &mut Screen) -> u8 {
        match self {
            Self::Failed(message) => {
                screen.note(format_args!("doorward: {message}"));
                1
            }
            Self::Usage(message) => {
                screen.note(format_args!("doorward: {message}"));
                2
            }
            Self::Reported => 1,
            Self::Trouble(error) => error.show(screen).max(2),
            Self::Findings(findings) => {
                findings.iter().for_each(|finding| screen.note(format_args!("{finding}\n")));
                screen.note(format_args!("doorward: {}", counted(findings)));
                1
            }
        }
    }
}

impl From<EditError> for CliError {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Refused(message) => Self::Failed(message),
            EditError::Findings(findings) => Self::Findings(findings),
        }
    }
}

/// `2 errors, 1 warning`.
pub(super) fn counted(findings: &[Diagnostic]) -> String {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = findings.iter().filter(|finding| finding.severity == Severity::Warning).count();
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}
