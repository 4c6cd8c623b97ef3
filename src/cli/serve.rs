//! `doorward serve DIR`.

use clap::Args;

use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    dir: Dir,
}

impl Serve {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        if nix::unistd::geteuid().is_root() {
            let why = "serve refuses to run as root: a bastion needs no right but its own files and its port. \
                       Make it a user of its own, and give port 22 with AmbientCapabilities=CAP_NET_BIND_SERVICE (systemd) \
                       or a redirect";
            return Err(CliError::failed(why));
        }
        let mut announce = |line: &str| screen.note(line);
        crate::app::serve(&self.dir.dir, &mut announce).map_err(|error| match error {
            crate::app::StartError::Configuration(findings) => CliError::Findings(findings),
            other => CliError::failed(other.to_string()),
        })
    }
}
