//! `doorward audit verify`.

use clap::Args;

use super::{LogFiles, verified};
use crate::audit::tiles::TileState;
use crate::cli::{CliError, Screen};
use crate::domain::text::escape;
use crate::domain::wording::entries;

#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    #[command(flatten)]
    log: LogFiles,
}

impl Verify {
    pub(in crate::cli) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let (log, key) = self.log.open(screen)?;
        let report = verified(&log, &key)?;
        let verify = if report.entries == 1 { "verifies" } else { "verify" };
        screen.say(format_args!("{} of {} {verify}", entries(report.entries), escape(&report.origin)));
        if let (Some(first), Some(last)) = (report.first, report.last) {
            screen.say(format_args!("from {first} to {last}"));
        }
        screen.say(format_args!("root {}", report.root));
        if report.uncovered > 0 {
            screen.note(format_args!(
                "doorward: {} bytes after them are under no checkpoint: a running bastion is about to sign them, or they are \
                 the remains of a crash",
                report.uncovered
            ));
        }
        if let TileState::Wrong { path } = report.tiles {
            screen.note(format_args!(
                "doorward: the log is whole, and {path} does not fit it: tiles are derived, so no evidence is lost; {}",
                self.log.remedy()
            ));
        }
        Ok(())
    }
}
