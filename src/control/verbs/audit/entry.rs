//! One entry of the log as a reviewer reads it on a terminal: a line of who and where, then what matters for its kind.
//!
//! `--json` has everything. All text here came from outside at some time, so it is escaped and cut.

use std::net::SocketAddr;
use std::time::Duration;

use crate::audit::event::{AllowedCommand, AuditEvent, FinishedCommand, What};
use crate::control::show;
use crate::domain::text::excerpt;
use crate::domain::time::for_people;
use crate::domain::{AccountName, GrantId, TargetName};
use crate::service::ports::FoundEntry;

/// Longest line under the first one, in characters, without its indent.
const LINE: usize = 112;
/// Longest word within such a line.
const WORD: usize = 60;

/// Ends in a newline:
/// ```text
/// 12  2026-01-31T14:05:09Z  command-allowed  alice  web-1  g-7K2Q4M  s-7K2Q4M9D
///     systemctl restart nginx
///     by web-restart:1 as ops, certificate k-00000002 (presented)
/// ```
pub(super) fn lines(entry: &FoundEntry) -> String {
    let AuditEvent { session, user, grant, target, policy: _, what } = &entry.event;
    let mut head = vec![entry.sequence.to_string(), entry.time.to_the_second(), what.kind().to_owned()];
    head.extend(user.as_ref().map(ToString::to_string));
    head.extend(target.as_ref().map(ToString::to_string));
    head.extend(grant.as_ref().map(ToString::to_string));
    head.extend(session.as_ref().map(ToString::to_string));
    let mut out = head.join("  ") + "\n";
    for line in sentence(what).iter().filter(|line| !line.is_empty()) {
        out.push_str(&format!("    {}\n", excerpt(line, LINE)));
    }
    out
}

/// What matters of each kind. Empty lines are left out by the caller, which also escapes.
fn sentence(what: &What) -> Vec<String> {
    match what {
        What::Start { version, policy } => vec![format!("doorward {version}, configuration {}", policy.short())],
        What::Stop { reason } => vec![reason.clone()],
        What::Reload { policy, refused: None, widened, narrowed } => {
            vec![format!(
                "configuration {} is in force; {widened} changes widened, {narrowed} narrowed",
                policy.short()
            )]
        }
        What::Reload { policy, refused: Some(why), .. } => {
            vec![format!("refused, configuration {} stays", policy.short()), why.clone()]
        }
        What::LogRepaired { moved_to, bytes } => {
            vec![format!("{bytes} bytes that no checkpoint covered were moved to {moved_to}")]
        }
        What::Connection { peer, via, login, key, certificate, client } => {
            let proof = certificate.as_ref().map_or_else(|| "key".to_owned(), |id| format!("certificate {id} and key"));
            vec![format!("from {} as {}, {proof} {key}", place(peer, via.as_ref()), word(login)), word(client)]
        }
        What::AuthenticationFailed { peer, via, login, key, reason } => {
            let key = key.as_ref().map_or_else(|| "no key".to_owned(), |key| format!("key {key}"));
            vec![format!("from {} as {}, {key}", place(peer, via.as_ref()), word(login)), reason.clone()]
        }
        What::Disconnected { dropped_env, refusals_left_out } => [
            (dropped_env, "environment variables were not taken"),
            (refusals_left_out, "more refusals were not written one by one"),
        ]
        .into_iter()
        .filter(|(count, _)| **count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect(),
        What::Forward { originator, login, proof, client } => {
            vec![format!("for {originator} as {}, proof inside: {proof}", word(login)), word(client)]
        }
        What::Refused { what } => vec![what.clone()],
        What::Control { line, exit } => vec![format!("exit {exit}: {line}")],
        What::Requested { request, role, role_digest: _, targets, seconds, reason, ticket } => {
            let on =
                targets.iter().map(|(target, account): &(TargetName, AccountName)| format!("{target} as {account}"));
            let ticket = ticket.as_ref().map_or_else(String::new, |ticket| format!("ticket {}; ", word(ticket)));
            vec![
                format!("{request}: {role} for {} on {}", seconds_long(*seconds), on.collect::<Vec<_>>().join(", ")),
                if reason.is_empty() { ticket } else { format!("{ticket}reason: {reason}") },
            ]
        }
        What::Approved { request, digest: _, targets, seconds, complete } => {
            let more = if *complete { "" } else { "; more approvals are needed" };
            vec![format!("{request}: on {} for {}{more}", show::names(targets), seconds_long(*seconds))]
        }
        What::ApprovalRefused { request, reason } => vec![format!("{request}: {reason}")],
        What::Denied { request, text } if text.is_empty() => vec![format!("{request}, no reason given")],
        What::Denied { request, text } => vec![format!("{request}: {text}")],
        What::Withdrawn { request } => vec![format!("{request}, by whoever asked")],
        What::Lapsed { request } => vec![format!("{request}: nobody decided in time")],
        What::Activated { ends } => vec![format!("until {}", ends.to_the_second())],
        What::Ended { why, text } if text.is_empty() => vec![why.clone()],
        What::Ended { why, text } => vec![format!("{why}: {text}")],
        What::CertificateIssued { certificate, serial, key, grants, valid_before } => vec![
            format!("{certificate}, serial {serial}, for {}, until {}", listed(grants), valid_before.to_the_second()),
            format!("key {key}"),
        ],
        What::TargetConnectionUnused { reason } => vec!["nobody logged in on it".to_owned(), reason.clone()],
        What::CommandAllowed(allowed) => command_allowed(allowed, &format!("{}:{}", allowed.role, allowed.rule)),
        What::Observed(allowed) => command_allowed(allowed, &format!("{}, which observes,", allowed.role)),
        What::CommandDenied { command: _, line, reason, withheld: _ } => {
            vec![line.clone(), format!("because {reason}")]
        }
        What::CommandFailed { command, reason } => vec![format!("{command} did not run: {reason}")],
        What::CommandFinished(finished) => command_finished(finished),
        What::CommandOutcomeUnknown { command } => {
            vec![format!("{command} was running when the bastion lost it; how it ended is unknown")]
        }
        What::Error { message } => vec![message.clone()],
    }
}

/// `by` what it was allowed.
fn command_allowed(allowed: &AllowedCommand, by: &str) -> Vec<String> {
    let AllowedCommand { command, grants, certificate, presented, account, typed, .. } = allowed;
    let how = if *presented { "presented" } else { "on file" };
    let several = if grants.len() > 1 { format!(", under {}", listed(grants)) } else { String::new() };
    vec![typed.clone(), format!("{command} by {by} as {account}, certificate {certificate} ({how}){several}")]
}

fn command_finished(finished: &FinishedCommand) -> Vec<String> {
    let FinishedCommand {
        command,
        exit,
        ended_by,
        bytes,
        milliseconds,
        recording,
        recording_digest: _,
        stream_digests,
    } = finished;
    let ended = ended_by.as_ref().map_or_else(String::new, |why| format!(", ended by {why}"));
    let [input, output, error] = bytes;
    let in_part = if stream_digests.iter().any(Option::is_some) { " (in part)" } else { "" };
    vec![
        format!("{command} exit {exit} after {}{ended}", milliseconds_long(*milliseconds)),
        format!("{input} bytes in, {output} out, {error} error output; recording {recording}{in_part}"),
    ]
}

/// Where somebody came from, and whose word that is.
fn place(peer: &SocketAddr, via: Option<&SocketAddr>) -> String {
    via.map_or_else(|| peer.to_string(), |via| format!("{peer} through {via}"))
}

fn word(text: &str) -> String {
    excerpt(text, WORD)
}

fn listed(grants: &[GrantId]) -> String {
    grants.iter().map(GrantId::to_string).collect::<Vec<_>>().join(", ")
}

fn seconds_long(seconds: u64) -> String {
    for_people(Duration::from_secs(seconds))
}

/// `0.04s`, `12.3s`, `5m 2s`.
fn milliseconds_long(milliseconds: u64) -> String {
    match milliseconds {
        0..1000 => format!("0.{:02}s", milliseconds / 10),
        1000..60_000 => format!("{}.{}s", milliseconds / 1000, milliseconds % 1000 / 100),
        _ => seconds_long(milliseconds / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::event::samples::one_of_each;
    use crate::domain::Timestamp;

    fn shown(what: What) -> String {
        let event = AuditEvent {
            user: Some("alice".parse().unwrap()),
            target: Some("web-1".parse().unwrap()),
            grant: Some("g-7K2Q4M".parse().unwrap()),
            ..AuditEvent::of(what)
        };
        lines(&FoundEntry { sequence: 12, time: Timestamp::from_secs(1_769_868_000), event })
    }

    #[test]
    fn every_kind_fits_the_screen_and_moves_no_cursor() {
        for what in one_of_each("\u{1b}[2J\nforged\u{202e} ") {
            let (kind, shown) = (what.kind(), shown(what));
            let first = format!("12  2026-01-31T14:00:00Z  {kind}  alice  web-1  g-7K2Q4M\n");
            assert!(shown.starts_with(&first), "{shown}");
            assert!(shown.lines().all(|line| line.chars().count() <= 120), "{shown}");
            assert!(shown.lines().skip(1).all(|line| line.starts_with("    ")), "{shown}");
            assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}') && !shown.contains("\\\\u"), "{shown}");
        }
    }

    #[test]
    fn what_matters_of_a_command_is_there() {
        let found: String = one_of_each("why").into_iter().map(shown).collect();
        for part in [
            "\n    systemctl restart nginx\n    c-00000007 by web-restart:2 as ops, certificate k-00000003 (on file)\n",
            "\n    c-00000007 exit 124 after 5m 2s, ended by expired\n    0 bytes in, 12 out, 3 error output; recording why (in part)\n",
            "command-denied  alice  web-1  g-7K2Q4M\n    id\n    because why\n",
            "\n    r-000009: web-restart for 30m on web-1 as ops\n    ticket why; reason: why\n",
            "\n    from 192.0.2.7:50000 through 192.0.2.7:50000 as why, certificate k-00000003 and key SHA256:abc\n    why\n",
        ] {
            assert!(found.contains(part), "{part} in\n{found}");
        }
        assert_eq!([42, 12_345, 302_000].map(milliseconds_long), ["0.04s", "12.3s", "5m 2s"]);
    }
}
