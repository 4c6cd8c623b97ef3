//! The port to the recordings.

use async_trait::async_trait;
use bytes::Bytes;

use crate::domain::{CommandId, Digest, SessionId, TargetName, Timestamp, UserName};

/// Which stream of a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// Standard input.
    Input,
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// What stands at the head of a recording.
#[derive(Clone, Debug)]
pub struct RecorderHeader {
    /// The connection.
    pub session: SessionId,
    /// The command; names the file.
    pub command: CommandId,
    /// Whose.
    pub user: UserName,
    /// Where.
    pub target: TargetName,
    /// The line as typed.
    pub line: String,
    /// When it began.
    pub started: Timestamp,
}

/// Why a recording cannot be opened or go on. The command does not start, or ends.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the recording cannot be written: {reason}")]
pub struct RecordError {
    /// For the operator.
    pub reason: String,
}

/// Opens recordings.
#[async_trait]
pub trait Recorders: Send + Sync {
    /// Creates the file of one command and writes its header.
    ///
    /// # Errors
    /// [`RecordError`]: then nothing runs.
    async fn open(&self, header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError>;
}

/// The recording of one running command.
#[async_trait]
pub trait Recorder: Send {
    /// The file's name inside the recordings folder.
    fn file_name(&self) -> &str;

    /// Adds what passed. Waits while the disk is behind (bounded).
    ///
    /// # Errors
    /// [`RecordError`]: then the command is ended.
    async fn write(&mut self, stream: Stream, data: Bytes) -> Result<(), RecordError>;

    /// The SHA-256 of each stream (input, output, error) of which the recording holds only the beginning, over all that
    /// passed. To be asked before [`Self::finish`].
    async fn digests(&mut self) -> [Option<Digest>; 3] {
        [None; 3]
    }

    /// Ends the recording with the exit code and gives the digest of the file.
    ///
    /// # Errors
    /// [`RecordError`] when it could not be finished; what was written stays.
    async fn finish(self: Box<Self>, exit: u8) -> Result<Digest, RecordError>;
}
