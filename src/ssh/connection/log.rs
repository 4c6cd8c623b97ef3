//! What the log is told of a connection: that it was made, what it was refused, how it ended. Decides nothing.

use std::time::Instant;

use russh::keys::{HashAlg, PublicKey};
use tracing::info;

use crate::audit::event::{AuditEvent, What};
use crate::domain::{limits, text};
use crate::identity::Proof;
use crate::service::Session;

use super::proving::NOT_ENROLLED;
use super::{Connection, Entrance, Phase};
use crate::ssh::listener::Admission;

impl Connection {
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
    pub(in crate::ssh) fn refused(&self, what: &str) {
        self.refusals.refused(&*self.front.services.audit, what, |what| self.event(what));
    }

    pub(in crate::ssh) fn log_connection(&self, session: &Session, client: &[u8]) {
        let certificate = match &session.user.proof {
            Proof::Key => None,
            Proof::Certificate(certificate) => Some(certificate.id.clone()),
        };
        let event = session.event(What::Connection {
            peer: session.peer,
            via: match &self.entrance {
                Entrance::Port(admission) => admission.via,
                Entrance::Jump(_) => None,
            },
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
pub(in crate::ssh) fn log_failure(admission: &Admission, login: &str, key: Option<&PublicKey>, reason: &str) {
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
        via: admission.via,
        login: text::excerpt(login, limits::EXCERPT),
        key: key.map(|key| key.fingerprint(HashAlg::Sha256).to_string()),
        reason: format!("{reason}{more}"),
    };
    let event = AuditEvent { session: Some(admission.session.clone()), ..AuditEvent::of(what) };
    admission.front.services.audit.append_later(event);
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
