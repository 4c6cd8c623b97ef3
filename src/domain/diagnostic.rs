//! A message about a file of ours: where, what, and what to write instead.
//!
//! Parsers collect these instead of stopping at the first; the command line renders them, the log keeps their first line.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used; somebody should look.
    Warning,
}

/// One finding in one file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file as the operator would name it, for example `roles/web-restart.toml`.
    pub file: Arc<str>,
    /// The file's whole text, so that the line can be shown; empty when it could not be read.
    pub source: Arc<str>,
    /// Bytes of `source` that are meant, where one place is meant.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place or a suggestion; see [`Self::at`] and [`Self::help`].
    #[must_use]
    pub fn error(file: &Arc<str>, source: &Arc<str>, message: impl Into<String>) -> Self {
        let (file, source, message) = (Arc::clone(file), Arc::clone(source), message.into());
        Self { severity: Severity::Error, file, source, span: None, message, help: None }
    }

    /// The same finding as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same finding, at `span` of the source.
    #[must_use]
    pub fn at(mut self, span: Range<usize>) -> Self {
        self.span = Some(span);
        self
    }

    /// The same finding with what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Line and column of the place, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self) -> Option<(usize, usize)> {
        let before = self.source.get(..self.span.as_ref()?.start)?;
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |text| text.chars().count()) + 1;
        Some((line, column))
    }
}

/// `FILE:LINE:COLUMN: error: MESSAGE`, the line itself with a caret, and the suggestion.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let message = super::text::escape(&self.message);
        let help = self.help.as_deref().map(super::text::escape);
        let mut group = Group::with_title(level.primary_title(message.as_ref()));
        if let Some(span) = self.span.clone().filter(|span| self.source.get(span.clone()).is_some()) {
            let snippet = Snippet::source(self.source.as_ref())
                .path(self.file.as_ref())
                .annotation(AnnotationKind::Primary.span(span));
            group = group.element(snippet);
        } else {
            group = group.element(annotate_snippets::Origin::path(self.file.as_ref()));
        }
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_ref()));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_file_line_column_caret_and_what_to_write() {
        let (file, source) = (Arc::from("roles/a.toml"), Arc::from("ä = 1\nrun_az = \"x\"\n"));
        let finding = Diagnostic::error(&file, &source, "unknown key `run_az`").at(7..13).help("write `run_as`");
        let shown = finding.to_string();
        assert_eq!(finding.line_column(), Some((2, 1)));
        for part in ["error: unknown key `run_az`", "roles/a.toml:2:1", "run_az = \"x\"", "^^^^^^", "write `run_as`"] {
            assert!(shown.contains(part), "{part} in:\n{shown}");
        }
    }
}
