//! Issues session certificates: one for the key a session proved, over every grant its user holds now.

use std::collections::BTreeSet;

use crate::audit::event::What;
use crate::domain::{CertificateId, GrantId, Timestamp, Window};

use super::activate_grant::activate_approved;
use super::held::held_grants;
use super::ports::{AuthorityError, CertificateRecord, SessionCertificateRequest, StoreError};
use super::{Services, Unavailable, session::Session};

/// How often another identifier is drawn when one is taken.
const DRAWS: usize = 4;

/// Why no certificate was issued. `Display` is shown to the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// The user holds no grant.
    #[error("you hold nothing that is active, so there is no certificate")]
    NoGrant,
    /// The user, or this key of theirs, is not enrolled any more.
    #[error("you, or this key of yours, are not enrolled here any more; ask the operator")]
    NotEnrolled,
    /// The authority does not sign this.
    #[error("no certificate was issued: {0}")]
    Refused(#[from] AuthorityError),
    /// Log or store.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<StoreError> for CertifyError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// Activates what is approved for the session's user, and issues a certificate for the key this session proved that covers
/// every grant they hold now. It is logged, then filed (superseding the key's earlier ones), then returned. If the one on
/// file already covers exactly these grants with the same end, that one is returned.
///
/// # Errors
/// [`CertifyError`].
pub async fn certify(services: &Services, session: &Session) -> Result<CertificateRecord, CertifyError> {
    activate_approved(services, &session.user.name).await?;
    let held = held_grants(services, &session.user.name).await?;
    let ends = held.iter().map(|held| held.grant.ends()).max().ok_or(CertifyError::NoGrant)?;
    let grants: BTreeSet<GrantId> = held.iter().map(|held| held.grant.id().clone()).collect();
    match on_file(services, session).await? {
        Some(record) if covers(&record, &grants, ends) => Ok(record),
        _ => issue(services, session, grants, ends).await,
    }
}

/// The certificate on file for the key of this session, if it names this user.
pub(super) async fn on_file(services: &Services, session: &Session) -> Result<Option<CertificateRecord>, StoreError> {
    let record = services.store.certificate_of_key(&session.user.fingerprint.to_string()).await?;
    Ok(record.filter(|record| record.user == session.user.name))
}

/// Whether `record` lists exactly these grants and ends with them. Certificates count whole seconds.
fn covers(record: &CertificateRecord, grants: &BTreeSet<GrantId>, ends: Timestamp) -> bool {
    let listed: BTreeSet<GrantId> = record.grants.iter().cloned().collect();
    listed == *grants && record.valid_before.secs() == ends.secs()
}

async fn issue(
    services: &Services,
    session: &Session,
    grants: BTreeSet<GrantId>,
    ends: Timestamp,
) -> Result<CertificateRecord, CertifyError> {
    let networks = {
        let snapshot = services.snapshot.load();
        let user = snapshot.directory.owner_of(&session.user.fingerprint).ok_or(CertifyError::NotEnrolled)?;
        if user.name != session.user.name {
            return Err(CertifyError::NotEnrolled);
        }
        user.networks.clone()
    };
    let now = services.clock.now();
    for _ in 0..DRAWS {
        let serial = services.store.reserve_serials(1).await?;
        let request = SessionCertificateRequest {
            id: CertificateId::from_bits(services.random.bits()),
            serial,
            user: session.user.name.clone(),
            key: session.user.key.clone(),
            grants: grants.clone(),
            validity: Window { start: now, end: ends },
            networks: networks.clone(),
        };
        let id = request.id.clone();
        let certificate = services.authority.issue(request).await?;
        let text = certificate.to_openssh().map_err(|error| AuthorityError { reason: error.to_string() })?;
        let record = CertificateRecord {
            serial,
            id,
            user: session.user.name.clone(),
            key: session.user.fingerprint.to_string(),
            grants: grants.iter().cloned().collect(),
            issued: now,
            valid_before: Timestamp::from_secs(i64::try_from(certificate.valid_before()).unwrap_or(i64::MAX)),
            text,
            superseded: false,
        };
        log(services, session, &record).await?;
        match services.store.file_certificate(&record).await {
            Ok(()) => return Ok(record),
            // Logged and never handed out: harmless, and another is drawn.
            Err(StoreError::Taken) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Taken.into())
}

/// Before it is filed or handed out: no certificate that the log does not know.
async fn log(services: &Services, session: &Session, record: &CertificateRecord) -> Result<(), CertifyError> {
    let what = What::CertificateIssued {
        certificate: record.id.clone(),
        serial: record.serial,
        key: record.key.clone(),
        grants: record.grants.clone(),
        valid_before: record.valid_before,
    };
    let _written = services.audit.append(session.event(what)).await.map_err(Unavailable::from)?;
    Ok(())
}
