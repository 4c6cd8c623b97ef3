//! A TOML table read key by key, so that one run finds every problem of a file, each with its place.
//!
//! Each reader method notes the key it was asked for; what is left over at [`Table::finish`] is unknown, and unknown keys
//! are errors: a misspelt restriction must never be a restriction that silently does not exist.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::domain::Diagnostic;
use crate::domain::text::excerpt;
use crate::domain::wording::distance;
use crate::policy::file::{MOST_FINDINGS, kind, syntax_problems};

use super::source::Source;

/// A value with its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Parses the file as TOML; every syntax error is a finding, and then there is no table.
pub(super) fn parse<'a>(source: &'a Source, out: &mut Vec<Diagnostic>) -> Option<Spanned<DeTable<'a>>> {
    if !source.was_read {
        return None;
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    for problem in syntax_problems(&source.text, &errors, MOST_FINDINGS) {
        let mut finding = source.error(problem.message);
        (finding.span, finding.help) = (problem.place, problem.help.map(Box::from));
        out.push(finding);
    }
    errors.is_empty().then_some(table)
}

/// One table being read.
pub(super) struct Table<'a, 'i> {
    source: &'a Source,
    table: &'a DeTable<'i>,
    /// How messages call it: `[rights]`, or empty for the file itself.
    place: String,
    known: Vec<&'static str>,
}

impl<'a, 'i> Table<'a, 'i> {
    /// The table `place` of `source`.
    pub(super) fn new(source: &'a Source, table: &'a DeTable<'i>, place: impl Into<String>) -> Self {
        Self { source, table, place: place.into(), known: Vec::new() }
    }

    /// The value of `key`, noted as known.
    pub(super) fn get(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'i>>> {
        self.known.push(key);
        self.table.get(key)
    }

    /// A sub-table of this one.
    pub(super) fn table(&mut self, key: &'static str, out: &mut Vec<Diagnostic>) -> Option<Table<'a, 'i>> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            out.push(self.wrong(value, &format!("`{key}` is a table"), &format!("[{key}]")));
            return None;
        };
        Some(Table::new(self.source, table, format!("[{key}]")))
    }

    /// A text.
    pub(super) fn string(&mut self, key: &'static str, out: &mut Vec<Diagnostic>) -> Option<Placed<&'a str>> {
        let value = self.get(key)?;
        let text = value.get_ref().as_str();
        if text.is_none() {
            out.push(self.wrong(value, &format!("`{key}` is a text"), &format!("{key} = \"…\"")));
        }
        text.map(|text| Placed { value: text, span: value.span() })
    }

    /// A text that is a `T`; `example` is a right value.
    pub(super) fn parsed<T>(&mut self, key: &'static str, example: &str, out: &mut Vec<Diagnostic>) -> Option<Placed<T>>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        let text = self.string(key, out)?;
        self.source.parse(&text, example, out)
    }

    /// A list of texts. A single text where a list belongs is named as such.
    pub(super) fn strings(&mut self, key: &'static str, out: &mut Vec<Diagnostic>) -> Vec<Placed<&'a str>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let shape = format!("`{key}` is a list of texts");
        let help = match value.get_ref().as_str() {
            Some(text) => format!("{key} = [{text:?}]"),
            None => format!("{key} = [\"…\"]"),
        };
        let Some(items) = value.get_ref().as_array() else {
            out.push(self.wrong(value, &shape, &help));
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Placed { value: text, span: item.span() }),
                None => out.push(self.wrong(item, &shape, &help)),
            }
        }
        texts
    }

    /// A list of texts that are each a `T`.
    pub(super) fn all_parsed<T>(
        &mut self,
        key: &'static str,
        example: &str,
        out: &mut Vec<Diagnostic>,
    ) -> Vec<Placed<T>>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        self.strings(key, out).iter().filter_map(|text| self.source.parse(text, example, out)).collect()
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, out: &mut Vec<Diagnostic>) -> Option<Placed<bool>> {
        let value = self.get(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            out.push(self.wrong(value, &format!("`{key}` is true or false"), &format!("{key} = true")));
        }
        flag.map(|flag| Placed { value: flag, span: value.span() })
    }

    /// A whole number within `range`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<usize>,
        out: &mut Vec<Diagnostic>,
    ) -> Option<usize> {
        let value = self.get(key)?;
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let number = number.and_then(|number| number.as_str().parse().ok()).filter(|number| range.contains(number));
        if number.is_none() {
            let shape = format!("`{key}` is a whole number from {} to {}", range.start(), range.end());
            out.push(self.source.error_at(value.span(), shape));
        }
        number
    }

    /// A span of time within `range`: `"8h"`, `"1h 30m"`, `"20s"`.
    pub(super) fn duration(
        &mut self,
        key: &'static str,
        range: std::ops::RangeInclusive<Duration>,
        out: &mut Vec<Diagnostic>,
    ) -> Option<Duration> {
        let value = self.get(key)?;
        let span = value.get_ref().as_str().and_then(|text| humantime::parse_duration(text).ok());
        let (least, most) = (humantime::format_duration(*range.start()), humantime::format_duration(*range.end()));
        let help = format!("write a number with its unit, as in {key} = \"{least}\"");
        match span {
            Some(span) if range.contains(&span) => return Some(span),
            Some(_) => {
                out.push(self.source.error_at(value.span(), format!("`{key}` may be from {least} to {most}")));
            }
            None => out.push(self.source.error_at(value.span(), format!("`{key}` is a span of time")).help(help)),
        }
        None
    }

    /// A table of texts, such as `labels`: each key with its place and its value.
    pub(super) fn texts(
        &mut self,
        key: &'static str,
        example: &str,
        out: &mut Vec<Diagnostic>,
    ) -> Vec<(Placed<&'a str>, Placed<&'a str>)> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let shape = format!("`{key}` is a table of texts");
        let Some(table) = value.get_ref().as_table() else {
            out.push(self.wrong(value, &shape, example));
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in table {
            match value.get_ref().as_str() {
                Some(text) => pairs.push((
                    Placed { value: name.get_ref().as_ref(), span: name.span() },
                    Placed { value: text, span: value.span() },
                )),
                None => out.push(self.wrong(value, &shape, example)),
            }
        }
        pairs
    }

    /// Refuses `keys` that the design knows and this build does not enforce: named, never ignored.
    pub(super) fn not_yet(&mut self, keys: &[(&'static str, &str)], out: &mut Vec<Diagnostic>) {
        for (key, instead) in keys {
            self.known.push(key);
            if let Some((name, _)) = self.table.get_key_value(*key) {
                let message = format!("`{key}` is not enforced by this build, so it may not stand here");
                out.push(self.source.error_at(name.span(), message).help(*instead));
            }
        }
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self, out: &mut Vec<Diagnostic>) {
        for name in self.table.keys() {
            let key: &str = name.get_ref();
            if self.known.contains(&key) {
                continue;
            }
            let place = if self.place.is_empty() { String::new() } else { format!(" in {}", self.place) };
            let finding = self.source.error_at(name.span(), format!("unknown key `{}`{place}", excerpt(key, 60)));
            out.push(match nearest(key, &self.known) {
                Some(near) => finding.help(format!("did you mean `{near}`?")),
                None => finding.help(format!("the keys here are {}", listed(&self.known))),
            });
        }
    }

    fn wrong(&self, value: &Spanned<DeValue<'_>>, wanted: &str, help: &str) -> Diagnostic {
        let message = format!("{wanted}, and this is {}", kind(value.get_ref()));
        self.source.error_at(value.span(), message).help(format!("write {help}"))
    }
}

impl Source {
    /// `text` as a `T`, or a finding at its place.
    pub(super) fn parse<T>(&self, text: &Placed<&str>, example: &str, out: &mut Vec<Diagnostic>) -> Option<Placed<T>>
    where
        T: FromStr<Err: std::fmt::Display>,
    {
        match text.value.parse() {
            Ok(value) => Some(Placed { value, span: text.span.clone() }),
            Err(error) => {
                out.push(self.error_at(text.span.clone(), error.to_string()).help(format!("for example {example}")));
                None
            }
        }
    }
}

/// Each key once, however often it was asked for.
fn listed(known: &[&str]) -> String {
    let mut once: Vec<&str> = Vec::new();
    known.iter().for_each(|key| {
        if !once.contains(key) {
            once.push(key);
        }
    });
    once.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

/// The known word that `word` was most likely meant to be, case aside; a word beyond 64 bytes is near nothing.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > 64 {
        return None;
    }
    let most = (word.chars().count() / 3).clamp(1, 3);
    let lower = word.to_ascii_lowercase();
    let near = known.iter().map(|key| (distance(&lower, &key.to_ascii_lowercase()), *key)).min()?;
    (near.0 <= most).then_some(near.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_word_is_near_what_was_meant_and_another_word_is_not() {
        let known = ["listen", "limits", "name", "names", "host_key"];
        let rows = [
            ("liste", Some("listen")),
            ("Listen", Some("listen")),
            ("limit", Some("limits")),
            ("nam", Some("name")),
            ("hostkey", Some("host_key")),
            ("host-key", Some("host_key")),
            ("x", None),
            ("address", None),
            ("\u{1f600}", None),
        ];
        for (word, near) in rows {
            assert_eq!(nearest(word, &known), near, "{word:?}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), &known), None);
    }

    #[test]
    fn a_key_that_was_asked_for_twice_is_named_once() {
        assert_eq!(listed(&["user", "at", "user"]), "`user`, `at`");
    }
}
