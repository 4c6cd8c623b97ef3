//! Where the keys of a role file stand, for what is found only after the role was read. A role keeps none of this: it is meant,
//! and this is written.

use std::cell::OnceCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::source::Source;

/// The places of one role file, looked for when the first is asked for: most roles have no finding.
pub(super) struct Places<'s> {
    source: &'s Source,
    table: OnceCell<Option<Spanned<DeTable<'s>>>>,
}

impl<'s> Places<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self { source, table: OnceCell::new() }
    }

    /// The file.
    pub(super) fn source(&self) -> &'s Source {
        self.source
    }

    /// Where the key at the end of `path` stands.
    pub(super) fn key(&self, path: &[&str]) -> Option<Range<usize>> {
        self.find(path).map(|(key, _)| key)
    }

    /// Where the text `entry` stands in the list at `path`; the key if it is not there.
    pub(super) fn entry(&self, path: &[&str], entry: &str) -> Option<Range<usize>> {
        let (key, value) = self.find(path)?;
        let mut entries = value.get_ref().as_array().into_iter().flatten();
        let found = entries.find(|one| one.get_ref().as_str() == Some(entry));
        Some(found.map_or(key, Spanned::span))
    }

    fn find(&self, path: &[&str]) -> Option<(Range<usize>, &Spanned<DeValue<'s>>)> {
        let read = || DeTable::parse(&self.source.text).ok();
        let (last, tables) = path.split_last()?;
        let mut table = self.table.get_or_init(read).as_ref()?.get_ref();
        for name in tables {
            table = table.get(*name)?.get_ref().as_table()?;
        }
        table.get_key_value(*last).map(|(key, value)| (key.span(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_entries_are_found_where_they_stand_however_they_are_written() {
        let text = "# run_as = \"x\"\nrun_as = \"ops\"\nrequest.approvers = [\"group:a\",\n  'user:b']\n";
        let source = Source::of("roles/x.toml", text);
        let places = Places::new(&source);
        let at = |span: Option<Range<usize>>| span.and_then(|span| text.get(span));
        assert_eq!(at(places.key(&["run_as"])), Some("run_as"));
        assert_eq!(places.key(&["run_as"]).map(|span| span.start), Some(15));
        assert_eq!(at(places.key(&["request", "approvers"])), Some("approvers"));
        assert_eq!(at(places.entry(&["request", "approvers"], "user:b")), Some("'user:b'"));
        assert_eq!(at(places.entry(&["request", "approvers"], "user:c")), Some("approvers"));
        for path in [&["targets"][..], &["run_as", "x"], &["request", "eligible"], &[]] {
            assert_eq!(places.key(path), None, "{path:?}");
        }
    }
}
