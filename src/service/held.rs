//! What a session holds now: the certificate it stands on and the grants that live. Read live for every command.

use std::sync::Arc;

use russh::keys::Certificate;

use crate::domain::UserName;
use crate::grant::{ActiveGrant, State};
use crate::identity::certificate::{CertificateError, Presented};
use crate::identity::{Proof, SessionCertificate};
use crate::policy::Role;

use super::activate_grant::activate_approved;
use super::approved_roles::approved_role;
use super::certify::{CertifyError, certify, on_file};
use super::change_request::matching;
use super::ports::{CertificateRecord, RequestQuery, StoreError};
use super::{Services, Unavailable, session::Session};

/// The certificate under which a session may run commands.
#[derive(Clone, Debug)]
pub struct CurrentCertificate {
    /// What it says.
    pub certificate: SessionCertificate,
    /// Whether the client presented it (else it was on file for the key the client proved).
    pub presented: bool,
}

/// A grant with the role as approved, compiled.
#[derive(Clone, Debug)]
pub struct HeldGrant {
    /// The grant.
    pub grant: ActiveGrant,
    /// Its role as approved.
    pub role: Arc<Role>,
}

/// Why a session has no certificate to run commands under. `Display` is shown to the user: what to type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// Nothing is active.
    #[error("denied: you hold no role that is active now; `ssh {alias} roles` lists what you can ask for")]
    Nothing {
        /// What people type after `ssh`.
        alias: String,
    },
    /// A request waits.
    #[error("denied: your request {id} still waits for approval; `ssh {alias} status` says for whom")]
    Pending {
        /// The request.
        id: String,
        /// What people type after `ssh`.
        alias: String,
    },
    /// Grants are active, and there is no certificate for this key.
    #[error("denied: there is no certificate for this key of yours; `ssh {alias} cert` issues one for what you hold")]
    OtherKey {
        /// What people type after `ssh`.
        alias: String,
    },
    /// The configuration insists on a presented certificate.
    #[error(
        "denied: this bastion wants the certificate presented: `ssh {alias} cert > ~/.ssh/doorward-cert.pub`, with \
         `CertificateFile ~/.ssh/doorward-cert.pub` in your ssh configuration"
    )]
    NotPresented {
        /// What people type after `ssh`.
        alias: String,
    },
    /// The one on file does not pass.
    #[error("denied: {0}")]
    Refused(String),
    /// The user, or this key of theirs, is not enrolled any more.
    #[error("denied: you, or this key of yours, are not enrolled here any more; ask the operator")]
    NotEnrolled,
    /// Log, store or authority.
    #[error("not run: {0}")]
    Unavailable(String),
}

impl From<Unavailable> for NoCertificate {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<StoreError> for NoCertificate {
    fn from(error: StoreError) -> Self {
        Unavailable::from(error).into()
    }
}

/// The certificate of `session`: the presented one, else the one on file for its key. Both pass the same verification and are
/// then checked live: serial known and not superseded, key still enrolled for that user. Approved requests of the user are
/// activated first, and a new certificate put on file if that changed anything.
///
/// A presented certificate that a newer one superseded does not count, and the newer one, on file for the same proved key,
/// does. With `require_presented_certificate` only a presented one counts, and nothing is activated here: `cert` does both.
///
/// # Errors
/// [`NoCertificate`].
pub async fn current_certificate(services: &Services, session: &Session) -> Result<CurrentCertificate, NoCertificate> {
    let insists = services.snapshot.load().settings.require_presented_certificate;
    still_enrolled(services, session)?;
    let activated = if insists { 0 } else { activate_approved(services, &session.user.name).await? };
    if activated == 0
        && let Some(certificate) = presented(services, session).await?
    {
        return Ok(CurrentCertificate { certificate, presented: true });
    }
    if insists {
        return Err(why_none(services, session, true).await);
    }
    let record = if activated > 0 {
        certify(services, session).await.map_err(uncertified)?
    } else {
        match on_file(services, session).await? {
            Some(record) if services.clock.now() < record.valid_before => record,
            _ => return Err(why_none(services, session, false).await),
        }
    };
    let certificate = filed(services, session, &record)?;
    Ok(CurrentCertificate { certificate, presented: false })
}

/// The key this session proved must be that user's now, and they must still be allowed to come from there.
fn still_enrolled(services: &Services, session: &Session) -> Result<(), NoCertificate> {
    let snapshot = services.snapshot.load();
    let owner = snapshot.directory.owner_of(&session.user.fingerprint);
    let peer = session.peer.ip().to_canonical();
    let from_here = |user: &crate::identity::User| {
        user.networks.is_empty() || user.networks.iter().any(|network| network.contains(&peer))
    };
    match owner {
        Some(user) if user.name == session.user.name && from_here(user) => Ok(()),
        _ => Err(NoCertificate::NotEnrolled),
    }
}

/// The presented certificate, if it still counts. It was verified when it was presented; what can have changed since (its
/// time, its being superseded) is asked of the store's copy, which was signed at the same moment.
async fn presented(services: &Services, session: &Session) -> Result<Option<SessionCertificate>, NoCertificate> {
    let Proof::Certificate(certificate) = &session.user.proof else { return Ok(None) };
    let Some(record) = services.store.certificate(certificate.serial).await? else { return Ok(None) };
    if record.superseded || services.clock.now() >= record.valid_before {
        return Ok(None);
    }
    // The copy passes the same verification now, and must be the very certificate that was presented.
    Ok(verified(services, session, &record).ok().filter(|copy| copy == certificate))
}

/// The certificate on file, verified as a presented one is.
fn filed(
    services: &Services,
    session: &Session,
    record: &CertificateRecord,
) -> Result<SessionCertificate, NoCertificate> {
    let alias = services.snapshot.load().settings.alias.clone();
    let found = verified(services, session, record)
        .map_err(|error| NoCertificate::Refused(error.for_client(&alias)))?;
    if found.key == session.user.fingerprint && found.user == session.user.name && found.serial == record.serial {
        Ok(found)
    } else {
        Err(NoCertificate::OtherKey { alias })
    }
}

fn verified(
    services: &Services,
    session: &Session,
    record: &CertificateRecord,
) -> Result<SessionCertificate, CertificateError> {
    let certificate = Certificate::from_openssh(&record.text).map_err(|_| CertificateError::BadSignature)?;
    let snapshot = services.snapshot.load();
    let circumstances = Presented {
        bastion: &snapshot.settings.name,
        now: services.clock.now(),
        peer: session.peer.ip(),
        directory: &snapshot.directory,
    };
    services.authority.verify(&certificate, &circumstances)
}

/// What to tell somebody who has no certificate that counts.
async fn why_none(services: &Services, session: &Session, insists: bool) -> NoCertificate {
    let alias = services.snapshot.load().settings.alias.clone();
    let query = RequestQuery { user: Some(session.user.name.clone()), open: true, ..RequestQuery::default() };
    let requests = match matching(services, &query).await {
        Ok(requests) => requests,
        Err(error) => return error.into(),
    };
    let usable = |state: &State| matches!(state, State::Active { .. } | State::Approved { .. });
    if requests.iter().any(|request| usable(&request.state)) {
        return if insists { NoCertificate::NotPresented { alias } } else { NoCertificate::OtherKey { alias } };
    }
    match requests.first() {
        Some(request) => NoCertificate::Pending { id: request.id.to_string(), alias },
        None => NoCertificate::Nothing { alias },
    }
}

fn uncertified(error: CertifyError) -> NoCertificate {
    match error {
        CertifyError::NotEnrolled => NoCertificate::NotEnrolled,
        other => NoCertificate::Unavailable(other.to_string()),
    }
}

/// Every grant of `user` that lives now, with its role as approved. One whose role text cannot be read gives nothing.
///
/// # Errors
/// The store's.
pub async fn held_grants(services: &Services, user: &UserName) -> Result<Vec<HeldGrant>, StoreError> {
    let query = RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() };
    let now = services.clock.now();
    let mut held = Vec::new();
    for request in matching(services, &query).await? {
        let Some(grant) = request.active_grant(now) else { continue };
        match approved_role(services, &request) {
            Ok(role) => held.push(HeldGrant { grant, role }),
            Err(error) => tracing::error!(%error, "a grant gives nothing"),
        }
    }
    Ok(held)
}
