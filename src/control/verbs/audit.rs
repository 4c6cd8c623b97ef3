//! `audit search`, `audit verify`, and what a reviewer takes away to check without us.

use serde_json::{Value, json};

use crate::control::Caller;
use crate::control::arguments::Arguments;
use crate::control::console::json_line;
use crate::control::outcome::{Answer, Exit, Failure};
use crate::domain::text::escape;
use crate::domain::{GrantId, Timestamp};
use crate::service::ports::{AuditProofError, AuditQuery, AuditReadError, FoundEntry, Verdict};

mod entry;

const USUAL: usize = 100;
const MOST: usize = 1000;

impl From<AuditReadError> for Failure {
    fn from(error: AuditReadError) -> Self {
        Self::new(Exit::Unavailable, escape(&error.to_string()))
    }
}

impl From<AuditProofError> for Failure {
    fn from(error: AuditProofError) -> Self {
        let exit = match error {
            AuditProofError::NotSo(_) => Exit::NotFound,
            AuditProofError::Broken(_) => Exit::Refused,
            AuditProofError::Unreadable(_) => Exit::Unavailable,
        };
        Self::new(exit, escape(&error.to_string()))
    }
}

pub(super) async fn search(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let found = caller.context.audit.search(query(arguments, caller.services.clock.now())).await?;
    if arguments.flag("json") {
        let entries: Vec<Value> = found.iter().map(entry_json).collect();
        return Ok(Answer::out(json_line(&json!({ "entries": entries }))));
    }
    if found.is_empty() {
        return Ok(Answer::default().saying("no entry matches"));
    }
    Ok(Answer::out(found.iter().map(entry::lines).collect::<String>()))
}

fn query(arguments: &Arguments, now: Timestamp) -> AuditQuery {
    let instant = |name| arguments.time(name).ok().map(|when| when.from(now));
    AuditQuery {
        user: arguments.user("user").ok().cloned(),
        target: arguments.target("target").ok().cloned(),
        grant: arguments.id("grant").ok().map(GrantId::from),
        request: arguments.id("request").ok().cloned(),
        session: arguments.session("session").ok().cloned(),
        kind: arguments.text("kind").ok().map(str::to_owned),
        since: instant("since"),
        until: instant("until"),
        text: arguments.text("text").ok().map(str::to_owned),
        limit: Some(arguments.number("limit").map_or(USUAL, |&limit| limit.clamp(1, MOST))),
    }
}

fn entry_json(entry: &FoundEntry) -> Value {
    let mut value = serde_json::to_value(&entry.event).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("sequence".to_owned(), entry.sequence.into());
        object.insert("time".to_owned(), entry.time.to_string().into());
    }
    value
}

pub(super) async fn verify(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let verdict = caller.context.audit.verify().await?;
    let json = arguments.flag("json");
    Ok(match verdict {
        Verdict::Sound { entries, root, last, .. } if json => {
            let (root, last) = (root.to_string(), last.map(|last| last.to_string()));
            Answer::out(json_line(&json!({"verifies": true, "entries": entries, "root": root, "last": last})))
        }
        Verdict::Sound { entries, root, last, uncovered } => {
            let last = last.map_or_else(String::new, |last| format!("\nlast entry {last}"));
            let more = if uncovered > 0 { "\na newer entry is being signed at this moment" } else { "" };
            Answer::out(format!(
                "the audit log verifies: {entries} entries, unchanged and complete\nroot {root}{last}{more}\n"
            ))
        }
        Verdict::Broken { problem } if json => {
            Answer::out(json_line(&json!({"verifies": false, "problem": problem}))).refused()
        }
        Verdict::Broken { problem } => {
            Answer::default().saying(format!("the audit log does not verify: {}", escape(&problem))).refused()
        }
    })
}

pub(super) async fn checkpoint(caller: &Caller<'_>) -> Result<Answer, Failure> {
    Ok(Answer::out(caller.context.audit.checkpoint().await?))
}

pub(super) async fn prove(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let proof = caller.context.audit.prove(number(arguments, "ENTRY")?).await?;
    let text = proof.to_string();
    if arguments.flag("json") {
        let line = proof.entry.as_deref().map(String::from_utf8_lossy);
        let (entry, hashes) = (proof.index, proof.hashes.len());
        return Ok(Answer::out(json_line(&json!({"entry": entry, "line": line, "hashes": hashes, "proof": text}))));
    }
    Ok(Answer::out(text))
}

pub(super) async fn consistency(caller: &Caller<'_>, arguments: &Arguments) -> Result<Answer, Failure> {
    let proof = caller.context.audit.prove_growth(number(arguments, "ENTRIES")?).await?;
    let text = proof.to_string();
    if arguments.flag("json") {
        let (old, hashes) = (proof.old, proof.hashes.len());
        return Ok(Answer::out(json_line(&json!({"old": old, "hashes": hashes, "proof": text}))));
    }
    Ok(Answer::out(text))
}

fn number(arguments: &Arguments, name: &'static str) -> Result<u64, Failure> {
    Ok(*arguments.number(name)? as u64)
}
