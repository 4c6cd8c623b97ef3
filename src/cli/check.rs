//! `doorward check DIR`.

use clap::Args;
use serde_json::json;

use crate::config::load;
use crate::domain::{Diagnostic, Severity};

use super::error::{counted, plural};
use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    dir: Dir,
    /// One JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let (ok, summary, findings) = match load(&self.dir.dir) {
            Ok(loaded) => {
                let snapshot = &loaded.snapshot;
                let summary = format!(
                    "{}, {}, {}; digest {}",
                    plural(snapshot.directory.iter().count(), "user"),
                    plural(snapshot.inventory.iter().count(), "target"),
                    plural(snapshot.roles.len(), "role"),
                    snapshot.digest.short()
                );
                (true, summary, loaded.warnings)
            }
            Err(findings) => (false, "this set would not be used".to_owned(), findings),
        };
        if self.json {
            screen.say(as_json(ok, &findings));
        } else {
            findings.iter().for_each(|finding| screen.say(format_args!("{finding}\n")));
            screen.say(format_args!("{}: {summary}", counted(&findings)));
        }
        if ok { Ok(()) } else { Err(CliError::Reported) }
    }
}

fn as_json(ok: bool, findings: &[Diagnostic]) -> serde_json::Value {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let each = findings.iter().map(|finding| {
        let (line, column) = finding.line_column().unzip();
        json!({
            "severity": match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Accepted => "accepted",
            },
            "file": &*finding.file,
            "line": line,
            "column": column,
            "message": finding.message,
            "help": finding.help,
        })
    });
    json!({ "ok": ok, "errors": errors, "warnings": warnings, "findings": each.collect::<Vec<_>>() })
}
