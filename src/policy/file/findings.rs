//! Puts what [`lint`] finds at its places in the file.

use std::ops::Range;

use toml::de::DeValue;

use crate::policy::lint::{self, At};
use crate::policy::pattern::{Element, Pattern};
use crate::policy::role::Role;
use crate::policy::rule::Rule;

use super::reader::{Fields, Place, Reader, Text, Value};

/// Adds the findings about `role`, which was read from `fields`.
pub(super) fn add(reader: &mut Reader, fields: &Fields<'_>, role: &Role) {
    let found = lint::findings(role);
    if found.is_empty() {
        return;
    }
    let tables = fields.value("command").and_then(|value| value.get_ref().as_array());
    for finding in found {
        let table = tables.and_then(|tables| tables.get(finding.rule));
        let rule = role.rules.get(finding.rule);
        let place = table.zip(rule).and_then(|(table, rule)| place(reader, table, rule, &finding.at));
        match rule.and_then(|rule| rule.accept_escape.as_deref()).filter(|_| finding.accepted) {
            Some(reason) => reader.accepted(place, finding.code, format!("{} (accepted: {reason})", finding.message)),
            None => reader.finding(place, finding.error, finding.code, finding.message, finding.help),
        }
    }
}

fn place(reader: &Reader, table: &Value<'_>, rule: &Rule, at: &At) -> Place {
    let run = text(table, "run");
    match at {
        At::Program => run.and_then(|run| reader.inside(&run, 0, rule.run.program().unwrap_or_default().len())),
        At::Step(step) => run.and_then(|run| {
            let range = step_in(&rule.run, *step).unwrap_or(0..run.value.len());
            reader.inside(&run, range.start, range.len())
        }),
        At::Key(key) => table.get_ref().as_table().and_then(|table| table.get(*key)).map(toml::Spanned::span),
        At::Value(index, part) => {
            let (name, _) = rule.run.names().get(*index)?;
            let kind = table.get_ref().as_table()?.get("where")?.get_ref().as_table()?.get(name.as_str())?;
            let Some(part) = part else { return Some(kind.span()) };
            text(kind, "pattern").map_or(Some(kind.span()), |text| reader.inside(&text, part.start, part.len()))
        }
    }
}

/// The text of `key` in the table `value`.
fn text(value: &Value<'_>, key: &str) -> Option<Text> {
    let found = value.get_ref().as_table()?.get(key)?;
    let DeValue::String(text) = found.get_ref() else { return None };
    Some(Text { value: text.to_string(), span: Some(found.span()) })
}

/// The bytes of the pattern's text that make its `wanted`th step.
fn step_in(pattern: &Pattern, wanted: usize) -> Option<Range<usize>> {
    let written = pattern.as_written();
    let mut from = 0;
    for (at, step) in pattern.steps().iter().enumerate() {
        let needle = match &step.element {
            Element::Literal(word) => word.clone(),
            Element::Parameter(slot) => format!("{}{{{}", slot.prefix, pattern.names().get(slot.index)?.0),
        };
        let start = from + written.get(from..)?.find(&needle)?;
        from = start + needle.len();
        if matches!(step.element, Element::Parameter(_)) {
            // `}`, or `...}` of a repeated one.
            from += written.get(from..)?.find('}')? + 1;
        }
        if at == wanted {
            return Some(start..from);
        }
    }
    None
}
