//! A role command, from the typed line to its exit code.

use crate::domain::{RoleName, TargetName};

use super::{Services, ports::ClientSide, session::Session};

/// What was asked.
#[derive(Debug)]
pub struct CommandAsk {
    /// Where. The front door has already found it among the targets this user may see.
    pub target: TargetName,
    /// The role they chose with `ROLE+TARGET`.
    pub role: Option<RoleName>,
    /// The line as it came over the wire.
    pub line: Vec<u8>,
}

/// Runs one command: words, certificate, decision, log entry, recording, target, pump, end. Writes the program's output and
/// our own lines (`doorward: …`) to `client` and gives the exit code of design.md 4.
pub async fn run_command(
    _services: &Services,
    _session: &Session,
    _ask: CommandAsk,
    _client: &mut dyn ClientSide,
) -> u8 {
    todo!()
}
