//! What `where` says of a parameter: its kind and what stands beside it, or the name of a definition that several share.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use crate::domain::text::excerpt;
use crate::policy::lint::code;
use crate::policy::parameter::{
    Hosts, Kind, LONGEST_VALUE, MOST_VALUES, Parameter, PathPattern, Refusal, Units, Within,
};

use super::kind;
use super::reader::{Fields, Reader, Text, Value, nearest};

/// The kinds.
const KINDS: [&str; 11] =
    ["one_of", "pattern", "int", "path", "unit", "host", "ip", "cidr", "port", "duration", "text"];
/// What may stand beside any of them.
const BESIDE: [&str; 5] = ["dash", "unicode", "within", "max", "secret"];
/// Most definitions of one file.
const MOST_DEFINITIONS: usize = 500;

/// `[parameters.NAME]`: what `use = "NAME"` stands for.
#[derive(Debug, Default)]
pub(super) struct Definitions<'a> {
    known: BTreeMap<&'a str, (std::ops::Range<usize>, Option<Parameter>)>,
    used: BTreeSet<&'a str>,
    /// Names that a file next door has, for the one who misspelt one.
    elsewhere: Vec<&'a str>,
}

impl<'a> Definitions<'a> {
    /// Reads the tables of `table`; one that is wrong is known, so that its users are not wrong as well.
    pub(super) fn read(reader: &mut Reader, table: Option<&'a DeTable<'a>>, elsewhere: Vec<&'a str>) -> Self {
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
    pub(super) fn right(&self) -> impl Iterator<Item = (&'a str, std::ops::Range<usize>)> {
        let right = |(name, (span, read)): (&&'a str, &(std::ops::Range<usize>, Option<Parameter>))| {
            read.as_ref().map(|_| (*name, span.clone()))
        };
        self.known.iter().filter_map(right)
    }

    /// The definition `name`; the inner `None` for one that is wrong in itself.
    fn find(&mut self, name: &str) -> Option<Option<Parameter>> {
        let (known, (_, parameter)) = self.known.get_key_value(name)?;
        self.used.insert(known);
        Some(parameter.clone())
    }

    /// Warns of those that nothing uses.
    pub(super) fn unused(&self, reader: &mut Reader) {
        for (name, (span, _)) in self.known.iter().filter(|(name, _)| !self.used.contains(*name)) {
            reader.finding(Some(span.clone()), false, code::PARAMETER_UNUSED, never_used(name), HOW_TO_USE.to_owned());
        }
    }
}

/// For a definition that nothing uses.
pub(super) fn never_used(name: &str) -> String {
    format!("no command uses the shared parameter `{}`", excerpt(name, 40))
}

/// What to do about it.
pub(super) const HOW_TO_USE: &str = "take it out, or write `{ use = \"…\" }` where it is meant";

/// Whether `name` may be a definition's.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

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
        reader.error(Some(value.span()), format!("`max` is how many values `{{name...}}` takes, 1 to {MOST_VALUES}"));
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
    let names: Vec<&str> = definitions.known.keys().chain(&definitions.elsewhere).copied().collect();
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
        reader.error(Some(value.span()), format!("a parameter has exactly one kind: {}", KINDS.join(", ")));
        return None;
    };
    let plain = ["unit", "host", "ip", "cidr", "port", "duration"].contains(&kind);
    for key in ["dash", "unicode"].into_iter().filter(|key| plain && fields.value(key).is_some()) {
        reader.error(
            fields.key_span(key),
            format!("`{key}` means nothing for `{kind}`: no value of it has such characters"),
        );
    }
    if fields.value("within").is_some() && !["host", "ip", "cidr"].contains(&kind) {
        reader.error(fields.key_span("within"), format!("`within` bounds host, ip and cidr, and not `{kind}`"));
    }
    let read = match kind {
        "one_of" => one_of(reader, inner, dash, unicode),
        "pattern" => expression(reader, inner, unicode),
        "int" => int(reader, inner),
        "path" => path(reader, inner),
        "unit" => unit(reader, inner),
        "host" => host(reader, fields, inner),
        "ip" => yes(reader, inner, kind).and_then(|()| within(reader, fields)).map(Kind::Ip),
        "cidr" => yes(reader, inner, kind).and_then(|()| within(reader, fields)).map(Kind::Cidr),
        "port" => port(reader, inner),
        "duration" => duration(reader, inner),
        _ => text(reader, inner),
    }?;
    Some(Parameter::new(read, dash, unicode))
}

/// For a kind that has nothing to say but that it is it.
fn yes(reader: &mut Reader, value: &Value<'_>, kind: &str) -> Option<()> {
    let yes = value.get_ref().as_bool() == Some(true);
    if !yes {
        reader.error(Some(value.span()), format!("write `{kind} = true`, and `within = [\"10.0.0.0/8\"]` to bound it"));
    }
    yes.then_some(())
}

/// The texts of a list, and where it stands.
fn list(reader: &mut Reader, value: &Value<'_>, what: &str) -> Option<Vec<String>> {
    Some(reader.texts(value, what)?.into_iter().map(|text| text.value).collect())
}

/// What `read` makes of a value, or its words as a finding at `place`.
fn said<T>(reader: &mut Reader, value: &Value<'_>, kind: &str, read: Result<T, String>) -> Option<T> {
    read.map_err(|why| reader.error(Some(value.span()), format!("`{kind}`: {why}"))).ok()
}

fn within(reader: &mut Reader, fields: &Fields<'_>) -> Option<Within> {
    let Some(value) = fields.value("within") else { return Some(Within::default()) };
    let ranges = list(reader, value, "within")?;
    if ranges.is_empty() {
        reader.error(Some(value.span()), "`within` names at least one range; take it out for no bound");
        return None;
    }
    said(reader, value, "within", Within::of(&ranges))
}

fn unit(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    if value.get_ref().as_bool() == Some(true) {
        return Some(Kind::Unit(Units::services()));
    }
    if value.get_ref().as_array().is_none() {
        let message = "write `unit = true` for services, or the types: `unit = [\"service\", \"timer\"]`";
        reader.error(Some(value.span()), message);
        return None;
    }
    let types = list(reader, value, "unit")?;
    said(reader, value, "unit", Units::of(&types)).map(Kind::Unit)
}

fn host(reader: &mut Reader, fields: &Fields<'_>, value: &Value<'_>) -> Option<Kind> {
    let within = within(reader, fields);
    let names = match value.get_ref().as_bool() {
        Some(true) => Vec::new(),
        _ if value.get_ref().as_array().is_some_and(|list| !list.is_empty()) => list(reader, value, "host")?,
        _ => {
            let message = "write `host = true` for any host, or names: `host = [\"*.example.com\"]`";
            reader.error(Some(value.span()), message);
            return None;
        }
    };
    said(reader, value, "host", Hosts::of(&names, within?)).map(Kind::Host)
}

fn port(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    if value.get_ref().as_bool() == Some(true) {
        return Some(Kind::Port { min: 1, max: u16::MAX });
    }
    let bounds: Vec<u64> = match value.get_ref().as_array() {
        Some(list) => list.iter().filter_map(|one| reader.number(one, "port")).collect(),
        None => Vec::new(),
    };
    match bounds[..] {
        [min, max] if (1..=max).contains(&min) && max <= u64::from(u16::MAX) => {
            Some(Kind::Port { min: u16::try_from(min).ok()?, max: u16::try_from(max).ok()? })
        }
        _ => {
            let message = "write `port = true` for any, or two bounds from 1 to 65535: `port = [8000, 8099]`";
            reader.error(Some(value.span()), message);
            None
        }
    }
}

/// The longest span is written as the values are.
fn duration(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    let text = reader.plain(value, "duration", 40)?;
    let longest = crate::policy::parameter::seconds(&text.value);
    if longest.is_none() {
        let message = "`duration` is the longest that may be typed, written as it is typed: `duration = \"10min\"`";
        reader.error(text.span, message);
    }
    longest.map(|longest| Kind::Duration { longest })
}

fn one_of(reader: &mut Reader, value: &Value<'_>, dash: bool, unicode: bool) -> Option<Kind> {
    let entries = reader.texts(value, "one_of")?;
    if entries.is_empty() {
        reader.error(Some(value.span()), "`one_of` names at least one value");
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    for Text { value, span } in entries {
        let alone = Parameter::new(Kind::OneOf(vec![value.clone()]), dash, unicode);
        match alone.accepts(&value) {
            Err(refusal) => {
                let help = match refusal {
                    Refusal::Dash => "`dash = true` beside it allows a leading `-`",
                    Refusal::NotAscii(_) => "`unicode = true` beside it allows characters outside ASCII",
                    _ => "take it out, or write it as it is to be typed",
                };
                reader.error_with_help(span, format!("this value would be refused: {refusal}"), help);
            }
            Ok(()) if words.contains(&value) => reader.error(span, "this value is here twice"),
            Ok(()) => words.push(value),
        }
    }
    Some(Kind::OneOf(words))
}

fn expression(reader: &mut Reader, value: &Value<'_>, unicode: bool) -> Option<Kind> {
    let text = reader.plain(value, "pattern", 1000)?;
    match reader.expressions().and_then(|patterns| patterns.value(&text.value, unicode)) {
        Ok(pattern) => Some(Kind::Pattern(pattern)),
        Err(error) => {
            reader.error(text.span, format!("`pattern`: {error}"));
            None
        }
    }
}

fn int(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    let bounds: Vec<u64> = match value.get_ref().as_array() {
        Some(list) if list.len() == 2 => list.iter().filter_map(|one| reader.number(one, "int")).collect(),
        _ => {
            reader.error(Some(value.span()), "`int` has two bounds: write `int = [1, 100]`");
            return None;
        }
    };
    match bounds[..] {
        [min, max] if min <= max => Some(Kind::Int { min, max }),
        [min, max] => {
            let message = format!("no number is at least {min} and at most {max}");
            reader.error_with_help(Some(value.span()), message, format!("write `int = [{max}, {min}]`"));
            None
        }
        _ => None,
    }
}

fn path(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    let text = reader.plain(value, "path", 1000)?;
    PathPattern::new(&text.value)
        .map(Kind::Path)
        .map_err(|error| reader.error(text.span, format!("`path`: {error}")))
        .ok()
}

fn text(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    if value.get_ref().as_integer().is_none() {
        let help = "write `text = 200`, the most characters that it may have";
        reader.error_with_help(
            Some(value.span()),
            format!("`text` is a number, and this is {}", kind(value.get_ref())),
            help,
        );
        return None;
    }
    let longest = reader.number(value, "text")?;
    match usize::try_from(longest) {
        Ok(longest) if (1..=LONGEST_VALUE).contains(&longest) => Some(Kind::Text { longest }),
        _ => {
            reader.error(
                Some(value.span()),
                format!("`text` is the most characters, 1 to {LONGEST_VALUE}: `text = 200`"),
            );
            None
        }
    }
}
