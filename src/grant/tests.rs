//! The life of a request, step by step and in every order.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::approval::{ApprovalError, Approved, Yes, any_of};
use super::{AccessRequest, EndReason, Filing, Narrowing, Scope, State};
use crate::domain::{Person, RequestId, Subject, TargetName, Timestamp, UserName};

const HOUR: Duration = Duration::from_secs(3600);
const LAPSE: Duration = Duration::from_secs(8 * 3600);
const ACTIVATE: Duration = Duration::from_secs(4 * 3600);
const FILED: Timestamp = Timestamp::from_secs(1_000_000);

fn at(seconds: u64) -> Timestamp {
    FILED.after(Duration::from_secs(seconds))
}

fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

fn target(name: &str) -> TargetName {
    name.parse().unwrap()
}

fn lead(name: &str) -> Person {
    Person { name: user(name), groups: ["leads".parse().unwrap()].into() }
}

fn leads() -> Vec<Subject> {
    vec!["group:leads".parse().unwrap()]
}

fn filing(approvals_needed: u8) -> Filing {
    let targets: BTreeMap<_, _> = ["web-1", "web-2", "web-3"].map(|name| (target(name), "ops".parse().unwrap())).into();
    Filing {
        user: user("alice"),
        role: "web-restart".parse().unwrap(),
        role_text: "description = \"x\"".to_owned(),
        approvals_needed,
        scope: Scope { targets, duration: HOUR },
        reason: "INC-1 stuck".to_owned(),
        ticket: Some("INC-1".to_owned()),
        source: "192.0.2.7".parse().unwrap(),
    }
}

fn request(approvals_needed: u8) -> AccessRequest {
    AccessRequest::file(RequestId::from_bits(77), filing(approvals_needed), FILED, LAPSE, ACTIVATE)
}

fn yes_by(
    request: &AccessRequest,
    who: &Person,
    seen: &str,
    narrowing: &Narrowing,
    now: Timestamp,
) -> Result<Approved, ApprovalError> {
    let standing: Vec<UserName> = request.approvals.iter().map(|approval| approval.by.clone()).collect();
    let yes = Yes { by: who, approvers: &leads(), standing: &standing, needed: 0, seen, narrowing };
    request.approve(&yes, now, ACTIVATE)
}

fn counted(request: &AccessRequest, who: &str, narrowing: &Narrowing, now: Timestamp) -> AccessRequest {
    match yes_by(request, &lead(who), &request.digest().short(), narrowing, now) {
        Ok(Approved::Counted(next)) => *next,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_goes_from_pending_over_approved_and_active_to_its_end() {
    let pending = request(1);
    assert_eq!(pending.state, State::Pending { lapses: FILED.after(LAPSE) });
    let approved = counted(&pending, "bob", &Narrowing::default(), at(60));
    assert_eq!(approved.state, State::Approved { at: at(60), activate_by: at(60).after(ACTIVATE) });
    assert!(approved.active_grant(at(60)).is_none());
    let active = approved.activate(at(120), 2 * HOUR).unwrap();
    let grant = active.active_grant(at(120)).unwrap();
    assert_eq!((grant.ends(), grant.targets().len()), (at(3720), 3));
    assert!(active.active_grant(at(3720)).is_none());
    let ended = active.settled(at(9999)).unwrap();
    assert_eq!(ended.state, State::Ended { at: at(3720), why: EndReason::Expired });
    assert_eq!(ended.settled(at(99999)), None);
}

#[test]
fn self_service_is_approved_at_once_and_still_has_to_be_used_in_time() {
    let approved = request(0);
    assert_eq!(approved.state, State::Approved { at: FILED, activate_by: FILED.after(ACTIVATE) });
    let late = FILED.after(ACTIVATE);
    assert!(approved.activate(late, HOUR).unwrap_err().to_string().contains("cannot be activated: it expired at"));
    assert!(approved.activate(late.before(Duration::from_micros(1)), HOUR).is_ok());
}

#[test]
fn a_role_that_allows_less_by_now_shortens_the_grant_and_one_that_allows_more_does_not_lengthen_it() {
    let ends = |longest| match request(0).activate(FILED, longest).unwrap().state {
        State::Active { window } => window.end,
        state => panic!("{state:?}"),
    };
    assert_eq!(ends(Duration::from_secs(60)), at(60));
    assert_eq!(ends(24 * HOUR), at(3600));
}

#[test]
fn the_requester_never_counts_and_strangers_do_not_either() {
    let pending = request(1);
    let short = pending.digest().short();
    let own = yes_by(&pending, &lead("alice"), &short, &Narrowing::default(), at(1)).unwrap_err();
    let text = own.clone().naming(vec![user("bob"), user("dan")]).to_string();
    assert_eq!(text, "you cannot decide on r-00002D, which is your own request; bob or dan can");
    assert!(matches!(own, ApprovalError::Own { .. }));
    let stranger = Person { name: user("eve"), groups: Default::default() };
    let error = yes_by(&pending, &stranger, &short, &Narrowing::default(), at(1)).unwrap_err();
    assert!(matches!(error, ApprovalError::NotApprover { .. }));
    assert!(matches!(pending.deny(&lead("alice"), &leads(), "", at(1)), Err(ApprovalError::Own { .. })));
    assert!(matches!(pending.deny(&stranger, &leads(), "", at(1)), Err(ApprovalError::NotApprover { .. })));
}

#[test]
fn two_approvals_are_two_people() {
    let none = Narrowing::default();
    let once = counted(&request(2), "bob", &none, at(1));
    assert!(matches!(once.state, State::Pending { .. }));
    assert_eq!(yes_by(&once, &lead("bob"), &once.digest().short(), &none, at(2)), Ok(Approved::Repeated));
    let twice = counted(&once, "dan", &none, at(3));
    assert!(matches!(twice.state, State::Approved { .. }));
    // Said again by either, before or after its use, nothing changes; by a third, it is too late.
    for state in [twice.clone(), twice.activate(at(4), HOUR).unwrap()] {
        assert_eq!(yes_by(&state, &lead("dan"), &state.digest().short(), &none, at(5)), Ok(Approved::Repeated));
        let error = yes_by(&state, &lead("eve"), &state.digest().short(), &none, at(5)).unwrap_err();
        assert!(matches!(error, ApprovalError::State(_)), "{error}");
    }
}

#[test]
fn a_role_that_needs_more_approvals_by_now_needs_them_for_waiting_requests_too() {
    let pending = request(1);
    let yes = |needed, request: &AccessRequest, by: &str, standing: &[&str]| {
        let seen = request.digest().short();
        let (by, narrowing) = (lead(by), Narrowing::default());
        let standing: Vec<UserName> = standing.iter().map(|name| name.parse().unwrap()).collect();
        let yes = Yes { by: &by, approvers: &leads(), standing: &standing, needed, seen: &seen, narrowing: &narrowing };
        match request.approve(&yes, at(1), ACTIVATE) {
            Ok(Approved::Counted(next)) => *next,
            other => panic!("{other:?}"),
        }
    };
    let once = yes(2, &pending, "bob", &[]);
    assert!(matches!(once.state, State::Pending { .. }));
    assert!(matches!(yes(0, &once, "dan", &["bob"]).state, State::Approved { .. }));
    // A yes of somebody who may not say it any more is none.
    let one_left = yes(0, &once, "dan", &[]);
    assert!(matches!(one_left.state, State::Pending { .. }));
    assert_eq!(one_left.approvals.len(), 1);
    assert!(matches!(yes(0, &one_left, "eve", &["dan"]).state, State::Approved { .. }));
}

#[test]
fn an_approver_approves_what_they_saw() {
    let pending = request(2);
    let digest = pending.digest().to_string();
    let with = |seen: &str| yes_by(&pending, &lead("bob"), seen, &Narrowing::default(), at(1));
    for seen in ["", &digest[..3], "zzzz", &format!("{digest}0"), "00000"] {
        assert_eq!(with(seen), Err(ApprovalError::Digest { id: pending.id.clone() }), "{seen:?}");
    }
    for seen in [&digest[..4], &digest[..9], &digest, &digest.to_uppercase()] {
        assert!(matches!(with(seen), Ok(Approved::Counted(_))), "{seen:?}");
    }
    // Bob narrows while dan reads: dan has to look again, and bob may repeat his own line.
    let narrowing = Narrowing { targets: vec![target("web-2")], duration: Some(HOUR / 2) };
    let narrowed = counted(&pending, "bob", &narrowing, at(1));
    let error = yes_by(&narrowed, &lead("dan"), &digest[..4], &Narrowing::default(), at(2)).unwrap_err();
    assert!(matches!(error, ApprovalError::Digest { .. }));
    assert_eq!(yes_by(&narrowed, &lead("bob"), &digest[..4], &narrowing, at(3)), Ok(Approved::Repeated));
    let approved = counted(&narrowed, "dan", &Narrowing::default(), at(4));
    assert!(matches!(approved.state, State::Approved { .. }));
    assert_eq!(approved.approvals[0].digest, pending.digest());
    assert_eq!(approved.approvals[1].digest, narrowed.digest());
}

#[test]
fn an_approval_shortens_and_drops_and_never_widens() {
    let pending = request(1);
    let with = |targets: &[&str], duration| {
        let narrowing = Narrowing { targets: targets.iter().map(|name| target(name)).collect(), duration };
        yes_by(&pending, &lead("bob"), &pending.digest().short(), &narrowing, at(1))
    };
    let scope = |outcome| match outcome {
        Ok(Approved::Counted(next)) => (next.scope.targets.len(), next.scope.duration),
        other => panic!("{other:?}"),
    };
    assert_eq!(scope(with(&["web-3", "web-1", "web-3"], None)), (2, HOUR));
    assert_eq!(scope(with(&[], Some(HOUR / 2))), (3, HOUR / 2));
    assert_eq!(scope(with(&[], Some(HOUR))), (3, HOUR));
    assert!(matches!(with(&[], Some(HOUR + Duration::from_secs(1))), Err(ApprovalError::Longer { .. })));
    assert!(matches!(with(&[], Some(Duration::ZERO)), Err(ApprovalError::DurationNotWhole)));
    assert!(matches!(with(&[], Some(Duration::from_millis(10))), Err(ApprovalError::DurationNotWhole)));
    assert!(matches!(with(&["web-1", "db-1"], None), Err(ApprovalError::Wider { .. })));
    // A second, narrower yes of the same person is not a repetition.
    let once = counted(&request(2), "bob", &Narrowing::default(), at(1));
    let narrower = Narrowing { duration: Some(HOUR / 2), ..Narrowing::default() };
    let error = yes_by(&once, &lead("bob"), &once.digest().short(), &narrower, at(2)).unwrap_err();
    assert!(matches!(error, ApprovalError::Already { .. }));
}

#[test]
fn the_digest_covers_everything_an_approver_saw() {
    let base = request(1);
    let variants: Vec<AccessRequest> = vec![
        AccessRequest { id: RequestId::from_bits(78), ..base.clone() },
        AccessRequest { user: user("alicf"), ..base.clone() },
        AccessRequest { role: "web-restart2".parse().unwrap(), ..base.clone() },
        AccessRequest { role_digest: crate::domain::Digest::of(b"other"), ..base.clone() },
        AccessRequest { reason: String::new(), ..base.clone() },
        AccessRequest { reason: "INC-1 stuc".to_owned(), ticket: Some("kINC-1".to_owned()), ..base.clone() },
        AccessRequest { ticket: None, ..base.clone() },
        AccessRequest { ticket: Some(String::new()), ..base.clone() },
        AccessRequest { scope: Scope { duration: HOUR / 2, ..base.scope.clone() }, ..base.clone() },
        AccessRequest {
            scope: Scope { targets: [(target("web-1"), "ops".parse().unwrap())].into(), ..base.scope.clone() },
            ..base.clone()
        },
        AccessRequest {
            scope: Scope { targets: [(target("web-1"), "root".parse().unwrap())].into(), ..base.scope.clone() },
            ..base.clone()
        },
    ];
    let mut digests: Vec<_> = variants.iter().map(AccessRequest::digest).collect();
    digests.push(base.digest());
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), variants.len() + 1);
    // Who said yes meanwhile changes nothing about what is asked for.
    assert_eq!(counted(&request(2), "bob", &Narrowing::default(), at(1)).digest(), base.digest());
}

#[test]
fn every_refused_transition_says_where_the_request_stands_and_what_to_type() {
    let active = request(0).activate(FILED, HOUR).unwrap();
    let denied = request(1).deny(&lead("bob"), &leads(), "not\nnow", at(5)).unwrap();
    let rows = [
        (active.withdraw(at(1)), "it is active until 1970-01-12 14:46:40Z; `done g-00002D` gives it back"),
        (request(1).give_back(at(1)), "it waits for approval until 1970-01-12 21:46:40Z; `withdraw r-00002D`"),
        (request(1).revoke(&user("bob"), "", at(1)), "; an approver can `deny r-00002D`"),
        (request(1).activate(at(1), HOUR), "cannot be activated: it waits for approval"),
        (denied.withdraw(at(9)), "it was denied by bob at 1970-01-12 13:46:45Z: not\\nnow"),
        (active.give_back(at(3600)), "cannot be given back: it expired at 1970-01-12 14:46:40Z"),
    ];
    for (outcome, words) in rows {
        let error = outcome.unwrap_err().to_string();
        assert!(error.starts_with("r-00002D cannot be ") && error.contains(words), "{error}");
    }
    let error = active.deny(&lead("bob"), &leads(), "", at(1)).unwrap_err().to_string();
    assert!(error.ends_with("; `revoke g-00002D` takes it away"), "{error}");
}

#[test]
fn people_are_listed_as_one_says_it() {
    let names: Vec<UserName> = ["ann", "bob", "cy", "dan", "eve", "flo", "gus"].map(user).into();
    let of = |count: usize| any_of(&names[..count]);
    assert_eq!([of(0), of(1), of(2)], ["nobody", "ann", "ann or bob"]);
    assert_eq!(of(5), "ann, bob, cy, dan or eve");
    assert_eq!(of(7), "ann, bob, cy, dan, eve or 2 others");
}

#[test]
fn a_stored_request_reads_back_the_same() {
    let active = counted(&request(1), "bob", &Narrowing::default(), at(1)).activate(at(2), HOUR).unwrap();
    for request in [request(1), active.revoke(&user("bob"), "done?", at(3)).unwrap(), active] {
        let text = serde_json::to_string(&request).unwrap();
        assert_eq!(serde_json::from_str::<AccessRequest>(&text).unwrap(), request);
    }
}

/// Something that somebody, or time, does.
#[derive(Clone, Debug)]
enum Step {
    Approve { who: usize, keep: usize, seconds: Option<u64>, wrong_digest: bool },
    Deny { who: usize },
    Withdraw,
    Activate { longest: u64 },
    GiveBack,
    Revoke,
    Settle,
}

const PEOPLE: [&str; 4] = ["alice", "bob", "dan", "eve"];

fn step() -> impl Strategy<Value = (Step, u64)> {
    let yes = (0..4_usize, 0..4_usize, proptest::option::of(0..5000_u64), proptest::bool::weighted(0.1))
        .prop_map(|(who, keep, seconds, wrong_digest)| Step::Approve { who, keep, seconds, wrong_digest });
    let step = prop_oneof![
        6 => yes,
        1 => (0..4_usize).prop_map(|who| Step::Deny { who }),
        1 => Just(Step::Withdraw),
        3 => (0..7200_u64).prop_map(|longest| Step::Activate { longest }),
        1 => Just(Step::GiveBack),
        1 => Just(Step::Revoke),
        2 => Just(Step::Settle),
    ];
    (step, prop_oneof![9 => 0..3000_u64, 1 => 0..40_000_u64])
}

fn take(request: &AccessRequest, step: &Step, now: Timestamp) -> Option<AccessRequest> {
    match step {
        Step::Approve { who, keep, seconds, wrong_digest } => {
            let targets = ["web-1", "web-2", "web-3"].iter().take(*keep).map(|name| target(name)).collect();
            let narrowing = Narrowing { targets, duration: seconds.map(Duration::from_secs) };
            let seen = if *wrong_digest { "0000".to_owned() } else { request.digest().short() };
            match yes_by(request, &lead(PEOPLE[*who]), &seen, &narrowing, now) {
                Ok(Approved::Counted(next)) => Some(*next),
                Ok(Approved::Repeated) | Err(_) => None,
            }
        }
        Step::Deny { who } => request.deny(&lead(PEOPLE[*who]), &leads(), "no", now).ok(),
        Step::Withdraw => request.withdraw(now).ok(),
        Step::Activate { longest } => request.activate(now, Duration::from_secs(*longest)).ok(),
        Step::GiveBack => request.give_back(now).ok(),
        Step::Revoke => request.revoke(&user("bob"), "", now).ok(),
        Step::Settle => request.settled(now),
    }
}

/// How far along its life a request is; a step only ever goes on.
fn stage(request: &AccessRequest) -> u8 {
    match request.state {
        State::Pending { .. } => 0,
        State::Approved { .. } => 1,
        State::Active { .. } => 2,
        _ => 3,
    }
}

fn is_within(next: &Scope, before: &Scope) -> bool {
    let kept = next.targets.iter().all(|(name, account)| before.targets.get(name) == Some(account));
    kept && !next.targets.is_empty() && next.duration <= before.duration && !next.duration.is_zero()
}

proptest! {
    #[test]
    fn no_sequence_of_steps_breaks_the_rules(needed in 0..4_u8, steps in proptest::collection::vec(step(), 1..30)) {
        let mut request = request(needed);
        let mut now = FILED;
        for (step, pause) in steps {
            now = now.after(Duration::from_secs(pause));
            let Some(next) = take(&request, &step, now) else { continue };
            prop_assert!(!request.state.is_over(), "left {:?} by {step:?}", request.state);
            prop_assert!(stage(&next) >= stage(&request));
            prop_assert!(is_within(&next.scope, &request.scope));
            prop_assert!(request.settled(now).is_none() || matches!(step, Step::Settle), "{step:?} after its time");
            let mut people: Vec<_> = next.approvals.iter().map(|approval| approval.by.as_str()).collect();
            people.sort_unstable();
            let said = people.len();
            people.dedup();
            prop_assert_eq!(said, people.len(), "somebody counted twice");
            prop_assert!(!people.contains(&"alice"));
            if stage(&next) == 1 || stage(&next) == 2 {
                prop_assert!(people.len() >= usize::from(needed));
            }
            if let (State::Active { window: before }, State::Active { window }) = (&request.state, &next.state) {
                prop_assert!(window.start >= before.start && window.end <= before.end);
            }
            if let State::Active { window } = &next.state {
                prop_assert!(window.start.until(window.end) <= next.scope.duration);
            }
            prop_assert_eq!(&next.role_text, &request.role_text);
            prop_assert_eq!(&next.user, &request.user);
            request = next;
        }
    }
}
