//! What `where` says of a parameter: its kind and what stands beside it, or the name of a definition that several share.
//!
//! How each kind is written stands in `parameter/kinds.rs`, what is shared in `parameter/definitions.rs`.

use crate::domain::text::excerpt;
use crate::policy::parameter::{Kind, MOST_VALUES, Parameter};

use super::reader::{Fields, Reader, Text, Value, nearest};

mod definitions;
mod kinds;

pub(super) use definitions::{Definitions, HOW_TO_USE, never_used};

/// The kinds.
const KINDS: [&str; 11] =
    ["one_of", "pattern", "int", "path", "unit", "host", "ip", "cidr", "port", "duration", "text"];
/// What may stand beside any of them.
const BESIDE: [&str; 5] = ["dash", "unicode", "within", "max", "secret"];

/// What `where` says of each name, with the place of the name; `None` for one that is wrong.
pub(super) fn kinds(
    reader: &mut Reader,
    fields: &Fields<'_>,
    definitions: &mut Definitions<'_>,
) -> Vec<(String, Text, Option<Parameter>)> {
    let Some(table) = fields.value("where").and_then(|value| reader.table(value, "`where`")) else { return Vec::new() };
    let mut kinds = Vec::new();
    for (key, value) in table {
        let name = key.get_ref().to_string();
        let place = Text { value: name.clone(), span: Some(key.span()) };
        kinds.push((name, place, parameter(reader, value, Some(&mut *definitions))));
    }
    kinds
}

/// One parameter; a definition (without `definitions`) uses no other.
pub(super) fn parameter(
    reader: &mut Reader,
    value: &Value<'_>,
    definitions: Option<&mut Definitions<'_>>,
) -> Option<Parameter> {
    if value.get_ref().as_table().is_none() {
        let help = "write `{ one_of = [\"…\"] }`, `{ int = [1, 10] }`, or another kind";
        reader.error_with_help(Some(value.span()), "a parameter is a table with one kind", help);
        return None;
    }
    let table = reader.table(value, "a parameter")?;
    let mut known: Vec<&str> = KINDS.iter().chain(&BESIDE).copied().collect();
    known.extend(definitions.is_some().then_some("use"));
    let fields = reader.fields(table, Some(value.span()), "a parameter", &known, &[]);
    let secret = reader.boolean(&fields, "secret");
    let max = max(reader, &fields);
    let read = match (definitions, fields.value("use")) {
        (Some(definitions), Some(_)) => used(reader, &fields, definitions)?,
        _ => own(reader, value, &fields)?,
    };
    let most = max.unwrap_or(read.most());
    let secret = secret || read.is_secret();
    if secret && matches!(read.kind(), Kind::OneOf(_)) {
        let help = "take `secret` out, or describe the value by `pattern` or `text`";
        let message = "`secret` means nothing for `one_of`: every value stands in this file";
        reader.error_with_help(fields.key_span("secret").or(Some(value.span())), message, help);
        return None;
    }
    Some(read.secret(secret).at_most(most))
}

fn max(reader: &mut Reader, fields: &Fields<'_>) -> Option<usize> {
    let value = fields.value("max")?;
    let number = reader.number(value, "max")?;
    let read = usize::try_from(number).ok().filter(|number| (1..=MOST_VALUES).contains(number));
    if read.is_none() {
        let message = format!("`max` is how many values `{{name...}}` takes, 1 to {MOST_VALUES}");
        reader.error_with_help(Some(value.span()), message, "write `max = 16`, or take it out");
    }
    read
}

/// The definition that `use` names. Only what narrows or hides may stand beside it.
fn used(reader: &mut Reader, fields: &Fields<'_>, definitions: &mut Definitions<'_>) -> Option<Parameter> {
    for key in KINDS.iter().chain(&["dash", "unicode", "within"]).filter(|key| fields.value(key).is_some()) {
        let help = "write it in the definition, or write the whole parameter here without `use`";
        reader.error_with_help(fields.key_span(key), format!("`{key}` cannot stand beside `use`"), help);
    }
    let text = reader.text(fields, "use", 100)?;
    if let Some(found) = definitions.find(&text.value) {
        return found;
    }
    let names: Vec<&str> = definitions.names().collect();
    let help = nearest(&text.value, &names).map_or_else(
        || "write `[parameters.NAME]` in this role, or `[NAME]` in parameters.toml".to_owned(),
        |near| format!("write `{near}`"),
    );
    reader.error_with_help(text.span, format!("there is no shared parameter `{}`", excerpt(&text.value, 40)), help);
    None
}

/// A parameter that says itself what it is.
fn own(reader: &mut Reader, value: &Value<'_>, fields: &Fields<'_>) -> Option<Parameter> {
    let (dash, unicode) = (reader.boolean(fields, "dash"), reader.boolean(fields, "unicode"));
    let mut given = KINDS.iter().filter_map(|kind| fields.value(kind).map(|value| (*kind, value)));
    let (Some((kind, inner)), None) = (given.next(), given.next()) else {
        let message = format!("a parameter has exactly one kind: {}", KINDS.join(", "));
        reader.error_with_help(
            Some(value.span()),
            message,
            "write one of them, for example `{ one_of = [\"nginx\"] }`",
        );
        return None;
    };
    let plain = ["unit", "host", "ip", "cidr", "port", "duration"].contains(&kind);
    for key in ["dash", "unicode"].into_iter().filter(|key| plain && fields.value(key).is_some()) {
        let message = format!("`{key}` means nothing for `{kind}`: no value of it has such characters");
        reader.error_with_help(fields.key_span(key), message, "take it out");
    }
    if fields.value("within").is_some() && !["host", "ip", "cidr"].contains(&kind) {
        let message = format!("`within` bounds host, ip and cidr, and not `{kind}`");
        reader.error_with_help(fields.key_span("within"), message, "take it out");
    }
    let read = match kind {
        "one_of" => kinds::one_of(reader, inner, dash, unicode),
        "pattern" => kinds::expression(reader, inner, unicode),
        "int" => kinds::int(reader, inner),
        "path" => kinds::path(reader, inner),
        "unit" => kinds::unit(reader, inner),
        "host" => kinds::host(reader, fields, inner),
        "ip" => kinds::yes(reader, inner, kind).and_then(|()| kinds::within(reader, fields)).map(Kind::Ip),
        "cidr" => kinds::yes(reader, inner, kind).and_then(|()| kinds::within(reader, fields)).map(Kind::Cidr),
        "port" => kinds::port(reader, inner),
        "duration" => kinds::duration(reader, inner),
        _ => kinds::text(reader, inner),
    }?;
    Some(Parameter::new(read, dash, unicode))
}
