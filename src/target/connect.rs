//! The TCP connection to a target, and the means to cut it.
//!
//! Dropping russh's handles leaves its session task and the socket alive until the peer agrees to part. Taking a grant away
//! must not depend on the peer, so the socket is wrapped: when the [`Lifeline`] goes, the next poll of the socket fails, the
//! session task ends, and the kernel closes the connection whatever either side still wanted to say.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::inventory::SshReach;

/// So many bytes of a connection are acknowledged as they come: more than a login and the start of a command take.
///
/// `sshd` leaves Nagle's algorithm on. It says something of its own after a login, to which there is no answer, and then holds
/// back the next packet, its answer to the command, until the first is acknowledged; the kernel would wait 40 ms with that.
const AT_ONCE: usize = 64 * 1024;

/// Keeps a connection alive; dropping it cuts the connection at once.
#[derive(Debug)]
pub(super) struct Lifeline {
    _guard: DropGuard,
}

/// A socket that fails as soon as its [`Lifeline`] is gone.
pub(super) struct CuttableStream {
    socket: TcpStream,
    /// Bytes that are still acknowledged at once; see [`AT_ONCE`].
    at_once: usize,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl CuttableStream {
    fn new(socket: TcpStream) -> (Self, Lifeline) {
        let token = CancellationToken::new();
        let cut = Box::pin(token.clone().cancelled_owned());
        (Self { socket, at_once: AT_ONCE, cut }, Lifeline { _guard: token.drop_guard() })
    }

    /// Acknowledges what was read, if it is still early. The kernel forgets the wish by itself, so it is said after each read.
    fn acknowledge(&mut self, read: usize) {
        if self.at_once > 0 {
            self.at_once = self.at_once.saturating_sub(read.max(1));
            // Without it the answer comes later, and that is all.
            #[cfg(target_os = "linux")]
            let _ = self.socket.set_quickack(true);
        }
    }

    fn check(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(context) {
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "ended by doorward")),
            Poll::Pending => Ok(()),
        }
    }
}

/// An open connection to a target.
pub(super) struct Opened {
    /// The socket.
    pub(super) stream: CuttableStream,
    /// What keeps it open.
    pub(super) lifeline: Lifeline,
    /// The address the target sees, unless something between us changes it.
    pub(super) local: IpAddr,
}

/// Connects within `limit`, trying each address of the name in turn.
///
/// # Errors
/// The reason in words, for the user and the operator.
pub(super) async fn open(reach: &SshReach, limit: Duration) -> Result<Opened, String> {
    let connecting = TcpStream::connect((reach.host.as_str(), reach.port));
    let socket = tokio::time::timeout(limit, connecting)
        .await
        .map_err(|_| format!("no connection within {} s", limit.as_secs()))?
        .map_err(|error| error.to_string())?;
    // Without it every small write waits for the peer's delayed acknowledgement.
    socket.set_nodelay(true).map_err(|error| error.to_string())?;
    let local = socket.local_addr().map_err(|error| error.to_string())?.ip().to_canonical();
    let (stream, lifeline) = CuttableStream::new(socket);
    Ok(Opened { stream, lifeline, local })
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(context)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if read.is_ready() {
            self.acknowledge(buffer.filled().len().saturating_sub(before));
        }
        read
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.check(context)?;
        Pin::new(&mut self.socket).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(context)?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_read_that_waits_ends_when_the_lifeline_goes() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let socket = TcpStream::connect(("127.0.0.1", port)).await.expect("connect");
        let (mut peer, _) = listener.accept().await.expect("accept");
        let (mut stream, lifeline) = CuttableStream::new(socket);
        let reading = tokio::spawn(async move { stream.read_u8().await.map_err(|error| error.kind()) });
        tokio::task::yield_now().await;
        drop(lifeline);
        assert_eq!(reading.await.expect("task"), Err(io::ErrorKind::ConnectionAborted));
        assert_eq!(peer.read(&mut [0]).await.expect("closed, not hanging"), 0);
    }
}
