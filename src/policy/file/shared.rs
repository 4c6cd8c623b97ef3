//! `parameters.toml`: definitions that several roles use.
//!
//! A role's text is what is approved, so it must say everything itself: what it uses of that file is added to its end, in one
//! writing, and a change there is a change of the role.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::domain::toml_text::quoted;
use crate::domain::{Diagnostic, limits};
use crate::policy::lint::code;

use super::MOST_FINDINGS;
use super::parameter::{Definitions, HOW_TO_USE, never_used};
use super::patterns::Patterns;
use super::reader::{Reader, Value};

/// The definitions of `parameters.toml`.
#[derive(Clone, Debug, Default)]
pub struct SharedParameters {
    /// Of each name its keys in one writing, a line each, and its place in the file.
    known: BTreeMap<String, (String, Range<usize>)>,
}

impl SharedParameters {
    /// Reads `text`, which the operator knows as `file`; definitions with a mistake are findings and left out.
    #[must_use]
    pub fn parse(file: &str, text: &str) -> (Self, Vec<Diagnostic>) {
        let mut reader = Reader::new(file, text, &Patterns::default());
        let mut shared = Self::default();
        if u64::try_from(text.len()).is_ok_and(|length| length > limits::CONFIG_FILE) {
            reader.error(None, format!("this file has at most {} bytes", limits::CONFIG_FILE));
            return (shared, reader.into_findings());
        }
        let (document, errors) = DeTable::parse_recoverable(text);
        errors.iter().take(MOST_FINDINGS).for_each(|error| reader.error(error.span(), error.message()));
        if errors.is_empty() {
            let table = document.get_ref();
            let definitions = Definitions::read(&mut reader, Some(table), Vec::new());
            for (name, span) in definitions.right() {
                let body =
                    table.iter().find(|(key, _)| key.get_ref().as_ref() == name).and_then(|(_, value)| body(value));
                shared.known.extend(body.map(|body| (name.to_owned(), (body, span))));
            }
        }
        let mut found = reader.into_findings();
        found.truncate(MOST_FINDINGS);
        (shared, found)
    }

    /// The names.
    pub(super) fn names(&self) -> Vec<&str> {
        self.known.keys().map(String::as_str).collect()
    }

    /// `role` with what it uses of these, and no more, at its end. What it defines itself is its own.
    #[must_use]
    pub fn complete(&self, role: &str) -> String {
        let mut text = role.to_owned();
        for name in self.used_by(role) {
            if let Some((body, _)) = self.known.get(&name) {
                let newline = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
                text.push_str(&format!("{newline}\n# From parameters.toml.\n[parameters.{name}]\n{body}"));
            }
        }
        text
    }

    /// Which of these `role` uses.
    #[must_use]
    pub fn used_by(&self, role: &str) -> BTreeSet<String> {
        if self.known.is_empty() || u64::try_from(role.len()).is_ok_and(|length| length > limits::CONFIG_FILE) {
            return BTreeSet::new();
        }
        let (document, errors) = DeTable::parse_recoverable(role);
        if !errors.is_empty() {
            return BTreeSet::new();
        }
        let document = document.get_ref();
        let own = document.get("parameters").and_then(|value| value.get_ref().as_table());
        let commands = document.get("command").and_then(|value| value.get_ref().as_array());
        let wheres = commands
            .into_iter()
            .flat_map(|commands| commands.iter())
            .filter_map(|command| command.get_ref().as_table()?.get("where")?.get_ref().as_table());
        let uses = wheres
            .flat_map(|table| table.iter())
            .filter_map(|(_, value)| value.get_ref().as_table()?.get("use")?.get_ref().as_str());
        let ours = |name: &&str| self.known.contains_key(*name) && own.is_none_or(|own| own.get(*name).is_none());
        uses.filter(ours).map(str::to_owned).collect()
    }

    /// A warning for each that is not among `used`; `file` and `text` as for [`Self::parse`].
    #[must_use]
    pub fn unused(&self, used: &BTreeSet<String>, file: &str, text: &str) -> Vec<Diagnostic> {
        let mut reader = Reader::new(file, text, &Patterns::default());
        for (name, (_, span)) in self.known.iter().filter(|(name, _)| !used.contains(*name)) {
            let help = HOW_TO_USE.to_owned();
            reader.finding(Some(span.clone()), false, code::PARAMETER_UNUSED, never_used(name), help);
        }
        reader.into_findings()
    }
}

/// The keys of a definition, sorted, in one writing; `None` for what no definition that is right holds.
fn body(value: &Value<'_>) -> Option<String> {
    let mut lines = Vec::new();
    for (key, value) in value.get_ref().as_table()? {
        lines.push(format!("{} = {}\n", key.get_ref(), written(value.get_ref())?));
    }
    lines.sort();
    Some(lines.concat())
}

fn written(value: &DeValue<'_>) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(quoted(text));
    }
    if let Some(number) = value.as_integer() {
        return u64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string());
    }
    if let Some(yes) = value.as_bool() {
        return Some(yes.to_string());
    }
    let entries = value.as_array()?.iter().map(|entry| written(entry.get_ref())).collect::<Option<Vec<_>>>()?;
    Some(format!("[{}]", entries.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    const ROLE: &str =
        "targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"/bin/x {u}\"\nwhere.u = { use = \"web\" }";

    #[test]
    fn a_role_is_completed_with_what_it_uses_in_one_writing() {
        let file = "[web]\none_of = [ 'ng\"x', \"b\" ] # units\ndash=false\n[other]\nint = [0x1, 2]\n";
        let (shared, found) = SharedParameters::parse("parameters.toml", file);
        assert!(found.is_empty(), "{found:?}");
        let text = shared.complete(ROLE);
        let added = "\n\n# From parameters.toml.\n[parameters.web]\ndash = false\none_of = [\"ng\\\"x\", \"b\"]\n";
        assert_eq!(text, format!("{ROLE}{added}"));
        let (role, warnings) = Role::parse("r".parse().unwrap(), "roles/r.toml", &text).unwrap();
        assert!(warnings.is_empty() && role.text() == text);
        assert_eq!(shared.complete(&text), text, "what it says itself is its own");
        let unused = shared.unused(&shared.used_by(ROLE), "parameters.toml", file);
        assert_eq!(unused.len(), 1);
        assert!(unused[0].message.contains("`other`") && unused[0].line_column() == Some((4, 2)), "{unused:?}");
        let (again, _) = SharedParameters::parse("parameters.toml", "[web]\ndash = false\none_of = ['ng\"x', 'b']\n");
        assert_eq!(again.complete(ROLE), text, "another writing of the same is the same");
    }

    #[test]
    fn a_mistake_is_named_where_it_is_and_a_name_that_is_none_has_its_nearest() {
        for (file, expected) in [
            ("[web]\n", "exactly one kind"),
            ("[web]\nuse = \"x\"\n", "no key `use`"),
            ("[Web]\ntext = 9\n", "no name for a shared parameter"),
            ("web = 1\n", "a table with one kind"),
            ("[web\n", "table"),
            ("[web]\ntext = 9\n[web]\ntext = 9\n", "duplicate"),
        ] {
            let (_, found) = SharedParameters::parse("parameters.toml", file);
            let messages: Vec<&str> = found.iter().map(|one| one.message.as_str()).collect();
            assert!(messages.iter().any(|one| one.contains(expected)), "{file}: {messages:?}");
        }
        let (shared, _) = SharedParameters::parse("parameters.toml", "[wob]\ntext = 9\n");
        let found =
            Role::parse_sharing("r".parse().unwrap(), "roles/r.toml", ROLE, &shared, &Patterns::default()).unwrap_err();
        assert_eq!(found[0].help.as_deref(), Some("write `wob`"));
        assert_eq!(found[0].line_column(), Some((5, 19)));
    }
}
