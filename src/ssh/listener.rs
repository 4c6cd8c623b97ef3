//! Accepts connections, bounds them, cuts them. Nothing here reads SSH.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::domain::SessionId;

use super::connection::Connection;
use super::crowd::{Crowd, Member, source_of};
use super::cutoff::Severable;
use super::{FrontDoor, ServerConfig};

/// What bounds connections. From `doorward.toml`.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long a connection may take to prove who it is.
    pub grace: Duration,
    /// How many connections may be at that at once.
    pub unproven: usize,
    /// How many of those may come from one address, so that one stranger cannot keep everybody out.
    pub unproven_per_source: usize,
    /// How many connections there may be in all.
    pub connections: usize,
    /// How many of those may be one user's, so that whoever could stop them still comes in.
    pub connections_per_user: usize,
    /// How many channels one connection may have open.
    pub channels: usize,
    /// How often a key may be refused before the connection ends.
    pub attempts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(60),
            unproven: 100,
            unproven_per_source: 40,
            connections: 1000,
            connections_per_user: 500,
            channels: 50,
            attempts: 20,
        }
    }
}

/// One accepted connection's place: where it comes from, what it may still become, and the permits it holds.
pub(super) struct Admission {
    pub(super) front: Arc<FrontDoor>,
    pub(super) session: SessionId,
    pub(super) peer: SocketAddr,
    unproven: Option<(OwnedSemaphorePermit, Member<IpAddr>)>,
    proven: CancellationToken,
    _place: OwnedSemaphorePermit,
}

impl Admission {
    /// The connection has proved who it is: the grace timer stops, its place among the unproven is free.
    pub(super) fn authenticated(&mut self) {
        self.unproven = None;
        self.proven.cancel();
    }
}

/// Accepts on `listener` until the front door stops.
pub(super) async fn accept(front: Arc<FrontDoor>, listener: TcpListener) {
    let unproven = Arc::new(Semaphore::new(front.limits.unproven));
    let places = Arc::new(Semaphore::new(front.limits.connections));
    let arrivals = Crowd::default();
    loop {
        let accepted = tokio::select! {
            () = front.services.stopping.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a connection that was gone already: wait a moment, never give up.
                warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let arrival = arrivals.enter(source_of(peer.ip()), front.limits.unproven_per_source);
        let permits = (arrival, Arc::clone(&unproven).try_acquire_owned(), Arc::clone(&places).try_acquire_owned());
        let (Some(arrival), Ok(permit), Ok(place)) = permits else {
            warn!(%peer, "too many connections; this one is closed");
            continue;
        };
        let admission = Admission {
            session: SessionId::from_bits(front.services.random.bits()),
            front: Arc::clone(&front),
            peer,
            unproven: Some((permit, arrival)),
            proven: CancellationToken::new(),
            _place: place,
        };
        front.connections.spawn(serve(admission, stream));
    }
}

/// One connection, until it ends or is cut.
async fn serve(admission: Admission, stream: TcpStream) {
    let (front, peer) = (Arc::clone(&admission.front), admission.peer);
    let (proven, cut) = (admission.proven.clone(), front.cut.child_token());
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "no TCP_NODELAY");
    }
    let config = Arc::clone(&front.config.load());
    if let Err(error) = conduct(&front, config, stream, Connection::new(admission), proven, cut).await {
        debug!(%peer, %error, "connection ended");
    }
}

/// Speaks SSH over `stream` until the connection ends or is `cut`. It is cut when it is not `proven` in time.
pub(super) async fn conduct(
    front: &FrontDoor,
    config: Arc<ServerConfig>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    proven: CancellationToken,
    cut: CancellationToken,
) -> Result<(), russh::Error> {
    let peer = connection.peer();
    let stream = Severable::new(stream, cut.clone());
    let running = async {
        let session = russh::server::run_stream(config, stream, connection).await?;
        session.await
    };
    let grace = async {
        tokio::select! {
            () = proven.cancelled() => {}
            () = tokio::time::sleep(front.limits.grace) => {
                debug!(%peer, "did not prove who they are in time");
                cut.cancel();
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = running => ended,
        () = grace => Ok(()),
    }
}
