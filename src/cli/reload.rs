//! `doorward reload DIR`.

use clap::Args;
use nix::sys::signal::{Signal, kill};

use crate::config::{DirLock, Paths, load};

use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    dir: Dir,
}

impl Reload {
    /// Looks first: a set that does not load would be refused over there too, where nobody sees the findings at once.
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load(&self.dir.dir).map_err(CliError::Findings)?;
        loaded.warnings.iter().for_each(|warning| screen.note(format_args!("{warning}\n")));
        let paths = Paths::new(&self.dir.dir);
        let holder = DirLock::holder(&paths).map_err(|error| CliError::failed(format!("state/lock: {error}")))?;
        let Some(pid) = holder else {
            return Err(CliError::failed("no bastion serves this directory; `doorward serve` reads it when it starts"));
        };
        kill(pid, Signal::SIGHUP)
            .map_err(|error| CliError::failed(format!("process {pid} cannot be told: {}", error.desc())))?;
        screen
            .say(format_args!("process {pid} was told to read the set with digest {}", loaded.snapshot.digest.short()));
        screen.say(
            "a set that changes name, listen, port, demo, [limits] or certs/*.toml is refused: that needs a restart",
        );
        screen.say("it writes the outcome to the audit log as an entry `reload`");
        Ok(())
    }
}
