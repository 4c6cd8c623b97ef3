use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::activate_grant::activate;
use super::super::end_grant::{Which, done, revoke};
use super::super::rehearsal::{HERE, ROLES, Rehearsal, ask, name, people, role, user};
use super::super::request_access::{file_request, status_of, withdraw};
use super::super::requestable::targets_for;
use super::*;
use crate::identity::Directory;

const HOUR: Duration = Duration::from_secs(3600);

async fn yes(stage: &Rehearsal, who: &str, request: &AccessRequest) -> Result<ApprovalReport, ReviewError> {
    let (session, none) = (stage.session(who), Narrowing::default());
    approve(&stage.services, &session, &request.id, &request.digest().short(), &none).await
}

fn refusal(stage: &Rehearsal) -> String {
    match stage.log.last() {
        What::ApprovalRefused { reason, .. } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_lead_says_yes_once() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let first = yes(&stage, "bob", &request).await.unwrap();
    assert!(!first.repeated && matches!(first.request.state, State::Approved { .. }));
    let What::Approved { digest, seconds: 3600, complete: true, .. } = stage.log.last() else { panic!() };
    assert_eq!(digest, request.digest());
    let again = yes(&stage, "bob", &request).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.request, first.request);
    assert_eq!(stage.log.kinds(), ["requested", "approved"]);
    let late = yes(&stage, "dan", &request).await.unwrap_err().to_string();
    assert!(late.contains("cannot be approved: it is approved"), "{late}");
}

#[tokio::test]
async fn your_own_request_is_for_others_and_they_are_named() {
    let stage = Rehearsal::new();
    let ann = stage.session("ann");
    let own = file_request(&stage.services, &ann, ask("web-rescue"));
    let own = own.await.unwrap();
    let error = yes(&stage, "ann", &own).await.unwrap_err().to_string();
    assert_eq!(error, format!("you cannot decide on {}, which is your own request; bob or dan can", own.id));
    assert_eq!(refusal(&stage), error);
    yes(&stage, "bob", &own).await.unwrap();
    assert_eq!(possible_approvers(&stage.services, &stage.stored(&own.id)), [name("dan")]);
    let error = yes(&stage, "carol", &own).await.unwrap_err().to_string();
    assert_eq!(error, format!("you are not an approver of {}; dan can", own.id));
    assert_eq!(refusal(&stage), error);
}

#[tokio::test]
async fn two_approvers_at_once_are_both_counted() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-rescue").await;
    let (one, two) = tokio::join!(yes(&stage, "bob", &request), yes(&stage, "dan", &request));
    assert!(!one.unwrap().repeated && !two.unwrap().repeated);
    let stored = stage.stored(&request.id);
    assert_eq!(stored.approvals.len(), 2);
    assert!(matches!(stored.state, State::Approved { .. }));
    // The loser's first entry is contradicted before its second.
    assert_eq!(stage.log.kinds(), ["requested", "approved", "approved", "error", "approved"]);
    let What::Approved { complete: true, .. } = stage.log.last() else { panic!() };
}

#[tokio::test]
async fn one_approver_twice_at_once_is_counted_once() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-rescue").await;
    let (one, two) = tokio::join!(yes(&stage, "bob", &request), yes(&stage, "bob", &request));
    assert!(one.unwrap().repeated != two.unwrap().repeated);
    let stored = stage.stored(&request.id);
    assert_eq!(stored.approvals.len(), 1);
    assert!(matches!(stored.state, State::Pending { .. }));
}

#[tokio::test]
async fn a_yes_and_a_withdrawal_at_once_never_leave_a_grant() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let alice = stage.session("alice");
    let (yes, back) = tokio::join!(yes(&stage, "bob", &request), withdraw(&stage.services, &alice, &request.id));
    assert!(back.is_ok());
    let stored = stage.stored(&request.id);
    assert!(matches!(stored.state, State::Withdrawn { .. }), "{yes:?} {stored:?}");
}

#[tokio::test]
async fn narrowing_is_what_is_granted_and_what_the_log_says() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let bob = stage.session("bob");
    let narrowing = Narrowing { targets: vec!["web-2".parse().unwrap()], duration: Some(HOUR / 4) };
    let seen = request.digest().short();
    let report = approve(&stage.services, &bob, &request.id, &seen, &narrowing).await.unwrap();
    assert_eq!((report.request.scope.targets.len(), report.request.scope.duration), (1, HOUR / 4));
    let What::Approved { targets, seconds: 900, digest, .. } = stage.log.last() else { panic!() };
    assert_eq!((targets, digest), (narrowing.targets.clone(), request.digest()));
    let wider = Narrowing { duration: Some(2 * HOUR), ..Narrowing::default() };
    let other = stage.filed("web-restart").await;
    let seen = other.digest().short();
    let error = approve(&stage.services, &bob, &other.id, &seen, &wider).await.unwrap_err();
    assert!(error.to_string().ends_with("can only shorten that: `--for` at most 1h"), "{error}");
    let error = approve(&stage.services, &bob, &other.id, "beef", &Narrowing::default()).await.unwrap_err();
    assert!(matches!(error, ReviewError::Refused(ApprovalError::Digest { .. })));
}

#[tokio::test]
async fn without_a_log_nothing_is_granted_and_a_no_still_counts() {
    let stage = Rehearsal::new();
    let (first, second) = (stage.filed("web-restart").await, stage.filed("web-restart").await);
    stage.log.broken.store(true, Ordering::SeqCst);
    let error = yes(&stage, "bob", &first).await.unwrap_err();
    assert!(matches!(error, ReviewError::Unavailable(Unavailable::Log(_))));
    assert_eq!(stage.stored(&first.id), first);
    let denied = deny(&stage.services, &stage.session("bob"), &second.id, "not now").await.unwrap();
    assert!(matches!(&denied.state, State::Denied { text, .. } if text == "not now"));
    stage.log.mend();
    assert_eq!(stage.log.kinds()[2..], ["error", "denied"]);
}

#[tokio::test]
async fn without_a_store_an_approval_is_contradicted() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    stage.store.read_only.store(true, Ordering::SeqCst);
    let error = yes(&stage, "bob", &request).await.unwrap_err();
    assert!(matches!(error, ReviewError::Unavailable(Unavailable::Store(_))));
    assert_eq!(stage.log.kinds(), ["requested", "approved", "error"]);
    assert_eq!(stage.stored(&request.id), request);
}

#[tokio::test]
async fn a_client_that_goes_away_in_between_leaves_no_uncontradicted_yes() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let mut yes = Box::pin(yes(&stage, "bob", &request));
    let mut polled = 0;
    // Until its entry is written, however many waits that takes.
    while stage.log.kinds().len() < 2 {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(yes.as_mut().poll(&mut context).is_pending(), "it did not wait between log and store");
        polled += 1;
        assert!(polled < 20);
    }
    drop(yes);
    assert_eq!(stage.log.kinds(), ["requested", "approved", "error"]);
    let What::Error { message } = stage.log.last() else { panic!() };
    assert_eq!(message, format!("entry 1 speaks of a change of {} that was not stored", request.id));
    assert_eq!(stage.stored(&request.id), request);

    // Before: nobody knows whether the entry will be there.
    let mut yes = Box::pin(self::yes(&stage, "bob", &request));
    for _ in 0..2 {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(yes.as_mut().poll(&mut context).is_pending());
    }
    drop(yes);
    assert_eq!(stage.log.kinds()[3..], ["error"]);
}

#[tokio::test]
async fn what_the_operator_takes_away_holds_for_waiting_requests_at_once() {
    let text = ROLES[0].1;
    let with = |from: &str, to: &str| role("web-restart", &text.replace(from, to));
    // Another approver now: the old one may look and deny, the new one may too, neither may approve.
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    stage.reload(|now| {
        now.roles.insert("web-restart".parse().unwrap(), with("group:leads", "user:dora"));
    });
    for who in ["bob", "dora"] {
        let error = yes(&stage, who, &request).await.unwrap_err();
        assert!(error.to_string().contains("not an approver"), "{error}");
        assert!(!pending(&stage.services, &stage.session(who)).await.unwrap()[0].decidable);
    }
    assert!(deny(&stage.services, &stage.session("bob"), &request.id, "").await.is_ok());

    // Two must approve now.
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    stage.reload(|now| {
        now.roles.insert("web-restart".parse().unwrap(), with("approvals = 1", "approvals = 2"));
    });
    assert!(matches!(yes(&stage, "bob", &request).await.unwrap().request.state, State::Pending { .. }));
    assert!(matches!(yes(&stage, "dan", &request).await.unwrap().request.state, State::Approved { .. }));

    // The requester may no longer ask.
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let others = people().into_iter().filter(|user| user.name != name("alice"));
    stage.reload(|now| now.directory = Directory::new(others.chain([user("alice", &[])])));
    let error = yes(&stage, "bob", &request).await.unwrap_err();
    assert!(error.to_string().contains("alice may no longer ask for web-restart"), "{error}");
    assert_eq!(refusal(&stage), error.to_string());

    // The role is gone.
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    stage.reload(|now| drop(now.roles.remove(&request.role)));
    assert!(yes(&stage, "bob", &request).await.is_err());
}

#[tokio::test]
async fn a_yes_counts_only_while_its_giver_may_say_it() {
    // bob said yes and leads no more, or is gone: one of the two that are needed is missing again.
    for groups in [Some(&["others"][..]), None] {
        let stage = Rehearsal::new();
        let request = stage.filed("web-rescue").await;
        yes(&stage, "bob", &request).await.unwrap();
        let bob = groups.map(|groups| user("bob", groups));
        let others = people().into_iter().filter(|user| user.name != name("bob"));
        stage.reload(|now| now.directory = Directory::new(others.chain(bob)));
        let after = yes(&stage, "dan", &request).await.unwrap().request;
        assert!(matches!(after.state, State::Pending { .. }), "{:?}", after.state);
        assert_eq!(after.approvals.iter().map(|approval| approval.by.clone()).collect::<Vec<_>>(), [name("dan")]);
        let What::Approved { complete: false, .. } = stage.log.last() else { panic!() };
        assert_eq!(possible_approvers(&stage.services, &after), [name("ann")]);
        assert!(matches!(yes(&stage, "ann", &request).await.unwrap().request.state, State::Approved { .. }));
    }
}

#[tokio::test]
async fn a_stored_role_that_was_tampered_with_cannot_be_approved() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let stored = super::super::ports::Stored { version: 1, value: request.clone() };
    let changed =
        AccessRequest { role_text: request.role_text.replace("restart nginx", "stop nginx"), ..request.clone() };
    stage.services.store.replace_request(&stored, &changed).await.unwrap();
    assert!(yes(&stage, "bob", &request).await.is_err());
    assert!(matches!(stage.stored(&request.id).state, State::Pending { .. }));
}

#[tokio::test]
async fn approvers_see_what_waits_for_them_and_reviewers_see_it_all() {
    let stage = Rehearsal::new();
    let first = stage.filed("web-restart").await;
    deny(&stage.services, &stage.session("bob"), &first.id, "").await.unwrap();
    stage.clock.pass(HOUR);
    let second = stage.filed("web-restart").await;
    stage.clock.pass(HOUR);
    let third = stage.filed("web-rescue").await;
    let of = async |who: &str| pending(&stage.services, &stage.session(who)).await.unwrap();
    for (who, decidable) in [("bob", true), ("ann", true), ("carol", false)] {
        let seen = of(who).await;
        let ids: Vec<_> = seen.iter().map(|one| (one.request.id.clone(), one.decidable)).collect();
        assert_eq!(ids, [(second.id.clone(), decidable), (third.id.clone(), decidable)], "{who}");
    }
    let history = of("bob").await[0].history;
    assert_eq!(history, History { filed: 1, denied: 1, last: Some(first.filed), ..History::default() });
    assert_eq!(of("bob").await[0].role.as_ref().unwrap().rules().len(), 1);
    for who in ["alice", "dora", "nobody"] {
        assert!(of(who).await.is_empty(), "{who}");
    }
    stage.clock.pass(7 * HOUR);
    assert_eq!(of("bob").await.len(), 1);
    assert!(matches!(stage.stored(&second.id).state, State::Lapsed { .. }));
}

#[tokio::test]
async fn a_yes_after_the_deadline_comes_too_late() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    stage.clock.pass(8 * HOUR);
    let error = yes(&stage, "bob", &request).await.unwrap_err().to_string();
    assert!(error.contains("cannot be approved: it lapsed at"), "{error}");
    assert_eq!(stage.log.kinds(), ["requested", "lapsed", "approval-refused"]);
    let seen = status_of(&stage.services, &stage.session("bob"), &request.id).await.unwrap();
    assert!(matches!(seen.state, State::Lapsed { .. }));
}

/// The front door runs them on whatever thread is free.
#[test]
fn every_use_case_can_change_threads() {
    fn sendable<T: Send>(future: T) {
        drop(future);
    }
    let stage = Rehearsal::new();
    let (services, session, id) = (&stage.services, &stage.session("alice"), &RequestId::from_bits(1));
    let grant = &crate::domain::GrantId::from(id);
    sendable(file_request(services, session, ask("web-look")));
    sendable(withdraw(services, session, id));
    sendable(status_of(services, session, id));
    sendable(approve(services, session, id, "", &Narrowing::default()));
    sendable(deny(services, session, id, ""));
    sendable(pending(services, session));
    sendable(revoke(services, session, grant, ""));
    sendable(done(services, session, &Which::All));
    sendable(activate(services, id, HERE));
    sendable(targets_for(services, &session.user.name));
}
