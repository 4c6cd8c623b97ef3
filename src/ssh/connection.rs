//! One connection of a client: how far it has come, what it tried, and what the log is told of it.
//!
//! [`super::handler`] answers the client; here is what is remembered between two answers, and the one place that makes a
//! [`VerifiedUser`] out of a key that signed.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Instant;

use russh::keys::{HashAlg, PublicKey};
use russh::server::{Auth, Session as Wire};
use russh::{ChannelId, MethodKind, MethodSet};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tracing::info;

use crate::audit::event::{AuditEvent, What};
use crate::domain::{SessionId, TargetName, UserName, limits, text};
use crate::identity::certificate::CertificateError;
use crate::identity::{Proof, VerifiedUser};
use crate::service::{Session, prepare};

use super::FrontDoor;
use super::crowd::Member;
use super::door;
use super::jump::Jump;
use super::listener::Admission;
use super::refusals::Refusals;

/// Why an unknown key is refused, for the log.
const NOT_ENROLLED: &str = "the key is not enrolled";

/// Why a key that is enrolled is refused inside a connection.
const OTHER_KEY: &str = "not the key of the connection that it came through";

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
        let most = admission.front.limits.channels;
        Self {
            front: Arc::clone(&admission.front),
            session: admission.session.clone(),
            peer: admission.peer,
            room: Arc::new(Semaphore::new(most)),
            jumps: Arc::new(Semaphore::new(most)),
            refusals: Arc::default(),
            entrance: Entrance::Port(admission),
            phase: Phase::Unproven(Attempts::default()),
            certificate_refused: None,
            channels: HashMap::new(),
            opened: 0,
            probes: 0,
            member: None,
            preparing: None,
            began: Instant::now(),
        }
    }

    /// A connection inside another one. They share their room for conversations and for entries about refusals. Who it is has
    /// been proved outside, so the connection to the target is begun before the first byte is exchanged here.
    pub(super) fn inside(jump: Jump) -> Self {
        let outer = Arc::clone(&jump.outer);
        let mut connection = Self {
            front: Arc::clone(&jump.front),
            session: jump.outer.id.clone(),
            peer: jump.outer.peer,
            room: Arc::clone(&jump.room),
            jumps: Arc::new(Semaphore::new(0)),
            refusals: Arc::clone(&jump.refusals),
            certificate_refused: jump.certificate_refused.clone(),
            entrance: Entrance::Jump(jump),
            phase: Phase::Unproven(Attempts::default()),
            channels: HashMap::new(),
            opened: 0,
            probes: 0,
            member: None,
            preparing: None,
            began: Instant::now(),
        };
        connection.prepare(&outer);
        connection
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

    /// The key's owner, if they may come from this address.
    pub(super) fn owner(&self, key: &PublicKey) -> Result<UserName, &'static str> {
        let snapshot = self.front.services.snapshot.load();
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        if let Entrance::Jump(jump) = &self.entrance
            && jump.outer.user.fingerprint != fingerprint
        {
            return Err(OTHER_KEY);
        }
        let user = snapshot.directory.owner_of(&fingerprint).ok_or(NOT_ENROLLED)?;
        if user.may_come_from(self.peer()) {
            Ok(user.name.clone())
        } else {
            Err("the user may not come from this address")
        }
    }

    pub(super) fn refuse(&mut self, login: &str, key: &PublicKey, reason: impl Into<String>) -> Auth {
        if let Phase::Unproven(attempts) = &mut self.phase {
            *attempts = Attempts { login: login.to_owned(), key: Some(key.clone()), reason: Some(reason.into()) };
        }
        only_public_keys()
    }

    pub(super) fn accept(&mut self, login: &str, key: PublicKey, name: UserName, proof: Proof) -> Auth {
        if let Entrance::Jump(jump) = &mut self.entrance {
            let by = match proof {
                Proof::Key => "key",
                Proof::Certificate(_) => "certificate",
            };
            self.phase = Phase::Proven(Arc::new(jump.session(login, by)));
            return Auth::Accept;
        }
        let front = &self.front;
        let Some(member) = front.users.0.enter(name.clone(), front.limits.sessions_per_user) else {
            return self.refuse(login, &key, "the user has too many connections");
        };
        if let Entrance::Port(admission) = &mut self.entrance
            && !admission.take_place()
        {
            return self.refuse(login, &key, "there are as many sessions as max_sessions allows");
        }
        self.member = Some(member);
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let session = Session {
            id: self.session.clone(),
            user: VerifiedUser { name, key, fingerprint, proof },
            peer: self.peer,
            login: login.to_owned(),
        };
        self.phase = Phase::Proven(Arc::new(session));
        Auth::Accept
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

    /// The connection goes on to prove who it is, under this login name. Every callback before the proof begins with this.
    ///
    /// # Errors
    /// [`russh::Error::Disconnect`] when the name is too long: russh keeps it.
    pub(super) fn go_on(&mut self, login: &str) -> Result<(), russh::Error> {
        if let Entrance::Port(admission) = &mut self.entrance {
            admission.advanced();
        }
        let most = self.front.limits.login;
        if login.len() <= most {
            return Ok(());
        }
        let reason = format!("a login name of {} bytes, and at most {most} are read", login.len());
        Err(self.give_up(login, reason))
    }

    /// As [`Self::go_on`], for the question whether a key is worth signing with.
    ///
    /// # Errors
    /// [`russh::Error::Disconnect`] also when that was asked too often.
    pub(super) fn probe(&mut self, login: &str) -> Result<(), russh::Error> {
        let most = self.front.limits.probes;
        if self.probes >= most {
            return Err(self.give_up(login, format!("more than {most} keys were offered")));
        }
        self.probes += 1;
        self.go_on(login)
    }

    /// Notes why the connection ends unproven.
    fn give_up(&mut self, login: &str, reason: String) -> russh::Error {
        if let Phase::Unproven(attempts) = &mut self.phase {
            let login = text::excerpt(login, limits::EXCERPT);
            *attempts = Attempts { login, key: attempts.key.take(), reason: Some(reason) };
        }
        russh::Error::Disconnect
    }

    fn event(&self, what: What) -> AuditEvent {
        match (&self.entrance, &self.phase) {
            (Entrance::Jump(jump), _) => jump.event(what),
            (Entrance::Port(_), Phase::Proven(session)) => session.event(what),
            (Entrance::Port(_), Phase::Unproven(_)) => {
                AuditEvent { session: Some(self.session.clone()), ..AuditEvent::of(what) }
            }
        }
    }

    /// Logs that something was asked for which we do not serve.
    pub(super) fn refused(&self, what: &str) {
        self.refusals.refused(&*self.front.services.audit, what, |what| self.event(what));
    }

    pub(super) fn log_connection(&self, session: &Session, client: &[u8]) {
        let certificate = match &session.user.proof {
            Proof::Key => None,
            Proof::Certificate(certificate) => Some(certificate.id.clone()),
        };
        let event = session.event(What::Connection {
            peer: session.peer,
            login: text::excerpt(&session.login, limits::EXCERPT),
            key: session.user.fingerprint.to_string(),
            certificate,
            client: text::excerpt_bytes(client, limits::EXCERPT),
        });
        self.front.services.audit.append_later(event);
        if let Some(reason) = &self.certificate_refused {
            let what = format!("the presented certificate: {reason}");
            self.front.services.audit.append_later(session.event(What::Refused { what }));
        }
    }
}

/// Logs that the connection of `admission` ended without proving who it is.
pub(super) fn log_failure(admission: &Admission, login: &str, key: Option<&PublicKey>, reason: &str) {
    let Some(left_out) = admission.front.failures.count(Instant::now()) else { return };
    // Only what enrolling would cure: an enrolled key with a bad certificate or from a wrong address needs something else.
    if let Some(line) = key.filter(|_| reason == NOT_ENROLLED).and_then(|key| key.to_openssh().ok()) {
        info!(peer = %admission.peer, %reason, "refused key; if it should be enrolled: doorward user key add DIR NAME --key '{line}'");
    }
    let more = match left_out {
        0 => String::new(),
        count => format!("; {count} more before this one were not written one by one"),
    };
    let what = What::AuthenticationFailed {
        peer: admission.peer,
        login: text::excerpt(login, limits::EXCERPT),
        key: key.map(|key| key.fingerprint(HashAlg::Sha256).to_string()),
        reason: format!("{reason}{more}"),
    };
    let event = AuditEvent { session: Some(admission.session.clone()), ..AuditEvent::of(what) };
    admission.front.services.audit.append_later(event);
}

/// A refusal that leaves the client public keys to go on with.
pub(super) fn only_public_keys() -> Auth {
    let methods = MethodSet::from(&[MethodKind::PublicKey][..]);
    Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
}

impl Drop for Connection {
    fn drop(&mut self) {
        match (&self.entrance, &self.phase) {
            (Entrance::Jump(jump), Phase::Unproven(attempts)) => jump.log_failure(attempts),
            // Its end is the end of a channel: the connection around it goes on.
            (Entrance::Jump(_), Phase::Proven(_)) => {}
            (Entrance::Port(admission), Phase::Unproven(attempts)) => {
                let reason = attempts.reason.as_deref().unwrap_or("nothing was proved");
                log_failure(admission, &attempts.login, attempts.key.as_ref(), reason);
            }
            (Entrance::Port(_), Phase::Proven(session)) => {
                self.front.services.audit.append_later(session.event(self.refusals.disconnected()));
                info!(session = %session.id, user = %session.user.name, seconds = self.began.elapsed().as_secs(), "disconnected");
            }
        }
    }
}

impl Connection {
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
