//! `policy::file` and `policy::decide`: the text of a role, and what lines it allows.

use std::collections::BTreeMap;

use doorward::domain::{AccountName, Digest, RequestId, Severity, TargetName, Timestamp, Window};
use doorward::grant::{AccessRequest, ActiveGrant};
use doorward::policy::explain;
use doorward::policy::file::MOST_FINDINGS;
use doorward::policy::{Choice, CommandRequest, Decision, Denial, HeldRole, Permit, Role, Words, decide};

use super::{good_finding, role_and_lines, shown_safely};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const END: Timestamp = Timestamp::from_secs(1_800_000_060);

/// A role that is read is what its text says, again and again; one that is not read says where and why. A line is allowed
/// only while role, grant, eligibility and account all stand, and what is allowed is the line.
pub(super) fn role_file(data: &[u8]) -> bool {
    let Some((text, lines)) = role_and_lines(data) else { return false };
    let read = || Role::parse("fuzzed".parse().expect("a name"), "roles/fuzzed.toml", text);
    let role = match read() {
        Ok((role, warnings)) => {
            warnings.iter().for_each(good_finding);
            assert!(warnings.iter().all(|finding| finding.severity != Severity::Error));
            role
        }
        Err(findings) => {
            assert!(
                findings.iter().any(|finding| finding.severity == Severity::Error) && findings.len() <= MOST_FINDINGS
            );
            findings.iter().for_each(good_finding);
            let again: Vec<String> = read().expect_err("as before").iter().map(|one| one.message.clone()).collect();
            assert_eq!(findings.iter().map(|one| one.message.clone()).collect::<Vec<_>>(), again);
            return false;
        }
    };
    assert_eq!((role.text(), role.digest()), (text, Digest::of(text.as_bytes())));
    assert!(!role.rules().is_empty());
    role.rules().iter().for_each(|rule| shown_safely(rule.usage(), 512 * 1024));
    // What is approved is kept as text, and read again from the database.
    let (again, _) = Role::parse(role.name().clone(), "roles/fuzzed.toml", role.text()).expect("it was read before");
    assert_eq!(format!("{role:?}"), format!("{again:?}"));
    lines.iter().map(|line| decisions(&role, &again, line)).max().unwrap_or(false)
}

fn grant(role: &Role, target: &TargetName, account: &AccountName) -> ActiveGrant {
    let targets = BTreeMap::from([(target.clone(), account.clone())]);
    let as_approved = (role.name().clone(), role.digest());
    let (user, source) = ("alice".parse().expect("a name"), "127.0.0.1".parse().expect("an address"));
    let window = Window { start: NOW, end: END };
    let request = AccessRequest::supposed(RequestId::from_bits(1), user, as_approved, targets, source, window);
    request.active_grant(NOW).expect("it lives")
}

fn decisions(approved: &Role, loaded: &Role, line: &str) -> bool {
    let Ok(words) = Words::split(line.as_bytes()) else { return false };
    let (target, account): (TargetName, AccountName) =
        ("web-1".parse().expect("a name"), "ops".parse().expect("a name"));
    let grant = grant(approved, &target, &account);
    let held = |loaded, account, eligible| HeldRole { grant: &grant, approved, loaded, account, eligible };
    let ask = |choice: Choice, held: HeldRole<'_>, now| {
        decide(&CommandRequest { target: &target, words: &words, choice: &choice }, &[held], now)
    };

    let decision = ask(Choice::Any, held(Some(loaded), Some(&account), true), NOW);
    let again = ask(Choice::Any, held(Some(loaded), Some(&account), true), NOW);
    assert_eq!(format!("{decision:?}"), format!("{again:?}"), "another decision for the same question");
    match &decision {
        Decision::Allow(permit) => {
            assert!(approved.allows(&words));
            allowed(permit, &words, approved.text());
            explain::allowed(permit).iter().for_each(|line| shown_safely(line, 256 * 1024));
        }
        Decision::Deny(denial) => {
            let conflict = matches!(
                denial,
                Denial::Ambiguous { .. } | Denial::OtherTargets { .. } | Denial::TooLong | Denial::Unmet { .. }
            );
            assert_eq!(approved.allows(&words), conflict, "{denial:?}");
            explain::denial(denial, &target, "bastion").iter().for_each(|line| shown_safely(line, 16 * 1024));
        }
    }
    let (other_role, other_account) = ("another".parse().expect("a name"), "root".parse().expect("a name"));
    for (what, decision) in [
        ("the role is gone", ask(Choice::Any, held(None, Some(&account), true), NOW)),
        ("the target is gone", ask(Choice::Any, held(Some(loaded), None, true), NOW)),
        ("another account", ask(Choice::Any, held(Some(loaded), Some(&other_account), true), NOW)),
        ("not eligible", ask(Choice::Any, held(Some(loaded), Some(&account), false), NOW)),
        ("the grant is over", ask(Choice::Any, held(Some(loaded), Some(&account), true), END)),
        ("another role chosen", ask(Choice::Role(other_role), held(Some(loaded), Some(&account), true), NOW)),
        (
            "another account chosen",
            ask(Choice::Account(other_account.clone()), held(Some(loaded), Some(&account), true), NOW),
        ),
        ("nothing is held", decide(&CommandRequest { target: &target, words: &words, choice: &Choice::Any }, &[], NOW)),
    ] {
        assert!(matches!(decision, Decision::Deny(_)), "{what}, and {line:?} is allowed");
    }
    matches!(decision, Decision::Allow(_))
}

/// What runs is the line: as a vector, as the line for the target, in the digest.
fn allowed(permit: &Permit, words: &Words, role: &str) {
    let line = shlex::split(permit.line()).expect("words");
    assert_eq!(line[0], "exec");
    assert_eq!(line[1..], permit.argv());
    assert!(permit.argv().ends_with(&permit.command()));
    assert_eq!(permit.digest(), Digest::of(permit.line().as_bytes()));
    assert!(permit.deadline() <= END && permit.deadline() > NOW);
    let runs = permit.command();
    let command = match runs.as_slice() {
        [sudo, n, rest @ ..] if sudo == "/usr/bin/sudo" && n == "-n" => rest,
        rest => rest,
    };
    assert!(command.first().is_some_and(|program| program.starts_with('/')));
    // Every word that runs was typed, or stands in the text of the role (the program, an alias).
    // Of a word with a prefix of the role's the rest was typed.
    let said = |word: &str| {
        let glued = |typed: &str| word.strip_suffix(typed).is_some_and(|prefix| role.contains(prefix));
        role.contains(word) || words.iter().any(|typed| typed == word || glued(typed))
    };
    let unsaid = command.iter().skip(1).find(|word| !said(word));
    assert_eq!(unsaid, None, "a word from nowhere");
}
