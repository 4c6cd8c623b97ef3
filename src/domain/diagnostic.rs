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
    /// The file is used; its author has looked, and the message has their reason.
    Accepted,
}

/// One finding in one file.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is, the same in every version, for example `escape/shell`; `None` where nobody needs to tell it
    /// from others but by its message.
    pub code: Option<&'static str>,
    /// The file as the operator would name it, for example `roles/web-restart.toml`.
    pub file: Arc<str>,
    /// The file's whole text, so that the line can be shown; empty when it could not be read.
    pub source: Arc<str>,
    /// Bytes of `source` that are meant, where one place is meant.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to write or do instead.
    pub help: Option<Box<str>>,
}

impl Diagnostic {
    /// An error without a place or a suggestion; see [`Self::at`] and [`Self::help`].
    #[must_use]
    pub fn error(file: &Arc<str>, source: &Arc<str>, message: impl Into<String>) -> Self {
        let (file, source, message) = (Arc::clone(file), Arc::clone(source), message.into());
        Self { severity: Severity::Error, code: None, file, source, span: None, message, help: None }
    }

    /// The same finding as a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The same finding, which its author has accepted.
    #[must_use]
    pub fn accepted(mut self) -> Self {
        self.severity = Severity::Accepted;
        self
    }

    /// The same finding, of this kind.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
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
        self.help = Some(help.into().into_boxed_str());
        self
    }

    /// Line and column of the place, both from 1, the column in characters.
    #[must_use]
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.position(self.span.as_ref()?.start)
    }

    /// Line and column of the first character behind the place.
    #[must_use]
    pub fn end_line_column(&self) -> Option<(usize, usize)> {
        self.position(self.span.as_ref()?.end)
    }

    fn position(&self, at: usize) -> Option<(usize, usize)> {
        let before = self.source.get(..at)?;
        let line = before.matches('\n').count() + 1;
        // A byte order mark is no character of the first line to who reads it.
        let last = before.rsplit('\n').next().unwrap_or_default();
        Some((line, last.trim_start_matches('\u{feff}').chars().count() + 1))
    }

    /// The line on which the place begins, without its end; of a very long one, the piece around the place.
    #[must_use]
    pub fn line_text(&self) -> Option<&str> {
        let (shown, place) = self.shown()?;
        let start = shown.get(..place.start)?.rfind('\n').map_or(0, |at| at + 1);
        let line = shown.get(start..)?.split('\n').next()?;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

/// The longest piece of a file that is shown as it is, in bytes. Of anything longer only what stands around the place is shown:
/// a file from outside may be one line of a megabyte, and there may be a hundred findings in it.
const SHOWN: usize = 1000;
/// What is shown before and after the beginning of the place then, in bytes.
const AROUND: (usize, usize) = (60, 120);

impl Diagnostic {
    /// The part of the source that is shown, where it begins, and the place within it; always bounded.
    fn shown(&self) -> Option<(&str, Range<usize>)> {
        let span = self.span.clone()?;
        let (before, _) = self.source.get(..span.end)?.split_at_checked(span.start)?;
        let rest = self.source.get(span.start..)?;
        let whole_start = before.rfind('\n').map_or(0, |at| at + 1);
        let length = span.end - span.start;
        let whole_end = span.end + rest.get(length..)?.find('\n').unwrap_or(rest.len() - length);
        let (start, end) = if whole_end - whole_start <= SHOWN {
            (whole_start, whole_end)
        } else {
            let line_end = span.start + rest.find('\n').unwrap_or(rest.len());
            let start = self.source.floor_char_boundary(span.start.saturating_sub(AROUND.0)).max(whole_start);
            (start, self.source.floor_char_boundary(span.start + AROUND.1).min(line_end))
        };
        let within = span.start - start..span.end.min(end) - start;
        Some((self.source.get(start..end)?, within))
    }
}

/// `text` with what a terminal would act on or not show written as `\u{…}`, and the place in that; line ends, tabs and the other
/// control characters of ASCII are the renderer's to show. A byte order mark is left out.
fn harmless(text: &str, place: &Range<usize>) -> (String, Range<usize>) {
    let mut safe = String::with_capacity(text.len());
    let (mut start, mut end) = (None, None);
    for (at, c) in text.char_indices() {
        start = start.or((place.start <= at).then_some(safe.len()));
        end = end.or((place.end <= at).then_some(safe.len()));
        match c {
            '\u{feff}' if at == 0 => {}
            _ if c.is_ascii() => safe.push(c),
            _ => safe.push_str(&super::text::escape(c.encode_utf8(&mut [0; 4]))),
        }
    }
    let (start, end) = (start.unwrap_or(safe.len()), end.unwrap_or(safe.len()));
    (safe, start..end)
}

/// `error: MESSAGE` (with its code: `warning[CODE]: MESSAGE`), `FILE:LINE:COLUMN`, the line itself with a caret (of a very long
/// one, a piece), and the suggestion.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Accepted => Level::NOTE.with_name("accepted"),
        };
        let message = super::text::escape(&self.message);
        let help = self.help.as_deref().map(super::text::escape);
        // The name of a file is text from outside too.
        let file = super::text::escape(&self.file);
        let origin = Origin::path(file.as_ref());
        let title = level.primary_title(message.as_ref());
        let mut group = Group::with_title(match self.code {
            Some(code) => title.id(code),
            None => title,
        });
        let shown = self.shown().map(|(text, place)| harmless(text, &place));
        if let (Some((text, place)), Some((line, column))) = (&shown, self.line_column()) {
            // The place is said by us: of a piece of a line the column could not be told.
            group = group.element(origin.line(line).char_column(column));
            let place = AnnotationKind::Primary.span(place.clone());
            group = group.element(Snippet::source(text.as_str()).line_start(line).annotation(place));
        } else {
            group = group.element(origin);
        }
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help.as_ref()));
        }
        // The renderer takes the text for one of a second file without a name, and says so in a line of its own.
        let rendered = Renderer::plain().render(&[group]);
        let lines: Vec<&str> = rendered.lines().filter(|line| line.trim() != ":::").collect();
        f.write_str(&lines.join("\n"))
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
    /// Its lines go to terminals and journals; the carets stand under what is shown.
    #[test]
    fn nothing_of_a_file_that_is_shown_moves_a_cursor_or_hides() {
        let hostile = "\u{9b}2J\u{1b}[31m\u{85}\u{202e}\u{200b}\u{2028}\u{ad}\r\u{7f}\u{feff}\u{e0041}";
        let (file, source) = (
            Arc::from("roles/a\u{9b}.toml"),
            Arc::from(format!("x = 1 # {hostile}\ny\t= \"{hostile}\" # {hostile}\n")),
        );
        let whole = str::len(&source);
        for span in [2..3, 8..whole - 1, 0..whole, whole - 40..whole - 1] {
            let span = source.floor_char_boundary(span.start)..source.floor_char_boundary(span.end);
            let shown = Diagnostic::error(&file, &source, hostile).help(hostile).at(span.clone()).to_string();
            let odd: Vec<char> =
                shown.chars().filter(|&c| c != '\n' && !crate::domain::text::is_printable(c)).collect();
            assert!(odd.is_empty() && shown.contains('^'), "{span:?} {odd:?}\n{shown}");
        }
    }

    /// However long the line or the place, what is shown is short and says where it is.
    #[test]
    fn a_hostile_line_costs_no_more_than_any_other() {
        let long: Arc<str> =
            Arc::from(format!("a = 1\n{}\u{fc}b = 2{}\nc = 3", "x".repeat(200_000), "\u{fc}".repeat(200_000)));
        let file: Arc<str> = Arc::from("roles/a.toml");
        let at = 6 + 200_000;
        for span in [at..at + 3, at..at + 300_001, 6..long.len(), 0..long.len(), at + 2..at + 2] {
            let started = std::time::Instant::now();
            let finding = Diagnostic::error(&file, &long, "no").at(span.clone());
            let shown = finding.to_string();
            let (line, column) = finding.line_column().unwrap();
            assert!(
                shown.contains(&format!("roles/a.toml:{line}:{column}")) && shown.contains('^'),
                "{span:?}:\n{shown}"
            );
            assert!(shown.len() < 4_000, "{span:?}: {} bytes", shown.len());
            // A debug build under load needs a few milliseconds; rendering the whole line took tens of them.
            assert!(started.elapsed() < std::time::Duration::from_millis(500), "{:?}", started.elapsed());
        }
        // Nothing is shown of a place that is none.
        for span in [at + 1..at + 1, 0..usize::MAX, long.len() + 1..long.len() + 1] {
            let shown = Diagnostic::error(&file, &long, "no").at(span).to_string();
            assert!(shown.contains("roles/a.toml") && !shown.contains('^'), "{shown}");
        }
    }
}
