//! `doorward demo`: the main job on this machine, for real, in a directory of its own that is removed afterwards.
//!
//! [`world`] makes the people, keys, roles and targets, [`sshd`] starts a real OpenSSH target with the snippet that
//! `target enroll` prints, [`tour`] walks the story with the stock `ssh` and judges every step ([`script`]), and [`policy`] asks
//! what the files and the log answer afterwards. The bastion is the one that `serve` runs; nothing of it is simulated.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};

mod policy;
mod script;
mod sshd;
mod tour;
mod world;

use world::World;

/// Why the demo failed. `Display` is for the screen.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Its world could not be made.
    #[error("the demo could not be set up: {0}")]
    Setup(String),
    /// The bastion did not start or stop.
    #[error(transparent)]
    Bastion(#[from] crate::app::StartError),
    /// A step of the tour came out otherwise.
    #[error("the tour failed: {0}")]
    Tour(String),
    /// The screen or a file failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Runs the demo: with `tour` walks the story and leaves, else prints what to paste and serves until Ctrl-C.
///
/// # Errors
/// [`DemoError`]; with `tour` also when any step comes out otherwise.
pub fn run(tour: bool, screen: &mut dyn Write) -> Result<(), DemoError> {
    let runtime = crate::app::run::runtime()?;
    runtime.block_on(async {
        let world = World::build()?;
        let bastion = crate::app::start(&world.bastion_dir()).await?;
        let stopping = bastion.stopping();
        world.introduce(screen)?;
        let serving = tokio::spawn(bastion.run());
        let walked = if tour {
            let walked = tour::walk(&world, screen).await.map_err(|error| DemoError::Tour(error.to_string()));
            stopping.cancel();
            walked
        } else {
            world.what_to_paste(screen)
        };
        screen.flush()?;
        let served = serving.await.map_err(|error| DemoError::Setup(error.to_string()))?;
        walked?;
        served?;
        if tour {
            world.verify_offline(screen)?;
            policy::ask(&world, screen)?;
            writeln!(screen, "\nThe tour is over: every step came out as it should.")?;
        }
        Ok(())
    })
}

/// A port of this machine that nobody listens on now. Asked for before use, because it is written into files first.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
