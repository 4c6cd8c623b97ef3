//! One `[[command]]`.

use std::time::Duration;

use crate::policy::observe::is_plain_path;
use crate::policy::parameter::{Kind, LONGEST_VALUE, Parameter, PathPattern, ValuePattern};
use crate::policy::pattern::Pattern;
use crate::policy::pattern::matching::base_name;
use crate::policy::role::{Alias, Rule};

use super::environment;
use super::lint;
use super::reader::{Fields, Reader, Text, Value};

/// How long a command may run if its role does not say; its grant may end sooner.
pub(in crate::policy) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);
/// The longest a role may let a command run.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many bytes a command may write if its role does not say: 1 GiB.
pub(in crate::policy) const DEFAULT_OUTPUT: u64 = 1 << 30;

const KNOWN: [&str; 9] = ["run", "alias", "sudo", "stdin", "timeout", "max_output", "env", "help", "where"];
const LATER: [&str; 6] = ["tty", "approve", "targets", "max_stdin", "accept_escape", "when"];

/// Reads one rule; `None` if it cannot be one. Everything that is wrong is in `reader`.
pub(super) fn read(reader: &mut Reader, value: &Value<'_>) -> Option<Rule> {
    let table = reader.table(value, "`[[command]]`")?;
    let fields = reader.fields(table, Some(value.span()), "`[[command]]`", &KNOWN, &LATER);
    let sudo = reader.boolean(&fields, "sudo");
    let stdin = reader.boolean(&fields, "stdin");
    let timeout = reader.span_of_time(&fields, "timeout", LONGEST_TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
    let max_output =
        fields.value("max_output").map_or(Some(DEFAULT_OUTPUT), |value| reader.number(value, "max_output"));
    let env = environment::read(reader, &fields, sudo);
    let help = reader.text(&fields, "help", 200).map(|text| text.value).unwrap_or_default();
    let kinds = kinds(reader, &fields);
    reader.required(&fields, "run")?;
    let run = pattern(reader, &fields, "run");
    let alias_written = fields.value("alias").is_some();
    let alias = alias_written.then(|| pattern(reader, &fields, "alias"));
    let (run_text, run) = run?;
    check_program(reader, &run_text, &run);
    unused(reader, &kinds, &run);
    let parameters = bind(reader, &run_text, &run, &kinds)?;
    unambiguous(reader, &run_text, &run, &parameters);
    let alias = match alias {
        Some(read) => {
            let (text, pattern) = read?;
            let parameters = check_alias(reader, &text, &pattern, &run, &kinds)?;
            Some(Alias { pattern, parameters })
        }
        None => None,
    };
    let usage = alias.as_ref().map_or_else(|| usage(&run), |alias| alias.pattern.as_written().to_owned());
    let rule = Rule { run, parameters, alias, sudo, stdin, timeout, max_output: max_output?, env, help, usage };
    lint::check(reader, run_text.span, &rule);
    Some(rule)
}

/// The pattern with the base name of its program.
fn usage(run: &Pattern) -> String {
    let program = run.program().unwrap_or_default();
    run.as_written().replacen(program, base_name(program), 1)
}

fn pattern(reader: &mut Reader, fields: &Fields<'_>, key: &str) -> Option<(Text, Pattern)> {
    let text = reader.text(fields, key, LONGEST_VALUE)?;
    match Pattern::parse(&text.value) {
        Ok(pattern) => Some((text, pattern)),
        Err(error) => {
            let place = reader.inside(&text, error.offset, 1);
            reader.error(place, format!("`{key}`: {error}"));
            None
        }
    }
}

fn check_program(reader: &mut Reader, text: &Text, run: &Pattern) {
    let Some(program) = run.program() else {
        reader.error(text.span.clone(), "`run` begins with the program by its absolute path");
        return;
    };
    let place = reader.inside(text, run.as_written().find(program).unwrap_or(0), program.len());
    if !program.starts_with('/') {
        let help = format!("write the absolute path, for example `/usr/bin/{}`", base_name(program));
        reader.error_with_help(place, "`run` begins with the program by its absolute path", help);
    } else if !is_plain_path(program) {
        reader.error(place, "the program is a plain absolute path, without `//`, `.`, `..`, blanks or shell syntax");
    } else if base_name(program) == "sudo" {
        let help = "write the program that sudo starts, and `sudo = true` below it";
        reader.error_with_help(place, "sudo itself cannot be a role's program", help);
    } else if base_name(program).starts_with('-') {
        reader.error(place, "the program's name cannot begin with `-`");
    }
}

fn unused(reader: &mut Reader, kinds: &[(String, Text, Option<Parameter>)], run: &Pattern) {
    for (name, key, _) in kinds {
        if !run.names().iter().any(|(known, _)| known == name) {
            reader.error(key.span.clone(), format!("`run` has no parameter `{{{name}}}`"));
        }
    }
}

/// The parameters in the order of the pattern's names; `None` if one is missing or was wrong.
fn bind(
    reader: &mut Reader,
    text: &Text,
    pattern: &Pattern,
    kinds: &[(String, Text, Option<Parameter>)],
) -> Option<Vec<Parameter>> {
    let mut bound = Vec::new();
    for (name, column) in pattern.names() {
        match kinds.iter().find(|(known, ..)| known == name) {
            Some((_, _, parameter)) => bound.push(parameter.clone()),
            None => {
                let offset = pattern.as_written().char_indices().nth(column - 1).map_or(0, |(at, _)| at);
                let place = reader.inside(text, offset, name.len() + 2);
                let help = format!("write `where.{name} = {{ one_of = [\"…\"] }}`, or another kind");
                let message = format!("nothing says what `{{{name}}}` may be (column {column} of the pattern)");
                reader.error_with_help(place, message, help);
                bound.push(None);
            }
        }
    }
    bound.into_iter().collect()
}

fn unambiguous(reader: &mut Reader, text: &Text, pattern: &Pattern, parameters: &[Parameter]) {
    if let Some((one, other)) = pattern.ambiguity(parameters) {
        let message = format!("some line could be read in two ways: a word could be `{one}` or `{other}`");
        let help = "make the values differ, put a literal word between, or write two `[[command]]`";
        reader.error_with_help(text.span.clone(), message, help);
    }
}

fn check_alias(
    reader: &mut Reader,
    text: &Text,
    alias: &Pattern,
    run: &Pattern,
    kinds: &[(String, Text, Option<Parameter>)],
) -> Option<Vec<Parameter>> {
    let place = text.span.clone();
    match alias.program() {
        None => reader.error(place.clone(), "`alias` begins with a literal word"),
        Some("sudo") => reader.error(place.clone(), "`alias` cannot begin with `sudo`; write `sudo = true`"),
        Some(_) => {}
    }
    if alias.has_groups() || run.has_groups() {
        let help = "write one `[[command]]` for each form";
        reader.error_with_help(place.clone(), "this build does not read `alias` together with `[groups]` yet", help);
    }
    let names = |pattern: &Pattern| {
        let mut names: Vec<String> = pattern.names().iter().map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    };
    if names(alias) != names(run) {
        reader.error(place, "`alias` and `run` have the same parameters, each once");
        return None;
    }
    bind(reader, text, alias, kinds)
}

/// What `where` says of each name, with the place of the name; `None` for one that is wrong.
fn kinds(reader: &mut Reader, fields: &Fields<'_>) -> Vec<(String, Text, Option<Parameter>)> {
    let Some(table) = fields.value("where").and_then(|value| reader.table(value, "`where`")) else { return Vec::new() };
    let mut kinds = Vec::new();
    for (key, value) in table {
        let name = key.get_ref().to_string();
        let place = Text { value: name.clone(), span: Some(key.span()) };
        kinds.push((name, place, parameter(reader, value)));
    }
    kinds
}

const KINDS: [&str; 5] = ["one_of", "pattern", "int", "path", "text"];

fn parameter(reader: &mut Reader, value: &Value<'_>) -> Option<Parameter> {
    if value.get_ref().as_table().is_none() {
        let help = "write `{ one_of = [\"…\"] }`, `{ int = [1, 10] }`, or another kind";
        reader.error_with_help(Some(value.span()), "a parameter is a table with one kind", help);
        return None;
    }
    let table = reader.table(value, "a parameter")?;
    let known = ["one_of", "pattern", "int", "path", "text", "dash", "unicode"];
    let later = ["unit", "host", "ip", "cidr", "port", "duration", "secret", "max"];
    let fields = reader.fields(table, Some(value.span()), "a parameter", &known, &later);
    let (dash, unicode) = (reader.boolean(&fields, "dash"), reader.boolean(&fields, "unicode"));
    let mut given = KINDS.iter().filter_map(|kind| fields.value(kind).map(|value| (*kind, value)));
    let (Some((kind, inner)), None) = (given.next(), given.next()) else {
        let refused = table.keys().any(|key| later.contains(&key.get_ref().as_ref()));
        if !refused {
            reader.error(Some(value.span()), format!("a parameter has exactly one kind: {}", KINDS.join(", ")));
        }
        return None;
    };
    let read = match kind {
        "one_of" => one_of(reader, inner, dash, unicode),
        "pattern" => expression(reader, inner, unicode),
        "int" => int(reader, inner),
        "path" => path(reader, inner),
        _ => text(reader, inner),
    }?;
    Some(Parameter::new(read, dash, unicode))
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
                let help = "`dash = true` allows a leading `-`, `unicode = true` characters outside ASCII";
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
    match ValuePattern::new(&text.value, unicode) {
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
            reader.error(Some(value.span()), format!("no number is at least {min} and at most {max}"));
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
