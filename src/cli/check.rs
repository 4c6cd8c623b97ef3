//! `doorward check DIR`, and `doorward check ROLE.toml …` for authors of roles.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use crate::config::{Survey, survey, survey_copy, survey_roles};
use crate::control::console::json_line;
use crate::domain::wording::plural;
use crate::domain::{Diagnostic, Severity};

use super::error::counted;
use super::{CliError, Screen};

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing to mend, 1 errors (with --deny-warnings also warnings), 2 usage.")]
pub(super) struct Check {
    /// The directory with doorward.toml, or role files to look at alone
    #[arg(value_name = "DIR", required = true)]
    paths: Vec<PathBuf>,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
    /// Answer 1 for warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// DIR is a checkout, not the bastion's own: leave out private keys, owners and modes
    #[arg(long)]
    checkout: bool,
}

/// The version of what `--json` prints: a key is added without a change of it, and never renamed or taken away.
const SCHEMA: u32 = 1;

/// What has a meaning in its DIR only.
const PARTS: [&str; 3] = ["doorward.toml", "users.toml", "targets.toml"];

impl Check {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let alone = self.paths.iter().all(|path| is_role_file(path));
        let found = match self.paths.as_slice() {
            files if alone => {
                files.iter().try_for_each(|file| no_part(file, "looked at", "check DIR"))?;
                survey_roles(files)
            }
            [dir] if self.checkout => survey_copy(dir),
            [dir] => survey(dir),
            _ => {
                let message = "`check` looks at one DIR, or at role files (NAME.toml) alone";
                return Err(CliError::Usage(message.to_owned()));
            }
        };
        if self.json {
            screen.say(json_line(&as_json(&found)).trim_end());
        } else {
            found.findings.iter().for_each(|finding| screen.say(format_args!("{finding}\n")));
            if found.left_out > 0 {
                screen.say(format_args!("… and {} that are not shown\n", plural(found.left_out, "finding")));
            }
            screen.say(format_args!("{}: {}", counted(&found.findings), self.summary(&found, alone)));
        }
        let warned = of(&found.findings, Severity::Warning) > 0;
        if found.ok && !(self.deny_warnings && warned) { Ok(()) } else { Err(CliError::Reported) }
    }

    fn summary(&self, found: &Survey, alone: bool) -> String {
        match &found.counts {
            Some(counts) => format!(
                "{}, {}, {}; digest {}",
                plural(counts.users, "user"),
                plural(counts.targets, "target"),
                plural(counts.roles, "role"),
                counts.digest.short()
            ),
            None if alone => format!("{}, looked at alone", plural(self.paths.len(), "role")),
            None => "this set would not be used".to_owned(),
        }
    }
}

fn is_role_file(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "toml") && !path.is_dir()
}

/// Refuses a file of a set that is no role: it is `done` with the rest by `doorward INSTEAD`.
pub(super) fn no_part(path: &Path, done: &str, instead: &str) -> Result<(), CliError> {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    let of_certs = path.parent().is_some_and(|parent| parent.ends_with("certs"));
    if of_certs || PARTS.contains(&&*name) {
        let name = crate::domain::text::escape(&name).into_owned();
        return Err(CliError::Usage(format!("{name} is {done} with the rest of its DIR: doorward {instead}")));
    }
    Ok(())
}

fn of(findings: &[Diagnostic], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

fn as_json(found: &Survey) -> Value {
    let findings = &found.findings;
    let set = found.counts.map(|counts| {
        json!({
            "users": counts.users,
            "targets": counts.targets,
            "roles": counts.roles,
            "digest": counts.digest.to_string(),
        })
    });
    json!({
        "schema": SCHEMA,
        "ok": found.ok,
        "errors": of(findings, Severity::Error),
        "warnings": of(findings, Severity::Warning),
        "accepted": of(findings, Severity::Accepted),
        "left_out": found.left_out,
        "set": set,
        "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
    })
}

/// One finding.
pub(super) fn finding_json(finding: &Diagnostic) -> Value {
    let (line, column) = finding.line_column().unzip();
    let (end_line, end_column) = finding.end_line_column().unzip();
    json!({
        "severity": match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Accepted => "accepted",
        },
        "code": finding.code,
        "file": &*finding.file,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "message": finding.message,
        "help": finding.help,
        "source": finding.line_text(),
    })
}
