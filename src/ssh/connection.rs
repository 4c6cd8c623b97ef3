//! One connection of a client: how far it has come, what it tried, and what the log is told of it.
//!
//! [`super::handler`] answers the client; here is what is remembered between two answers, and the one place that makes a
//! [`VerifiedUser`] out of a key that signed.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

use russh::keys::{HashAlg, PublicKey};
use russh::server::{Auth, Session as Wire};
use russh::{ChannelId, MethodKind, MethodSet};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::info;

use crate::audit::event::{AuditEvent, What};
use crate::domain::{UserName, limits, text};
use crate::identity::certificate::CertificateError;
use crate::identity::{Proof, VerifiedUser};
use crate::service::Session;

use super::crowd::Member;
use super::listener::Admission;

/// Why an unknown key is refused, for the log.
const NOT_ENROLLED: &str = "the key is not enrolled";

/// Most refusals of one connection that get an entry each; the rest are counted.
const REFUSALS_LOGGED: u64 = 50;

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
    key: Option<PublicKey>,
    reason: Option<String>,
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
    pub(super) admission: Admission,
    pub(super) phase: Phase,
    /// Why a presented certificate did not count, for the user to read when they run something.
    pub(super) certificate_refused: Option<CertificateError>,
    pub(super) channels: HashMap<ChannelId, Asked>,
    /// Room for conversations. One may outlive its channel: a client that closes at once has not undone what it asked for.
    pub(super) room: Arc<Semaphore>,
    pub(super) dropped_env: u64,
    refusals: u64,
    /// Its place among the user's connections.
    member: Option<Member<UserName>>,
    began: Instant,
}

impl Connection {
    pub(super) fn new(admission: Admission) -> Self {
        let room = Arc::new(Semaphore::new(admission.front.limits.channels));
        Self {
            admission,
            room,
            phase: Phase::Unproven(Attempts::default()),
            certificate_refused: None,
            channels: HashMap::new(),
            dropped_env: 0,
            refusals: 0,
            member: None,
            began: Instant::now(),
        }
    }

    /// The key's owner, if they may come from this address.
    pub(super) fn owner(&self, key: &PublicKey) -> Result<UserName, &'static str> {
        let snapshot = self.admission.front.services.snapshot.load();
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let user = snapshot.directory.owner_of(&fingerprint).ok_or(NOT_ENROLLED)?;
        if user.may_come_from(self.admission.peer.ip()) {
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
        let front = &self.admission.front;
        let Some(member) = front.users.0.enter(name.clone(), front.limits.connections_per_user) else {
            return self.refuse(login, &key, "the user has too many connections");
        };
        self.member = Some(member);
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let session = Session {
            id: self.admission.session.clone(),
            user: VerifiedUser { name, key, fingerprint, proof },
            peer: self.admission.peer,
            login: login.to_owned(),
        };
        self.phase = Phase::Proven(Arc::new(session));
        Auth::Accept
    }

    fn event(&self, what: What) -> AuditEvent {
        match &self.phase {
            Phase::Proven(session) => session.event(what),
            Phase::Unproven(_) => AuditEvent { session: Some(self.admission.session.clone()), ..AuditEvent::of(what) },
        }
    }

    /// Logs that something was asked for which we do not serve.
    pub(super) fn refused(&mut self, what: &str) {
        self.refusals += 1;
        if self.refusals <= REFUSALS_LOGGED {
            let event = self.event(What::Refused { what: text::excerpt(what, limits::EXCERPT) });
            self.admission.front.services.audit.append_later(event);
        }
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
        self.admission.front.services.audit.append_later(event);
        if let Some(reason) = &self.certificate_refused {
            let what = format!("the presented certificate: {reason}");
            self.admission.front.services.audit.append_later(session.event(What::Refused { what }));
        }
    }

    fn log_failure(&self, attempts: &Attempts) {
        let Some(left_out) = self.admission.front.failures.count(Instant::now()) else { return };
        let mut reason = attempts.reason.clone().unwrap_or_else(|| "nothing was proved".to_owned());
        if left_out > 0 {
            reason.push_str(&format!("; {left_out} more before this one were not written one by one"));
        }
        let key = attempts.key.as_ref().map(|key| key.fingerprint(HashAlg::Sha256).to_string());
        // Only what enrolling would cure: an enrolled key with a bad certificate or from a wrong address needs something else.
        let unknown = attempts.key.as_ref().filter(|_| attempts.reason.as_deref() == Some(NOT_ENROLLED));
        if let Some(line) = unknown.and_then(|key| key.to_openssh().ok()) {
            info!(peer = %self.admission.peer, %reason, "refused key; if it should be enrolled: doorward user key add DIR NAME --key '{line}'");
        }
        let event = self.event(What::AuthenticationFailed {
            peer: self.admission.peer,
            login: text::excerpt(&attempts.login, limits::EXCERPT),
            key,
            reason,
        });
        self.admission.front.services.audit.append_later(event);
    }
}

/// A refusal that leaves the client public keys to go on with.
pub(super) fn only_public_keys() -> Auth {
    let methods = MethodSet::from(&[MethodKind::PublicKey][..]);
    Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
}

impl Drop for Connection {
    fn drop(&mut self) {
        match &self.phase {
            Phase::Unproven(attempts) => self.log_failure(attempts),
            Phase::Proven(session) => {
                let event = session.event(What::Disconnected {
                    dropped_env: self.dropped_env,
                    refusals_left_out: self.refusals.saturating_sub(REFUSALS_LOGGED),
                });
                self.admission.front.services.audit.append_later(event);
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
