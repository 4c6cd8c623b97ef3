//! `cert`: the session certificate on standard output, and nothing else there.

use crate::control::Caller;
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::show;
use crate::service::certify::{CertifyError, certify};

pub(super) async fn run(caller: &Caller<'_>) -> Result<Answer, Failure> {
    let alias = caller.alias();
    let record = certify(caller.services, caller.session).await.map_err(|error| failure(&error))?;
    let left = show::roughly(caller.services.clock.now().until(record.valid_before));
    let grants: Vec<String> = record.grants.iter().map(ToString::to_string).collect();
    let note = format!(
        "certificate {} for {} is valid for {left} more; `ssh {alias} cert > ~/.ssh/doorward-cert.pub` keeps it",
        record.id,
        grants.join(", ")
    );
    Ok(Answer::out(format!("{}\n", record.text.trim())).saying(note))
}

/// A certificate that nobody is entitled to is refused; one that could not be made or kept is a fault of ours. Both say what
/// to type.
pub(super) fn failure(error: &CertifyError) -> Failure {
    let exit = match error {
        CertifyError::NoGrant(_) | CertifyError::NotEnrolled | CertifyError::Unusable { .. } => Exit::Refused,
        CertifyError::Authority(_) | CertifyError::Unavailable(_) => Exit::Unavailable,
    };
    Failure::of(exit, error)
}
