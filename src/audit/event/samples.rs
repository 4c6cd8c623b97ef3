//! One entry of each kind, for tests.

use super::{AllowedCommand, FinishedCommand, What};
use crate::domain::{CertificateId, CommandId, Digest, GrantId, RequestId, Serial, Timestamp};

/// Every kind, in the order of [`What`], with `text` wherever a kind has free text.
pub(crate) fn one_of_each(text: &str) -> Vec<What> {
    let (said, digest) = (|| text.to_owned(), Digest::of(b"policy"));
    let (request, command) = (RequestId::from_bits(9), CommandId::from_bits(7));
    let (certificate, peer) = (CertificateId::from_bits(3), "192.0.2.7:50000".parse().unwrap());
    let (time, grants) = (Timestamp::from_secs(1_769_868_000), vec![GrantId::from_bits(9)]);
    let key = || "SHA256:abc".to_owned();
    let allowed = AllowedCommand {
        command: command.clone(),
        role: "web-restart".parse().unwrap(),
        rule: 2,
        grants: grants.clone(),
        certificate: certificate.clone(),
        presented: false,
        account: "ops".parse().unwrap(),
        typed: "systemctl restart nginx".to_owned(),
        argv: vec![said()],
        digest,
        policy: digest,
        deadline: time,
        withheld: vec![0],
    };
    vec![
        What::Start { version: said(), policy: digest },
        What::Stop { reason: said() },
        What::Reload { policy: digest, refused: Some(said()), widened: 2, narrowed: 1 },
        What::LogRepaired { moved_to: said(), bytes: 1 },
        What::Connection {
            peer,
            via: Some(peer),
            login: said(),
            key: key(),
            certificate: Some(certificate.clone()),
            client: said(),
        },
        What::AuthenticationFailed { peer, via: Some(peer), login: said(), key: Some(key()), reason: said() },
        What::Disconnected { dropped_env: 2, refusals_left_out: 3 },
        What::Forward { originator: said(), login: said(), proof: said(), client: said() },
        What::Refused { what: said() },
        What::Control { line: said(), exit: 0 },
        What::Requested {
            request: request.clone(),
            role: "web-restart".parse().unwrap(),
            role_digest: digest,
            targets: vec![("web-1".parse().unwrap(), "ops".parse().unwrap())],
            seconds: 1800,
            reason: said(),
            ticket: Some(said()),
        },
        What::Approved {
            request: request.clone(),
            digest,
            targets: vec!["web-1".parse().unwrap()],
            seconds: 1800,
            complete: false,
        },
        What::ApprovalRefused { request: request.clone(), reason: said() },
        What::Denied { request: request.clone(), text: said() },
        What::Withdrawn { request: request.clone() },
        What::Lapsed { request },
        What::Activated { ends: time },
        What::Ended { why: "revoked".to_owned(), text: said() },
        What::CertificateIssued {
            certificate,
            serial: Serial::new(1).unwrap(),
            key: key(),
            grants,
            valid_before: time,
        },
        What::TargetConnectionUnused { reason: said() },
        What::CommandAllowed(allowed.clone()),
        What::Observed(AllowedCommand { rule: 0, ..allowed }),
        What::CommandDenied { command: command.clone(), line: "id".to_owned(), reason: said(), withheld: true },
        What::CommandFailed { command: command.clone(), reason: said() },
        What::CommandFinished(FinishedCommand {
            command: command.clone(),
            exit: 124,
            ended_by: Some("expired".to_owned()),
            bytes: [0, 12, 3],
            milliseconds: 302_000,
            recording: said(),
            recording_digest: None,
            stream_digests: [None, Some(digest), None],
        }),
        What::CommandOutcomeUnknown { command },
        What::Error { message: said() },
    ]
}
