//! How each kind of parameter is written, and what to write instead of what is none.

use crate::policy::file::kind;
use crate::policy::file::reader::{Fields, Reader, Text, Value};
use crate::policy::parameter::{Hosts, Kind, LONGEST_VALUE, Parameter, PathPattern, Refusal, Units, Within};

/// For a kind that has nothing to say but that it is it.
pub(super) fn yes(reader: &mut Reader, value: &Value<'_>, kind: &str) -> Option<()> {
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

pub(super) fn within(reader: &mut Reader, fields: &Fields<'_>) -> Option<Within> {
    let Some(value) = fields.value("within") else { return Some(Within::default()) };
    let ranges = list(reader, value, "within")?;
    if ranges.is_empty() {
        reader.error(Some(value.span()), "`within` names at least one range; take it out for no bound");
        return None;
    }
    said(reader, value, "within", Within::of(&ranges))
}

pub(super) fn unit(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
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

pub(super) fn host(reader: &mut Reader, fields: &Fields<'_>, value: &Value<'_>) -> Option<Kind> {
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

pub(super) fn port(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
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
pub(super) fn duration(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    let text = reader.plain(value, "duration", 40)?;
    let longest = crate::policy::parameter::seconds(&text.value);
    if longest.is_none() {
        let message = "`duration` is the longest that may be typed, written as it is typed: `duration = \"10min\"`";
        reader.error(text.span, message);
    }
    longest.map(|longest| Kind::Duration { longest })
}

pub(super) fn one_of(reader: &mut Reader, value: &Value<'_>, dash: bool, unicode: bool) -> Option<Kind> {
    let entries = reader.texts(value, "one_of")?;
    if entries.is_empty() {
        let help = "write what may be typed: `one_of = [\"nginx\", \"php-fpm\"]`";
        reader.error_with_help(Some(value.span()), "`one_of` names at least one value", help);
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
            Ok(()) if words.contains(&value) => {
                reader.error_with_help(span, "this value is here twice", "take one out");
            }
            Ok(()) => words.push(value),
        }
    }
    Some(Kind::OneOf(words))
}

pub(super) fn expression(reader: &mut Reader, value: &Value<'_>, unicode: bool) -> Option<Kind> {
    let text = reader.plain(value, "pattern", 1000)?;
    match reader.expressions().and_then(|patterns| patterns.value(&text.value, unicode)) {
        Ok(pattern) => Some(Kind::Pattern(pattern)),
        Err(error) => {
            reader.error(text.span, format!("`pattern`: {error}"));
            None
        }
    }
}

pub(super) fn int(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
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

pub(super) fn path(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    let text = reader.plain(value, "path", 1000)?;
    PathPattern::new(&text.value)
        .map(Kind::Path)
        .map_err(|error| reader.error(text.span, format!("`path`: {error}")))
        .ok()
}

pub(super) fn text(reader: &mut Reader, value: &Value<'_>) -> Option<Kind> {
    if value.get_ref().as_integer().is_none() {
        let message = format!("`text` is a number, and this is {}", kind(value.get_ref()));
        let help = "write `text = 200`, the most characters that it may have";
        reader.error_with_help(Some(value.span()), message, help);
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
