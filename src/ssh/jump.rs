//! The jump door: `direct-tcpip` to a target's name and port 22 is answered by an SSH server of ours inside the connection, in
//! that target's name.
//!
//! It answers for targets that the user may use or ask for, and refuses every other name with one text, so that nobody learns
//! which names exist. The bytes pass through [`super::tunnel`].

use std::fmt;
use std::sync::Arc;

use russh::keys::HashAlg;
use russh::server::{ChannelOpenHandle, Msg};
use russh::{Channel, ChannelOpenFailure};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::audit::event::{AuditEvent, What};
use crate::domain::{TargetName, limits, text};
use crate::identity::certificate::CertificateError;
use crate::service::{Session, requestable};

use super::connection::{Attempts, Connection};
use super::door::target_named;
use super::listener::conduct;
use super::refusals::Refusals;
use super::tunnel::Tunnel;
use super::{FrontDoor, ServerConfig};

/// The only port of a target that is answered.
const SSH: u32 = 22;
/// Longest host name that is looked at (RFC 1035); a longer one is kept in part, for the log.
const LONGEST: usize = 255;
/// What OpenSSH says of `-J` and `-W`, whose other end is the standard input of the client that authenticated outside.
const STDIO: (&str, u32) = ("127.0.0.1", 65535);

/// What a `direct-tcpip` channel asks for (RFC 4254, section 7.2): where to, and for whom.
pub(super) struct DirectTcpip {
    host: String,
    port: u32,
    originator: (String, u32),
}

impl DirectTcpip {
    pub(super) fn new((host, port): (&str, u32), (address, from): (&str, u32)) -> Self {
        let bounded = |text: &str| text.chars().take(LONGEST + 1).collect();
        Self { host: bounded(host), port, originator: (bounded(address), from) }
    }

    /// Whether it is for the very client that asks, by what that client says.
    fn is_for_the_client_itself(&self) -> bool {
        (self.originator.0.as_str(), self.originator.1) == STDIO
    }
}

impl fmt::Display for DirectTcpip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "direct-tcpip to {}:{}", text::excerpt(&self.host, 80), self.port)
    }
}

/// What a connection inside another one has of the one around it.
pub(super) struct OuterConnection {
    pub(super) front: Arc<FrontDoor>,
    /// Who proved what.
    pub(super) session: Arc<Session>,
    pub(super) certificate_refused: Option<CertificateError>,
    /// Its room for conversations.
    pub(super) room: Arc<Semaphore>,
    /// Its count.
    pub(super) refusals: Arc<Refusals>,
}

/// A connection to a target's name inside another connection.
pub(super) struct Jump {
    pub(super) outer: OuterConnection,
    pub(super) target: TargetName,
    asked: DirectTcpip,
    /// How it was proved, once it was.
    by: &'static str,
    proven: CancellationToken,
}

impl Jump {
    /// The session of a client that proves nothing here, if its bytes come from the very client that proved it outside. That is
    /// for that client to say: somebody on the same machine can make a forwarded port say it too, so it can be turned off.
    pub(super) fn without_proof(&mut self, login: &str) -> Option<Session> {
        let insist = self.outer.front.services.snapshot.load().settings.require_key_inside;
        (!insist && self.asked.is_for_the_client_itself()).then(|| self.session(login, "none"))
    }

    /// The session of a client that has proved itself `by` that.
    pub(super) fn session(&mut self, login: &str, by: &'static str) -> Session {
        self.by = by;
        Session { login: login.to_owned(), ..Session::clone(&self.outer.session) }
    }

    /// The client has proved itself, or need not: the grace timer stops, the log is told.
    pub(super) fn authenticated(&mut self, session: &Session, client: &[u8]) {
        self.proven.cancel();
        let event = self.event(What::Forward {
            originator: self.originator(),
            login: text::excerpt(&session.login, limits::EXCERPT),
            proof: self.by.to_owned(),
            client: text::excerpt_bytes(client, limits::EXCERPT),
        });
        self.outer.front.services.audit.append_later(event);
    }

    /// The log is told of a client that did not.
    pub(super) fn log_failure(&self, attempts: &Attempts) {
        let reason = attempts.reason.as_deref().unwrap_or("nothing was proved");
        let event = || {
            self.event(What::AuthenticationFailed {
                peer: self.outer.session.peer,
                // The entry of the connection around it, of the same session, has that.
                via: None,
                login: text::excerpt(&attempts.login, limits::EXCERPT),
                key: attempts.key.as_ref().map(|key| key.fingerprint(HashAlg::Sha256).to_string()),
                reason: format!("{} from {}: {reason}", self.asked, self.originator()),
            })
        };
        self.outer.refusals.log(&*self.outer.front.services.audit, event);
    }

    /// An event of this connection.
    pub(super) fn event(&self, what: What) -> AuditEvent {
        AuditEvent { target: Some(self.target.clone()), ..self.outer.session.event(what) }
    }

    fn originator(&self) -> String {
        let (address, port) = &self.asked.originator;
        format!("{}:{port}", text::excerpt(address, 80))
    }
}

/// Answers `asked` and serves the connection inside `channel` until it ends. `place` is the channel's.
pub(super) async fn answer(
    outer: OuterConnection,
    asked: DirectTcpip,
    place: OwnedSemaphorePermit,
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
) {
    let (front, session) = (Arc::clone(&outer.front), Arc::clone(&outer.session));
    let Some((target, config)) = outer.looked_up(&asked).await else {
        let event = |what| session.event(what);
        outer.refusals.refused(&*front.services.audit, &asked.to_string(), event);
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        return;
    };
    reply.accept().await;
    let (cut, proven) = (front.cut.child_token(), CancellationToken::new());
    let (stream, end) = Tunnel::open(channel, front.spool_of(&session.user.name), cut.clone(), place);
    let jump = Jump { outer, target: target.clone(), asked, by: "none", proven: proven.clone() };
    if let Err(error) = conduct(&front, config, stream, Connection::inside(jump), proven, cut).await {
        debug!(session = %session.id, %target, %error, "a connection to a target's name ended");
    }
    if let Some(why) = end.close().await {
        let message = format!("a connection to {target} was cut: {why}");
        error!(session = %session.id, user = %session.user.name, "{message}");
        let event = AuditEvent { target: Some(target), ..session.event(What::Error { message }) };
        front.services.audit.append_later(event);
    }
}

impl OuterConnection {
    /// The target of that name and what answers in its name. Every name costs the same look-ups but one that is answered.
    async fn looked_up(&self, asked: &DirectTcpip) -> Option<(TargetName, Arc<ServerConfig>)> {
        let services = &self.front.services;
        let visible = match requestable::targets_for(services, &self.session.user.name).await {
            Ok(visible) => visible,
            Err(error) => {
                error!(%error, "the targets of a user cannot be looked up");
                return None;
            }
        };
        let snapshot = services.snapshot.load_full();
        // The key and the address count as much as the name: one that was taken away opens nothing over a connection that is
        // still open.
        let owner = snapshot.directory.owner_of(&self.session.user.fingerprint);
        let theirs = owner.filter(|owner| owner.name == self.session.user.name);
        if !theirs.is_some_and(|owner| owner.may_come_from(self.session.peer.ip())) {
            return None;
        }
        let suffix = &snapshot.settings.suffix;
        let target = target_named(&asked.host, suffix).filter(|_| asked.port == SSH && asked.host.len() <= LONGEST)?;
        if !visible.iter().any(|visible| visible.name == target) || snapshot.inventory.target(&target).is_none() {
            return None;
        }
        match self.front.hosts.answering_for(&target, suffix, services.clock.now()).await {
            Ok(config) => Some((target, config)),
            Err(error) => {
                error!(%target, %error, "no host certificate for a target could be made");
                None
            }
        }
    }
}
