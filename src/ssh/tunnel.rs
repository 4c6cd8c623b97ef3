//! A channel of one connection as the stream of another one inside it.
//!
//! The two would wait for each other for ever: the inner one does not read while its own output has to wait, the outer one
//! stops when nobody takes a channel's messages, and then never hears that there is room for output again. So a task takes
//! everything at once and keeps it in a spool, from which the inner one reads when it comes to it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::session::{SpoolLimits, SpoolReader, SpoolWriter, spool};

/// How long the client gets to take our last messages, and to answer that the channel is closed.
const LAST: Duration = Duration::from_secs(10);

type Output = Pin<Box<dyn AsyncWrite + Send>>;
type Next = Pin<Box<dyn Future<Output = (SpoolReader, Option<Bytes>)> + Send>>;

/// Both directions of a channel, for the connection inside it.
pub(super) struct Tunnel {
    next: Next,
    /// What was taken and not read yet.
    piece: Bytes,
    output: Output,
}

/// The end of the channel, once the connection inside it is over.
pub(super) struct End {
    write: ChannelWriteHalf<Msg>,
    filling: JoinHandle<()>,
    lost: Arc<OnceLock<String>>,
}

impl Tunnel {
    /// Starts taking what comes over `channel`. `cut` is cancelled when the channel closes, or when more waits than may. The
    /// `place` is kept until the channel is closed on both sides.
    pub(super) fn open(
        channel: Channel<Msg>,
        limits: SpoolLimits,
        cut: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> (Self, End) {
        let (read, write) = channel.split();
        let (writer, reader) = spool(limits);
        let lost = Arc::new(OnceLock::new());
        let filling = tokio::spawn(fill(read, writer, cut, Arc::clone(&lost), place));
        let output: Output = Box::pin(write.make_writer());
        (Self { next: Box::pin(next_of(reader)), piece: Bytes::new(), output }, End { write, filling, lost })
    }
}

impl End {
    /// Closes the channel. Gives why input was lost, if any was.
    pub(super) async fn close(self) -> Option<String> {
        let closing = async {
            let _ = self.write.eof().await;
            let _ = self.write.close().await;
            let _ = self.filling.await;
        };
        let _ = tokio::time::timeout(LAST, closing).await;
        self.lost.get().cloned()
    }
}

/// Takes every message of the channel until it is closed, whatever becomes of the bytes. `lost` says why some were.
async fn fill(
    mut read: ChannelReadHalf,
    mut spool: SpoolWriter,
    cut: CancellationToken,
    lost: Arc<OnceLock<String>>,
    _place: OwnedSemaphorePermit,
) {
    while let Some(message) = read.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                spool.push(data).await;
                if let Some(why) = spool.overflow() {
                    let _first = lost.set(why);
                    cut.cancel();
                }
            }
            ChannelMsg::Eof => spool.finish(),
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    cut.cancel();
}

async fn next_of(mut reader: SpoolReader) -> (SpoolReader, Option<Bytes>) {
    let piece = reader.next().await;
    (reader, piece)
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.piece.is_empty() {
            let (reader, piece) = ready!(this.next.as_mut().poll(cx));
            this.next = Box::pin(next_of(reader));
            match piece {
                Some(piece) => this.piece = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = this.piece.len().min(buffer.remaining());
        buffer.put_slice(&this.piece.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.output.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.output.as_mut().poll_shutdown(cx)
    }
}
