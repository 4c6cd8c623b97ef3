//! The client's side of one channel: what it sends waits in a spool, what it gets is written as fast as it reads.
//!
//! russh's session loop stands still while a channel's messages are not taken, so [`drain`] takes every message at once and
//! never waits for a target; [`Client`] is what the use cases hold.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use russh::server::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio_util::sync::CancellationToken;

use crate::control::console::Console;
use crate::service::ports::ClientSide;
use crate::session::{SpoolReader, SpoolWriter};

use super::terminal::{self, Key};

/// SSH_EXTENDED_DATA_STDERR, RFC 4254 section 5.2.
const STDERR: u32 = 1;

/// One channel, as the use cases see it.
pub(super) struct Client {
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    pub(super) input: SpoolReader,
    /// Cancelled when the channel closes, the connection is lost or `^C` is typed.
    pub(super) gone: CancellationToken,
    /// Whether the client's terminal is raw, because it asked for one here.
    pub(super) terminal: bool,
}

impl Client {
    /// Sends `data`; `false` when the client is gone. A window that never opens ends with the channel, not never.
    async fn send(&self, stream: Option<u32>, data: Bytes) -> bool {
        let data = if self.terminal { terminal::for_raw_terminal(&data) } else { data };
        let sent = async {
            match stream {
                None => self.write.data_bytes(data).await,
                Some(stream) => self.write.extended_data_bytes(stream, data).await,
            }
        };
        tokio::select! {
            biased;
            sent = sent => sent.is_ok(),
            () = self.gone.cancelled() => false,
        }
    }
}

#[async_trait]
impl ClientSide for Client {
    async fn input(&mut self) -> Option<Bytes> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => None,
            data = self.input.next() => data,
        }
    }

    async fn gone(&self) {
        self.gone.cancelled().await;
    }

    async fn output(&mut self, data: Bytes) -> bool {
        self.send(None, data).await
    }

    async fn error(&mut self, data: Bytes) -> bool {
        self.send(Some(STDERR), data).await
    }

    fn overflowed(&self) -> bool {
        self.input.overflowed()
    }
}

#[async_trait]
impl Console for Client {
    async fn stdout(&mut self, text: &str) {
        self.send(None, Bytes::copy_from_slice(text.as_bytes())).await;
    }

    async fn stderr(&mut self, text: &str) {
        self.send(Some(STDERR), Bytes::copy_from_slice(text.as_bytes())).await;
    }

    async fn gone(&self) {
        self.gone.cancelled().await;
    }
}

/// Takes every message of the channel until it ends.
pub(super) async fn drain(mut read: ChannelReadHalf, mut spool: SpoolWriter, gone: CancellationToken, terminal: bool) {
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::Data { data } => match terminal.then(|| terminal::key_in(&data)).flatten() {
                Some((_, Key::Interrupt)) => gone.cancel(),
                Some((before, Key::EndOfFile)) => {
                    spool.push(before).await;
                    spool.finish();
                }
                None => spool.push(data).await,
            },
            ChannelMsg::Eof => spool.finish(),
            ChannelMsg::Close => break,
            // Everything else was answered by the handler's callback, or has no meaning once a program runs.
            _ => {}
        }
    }
    gone.cancel();
}
