//! Walks a TOML document by hand: every value with its place, every finding kept.

use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::text::{excerpt, is_printable};
use crate::domain::time::for_people;
use crate::domain::wording::distance;
use crate::domain::{Diagnostic, limits};

use super::{MOST_ENTRIES, MOST_EXPRESSIONS, Patterns, SyntaxProblem, kind};

/// Bytes of the file that are meant; `None` for the file as a whole.
pub(super) type Place = Option<Range<usize>>;
/// A value with its place.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

const TEXT: &str = "a text in quotes";
const TEXTS: &str = "a list of texts";

/// The findings so far.
pub(super) struct Reader {
    file: Arc<str>,
    source: Arc<str>,
    found: Vec<Diagnostic>,
    patterns: Patterns,
    expressions: usize,
}

/// A text of the file with its place.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) span: Place,
}

/// The known keys of one table.
pub(super) struct Fields<'a> {
    what: &'static str,
    place: Range<usize>,
    entries: Vec<(&'a str, Range<usize>, &'a Value<'a>)>,
}

impl<'a> Fields<'a> {
    pub(super) fn value(&self, key: &str) -> Option<&'a Value<'a>> {
        self.entries.iter().find(|(known, ..)| *known == key).map(|&(.., value)| value)
    }

    /// Where the value of `key` stands.
    pub(super) fn span_of(&self, key: &str) -> Place {
        self.value(key).map(Spanned::span)
    }

    /// Where `key` itself stands; the table if it is not there.
    pub(super) fn key_span(&self, key: &str) -> Place {
        let known = self.entries.iter().find(|(known, ..)| *known == key);
        Some(known.map_or_else(|| self.place.clone(), |(_, span, _)| span.clone()))
    }
}

impl Reader {
    pub(super) fn new(file: &str, source: &str, patterns: &Patterns) -> Self {
        let (file, source, patterns) = (file.into(), source.into(), patterns.clone());
        Self { file, source, found: Vec::new(), patterns, expressions: 0 }
    }

    pub(super) fn syntax(&mut self, problem: SyntaxProblem) {
        match problem.help {
            Some(help) => self.error_with_help(problem.place, problem.message, help),
            None => self.error(problem.place, problem.message),
        }
    }

    /// What compiles one more expression of this role.
    ///
    /// # Errors
    /// The role has too many.
    pub(super) fn expressions(&mut self) -> Result<Patterns, String> {
        self.expressions += 1;
        match self.expressions > MOST_EXPRESSIONS {
            true => Err(format!("a role has at most {MOST_EXPRESSIONS} expressions; list values with `one_of`")),
            false => Ok(self.patterns.clone()),
        }
    }

    pub(super) fn into_findings(self) -> Vec<Diagnostic> {
        self.found
    }

    pub(super) fn error(&mut self, place: Place, message: impl Into<String>) {
        let finding = Diagnostic::error(&self.file, &self.source, message);
        self.found.push(match place {
            Some(span) => finding.at(span),
            None => finding,
        });
    }

    pub(super) fn error_with_help(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.error(place, message);
        if let Some(last) = self.found.pop() {
            self.found.push(last.help(help));
        }
    }

    /// A finding of a kind that has a code: an error or a warning.
    pub(super) fn finding(&mut self, place: Place, error: bool, code: &'static str, message: String, help: String) {
        self.error_with_help(place, message, help);
        if let Some(last) = self.found.pop() {
            self.found.push(if error { last.code(code) } else { last.code(code).warning() });
        }
    }

    /// A finding that the author has accepted.
    pub(super) fn accepted(&mut self, place: Place, code: &'static str, message: String) {
        self.error(place, message);
        if let Some(last) = self.found.pop() {
            self.found.push(last.code(code).accepted());
        }
    }

    /// The place of `length` bytes at `offset` inside a text, if the text stands in the file as it is; else the whole text.
    pub(super) fn inside(&self, text: &Text, offset: usize, length: usize) -> Place {
        let span = text.span.clone()?;
        let verbatim = self.source.get(span.start + 1..span.end.saturating_sub(1)) == Some(text.value.as_str());
        let start = span.start + 1 + offset;
        let end = (start + length).min(span.end);
        Some(if verbatim && self.source.get(start..end).is_some() { start..end } else { span })
    }

    /// The keys of `table`; one that is not `known` is a finding, and one of `later` says so.
    pub(super) fn fields<'a>(
        &mut self,
        table: &'a DeTable<'a>,
        place: impl Into<Place>,
        what: &'static str,
        known: &[&str],
        later: &[&str],
    ) -> Fields<'a> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let (name, span) = (key.get_ref().as_ref(), key.span());
            if known.contains(&name) {
                entries.push((name, span, value));
            } else if later.contains(&name) {
                let help =
                    "take it out, or wait for a build that enforces it; a role must not seem stricter than it is";
                self.error_with_help(Some(span), format!("this build does not enforce `{name}` yet"), help);
            } else {
                let message = format!("{what} has no key `{}`", excerpt(name, 40));
                match nearest(name, known) {
                    Some(meant) => self.error_with_help(Some(span), message, format!("write `{meant}`")),
                    None => self.error_with_help(Some(span), message, format!("its keys are {}", known.join(", "))),
                }
            }
        }
        Fields { what, place: place.into().unwrap_or(0..0), entries }
    }

    pub(super) fn required<'a>(&mut self, fields: &Fields<'a>, key: &str) -> Option<&'a Value<'a>> {
        let value = fields.value(key);
        if value.is_none() {
            let place = Some(fields.place.start..fields.place.start);
            self.error_with_help(place, format!("{} needs `{key}`", fields.what), format!("write `{key} = …`"));
        }
        value
    }

    fn wrong_type(&mut self, value: &Value<'_>, what: impl Display, wanted: &str, instead: &str) {
        let message = format!("{what} is {wanted}, and this is {}", kind(value.get_ref()));
        let span = value.span();
        // A value of one line is shown as it would be right.
        let written = self.source.get(span.clone()).filter(|text| text.len() <= 60 && !text.contains('\n'));
        let help = match (wanted, value.get_ref(), written) {
            (TEXT, DeValue::Integer(_) | DeValue::Float(_) | DeValue::Datetime(_), Some(text)) => {
                format!("write \"{text}\"")
            }
            (TEXTS, DeValue::String(_), Some(text)) => format!("write [{text}]"),
            _ => instead.to_owned(),
        };
        self.error_with_help(Some(span), message, help);
    }

    pub(super) fn table<'a>(&mut self, value: &'a Value<'a>, what: &str) -> Option<&'a DeTable<'a>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, what, "a table", "write its keys below it, or between `{` and `}`");
        }
        table
    }

    /// A text that can be shown as it is, of at most `longest` bytes.
    pub(super) fn plain(&mut self, value: &Value<'_>, what: &str, longest: usize) -> Option<Text> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(value, format!("`{what}`"), TEXT, "write one text: \"…\"");
            return None;
        };
        if text.len() > longest {
            self.error(
                Some(value.span()),
                format!("`{what}` has at most {longest} bytes, and this has {}", text.len()),
            );
            return None;
        }
        if let Some(found) = text.chars().find(|c| !is_printable(*c)) {
            let message = format!("`{what}` holds U+{:04X}, a control or invisible character", u32::from(found));
            self.error_with_help(Some(value.span()), message, "take it out; type the text anew if you cannot see it");
            return None;
        }
        Some(Text { value: text.to_owned(), span: Some(value.span()) })
    }

    /// A text of a list.
    fn plain_entry(&mut self, value: &Value<'_>, what: &str) -> Option<Text> {
        if value.get_ref().as_str().is_none() {
            self.wrong_type(value, format!("each entry of `{what}`"), TEXT, "write one text: \"…\"");
            return None;
        }
        self.plain(value, what, limits::LINE)
    }

    pub(super) fn text(&mut self, fields: &Fields<'_>, key: &str, longest: usize) -> Option<Text> {
        fields.value(key).and_then(|value| self.plain(value, key, longest))
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, value: &Value<'_>, what: &str) -> Option<Vec<Text>> {
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(value, format!("`{what}`"), TEXTS, "write [\"…\"]");
            return None;
        };
        if list.len() > MOST_ENTRIES {
            let message = format!("`{what}` has at most {MOST_ENTRIES} entries");
            self.error_with_help(Some(value.span()), message, "take some out, or write a second role");
            return None;
        }
        Some(list.iter().filter_map(|one| self.plain_entry(one, what)).collect())
    }

    pub(super) fn boolean(&mut self, fields: &Fields<'_>, key: &str) -> bool {
        let Some(value) = fields.value(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(value, format!("`{key}`"), "true or false", "write `true` or `false`, without quotes");
            false
        })
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, value: &Value<'_>, what: &str) -> Option<u64> {
        let number = value.get_ref().as_integer().map(|one| u64::from_str_radix(one.as_str(), one.radix()));
        match number {
            Some(Ok(number)) => Some(number),
            Some(Err(_)) => {
                let message = format!("`{what}` is not negative, and not larger than {}", u64::MAX);
                self.error_with_help(Some(value.span()), message, "write a smaller whole number, without a sign");
                None
            }
            None => {
                self.wrong_type(
                    value,
                    format!("`{what}`"),
                    "a whole number",
                    "write digits alone, without quotes or a unit",
                );
                None
            }
        }
    }

    /// A span of time such as `"90s"`, `"1h 30m"`: at least one second, at most `longest`.
    pub(super) fn span_of_time(&mut self, fields: &Fields<'_>, key: &str, longest: Duration) -> Option<Duration> {
        let example = format!("write `{key} = \"30m\"`, with s, m, h or d");
        let value = fields.value(key)?;
        if value.get_ref().as_str().is_none() {
            let message = format!("`{key}` is a span of time in quotes, and this is {}", kind(value.get_ref()));
            self.error_with_help(Some(value.span()), message, example);
            return None;
        }
        let text = self.plain(value, key, 40)?;
        match humantime::parse_duration(&text.value) {
            Ok(span) if span < Duration::from_secs(1) => {
                self.error_with_help(text.span, format!("`{key}` is at least one second"), example);
                None
            }
            Ok(span) if span > longest => {
                let longest = for_people(longest);
                self.error_with_help(
                    text.span,
                    format!("`{key}` is at most {longest}"),
                    format!("write `{key} = \"{longest}\"` or less"),
                );
                None
            }
            Ok(span) => Some(span),
            Err(_) => {
                self.error_with_help(text.span, format!("`{key}` is no span of time"), example);
                None
            }
        }
    }
}

/// The key that was probably meant: at most a third of its letters differ.
pub(super) fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    if found.len() > 40 {
        return None;
    }
    let near = known.iter().map(|key| (distance(found, key), *key)).min()?;
    (near.0 <= near.1.len().div_ceil(3)).then_some(near.1)
}
