//! Accepts connections, bounds them, cuts them. Nothing here reads SSH; [`proxied`] reads the header of a listed proxy.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::domain::SessionId;

use super::connection::Connection;
use super::crowd::source_of;
use super::cutoff::Severable;
use super::failures::Failures;
use super::lobby::{Lobby, Party, Ticket};
use super::{FrontDoor, ServerConfig};

mod proxied;

/// Sockets beyond those of the limits: connections that were cut and are about to close.
const CLOSING: usize = 32;
/// How long to wait when a connection cannot be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// What the accept loops of all listen addresses share: one room, not one each.
#[derive(Debug)]
pub struct Gate {
    lobby: Lobby,
    sockets: Arc<Semaphore>,
    sessions: Arc<Semaphore>,
    /// So that strangers do not fill the operator's own log either.
    told: Failures,
}

impl Gate {
    /// A gate with room for what `limits` allow.
    #[must_use]
    pub fn new(limits: &super::Limits) -> Self {
        let sockets = limits.unproven.saturating_add(limits.sessions).saturating_add(CLOSING);
        Self {
            lobby: Lobby::new(limits.unproven, limits.unproven_per_source),
            sockets: Arc::new(Semaphore::new(sockets.min(Semaphore::MAX_PERMITS))),
            sessions: Arc::new(Semaphore::new(limits.sessions)),
            told: Failures::new(60),
        }
    }

    /// Says that one had to go for another, a bounded number of times a minute.
    fn crowded(&self, peer: SocketAddr) {
        if let Some(left_out) = self.told.count(Instant::now()) {
            warn!(%peer, left_out, "too many connections that have not proved who they are; the one that waited longest is closed");
        }
    }
}

/// One accepted connection's place: where it comes from, what it may still become, and the places it holds.
pub(super) struct Admission {
    pub(super) front: Arc<FrontDoor>,
    pub(super) session: SessionId,
    pub(super) peer: SocketAddr,
    /// The proxy that said that the client is there.
    pub(super) via: Option<SocketAddr>,
    /// Its place among the unproven.
    ticket: Option<Ticket>,
    /// Its place among the sessions.
    place: Option<OwnedSemaphorePermit>,
    advanced: bool,
    proven: CancellationToken,
    _socket: OwnedSemaphorePermit,
}

impl Admission {
    /// It speaks SSH well enough to say who it would be: once, it counts as newly come.
    pub(super) fn advanced(&mut self) {
        if !std::mem::replace(&mut self.advanced, true)
            && let Some(ticket) = &mut self.ticket
        {
            ticket.advanced();
        }
    }

    /// Takes a place among the sessions; `false` when all are taken.
    pub(super) fn take_place(&mut self) -> bool {
        if self.place.is_none() {
            self.place = Arc::clone(&self.front.gate.sessions).try_acquire_owned().ok();
        }
        self.place.is_some()
    }

    /// The connection has proved who it is: the grace timer stops, its place among the unproven is free.
    pub(super) fn authenticated(&mut self) {
        self.ticket = None;
        self.proven.cancel();
    }
}

/// Accepts on `listener` until the front door stops.
pub(super) async fn accept(front: Arc<FrontDoor>, listener: TcpListener) {
    let mut failing = false;
    loop {
        // The place first: beyond it the kernel's queue holds them, and our descriptors are for what users do.
        let accepted = async {
            let socket = Arc::clone(&front.gate.sockets).acquire_owned().await;
            (socket, listener.accept().await)
        };
        let (socket, accepted) = tokio::select! {
            () = front.services.stopping.cancelled() => return,
            accepted = accepted => accepted,
        };
        match (socket, accepted) {
            (Ok(socket), Ok((stream, peer))) => {
                failing = false;
                // In the order in which they came: a newcomer must not be taken for an older one.
                let arrival = Arrival::of(&front, socket, peer);
                front.connections.spawn(admit(Arc::clone(&front), arrival, stream));
            }
            (_, Err(error)) => {
                // Out of file descriptors, or a connection that was gone already: wait a moment, never give up.
                if !std::mem::replace(&mut failing, true) {
                    warn!(%error, "cannot accept connections; trying on");
                }
                tokio::time::sleep(PAUSE).await;
            }
            (Err(_), _) => return, // the semaphore is never closed
        }
    }
}

/// A connection that was just accepted.
struct Arrival {
    peer: SocketAddr,
    /// Whether it comes from a listed proxy.
    proxied: bool,
    ticket: Ticket,
    cut: CancellationToken,
    socket: OwnedSemaphorePermit,
}

impl Arrival {
    /// Lets it into the lobby.
    fn of(front: &FrontDoor, socket: OwnedSemaphorePermit, peer: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let cut = front.cut.child_token();
        let proxied = front.proxies.iter().any(|network| network.contains(&peer.ip()));
        let party = if proxied { Party::Proxy(peer.ip()) } else { Party::Source(source_of(peer.ip())) };
        let (ticket, crowded) = front.gate.lobby.enter(party, cut.clone());
        if crowded {
            front.gate.crowded(peer);
        }
        Self { peer, proxied, ticket, cut, socket }
    }
}

/// One connection, until it ends or is cut.
async fn admit(front: Arc<FrontDoor>, arrival: Arrival, mut stream: TcpStream) {
    let Arrival { peer, proxied, ticket, cut, socket } = arrival;
    let proven = CancellationToken::new();
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%peer, %error, "no TCP_NODELAY");
    }
    let mut admission = Admission {
        session: SessionId::from_bits(front.services.random.bits()),
        front: Arc::clone(&front),
        peer,
        via: None,
        ticket: Some(ticket),
        place: None,
        advanced: false,
        proven: proven.clone(),
        _socket: socket,
    };
    let running = async {
        if proxied && !proxied::find_client(&mut admission, &mut stream, &cut).await {
            return;
        }
        let (config, unread, peer) = (Arc::clone(&front.config.load()), front.limits.unread, admission.peer);
        let stream = Severable::new(stream, cut.clone(), unread);
        if let Err(error) = speak(config, stream, Connection::new(admission)).await {
            debug!(%peer, %error, "connection ended");
        }
    };
    in_time(front.limits.grace, peer.ip(), &proven, &cut, running).await;
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
    let stream = Severable::new(stream, cut.clone(), front.limits.unread);
    in_time(front.limits.grace, peer, &proven, &cut, speak(config, stream, connection)).await
}

/// Until the connection ends.
async fn speak(
    config: Arc<ServerConfig>,
    stream: Severable<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
    connection: Connection,
) -> Result<(), russh::Error> {
    russh::server::run_stream(config, stream, connection).await?.await
}

/// What `running` comes to, with `cut` cancelled when it is not `proven` within `grace`.
async fn in_time<T>(
    grace: Duration,
    peer: IpAddr,
    proven: &CancellationToken,
    cut: &CancellationToken,
    running: impl Future<Output = T>,
) -> T {
    let late = async {
        tokio::select! {
            () = proven.cancelled() => {}
            () = tokio::time::sleep(grace) => {
                debug!(%peer, "did not prove who they are in time");
                cut.cancel();
            }
        }
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        ended = running => ended,
        never = late => match never {},
    }
}
