//! Definitions that several parameters share: `[parameters.NAME]` of a role, `[NAME]` of the file next door.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use super::parameter;
use crate::domain::text::excerpt;
use crate::policy::file::reader::Reader;
use crate::policy::lint::code;
use crate::policy::parameter::Parameter;

/// Most definitions of one file.
const MOST_DEFINITIONS: usize = 500;

/// `[parameters.NAME]`: what `use = "NAME"` stands for.
#[derive(Debug, Default)]
pub(in crate::policy::file) struct Definitions<'a> {
    known: BTreeMap<&'a str, (std::ops::Range<usize>, Option<Parameter>)>,
    used: BTreeSet<&'a str>,
    /// Names that a file next door has, for the one who misspelt one.
    elsewhere: Vec<&'a str>,
}

impl<'a> Definitions<'a> {
    /// Reads the tables of `table`; one that is wrong is known, so that its users are not wrong as well.
    pub(in crate::policy::file) fn read(
        reader: &mut Reader,
        table: Option<&'a DeTable<'a>>,
        elsewhere: Vec<&'a str>,
    ) -> Self {
        let mut definitions = Self { elsewhere, ..Self::default() };
        let Some(table) = table else { return definitions };
        if table.len() > MOST_DEFINITIONS {
            reader.error(None, format!("there are at most {MOST_DEFINITIONS} shared parameters"));
            return definitions;
        }
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if !is_name(name) {
                let message = format!("`{}` is no name for a shared parameter", excerpt(name, 40));
                reader.error_with_help(Some(key.span()), message, "write lower-case letters, digits, `-` and `_`");
            }
            let read = parameter(reader, value, None);
            definitions.known.insert(name, (key.span(), read));
        }
        definitions
    }

    /// Each name that is right, with its place.
    pub(in crate::policy::file) fn right(&self) -> impl Iterator<Item = (&'a str, std::ops::Range<usize>)> {
        let right = |(name, (span, read)): (&&'a str, &(std::ops::Range<usize>, Option<Parameter>))| {
            read.as_ref().map(|_| (*name, span.clone()))
        };
        self.known.iter().filter_map(right)
    }

    /// Every name that could be meant.
    pub(super) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.known.keys().chain(&self.elsewhere).copied()
    }

    /// The definition `name`; the inner `None` for one that is wrong in itself.
    pub(super) fn find(&mut self, name: &str) -> Option<Option<Parameter>> {
        let (known, (_, parameter)) = self.known.get_key_value(name)?;
        self.used.insert(known);
        Some(parameter.clone())
    }

    /// Warns of those that nothing uses.
    pub(in crate::policy::file) fn unused(&self, reader: &mut Reader) {
        for (name, (span, _)) in self.known.iter().filter(|(name, _)| !self.used.contains(*name)) {
            reader.finding(Some(span.clone()), false, code::PARAMETER_UNUSED, never_used(name), HOW_TO_USE.to_owned());
        }
    }
}

/// For a definition that nothing uses.
pub(in crate::policy::file) fn never_used(name: &str) -> String {
    format!("no command uses the shared parameter `{}`", excerpt(name, 40))
}

/// What to do about it.
pub(in crate::policy::file) const HOW_TO_USE: &str = "take it out, or write `{ use = \"…\" }` where it is meant";

/// Whether `name` may be a definition's.
fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase())
}
