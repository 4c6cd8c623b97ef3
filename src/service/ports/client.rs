//! The port to the client's side of one running command.

use async_trait::async_trait;
use bytes::Bytes;

/// The client's channel, already drained by its own task (russh's rule: the client's side is always drained).
#[async_trait]
pub trait ClientSide: Send + Sync {
    /// The next piece of standard input; `None` at its end, after an overflow, and soon after the client is gone. Cancel-safe.
    async fn input(&mut self) -> Option<Bytes>;

    /// Resolves when the client is gone (channel closed or connection lost). Cancel-safe.
    async fn gone(&self);

    /// Writes standard output; waits while the client is behind. `false`: the client is gone.
    async fn output(&mut self, data: Bytes) -> bool;

    /// Writes standard error; waits while the client is behind. `false`: the client is gone.
    async fn error(&mut self, data: Bytes) -> bool;

    /// Whether input was lost because it was more than the role allows to wait (`max`, spill caps): a reason to end.
    fn overflowed(&self) -> bool;
}
