//! `cert`: the session certificate on standard output, and nothing else there.

use crate::control::Caller;
use crate::control::outcome::{Answer, Exit, Failure};
use crate::control::show;
use crate::service::certify::{CertifyError, certify};

pub(super) async fn run(caller: &Caller<'_>) -> Result<Answer, Failure> {
    let alias = caller.alias();
    let record = certify(caller.services, caller.session).await.map_err(|error| failure(&error, alias))?;
    let left = show::roughly(caller.services.clock.now().until(record.valid_before));
    let grants: Vec<String> = record.grants.iter().map(ToString::to_string).collect();
    let note = format!(
        "certificate {} for {} is valid for {left} more; `ssh {alias} cert > ~/.ssh/doorward-cert.pub` keeps it",
        record.id,
        grants.join(", ")
    );
    Ok(Answer::out(format!("{}\n", record.text.trim())).saying(note))
}

pub(super) fn failure(error: &CertifyError, alias: &str) -> Failure {
    match error {
        CertifyError::NoGrant { .. } => {
            let advice = "you hold nothing that is approved, so there is no certificate";
            Failure::new(Exit::Refused, advice).and(&format!(
                "`ssh {alias} roles` lists what you can ask for, `ssh {alias} status` what you have asked"
            ))
        }
        other => Failure::new(Exit::Unavailable, other.to_string()),
    }
}
