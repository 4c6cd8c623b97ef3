//! What a session holds now: the certificate it stands on and the grants that live. Read live for every command.

use std::sync::Arc;

use crate::domain::{TargetName, UserName};
use crate::grant::{AccessRequest, ActiveGrant};
use crate::identity::{Proof, SessionCertificate};
use crate::policy::{HeldRole, Role};

use super::activate_grant::activate_approved;
use super::approved_roles::approved_role;
use super::certify::{CertifyError, NotBelieved, file_or_issue, identifiers, verify_record};
use super::ports::{RequestQuery, StoreError};
use super::{Services, Snapshot, Unavailable, session::Session};

mod no_grant;

pub use no_grant::NoGrant;

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

impl HeldGrant {
    /// The grant on `target`, with the role and account as they are configured in `snapshot`.
    #[must_use]
    pub fn as_configured<'h>(&'h self, target: &TargetName, snapshot: &'h Snapshot) -> HeldRole<'h> {
        let loaded = snapshot.roles.get(self.grant.role()).map(AsRef::as_ref);
        let known = snapshot.inventory.target(target);
        let account = loaded.zip(known).and_then(|(role, target)| snapshot.account_on(role, target));
        let eligible = snapshot.user_may_ask(self.grant.user(), self.grant.role());
        HeldRole { grant: &self.grant, approved: &self.role, loaded, account, eligible }
    }
}

/// Why a session has no certificate to run commands under. `Display` is shown to the user: what to type.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoCertificate {
    /// The bastion insists on a presented certificate, and there is none that can be used.
    #[error(
        "{problem}; type `ssh {alias} cert > ~/.ssh/doorward-cert.pub` and have `CertificateFile ~/.ssh/doorward-cert.pub` \
         in ~/.ssh/config for this bastion"
    )]
    PresentIt {
        /// What is wrong with what was (not) presented.
        problem: String,
        /// What people type after `ssh`.
        alias: String,
    },
    /// None on file, and none can be issued.
    #[error(transparent)]
    NotIssued(#[from] CertifyError),
}

impl NoCertificate {
    /// Whether something of ours does not work (exit code 125), rather than the user holding nothing (126).
    #[must_use]
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::NotIssued(CertifyError::Unavailable(_) | CertifyError::Authority(_)))
    }

    /// Why they hold nothing, if that is it.
    #[must_use]
    pub fn no_grant(&self) -> Option<&NoGrant> {
        match self {
            Self::NotIssued(CertifyError::NoGrant(nothing)) => Some(nothing),
            Self::NotIssued(_) | Self::PresentIt { .. } => None,
        }
    }
}

impl From<Unavailable> for NoCertificate {
    fn from(error: Unavailable) -> Self {
        Self::NotIssued(error.into())
    }
}

impl From<StoreError> for NoCertificate {
    fn from(error: StoreError) -> Self {
        Self::NotIssued(error.into())
    }
}

/// The certificate of `session` for one command, read live.
///
/// With `require_presented_certificate` only the presented one counts, and nothing is activated or issued here: a new
/// certificate would supersede the presented one, and a grant's time would run before it can be used.
///
/// Otherwise approved requests of the user are activated first. The presented certificate stands if it is current and covers
/// every grant held now; if not (it ended, it was superseded, a grant came after it), the one on file for the same key stands,
/// and a new one is issued when that does not cover them either. The connection proved the key in both cases, both pass the same
/// verification, and `presented` tells the log which it was.
///
/// # Errors
/// [`NoCertificate`].
pub async fn current_certificate(services: &Services, session: &Session) -> Result<CurrentCertificate, NoCertificate> {
    let snapshot = services.snapshot.load_full();
    let insist = snapshot.settings.require_presented_certificate;
    if !insist {
        // A grant's time begins only for a key that could use it.
        let owner = snapshot.directory.owner_of(&session.user.fingerprint);
        if owner.is_none_or(|owner| owner.name != session.user.name) {
            return Err(CertifyError::NotEnrolled.into());
        }
        activate_approved(services, &session.user.name, session.peer.ip()).await?;
    }
    let held = active_grants(services, &session.user.name).await?;
    let listed = identifiers(&held);
    let shown = presented_now(services, session, &snapshot).await?;
    if insist {
        let alias = snapshot.settings.alias.clone();
        let certificate = shown.map_err(|problem| NoCertificate::PresentIt { problem, alias: alias.clone() })?;
        if !certificate.grants.is_disjoint(&listed) {
            return Ok(CurrentCertificate { certificate, presented: true });
        }
        if held.is_empty() {
            let nothing = NoGrant::of(services, &snapshot, session).await?;
            return Err(CertifyError::NoGrant(Box::new(nothing)).into());
        }
        let problem = "your certificate does not cover the grants you hold now".to_owned();
        return Err(NoCertificate::PresentIt { problem, alias });
    }
    match shown {
        Ok(certificate) if !held.is_empty() && listed.is_subset(&certificate.grants) => {
            Ok(CurrentCertificate { certificate, presented: true })
        }
        _ => {
            let covers = |filed: &super::certify::Verified| listed.is_subset(&filed.certificate.grants);
            let filed = file_or_issue(services, session, &snapshot, &held, covers).await?;
            Ok(CurrentCertificate { certificate: filed.certificate, presented: false })
        }
    }
}

/// What was presented when the session began, verified again now: dates, user, enrolment, networks, and its row, which must be
/// there and not superseded. The inner error is for the user.
async fn presented_now(
    services: &Services,
    session: &Session,
    snapshot: &Snapshot,
) -> Result<Result<SessionCertificate, String>, StoreError> {
    let Proof::Certificate(shown) = &session.user.proof else {
        return Ok(Err("this bastion wants a certificate to be presented with your key".to_owned()));
    };
    let Some(record) = services.store.certificate(shown.serial).await? else {
        return Ok(Err("your certificate is not on file here".to_owned()));
    };
    if record.superseded {
        return Ok(Err("a later certificate has taken the place of yours".to_owned()));
    }
    Ok(match verify_record(services, session, snapshot, &record) {
        Ok(filed) if filed == *shown => Ok(filed),
        Ok(_) | Err(NotBelieved::Row) => Err("your certificate is not the one on file here".to_owned()),
        Err(NotBelieved::Check(why)) => Err(why.for_client(&snapshot.settings.alias)),
    })
}

/// Every grant of `user` that lives now, with its role as approved. A grant whose stored role cannot be read is left out: it
/// gives nothing.
///
/// # Errors
/// The store's, in words.
pub async fn held_grants(services: &Services, user: &UserName) -> Result<Vec<HeldGrant>, StoreError> {
    let now = services.clock.now();
    let mut held = Vec::new();
    for request in open_requests(services, user).await? {
        let Some(grant) = request.active_grant(now) else { continue };
        match approved_role(services, &request) {
            Ok(role) => held.push(HeldGrant { grant, role }),
            Err(error) => tracing::warn!(grant = %grant.id(), %error, "a grant gives nothing, its role cannot be read"),
        }
    }
    Ok(held)
}

/// Every grant of `user` that lives now.
pub(super) async fn active_grants(services: &Services, user: &UserName) -> Result<Vec<ActiveGrant>, StoreError> {
    let now = services.clock.now();
    Ok(open_requests(services, user).await?.iter().filter_map(|request| request.active_grant(now)).collect())
}

async fn open_requests(services: &Services, user: &UserName) -> Result<Vec<AccessRequest>, StoreError> {
    let query = RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() };
    // The store is asked for this user's; what it gives is checked, because grants of another would be theirs to use.
    let found = services.store.requests(&query).await?.into_iter().map(|stored| stored.value);
    Ok(found.filter(|request| request.user == *user).collect())
}

#[cfg(test)]
mod tests;
