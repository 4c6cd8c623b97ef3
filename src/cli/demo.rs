//! `doorward demo`.

use clap::Args;

use super::{CliError, Screen, hooks};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Walk through the story with the stock ssh, show what came back, and leave
    #[arg(long)]
    tour: bool,
}

impl Demo {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        hooks::demo(self.tour, screen)
    }
}
