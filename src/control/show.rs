//! Requests, grants and roles in words and in JSON, the same in every verb.

use std::time::Duration;

use serde_json::{Value, json};

use crate::control::asking::targets_json;
use crate::domain::text::{escape, excerpt};
use crate::domain::wording::series;
use crate::domain::{TargetName, Timestamp, UserName};
use crate::grant::{AccessRequest, EndReason, State};
use crate::policy::{Circumstances, Role, observe};

/// Longest reason or description in a table, in characters.
pub(super) const CELL: usize = 40;

/// `2d`, `3h 5m`, `12m`, `40s`: as exact as a person wants it, to the nearest minute or day. A moment after four hours were
/// given they are still called `4h`.
pub(super) fn roughly(span: Duration) -> String {
    let seconds = span.as_secs();
    let minutes = seconds.saturating_add(30) / 60;
    match minutes {
        _ if seconds < 60 => format!("{seconds}s"),
        0..60 => format!("{minutes}m"),
        60..2880 if minutes.is_multiple_of(60) => format!("{}h", minutes / 60),
        60..2880 => format!("{}h {}m", minutes / 60, minutes % 60),
        _ => format!("{}d", minutes.saturating_add(720) / 1440),
    }
}

/// `web-1, web-2`.
pub(super) fn names<'a>(targets: impl IntoIterator<Item = &'a TargetName>) -> String {
    targets.into_iter().map(TargetName::as_str).collect::<Vec<_>>().join(", ")
}

/// `bob and dan`.
pub(super) fn all_of(people: &[UserName]) -> String {
    if people.is_empty() { "nobody".to_owned() } else { series(people, "and") }
}

/// Who said yes, in order.
pub(super) fn yeas(request: &AccessRequest) -> Vec<UserName> {
    request.approvals.iter().map(|approval| approval.by.clone()).collect()
}

/// How many are still needed.
pub(super) fn still_needed(request: &AccessRequest) -> usize {
    usize::from(request.approvals_needed).saturating_sub(request.approvals.len())
}

/// Where it stands, for a column: `active, 27m left`.
pub(super) fn standing(request: &AccessRequest, now: Timestamp) -> String {
    match &request.state {
        State::Pending { lapses } => {
            let (have, needed) = (request.approvals.len(), request.approvals_needed);
            format!("pending, {have} of {needed}, {} left", roughly(now.until(*lapses)))
        }
        State::Approved { activate_by, .. } => format!("approved, unused, {} left", roughly(now.until(*activate_by))),
        State::Active { window } => format!("active, {} left", roughly(now.until(window.end))),
        State::Ended { why: EndReason::Expired, .. } => "expired".to_owned(),
        State::Ended { why: EndReason::GivenBack, .. } => "given back".to_owned(),
        State::Ended { why: EndReason::Revoked { by, .. }, .. } => format!("revoked by {by}"),
        State::Denied { by, .. } => format!("denied by {by}"),
        State::Withdrawn { .. } => "withdrawn".to_owned(),
        State::Lapsed { .. } => "lapsed".to_owned(),
    }
}

/// The identifier under which it is spoken of: a grant once it may be used.
pub(super) fn id_of(request: &AccessRequest) -> String {
    match request.state {
        State::Approved { .. } | State::Active { .. } | State::Ended { .. } => request.grant_id().to_string(),
        State::Pending { .. } | State::Denied { .. } | State::Withdrawn { .. } | State::Lapsed { .. } => {
            request.id.to_string()
        }
    }
}

/// What is typed under this role, a line a command with its parameters, each line after `indent`.
pub(super) fn usages(role: &Role, indent: &str) -> String {
    let mut out = String::new();
    if role.observes() {
        out.push_str(&format!("{indent}{}\n", observe::IN_WORDS));
    }
    for rule in role.rules() {
        let help = if rule.help().is_empty() { String::new() } else { format!("   # {}", escape(rule.help())) };
        out.push_str(&format!("{indent}{}{help}\n", escape(rule.usage())));
        if let Some(targets) = rule.targets() {
            out.push_str(&format!("{indent}    on: {}\n", excerpt(&targets.to_string(), 200)));
        }
        for (name, meaning) in rule.parameters() {
            out.push_str(&format!("{indent}    {}: {}\n", escape(&name), excerpt(&meaning, 200)));
        }
        if let Some(reason) = rule.accepts_escape() {
            out.push_str(&format!("{indent}    gives more than it seems to, accepted: {}\n", excerpt(reason, 200)));
        }
    }
    let transfers = role.files().iter().map(ToString::to_string).chain(role.forwards().iter().map(ToString::to_string));
    for transfer in transfers {
        out.push_str(&format!("{indent}{}   # not served yet\n", excerpt(&transfer, 300)));
    }
    out
}

/// The conditions of a role, a row each, with how they stand in `circumstances`; nothing where it has none.
pub(super) fn conditions(role: &Role, circumstances: &Circumstances) -> String {
    let states = role.conditions().states(circumstances);
    let rows = states.iter().map(|one| {
        let holds = if one.holds { "now" } else { "not now" };
        field("when", &format!("{} ({holds}: {})", escape(&one.condition), escape(&one.state)))
    });
    let lapse = (!states.is_empty()).then(|| field("", &role.conditions().on_lapse().to_string()));
    rows.chain(lapse).collect()
}

/// `label     text`, the rows of a description.
pub(super) fn field(label: &str, text: &str) -> String {
    format!("  {label:<10}{text}").trim_end().to_owned() + "\n"
}

/// The whole of a request for `--json`; the shape is in `docs/control-verbs.md`.
pub(super) fn request_json(request: &AccessRequest) -> Value {
    let approvals: Vec<Value> = request
        .approvals
        .iter()
        .map(|approval| json!({"by": approval.by.as_str(), "at": approval.at.to_string()}))
        .collect();
    json!({
        "id": request.id.to_string(),
        "grant": request.grant_id().to_string(),
        "user": request.user.as_str(),
        "role": request.role.as_str(),
        "targets": targets_json(&request.scope.targets),
        "seconds": request.scope.duration.as_secs(),
        "reason": request.reason,
        "ticket": request.ticket,
        "source": request.source.to_string(),
        "filed": request.filed.to_string(),
        "approvals_needed": request.approvals_needed,
        "approvals": approvals,
        "digest": request.digest().short(),
        "state": state_json(&request.state),
    })
}

fn state_json(state: &State) -> Value {
    match state {
        State::Pending { lapses } => json!({"is": "pending", "lapses": lapses.to_string()}),
        State::Approved { at, activate_by } => {
            json!({"is": "approved", "at": at.to_string(), "activate_by": activate_by.to_string()})
        }
        State::Active { window } => {
            json!({"is": "active", "from": window.start.to_string(), "until": window.end.to_string()})
        }
        State::Ended { at, why } => {
            let by = match why {
                EndReason::Revoked { by, .. } => Some(by.as_str()),
                EndReason::Expired | EndReason::GivenBack => None,
            };
            json!({"is": "ended", "at": at.to_string(), "why": why.word(), "by": by, "text": why.text()})
        }
        State::Denied { by, at, text } => {
            json!({"is": "denied", "at": at.to_string(), "by": by.as_str(), "text": text})
        }
        State::Withdrawn { at } => json!({"is": "withdrawn", "at": at.to_string()}),
        State::Lapsed { at } => json!({"is": "lapsed", "at": at.to_string()}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_as_exact_as_people_want_them() {
        let rows = [
            (0, "0s"),
            (59, "59s"),
            (61, "1m"),
            (599, "10m"),
            (3600, "1h"),
            (3660, "1h 1m"),
            (14_399, "4h"),
            (172_700, "47h 58m"),
            (172_799, "2d"),
            (200_000, "2d"),
        ];
        for (seconds, shown) in rows {
            assert_eq!(roughly(Duration::from_secs(seconds)), shown);
        }
    }
}
