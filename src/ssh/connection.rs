//! One connection of a client: what is remembered of it between two answers of [`super::handler`].
//!
//! How it comes to be somebody's is in [`proving`], what the log is told of it in [`log`]. Refuses to know what a channel's line means.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Instant;

use russh::ChannelId;
use russh::keys::PublicKey;
use russh::server::Session as Wire;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::domain::{SessionId, TargetName, UserName};
use crate::identity::certificate::CertificateError;
use crate::service::{Session, prepare};

use super::FrontDoor;
use super::crowd::Member;
use super::door;
use super::jump::Jump;
use super::listener::Admission;
use super::refusals::Refusals;

mod log;
mod proving;

pub(super) use log::log_failure;
pub(super) use proving::only_public_keys;

/// What a connection came in by.
pub(super) enum Entrance {
    /// The port.
    Port(Admission),
    /// Another connection, which asked for a target.
    Jump(Jump),
}

/// How far a connection has come.
pub(super) enum Phase {
    /// Nobody yet. What was tried is kept for the log.
    Unproven(Attempts),
    /// This user's key signed.
    Proven(Arc<Session>),
}

/// What an unproven connection tried.
#[derive(Default)]
pub(super) struct Attempts {
    pub(super) login: String,
    pub(super) key: Option<PublicKey>,
    pub(super) reason: Option<String>,
}

/// What a session channel has asked for so far.
pub(super) struct Asked {
    pub(super) started: bool,
    /// Its conversation's place, for as long as that lasts.
    place: Weak<OwnedSemaphorePermit>,
}

impl Asked {
    /// Nothing yet, on the channel that took `place`.
    pub(super) fn by(place: &Arc<OwnedSemaphorePermit>) -> Self {
        Self { started: false, place: Arc::downgrade(place) }
    }

    /// Whether the channel is still used from our side.
    pub(super) fn lives(&self) -> bool {
        self.place.strong_count() > 0
    }
}

/// One connection.
pub(super) struct Connection {
    pub(super) front: Arc<FrontDoor>,
    pub(super) entrance: Entrance,
    session: SessionId,
    peer: SocketAddr,
    pub(super) phase: Phase,
    /// Why a presented certificate did not count, for the user to read when they run something.
    pub(super) certificate_refused: Option<CertificateError>,
    pub(super) channels: HashMap<ChannelId, Asked>,
    /// How many there were so far.
    opened: usize,
    /// Room for conversations. One may outlive its channel: a client that closes at once has not undone what it asked for.
    pub(super) room: Arc<Semaphore>,
    /// Room for connections inside this one.
    pub(super) jumps: Arc<Semaphore>,
    pub(super) refusals: Arc<Refusals>,
    /// How often it asked whether a key is worth signing with.
    probes: usize,
    /// Its place among the user's connections.
    member: Option<Member<UserName>>,
    /// Has a connection to the target ready that no channel of this one was opened for yet.
    preparing: Option<JoinHandle<()>>,
    began: Instant,
}

impl Connection {
    pub(super) fn new(admission: Admission) -> Self {
        let (front, most) = (Arc::clone(&admission.front), admission.front.limits.channels);
        let (session, peer) = (admission.session.clone(), admission.peer);
        let rooms = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(most)));
        Self::unproven(front, session, peer, Entrance::Port(admission), rooms, Arc::default())
    }

    /// A connection inside another one. They share their room for conversations and for entries about refusals. Who it is has
    /// been proved outside, so the connection to the target is begun before the first byte is exchanged here.
    pub(super) fn inside(jump: Jump) -> Self {
        let outer = &jump.outer;
        let session = Arc::clone(&outer.session);
        let front = Arc::clone(&outer.front);
        let rooms = (Arc::clone(&outer.room), Arc::new(Semaphore::new(0)));
        let (refusals, certificate_refused) = (Arc::clone(&outer.refusals), outer.certificate_refused.clone());
        let (id, peer) = (session.id.clone(), session.peer);
        let mut connection = Self::unproven(front, id, peer, Entrance::Jump(jump), rooms, refusals);
        connection.certificate_refused = certificate_refused;
        connection.prepare(&session);
        connection
    }

    /// Nobody yet, with `rooms` for conversations and for connections inside.
    fn unproven(
        front: Arc<FrontDoor>,
        session: SessionId,
        peer: SocketAddr,
        entrance: Entrance,
        rooms: (Arc<Semaphore>, Arc<Semaphore>),
        refusals: Arc<Refusals>,
    ) -> Self {
        let (room, jumps) = rooms;
        Self {
            front,
            entrance,
            session,
            peer,
            phase: Phase::Unproven(Attempts::default()),
            certificate_refused: None,
            channels: HashMap::new(),
            opened: 0,
            room,
            jumps,
            refusals,
            probes: 0,
            member: None,
            preparing: None,
            began: Instant::now(),
        }
    }

    /// Where the client comes from.
    pub(super) fn peer(&self) -> IpAddr {
        self.peer.ip()
    }

    /// The target in whose name this connection is answered; none at the port.
    pub(super) fn target(&self) -> Option<&TargetName> {
        match &self.entrance {
            Entrance::Port(_) => None,
            Entrance::Jump(jump) => Some(&jump.target),
        }
    }

    /// A place in `room` for one more channel; `None`, with an entry, when the connection has, or had, as many as it may.
    pub(super) fn place(&mut self, room: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let (most, in_all) = (self.front.limits.channels, self.front.limits.channels_in_all);
        if self.opened >= in_all {
            self.refused(&format!("more than {in_all} channels one after the other"));
            return None;
        }
        let jumping = match &self.entrance {
            Entrance::Port(_) => most.saturating_sub(self.jumps.available_permits()),
            Entrance::Jump(_) => 0,
        };
        let place = room.try_acquire_owned().ok().filter(|_| self.channels.len() + jumping < most);
        match place {
            Some(_) => self.opened += 1,
            None => self.refused(&format!("more than {most} channels at once")),
        }
        place
    }

    /// Somebody has proved who they are, or opens another channel: has a connection to the target of their login name made
    /// while they say what to run there. Who may have that is the use case's to know.
    pub(super) fn prepare(&mut self, session: &Arc<Session>) {
        let services = Arc::clone(&self.front.services);
        let suffix = services.snapshot.load().settings.suffix.clone();
        let meant = match &self.entrance {
            Entrance::Jump(jump) => Some(jump.target.clone()),
            Entrance::Port(_) => door::named(&session.login, &suffix).map(|(target, _)| target),
        };
        if let Some(target) = meant {
            let session = Arc::clone(session);
            self.preparing = Some(tokio::spawn(async move { prepare::prepare(&services, &session, &target).await }));
        }
    }

    /// A channel is opened: the first finds what was begun for it when its user logged in, each later one has its own begun.
    pub(super) fn prepare_for_channel(&mut self, session: &Arc<Session>) {
        if self.preparing.take().is_none_or(|begun| begun.is_finished()) {
            self.prepare(session);
            self.preparing = None;
        }
    }

    /// One program a channel (RFC 4254 6.5). The channel's own task sees the same request and runs the first one.
    pub(super) fn start(&mut self, channel: ChannelId, what: &str, wire: &mut Wire) -> Result<(), russh::Error> {
        match self.channels.get_mut(&channel) {
            Some(asked) if !asked.started => {
                asked.started = true;
                wire.channel_success(channel)
            }
            _ => {
                self.refused(&format!("second {what} on a channel"));
                wire.channel_failure(channel)
            }
        }
    }
}
