//! What a reader of the log must remember on its way: which commands have not ended yet, and where a connection came from.
//!
//! Both are bounded: a log with very many at once costs an outcome or a source that is not known, never memory.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::{Answer, Outcome, PastCommand};
use crate::domain::{CommandId, SessionId};

/// Most commands whose end is waited for; the bastion itself runs fewer at once.
const MOST_COMMANDS: usize = 4096;
/// Most bytes of their lines and vectors.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// Most connections that are remembered.
const MOST_CONNECTIONS: usize = 100_000;

/// Commands that were allowed and have not ended, the oldest first.
#[derive(Default)]
pub(super) struct OpenCommands {
    commands: VecDeque<PastCommand>,
    bytes: usize,
}

impl OpenCommands {
    /// Waits for the end of `command`; gives those that there is no room for any more.
    pub(super) fn begin(&mut self, command: PastCommand) -> Vec<PastCommand> {
        self.bytes += size(&command);
        self.commands.push_back(command);
        let mut crowded = Vec::new();
        while self.commands.len() > MOST_COMMANDS || self.bytes > MOST_BYTES {
            crowded.extend(self.take_oldest());
        }
        crowded
    }

    /// The command `id` with its end; `None` if nobody waits for it.
    pub(super) fn end(&mut self, id: &CommandId, outcome: Outcome) -> Option<PastCommand> {
        let at = self.commands.iter().position(|command| command.command == *id)?;
        let mut command = self.commands.remove(at)?;
        self.bytes = self.bytes.saturating_sub(size(&command));
        if let Answer::Allowed(ran) = &mut command.answer {
            ran.outcome = Some(outcome);
        }
        Some(command)
    }

    /// The oldest of them, without an end.
    pub(super) fn take_oldest(&mut self) -> Option<PastCommand> {
        let command = self.commands.pop_front()?;
        self.bytes = self.bytes.saturating_sub(size(&command));
        Some(command)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }
}

/// About how many bytes it holds that come from outside.
fn size(command: &PastCommand) -> usize {
    let executed = match &command.answer {
        Answer::Allowed(ran) => ran.executed.iter().flat_map(|one| &one.vector).map(String::len).sum(),
        Answer::Denied { reason } => reason.len(),
    };
    command.line.len() + executed
}

/// Where connections came from. The last entries of a command may follow that of its connection's end, so the oldest are forgotten
/// when there are many, and none by its end.
#[derive(Default)]
pub(super) struct Sources {
    peers: HashMap<SessionId, IpAddr>,
    /// In the order they came, to forget the oldest.
    order: VecDeque<SessionId>,
}

impl Sources {
    pub(super) fn connected(&mut self, session: Option<SessionId>, peer: IpAddr) {
        let Some(session) = session else { return };
        if self.peers.insert(session.clone(), peer).is_none() {
            self.order.push_back(session);
        }
        while self.order.len() > MOST_CONNECTIONS {
            self.order.pop_front().map(|oldest| self.peers.remove(&oldest));
        }
    }

    pub(super) fn of(&self, session: Option<&SessionId>) -> Option<IpAddr> {
        session.and_then(|session| self.peers.get(session)).copied()
    }
}
