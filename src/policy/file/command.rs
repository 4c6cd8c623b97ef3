//! One `[[command]]`.

use std::time::Duration;

use crate::policy::observe::is_plain_path;
use crate::policy::parameter::{LONGEST_VALUE, Parameter};
use crate::policy::pattern::Pattern;
use crate::policy::pattern::matching::base_name;
use crate::policy::rule::{Alias, Rule};
use crate::policy::selector::TargetSelector;

use super::environment;
use super::parameter::{Definitions, kinds};
use super::reader::{Fields, Reader, Text, Value, nearest};

/// Longest name of a program, and first word of an alias, in bytes: NAME_MAX of Linux.
const LONGEST_NAME: usize = 255;
/// How long a command may run if its role does not say; its grant may end sooner.
pub(in crate::policy) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3600);
/// The longest a role may let a command run.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(7 * 24 * 3600);
/// How many bytes a command may write if its role does not say: 1 GiB.
pub(in crate::policy) const DEFAULT_OUTPUT: u64 = 1 << 30;

const KNOWN: [&str; 12] = [
    "run",
    "alias",
    "sudo",
    "stdin",
    "timeout",
    "max_output",
    "max_stdin",
    "targets",
    "env",
    "help",
    "where",
    "accept_escape",
];
const LATER: [&str; 3] = ["tty", "approve", "when"];

/// Reads one rule; `None` if it cannot be one. Everything that is wrong is in `reader`.
pub(super) fn read(reader: &mut Reader, value: &Value<'_>, definitions: &mut Definitions<'_>) -> Option<Rule> {
    let table = reader.table(value, "`[[command]]`")?;
    let fields = reader.fields(table, Some(value.span()), "`[[command]]`", &KNOWN, &LATER);
    let sudo = reader.boolean(&fields, "sudo");
    let stdin = reader.boolean(&fields, "stdin");
    let timeout = reader.span_of_time(&fields, "timeout", LONGEST_TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
    let max_output =
        fields.value("max_output").map_or(Some(DEFAULT_OUTPUT), |value| reader.number(value, "max_output"));
    let max_stdin = max_stdin(reader, &fields, stdin);
    let targets = targets(reader, &fields);
    let env = environment::read(reader, &fields, sudo);
    let help = reader.text(&fields, "help", 200).map(|text| text.value).unwrap_or_default();
    let accept_escape = accept_escape(reader, &fields);
    let kinds = kinds(reader, &fields, definitions);
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
    let rule = Rule {
        run,
        parameters,
        alias,
        sudo,
        stdin,
        timeout,
        max_output: max_output?,
        max_stdin,
        targets,
        env,
        help,
        usage,
        accept_escape,
    };
    Some(rule)
}

/// How much input it may be sent; no bound if unsaid.
fn max_stdin(reader: &mut Reader, fields: &Fields<'_>, stdin: bool) -> u64 {
    let Some(value) = fields.value("max_stdin") else { return u64::MAX };
    if !stdin {
        let help = "write `stdin = true` beside it, or take it out";
        reader.error_with_help(
            fields.key_span("max_stdin"),
            "`max_stdin` bounds input, and this command takes none",
            help,
        );
    }
    reader.number(value, "max_stdin").unwrap_or(0)
}

/// The targets of the role on which the rule holds: names alone. A label may be given to another target after an approval, and
/// the rule would then hold where nobody approved it.
fn targets(reader: &mut Reader, fields: &Fields<'_>) -> Option<TargetSelector> {
    let entries = reader.texts(fields.value("targets")?, "targets")?;
    let mut selector = TargetSelector::default();
    if entries.is_empty() {
        reader.error(fields.span_of("targets"), "a command is for at least one target; write `targets = [\"web-*\"]`");
    }
    for Text { value, span } in entries {
        if value.starts_with("label:") {
            let help = "name the targets (`*` stands for any characters), or make a role of its own of the commands";
            reader.error_with_help(
                span,
                "`targets` of a command has no labels: a label may change after an approval",
                help,
            );
        } else if let Err(error) = selector.push(&value) {
            reader.error(span, error.to_string());
        }
    }
    Some(selector)
}

/// Why the author accepts what the rule gives besides.
fn accept_escape(reader: &mut Reader, fields: &Fields<'_>) -> Option<String> {
    let Text { value, span } = reader.text(fields, "accept_escape", 200)?;
    if value.trim().len() < 4 {
        let help =
            "write why what the warning says is meant: `accept_escape = \"input is the dump to load, INC-4711\"`";
        reader.error_with_help(span, "`accept_escape` says why, in a few words", help);
    }
    Some(value)
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
        let help = "write the program as a fixed word first, for example `run = \"/usr/bin/uptime\"`";
        reader.error_with_help(text.span.clone(), "`run` begins with the program by its absolute path", help);
        return;
    };
    let place = reader.inside(text, run.as_written().find(program).unwrap_or(0), program.len());
    if base_name(program) == "sudo" {
        let help = "write the program that sudo starts, by its absolute path, and `sudo = true` below it";
        reader.error_with_help(place, "sudo itself cannot be a role's program", help);
    } else if !program.starts_with('/') {
        let help = format!("write the absolute path, for example `/usr/bin/{}`", base_name(program));
        reader.error_with_help(place, "`run` begins with the program by its absolute path", help);
    } else if !is_plain_path(program) {
        let message = "the program is a plain absolute path, without `//`, `.`, `..`, blanks or shell syntax";
        reader.error_with_help(place, message, "write where it lies on the target, as `realpath` prints it there");
    } else if base_name(program).starts_with('-') {
        let help = "give the program another name on the target";
        reader.error_with_help(place, "the program's name cannot begin with `-`", help);
    } else if base_name(program).len() > LONGEST_NAME {
        let message = format!("the program's name is longer than {LONGEST_NAME} bytes, and no file has such a name");
        reader.error_with_help(place, message, "write the name that the program has on the target");
    }
}

fn unused(reader: &mut Reader, kinds: &[(String, Text, Option<Parameter>)], run: &Pattern) {
    for (name, key, _) in kinds {
        if !run.names().iter().any(|(known, _)| known == name) {
            let names: Vec<&str> = run.names().iter().map(|(known, _)| known.as_str()).collect();
            let help = match nearest(name, &names) {
                Some(meant) => format!("write `where.{meant}`"),
                None => format!("write `{{{name}}}` where it stands in `run`, or take this out"),
            };
            reader.error_with_help(key.span.clone(), format!("`run` has no parameter `{{{name}}}`"), help);
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
        let message = match one == other {
            true => format!("some line could be read in two ways: two of its words could be this `{one}`"),
            false => format!("some line could be read in two ways: a word could be `{one}` or `{other}`"),
        };
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
        None => {
            let help = "begin it with a word of your own, for example `alias = \"web-restart {unit}\"`";
            reader.error_with_help(place.clone(), "`alias` begins with a literal word", help);
        }
        Some("sudo") => reader.error(place.clone(), "`alias` cannot begin with `sudo`; write `sudo = true`"),
        Some(first) if first.len() > LONGEST_NAME => {
            let message = format!("the first word of `alias` is longer than {LONGEST_NAME} bytes");
            reader.error_with_help(place.clone(), message, "write a word that people can type");
        }
        Some(_) => {}
    }
    if alias.has_groups() || run.has_groups() {
        let help = "write one `[[command]]` for each form";
        reader.error_with_help(place.clone(), "this build does not read `alias` together with `[groups]` yet", help);
    }
    let names = |pattern: &Pattern| {
        let dots = |at: usize| if pattern.is_repeated(at) { "..." } else { "" };
        let mut names: Vec<String> =
            pattern.names().iter().enumerate().map(|(at, (name, _))| format!("{name}{}", dots(at))).collect();
        names.sort();
        names
    };
    let (typed, used) = (names(alias), names(run));
    if typed != used {
        let only = |these: &[String], others: &[String]| {
            let only: Vec<String> =
                these.iter().filter(|name| !others.contains(name)).map(|name| format!("`{{{name}}}`")).collect();
            if only.is_empty() { "nothing".to_owned() } else { only.join(", ") }
        };
        let help = format!(
            "only `alias` has {}, only `run` has {}; write the same in both",
            only(&typed, &used),
            only(&used, &typed)
        );
        let message = "`alias` and `run` have the same parameters, each once, with or without `...` in both";
        reader.error_with_help(place, message, help);
        return None;
    }
    bind(reader, text, alias, kinds)
}
