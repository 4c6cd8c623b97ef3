//! The text of a role file -> [`Role`], or everything that is wrong with it.
//!
//! Collects all findings instead of stopping at the first. A key that a later build will enforce is refused by name, never
//! ignored: a role must not seem stricter than it is. Reads no file; the caller has the text.

use std::sync::Arc;

use crate::domain::{AccountName, Diagnostic, Digest, RoleName, Severity, limits};

use super::index::Index;
use super::observe::Observe;
use super::role::Role;
use super::rule::Rule;
use super::selector::TargetSelector;
use super::words::Words;

pub(super) mod command;
mod environment;
mod findings;
mod observe;
mod parameter;
mod patterns;
mod reader;
mod request;
mod shared;
mod syntax;
mod transfer;
mod when;

use parameter::Definitions;
use reader::{Fields, Reader, Text};

pub use patterns::Patterns;
pub use shared::SharedParameters;
pub use syntax::{SyntaxProblem, kind, syntax_problems};

/// Most `[[command]]` of a role.
pub const MOST_RULES: usize = 200;
/// Most entries of any list (targets, subjects, `one_of` values, examples).
pub const MOST_ENTRIES: usize = 500;

/// Most findings that are handed on; nobody reads more, and a file of rubbish has one a line.
pub const MOST_FINDINGS: usize = 100;

/// Most expressions (`pattern`, `ticket`) of a role: each may take milliseconds and some hundred KiB.
const MOST_EXPRESSIONS: usize = 500;

/// What may stand in a role, outside of its tables.
const KEYS: [&str; 11] = [
    "description",
    "targets",
    "run_as",
    "observe",
    "request",
    "when",
    "parameters",
    "command",
    "file",
    "forward",
    "examples",
];

/// How operators name the file of `role`, from the directory of the configuration on.
#[must_use]
pub fn path_of(role: &RoleName) -> String {
    format!("roles/{role}.toml")
}

impl Role {
    /// Reads the role `name` from `text`; `file` is how the operator names the file. With the role come warnings.
    ///
    /// # Errors
    /// The findings, the first in the file first, at most [`MOST_FINDINGS`]; at least one of them is an error.
    pub fn parse(name: RoleName, file: &str, text: &str) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::parse_sharing(name, file, text, &SharedParameters::default(), &Patterns::default())
    }

    /// As [`Self::parse`], of a role that is read with others, which share `patterns`, after what it uses of `shared` was added
    /// to the end of its text.
    ///
    /// # Errors
    /// As of [`Self::parse`].
    pub fn parse_sharing(
        name: RoleName,
        file: &str,
        text: &str,
        shared: &SharedParameters,
        patterns: &Patterns,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let text = &shared.complete(text);
        let mut reader = Reader::new(file, text, patterns);
        let role = read(name, text, shared, &mut reader);
        let mut found = reader.into_findings();
        found.sort_by_key(|finding| finding.span.as_ref().map_or(0, |span| span.start));
        match role {
            Some(role) if found.iter().all(|finding| finding.severity != Severity::Error) => Ok((role, found)),
            _ => {
                if found.len() > MOST_FINDINGS {
                    found.retain(|finding| finding.severity == Severity::Error);
                    found.truncate(MOST_FINDINGS);
                }
                Err(found)
            }
        }
    }
}

/// The role, if enough of it could be read to make one; whatever else is wrong is in `reader`.
fn read(name: RoleName, text: &str, shared: &SharedParameters, reader: &mut Reader) -> Option<Role> {
    if u64::try_from(text.len()).is_ok_and(|length| length > limits::CONFIG_FILE) {
        let message = format!("a role file has at most {} bytes", limits::CONFIG_FILE);
        reader.error_with_help(None, message, "write several roles");
        return None;
    }
    let (document, errors) = toml::de::DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What follows a syntax error may have been misread, so nothing more is said about it.
        syntax_problems(text, &errors, MOST_FINDINGS).into_iter().for_each(|problem| reader.syntax(problem));
        return None;
    }
    let fields = reader.fields(document.get_ref(), document.span(), "a role", &KEYS, &[]);
    let description = reader.text(&fields, "description", 500).map(|text| text.value).unwrap_or_default();
    let targets = targets(reader, &fields);
    let run_as = run_as(reader, &fields);
    let request = fields.value("request").map(|value| request::read(reader, value));
    let when = fields.value("when").map(|value| when::read(reader, value));
    let observe = reader.boolean(&fields, "observe");
    let parameters = fields.value("parameters").and_then(|value| reader.table(value, "`[parameters]`"));
    let mut definitions = Definitions::read(reader, parameters, shared.names());
    let rules = if observe { Some(Vec::new()) } else { rules(reader, &fields, &mut definitions) };
    definitions.unused(reader);
    let (files, forwards) = (transfer::files(reader, &fields), transfer::forwards(reader, &fields));
    let (text, digest) = (Arc::from(text), Digest::of(text.as_bytes()));
    let request = match request {
        Some(read) => Some(read?),
        None => None,
    };
    let when = match when {
        Some(read) => read?,
        None => super::when::Conditions::default(),
    };
    let observe = if observe { Some(Observe::new()?) } else { None };
    let rules = rules?;
    let mut role = Role {
        name,
        text,
        digest,
        description,
        targets,
        run_as: run_as?,
        request,
        when,
        index: Index::of(&rules),
        secret: rules.iter().any(Rule::has_secret),
        rules,
        files: files?,
        forwards: forwards?,
        observe,
    };
    if role.observes() {
        observe::check(reader, document.get_ref(), &fields, &mut role);
        return Some(role);
    }
    examples(reader, &fields, &role);
    findings::add(reader, &fields, &role);
    Some(role)
}

fn targets(reader: &mut Reader, fields: &Fields<'_>) -> TargetSelector {
    let mut selector = TargetSelector::default();
    if let Some(entries) = reader.required(fields, "targets").and_then(|value| reader.texts(value, "targets")) {
        if entries.is_empty() {
            reader.error(fields.span_of("targets"), "a role is for at least one target; write `targets = [\"web-*\"]`");
        }
        for Text { value, span } in entries {
            if let Err(error) = selector.push(&value) {
                reader.error(span, error.to_string());
            }
        }
    }
    selector
}

fn run_as(reader: &mut Reader, fields: &Fields<'_>) -> Option<AccountName> {
    reader.required(fields, "run_as")?;
    let Text { value, span } = reader.text(fields, "run_as", 100)?;
    value.parse().map_err(|error| reader.error(span, format!("{error}"))).ok()
}

/// The rules; `None` if one of them could not be read.
fn rules(reader: &mut Reader, fields: &Fields<'_>, definitions: &mut Definitions<'_>) -> Option<Vec<Rule>> {
    let Some(value) = fields.value("command") else {
        let help = "write `[[command]]`, and below it `run = \"/usr/bin/uptime\"`";
        reader.error_with_help(None, "a role has at least one `[[command]]`", help);
        return None;
    };
    let Some(tables) = value.get_ref().as_array() else {
        let help = "write `[[command]]`, once for each command";
        reader.error_with_help(fields.span_of("command"), "`command` is a list of tables", help);
        return None;
    };
    if tables.len() > MOST_RULES {
        let message = format!("a role has at most {MOST_RULES} commands");
        reader.error_with_help(fields.span_of("command"), message, "write several roles");
        return None;
    }
    let rules: Vec<Option<Rule>> = tables.iter().map(|table| command::read(reader, table, definitions)).collect();
    rules.into_iter().collect()
}

/// Runs `[examples]`: a role whose examples come out otherwise does not load.
fn examples(reader: &mut Reader, fields: &Fields<'_>, role: &Role) {
    let Some(table) = fields.value("examples").and_then(|value| reader.table(value, "`[examples]`")) else { return };
    let inner = reader.fields(table, fields.span_of("examples"), "`[examples]`", &["allow", "deny"], &[]);
    let lines =
        |reader: &mut Reader, key| inner.value(key).and_then(|value| reader.texts(value, key)).unwrap_or_default();
    for Text { value, span } in lines(reader, "allow") {
        match outcome(role, &value) {
            Ok(true) => {}
            Ok(false) => {
                let message = "this example should be allowed, and rules that run different things allow it";
                reader.error_with_help(span, message, "take one of these rules out, or narrow it");
            }
            Err(why) => {
                let message = format!("this example should be allowed, and is not: {why}");
                reader.error_with_help(span, message, "mend the rule or the example");
            }
        }
    }
    for Text { value, span } in lines(reader, "deny") {
        let Ok(words) = Words::split(value.as_bytes()) else { continue };
        let by: Vec<&str> = role.readings(&words).iter().map(|reading| reading.rule.usage()).collect();
        if !by.is_empty() {
            let message = format!("this example should be denied, and is allowed by `{}`", by.join("`, `"));
            reader.error_with_help(span, message, "narrow the rule, or take the example out");
        }
    }
}

/// Whether one thing to run comes of `line` (or several); why none.
fn outcome(role: &Role, line: &str) -> Result<bool, String> {
    let words = Words::split(line.as_bytes()).map_err(|error| error.in_a_file())?;
    let readings = role.readings(&words);
    match readings.first() {
        Some(first) => Ok(readings.iter().all(|other| other.runs_the_same(first))),
        None => Err(role
            .nearest(None, &words)
            .map_or_else(|| "no rule allows it".to_owned(), |(_, rule, miss)| super::explain::miss(rule, &miss))),
    }
}

#[cfg(test)]
mod tests;
