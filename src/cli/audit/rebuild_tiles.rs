//! `doorward audit rebuild-tiles`.

use std::os::unix::fs::MetadataExt as _;

use clap::Args;

use super::LogFiles;
use crate::audit::tiles::Keeper;
use crate::cli::{CliError, Screen};
use crate::domain::text::escape;

#[derive(Debug, Args)]
pub(in crate::cli) struct RebuildTiles {
    #[command(flatten)]
    log: LogFiles,
}

impl RebuildTiles {
    pub(in crate::cli) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let (dir, key) = self.log.open(screen)?;
        let failed = |error: &dyn std::fmt::Display| CliError::failed(escape(&error.to_string()).into_owned());
        let owner = dir.metadata().map_err(|error| failed(&error))?.uid();
        // Files of root's in there are files that the bastion cannot replace.
        if nix::unistd::geteuid().as_raw() != owner {
            return Err(CliError::failed(format!(
                "the log belongs to the account with the number {owner}; as that one: setpriv --reuid {owner} \
                 --clear-groups doorward audit rebuild-tiles …"
            )));
        }
        let entries = Keeper::new(dir, key).rebuild().map_err(|error| failed(&error))?;
        screen.say(format_args!("the tiles of {entries} entries are made anew"));
        Ok(())
    }
}
