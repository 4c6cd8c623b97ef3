//! `doorward demo`.

use clap::Args;

use super::{CliError, Screen};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Walk through the story with the stock ssh, show what came back, and leave
    #[arg(long)]
    tour: bool,
}

impl Demo {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        crate::demo::run(self.tour, screen.out()).map_err(|error| CliError::failed(error.to_string()))
    }
}
