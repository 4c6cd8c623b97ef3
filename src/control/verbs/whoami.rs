//! `whoami`: who doorward thinks this is, and by what proof.

use serde_json::{Value, json};

use crate::control::arguments::Arguments;
use crate::control::console::json_line;
use crate::control::outcome::{Answer, Failure};
use crate::control::{Caller, show};
use crate::domain::text::escape;
use crate::domain::{GroupName, Timestamp};
use crate::grant::ActiveGrant;
use crate::identity::Proof;
use crate::service::held::held_grants;
use crate::service::ports::CertificateRecord;

pub(super) async fn run(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let now = caller.services.clock.now();
    let key = caller.session.user.fingerprint.to_string();
    let on_file = caller.services.store.certificate_of_key(&key).await?;
    let on_file = on_file.filter(|record| now < record.valid_before);
    let held = held_grants(caller.services, &caller.person.name).await?;
    let grants: Vec<&ActiveGrant> = held.iter().map(|held| &held.grant).collect();
    if arguments.flag("json") {
        return Ok(Answer::out(json_line(&as_json(caller, on_file.as_ref(), &grants))));
    }
    let session = caller.session;
    let mut out = String::new();
    let mut field = |label: &str, text: &str| out.push_str(&show::field(label, text));
    field("you", caller.person.name.as_str());
    field("groups", &groups(caller));
    field("key", &format!("{} {key}", session.user.key.algorithm().as_str()));
    field("proof", &proof(&session.user.proof));
    if let Some(record) = &on_file {
        field("on file", &format!("certificate {}, {} left", record.id, show::roughly(now.until(record.valid_before))));
    }
    field("login", &format!("{} (it says where you go, not who you are)", escape(&session.login)));
    field("from", &session.peer.to_string());
    field("session", &session.id.to_string());
    let rights = rights(caller);
    if !rights.is_empty() {
        field("rights", &rights.join(", "));
    }
    if grants.is_empty() {
        field("active", &format!("nothing; `ssh {} roles` lists what you can ask for", caller.alias()));
    }
    for grant in grants {
        field("active", &active(grant, now));
    }
    Ok(Answer::out(out))
}

/// `g-7K2Q4M web-restart on web-1, 27m left`.
pub(super) fn active(grant: &ActiveGrant, now: Timestamp) -> String {
    let left = show::roughly(now.until(grant.ends()));
    format!("{} {} on {}, {left} left", grant.id(), grant.role(), show::names(grant.targets().keys()))
}

fn groups(caller: &Caller<'_>) -> String {
    let groups: Vec<&str> = caller.person.groups.iter().map(GroupName::as_str).collect();
    if groups.is_empty() { "none".to_owned() } else { groups.join(", ") }
}

fn proof(proof: &Proof) -> String {
    match proof {
        Proof::Key => "your enrolled key; no certificate was presented".to_owned(),
        Proof::Certificate(certificate) => {
            format!("your enrolled key and certificate {}, serial {}", certificate.id, certificate.serial)
        }
    }
}

fn rights(caller: &Caller<'_>) -> Vec<&'static str> {
    let rights = [(caller.rights.approver, "approver"), (caller.rights.reviewer, "reviewer")];
    rights.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect()
}

fn as_json(caller: &Caller<'_>, on_file: Option<&CertificateRecord>, grants: &[&ActiveGrant]) -> Value {
    let session = caller.session;
    let presented = match &session.user.proof {
        Proof::Key => None,
        Proof::Certificate(certificate) => Some(certificate.id.to_string()),
    };
    let grants: Vec<Value> = grants
        .iter()
        .map(|grant| {
            let targets: Vec<&str> = grant.targets().keys().map(|target| target.as_str()).collect();
            let (id, role, until) = (grant.id().to_string(), grant.role().as_str(), grant.ends().to_string());
            json!({"grant": id, "role": role, "targets": targets, "until": until})
        })
        .collect();
    json!({
        "user": caller.person.name.as_str(),
        "groups": caller.person.groups,
        "key": session.user.fingerprint.to_string(),
        "certificate_presented": presented,
        "certificate_on_file": on_file.map(|record| record.id.to_string()),
        "login": session.login,
        "from": session.peer.to_string(),
        "session": session.id.to_string(),
        "rights": rights(caller),
        "active": grants,
    })
}
