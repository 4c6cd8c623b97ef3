//! Issues session certificates: a serial, a signature, a log entry, a row, in this order, and only then the certificate.

use std::collections::BTreeSet;

use russh::keys::Certificate;

use crate::audit::event::What;
use crate::domain::{CertificateId, GrantId, Timestamp, Window};
use crate::grant::ActiveGrant;
use crate::identity::SessionCertificate;
use crate::identity::certificate::{CertificateError, Presented};

use super::activate_grant::activate_approved;
use super::held::{NoGrant, active_grants};
use super::ports::{AuditError, AuthorityError, CertificateRecord, SessionCertificateRequest, StoreError};
use super::written::{self, NotWritten};
use super::{Services, Snapshot, Unavailable, session::Session};

/// How often an identifier that exists already is drawn again.
const DRAWS: usize = 3;

/// Why no certificate was issued. `Display` is shown to the user.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertifyError {
    /// The user holds no grant.
    #[error(transparent)]
    NoGrant(Box<NoGrant>),
    /// The user or the key is not enrolled (any more).
    #[error("this key is not enrolled any more; ask the operator to enroll the one you use")]
    NotEnrolled,
    /// The certificate would not be believed, by the very check that it has to pass: the wrong network, most likely.
    #[error("{}", why.for_client(alias))]
    Unusable {
        /// The check that fails.
        why: CertificateError,
        /// What people type after `ssh`.
        alias: String,
    },
    /// The authority does not sign it. What it said is `source()`, for the operator.
    #[error("the bastion could not sign a certificate, so no command can run; tell its operator")]
    Authority(#[from] AuthorityError),
    /// Log or store.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl From<StoreError> for CertifyError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// A certificate that was verified just now, with the row it came from.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    pub(super) record: CertificateRecord,
    pub(super) certificate: SessionCertificate,
}

/// Activates what is approved for the session's user, and issues a certificate for the key this session proved that covers
/// every grant they hold now. It is logged, then filed (superseding the key's earlier ones), then returned. If the one on
/// file already covers exactly these grants with the same end, that one is returned.
///
/// # Errors
/// [`CertifyError`].
pub async fn certify(services: &Services, session: &Session) -> Result<CertificateRecord, CertifyError> {
    activate_approved(services, &session.user.name, session.peer.ip()).await?;
    let snapshot = services.snapshot.load_full();
    let held = active_grants(services, &session.user.name).await?;
    let end = end_of(&held);
    let exactly = |filed: &Verified| {
        filed.certificate.grants == identifiers(&held)
            && end.is_some_and(|end| filed.record.valid_before.secs() == end.secs())
    };
    Ok(file_or_issue(services, session, &snapshot, &held, exactly).await?.record)
}

/// The certificate on file for the session's key if it is `enough`, else a new one that covers `held`.
pub(super) async fn file_or_issue(
    services: &Services,
    session: &Session,
    snapshot: &Snapshot,
    held: &[ActiveGrant],
    enough: impl Fn(&Verified) -> bool + Send,
) -> Result<Verified, CertifyError> {
    let Some(end) = end_of(held) else {
        return Err(CertifyError::NoGrant(Box::new(NoGrant::of(services, snapshot, session).await?)));
    };
    match on_file(services, session, snapshot).await? {
        Some(filed) if enough(&filed) => Ok(filed),
        _ => issue(services, session, snapshot, held, end).await,
    }
}

/// Verifies a row's certificate as if it were presented now. It must be the one the row says, for the key this connection
/// proved: the database is no authority.
pub(super) fn verify_record(
    services: &Services,
    session: &Session,
    snapshot: &Snapshot,
    record: &CertificateRecord,
) -> Result<SessionCertificate, NotBelieved> {
    let certificate = Certificate::from_openssh(&record.text).map_err(|_| NotBelieved::Row)?;
    let said = services.authority.verify(&certificate, &presented(services, session, snapshot))?;
    let same = said.serial == record.serial
        && said.id == record.id
        && said.user == session.user.name
        && certificate.public_key() == session.user.key.key_data();
    if same { Ok(said) } else { Err(NotBelieved::Row) }
}

/// Why the certificate of a row is not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotBelieved {
    /// A check failed.
    #[error(transparent)]
    Check(#[from] CertificateError),
    /// The row does not hold the certificate it speaks of.
    #[error("the row was changed")]
    Row,
}

fn presented<'a>(services: &Services, session: &Session, snapshot: &'a Snapshot) -> Presented<'a> {
    Presented {
        bastion: &snapshot.settings.name,
        now: services.clock.now(),
        peer: session.peer.ip(),
        directory: &snapshot.directory,
    }
}

async fn on_file(services: &Services, session: &Session, snapshot: &Snapshot) -> Result<Option<Verified>, StoreError> {
    let key = session.user.fingerprint.to_string();
    let Some(record) = services.store.certificate_of_key(&key).await?.filter(|record| !record.superseded) else {
        return Ok(None);
    };
    match verify_record(services, session, snapshot, &record) {
        Ok(certificate) => Ok(Some(Verified { record, certificate })),
        Err(NotBelieved::Check(CertificateError::Expired { .. })) => Ok(None),
        Err(why) => {
            tracing::warn!(serial = %record.serial, %why, "a certificate on file is not believed; another will be issued");
            Ok(None)
        }
    }
}

async fn issue(
    services: &Services,
    session: &Session,
    snapshot: &Snapshot,
    held: &[ActiveGrant],
    end: Timestamp,
) -> Result<Verified, CertifyError> {
    let mut draws = 1;
    loop {
        let made = sign(services, session, snapshot, held, end).await?;
        let issued = session.event(What::CertificateIssued {
            certificate: made.record.id.clone(),
            serial: made.record.serial,
            key: made.record.key.clone(),
            grants: made.record.grants.clone(),
            valid_before: made.record.valid_before,
        });
        if let Err(error) = written::append(&*services.audit, issued.under(snapshot.digest)).await {
            if matches!(error, NotWritten::Silent) {
                let message = format!("the log was silent, and certificate {} was given to nobody", made.record.id);
                services.audit.append_later(session.event(What::Error { message }));
            }
            return Err(Unavailable::from(AuditError::from(error)).into());
        }
        match services.store.file_certificate(&made.record).await {
            Ok(()) => return Ok(made),
            Err(StoreError::Taken) if draws < DRAWS => draws += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// A new certificate, that nobody has yet.
async fn sign(
    services: &Services,
    session: &Session,
    snapshot: &Snapshot,
    held: &[ActiveGrant],
    end: Timestamp,
) -> Result<Verified, CertifyError> {
    let user = snapshot.directory.owner_of(&session.user.fingerprint).ok_or(CertifyError::NotEnrolled)?;
    if user.name != session.user.name {
        return Err(CertifyError::NotEnrolled);
    }
    let serial = services.store.reserve_serials(1).await?;
    let issued = services.clock.now();
    let request = SessionCertificateRequest {
        id: CertificateId::from_bits(services.random.bits()),
        serial,
        user: user.name.clone(),
        key: session.user.key.clone(),
        grants: identifiers(held),
        validity: Window { start: issued, end },
        networks: user.networks.clone(),
    };
    let signed = services.authority.issue(request).await?;
    let unusable = |why| CertifyError::Unusable { why, alias: snapshot.settings.alias.clone() };
    let certificate = services.authority.verify(&signed, &presented(services, session, snapshot)).map_err(unusable)?;
    let text = signed.to_openssh().map_err(|error| AuthorityError { reason: error.to_string() })?;
    let record = CertificateRecord {
        serial,
        id: certificate.id.clone(),
        user: certificate.user.clone(),
        key: session.user.fingerprint.to_string(),
        grants: certificate.grants.iter().cloned().collect(),
        issued,
        valid_before: Timestamp::from_secs(i64::try_from(signed.valid_before()).unwrap_or(i64::MAX)),
        text,
        superseded: false,
    };
    Ok(Verified { record, certificate })
}

/// The identifiers of these grants.
pub(super) fn identifiers(held: &[ActiveGrant]) -> BTreeSet<GrantId> {
    held.iter().map(|grant| grant.id().clone()).collect()
}

/// The end of the last of these grants.
fn end_of(held: &[ActiveGrant]) -> Option<Timestamp> {
    held.iter().map(ActiveGrant::ends).max()
}
