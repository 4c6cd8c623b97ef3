//! A connection that can be cut. russh detaches a session when its handle is dropped and waits for the peer when it is told
//! to disconnect; taking power away must not wait for the peer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// How long a peer may keep its side open after ours was closed. A client that says it disconnects and does not would keep its
/// place, and whatever it runs, for as long as it likes.
const LINGER: Duration = Duration::from_secs(5);

/// A stream whose reads and writes fail once its token is cancelled or the peer has left what we write unread for too long,
/// and that ends soon after our side was closed.
pub(super) struct Severable<S> {
    stream: S,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Runs once our side is closed.
    linger: Option<Pin<Box<Sleep>>>,
    /// How long a write may wait, and what measures it while one does. russh sends no keepalive while it writes, so nothing
    /// else notices.
    unread: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Severable<S> {
    /// `stream`, until `cut` is cancelled or a write has waited for `unread`.
    pub(super) fn new(stream: S, cut: CancellationToken, unread: Duration) -> Self {
        Self { stream, cut: Box::pin(cut.cancelled_owned()), linger: None, unread, stalled: None }
    }

    /// Ready with the error once cut; also registers the task to be woken then.
    fn poll_cut(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        self.cut.as_mut().poll(context).map(|()| io::Error::from(io::ErrorKind::ConnectionAborted))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Severable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_cut(cx) {
            return Poll::Ready(Err(error));
        }
        if self.linger.as_mut().is_some_and(|linger| linger.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Ok(())); // the end of the stream
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Severable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if let Poll::Ready(error) = self.poll_cut(cx) {
            return Poll::Ready(Err(error));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let unread = self.unread;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(unread)));
        stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Poll::Ready(error) = self.poll_cut(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_read_that_waits_for_ever_ends_when_the_connection_is_cut() {
        let (near, _far) = tokio::io::duplex(8);
        let cut = CancellationToken::new();
        let mut stream = Severable::new(near, cut.clone(), LINGER);
        let waiting = tokio::spawn(async move { stream.read_u8().await });
        cut.cancel();
        assert_eq!(waiting.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_keeps_its_side_open_after_ours_is_closed_does_not_keep_us() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut stream = Severable::new(near, CancellationToken::new(), LINGER);
        far.write_all(b"x").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(LINGER * 2, stream.read_to_end(&mut rest)).await;
        assert_eq!((read.map(Result::ok), rest.as_slice()), (Ok(Some(1)), &b"x"[..]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_reads_nothing_is_given_up_and_one_that_reads_slowly_is_not() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut stream = Severable::new(near, CancellationToken::new(), LINGER);
        let reading = tokio::spawn(async move {
            for _ in 0..8 {
                tokio::time::sleep(LINGER / 2).await;
                far.read_u8().await.unwrap();
            }
            far
        });
        stream.write_all(&[0; 16]).await.unwrap();
        let _far = reading.await.unwrap();
        let stalled = stream.write_all(&[0; 16]).await;
        assert_eq!(stalled.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}
