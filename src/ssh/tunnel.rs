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

/// How long the client gets to take our last messages.
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
    place: OwnedSemaphorePermit,
}

impl Tunnel {
    /// Starts taking what comes over `channel`. `cut` is cancelled when the channel closes, or when more waits than may. The
    /// `place` is kept until [`End::close`].
    pub(super) fn open(
        channel: Channel<Msg>,
        limits: SpoolLimits,
        cut: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> (Self, End) {
        let (read, write) = channel.split();
        let (writer, reader) = spool(limits);
        let lost = Arc::new(OnceLock::new());
        let filling = tokio::spawn(fill(read, writer, cut, Arc::clone(&lost)));
        let output: Output = Box::pin(write.make_writer());
        (Self { next: Box::pin(next_of(reader)), piece: Bytes::new(), output }, End { write, filling, lost, place })
    }
}

impl End {
    /// Closes the channel. Gives why input was lost, if any was.
    pub(super) async fn close(self) -> Option<String> {
        let closing = async {
            let _ = self.write.eof().await;
            // Before the close: who is told that the channel is closed may open the next one.
            drop(self.place);
            let _ = self.write.close().await;
        };
        let _ = tokio::time::timeout(LAST, closing).await;
        // russh does not say when the client answers a close of ours; what still comes is dropped once nobody takes it.
        self.filling.abort();
        self.lost.get().cloned()
    }
}

/// Takes every message of the channel until it is closed, whatever becomes of the bytes. `lost` says why some were.
async fn fill(mut read: ChannelReadHalf, mut spool: SpoolWriter, cut: CancellationToken, lost: Arc<OnceLock<String>>) {
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

#[cfg(test)]
mod tests {
    use russh::server::{Auth, ChannelOpenHandle, Handler, Session};
    use russh::{ChannelWriteHalf as Half, client, keys, server};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::{Semaphore, mpsc};

    use super::*;
    use crate::session::Budget;

    /// Hands over each channel that is opened.
    struct Outer(mpsc::UnboundedSender<Channel<Msg>>);

    impl Handler for Outer {
        type Error = russh::Error;

        async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
            Ok(Auth::Accept)
        }

        async fn channel_open_direct_tcpip(
            &mut self,
            channel: Channel<Msg>,
            _host: &str,
            _port: u32,
            _originator: &str,
            _originator_port: u32,
            reply: ChannelOpenHandle,
            _session: &mut Session,
        ) -> Result<(), Self::Error> {
            reply.accept().await;
            let _ = self.0.send(channel);
            Ok(())
        }
    }

    struct Trusting;

    impl client::Handler for Trusting {
        type Error = russh::Error;

        async fn check_server_key(&mut self, _: &keys::PublicKeyOrCertificate) -> Result<bool, Self::Error> {
            Ok(true)
        }
    }

    type Client = client::Handle<Trusting>;

    /// A client, and the channels it opens as the server sees them.
    async fn connected() -> (Client, mpsc::UnboundedReceiver<Channel<Msg>>) {
        let key = keys::PrivateKey::random(&mut rand::rng(), keys::Algorithm::Ed25519).unwrap();
        let config = server::Config { keys: vec![key], ..server::Config::default() };
        let ((near, far), (sender, receiver)) = (tokio::io::duplex(1 << 16), mpsc::unbounded_channel());
        tokio::spawn(async move { server::run_stream(Arc::new(config), far, Outer(sender)).await.unwrap().await });
        let mut client = client::connect_stream(Arc::default(), near, Trusting).await.unwrap();
        assert!(client.authenticate_none("anyone").await.unwrap().success());
        (client, receiver)
    }

    fn limits(memory: usize, waiting: u64) -> SpoolLimits {
        let (input, budget) = (crate::session::InputLimits::default(), Budget::new(u64::MAX, None));
        let usual = SpoolLimits::of(&input, std::env::temp_dir(), 0, budget);
        SpoolLimits { memory, waiting, ..usual }
    }

    async fn place() -> OwnedSemaphorePermit {
        Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap()
    }

    async fn opened(
        client: &Client,
        channels: &mut mpsc::UnboundedReceiver<Channel<Msg>>,
    ) -> (Channel<client::Msg>, Channel<Msg>) {
        let ours = client.channel_open_direct_tcpip("web-1", 22, "127.0.0.1", 65535).await.unwrap();
        (ours, channels.recv().await.unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_nobody_reads_yet_holds_up_nobody_and_arrives_whole() {
        const SENT: usize = 5 << 20;
        let (client, mut channels) = connected().await;
        let (stalled, server_side) = opened(&client, &mut channels).await;
        let cut = CancellationToken::new();
        let (mut tunnel, _end) = Tunnel::open(server_side, limits(1 << 16, 1 << 30), cut.clone(), place().await);
        let sent: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(SENT).collect();
        // More than every window and queue on the way, and nobody reads.
        let (_, stalled): (_, Half<client::Msg>) = stalled.split();
        stalled.data_bytes(sent.clone()).await.unwrap();
        // A neighbour passes all the same, in both directions.
        let (neighbour, server_side) = opened(&client, &mut channels).await;
        let (mut other, _other_end) = Tunnel::open(server_side, limits(1 << 16, 1 << 30), cut.clone(), place().await);
        neighbour.data_bytes(&b"ping"[..]).await.unwrap();
        let mut got = [0; 4];
        other.read_exact(&mut got).await.unwrap();
        other.write_all(b"pong").await.unwrap();
        let (mut read, _write) = neighbour.split();
        assert!(matches!(read.wait().await, Some(ChannelMsg::Data { data }) if data == "pong"));
        let mut arrived = vec![0; SENT];
        tunnel.read_exact(&mut arrived).await.unwrap();
        assert!(arrived == sent && !cut.is_cancelled());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn more_than_may_wait_cuts_the_connection_inside_and_says_why() {
        let (client, mut channels) = connected().await;
        let (ours, server_side) = opened(&client, &mut channels).await;
        let cut = CancellationToken::new();
        let (mut tunnel, end) = Tunnel::open(server_side, limits(1 << 16, 1 << 17), cut.clone(), place().await);
        ours.data_bytes(vec![7; 1 << 19]).await.unwrap();
        cut.cancelled().await;
        let mut rest = Vec::new();
        tunnel.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() <= 1 << 17);
        drop(ours);
        assert_eq!(end.close().await.as_deref(), Some("more input is waiting than is allowed"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_channel_that_closes_cuts_the_connection_inside() {
        let (client, mut channels) = connected().await;
        let (ours, server_side) = opened(&client, &mut channels).await;
        let cut = CancellationToken::new();
        let (mut tunnel, end) = Tunnel::open(server_side, limits(1 << 16, 1 << 17), cut.clone(), place().await);
        ours.data_bytes(&b"last"[..]).await.unwrap();
        ours.close().await.unwrap();
        cut.cancelled().await;
        let mut rest = Vec::new();
        tunnel.read_to_end(&mut rest).await.unwrap();
        assert_eq!((rest.as_slice(), end.close().await), (&b"last"[..], None));
    }
}
