use std::sync::atomic::Ordering;

use super::super::activate_grant::activate;
use super::super::rehearsal::{HERE, Rehearsal, ask};
use super::super::review_request::{approve, deny};
use super::*;
use crate::grant::Narrowing;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_request_is_in_the_log_and_then_in_the_store_with_the_role_as_it_reads_now() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    assert_eq!(stage.stored(&request.id), request);
    assert!(request.role_text.contains("Restart the web tier"));
    assert_eq!((request.scope.targets.len(), request.scope.duration), (2, HOUR));
    assert_eq!(request.source.to_string(), "192.0.2.7");
    let entry = stage.log.entries().pop().unwrap();
    assert_eq!((entry.user, entry.grant), (Some(request.user.clone()), Some(request.grant_id())));
    let What::Requested { request: id, role_digest, seconds: 3600, ticket: None, .. } = entry.what else {
        panic!("{:?}", entry.what)
    };
    assert_eq!((id, role_digest), (request.id, request.role_digest));
}

#[tokio::test]
async fn unknown_and_not_yours_are_one_answer() {
    let stage = Rehearsal::new();
    let alice = stage.session("alice");
    let wish = |role| Ask { reason: "\n".to_owned(), duration: Some(Duration::ZERO), ..ask(role) };
    let mut answers = Vec::new();
    for role in ["db-look", "no-such-role"] {
        let error = file_request(&stage.services, &alice, wish(role)).await.unwrap_err();
        assert!(matches!(error, RequestError::NotEligible { .. }));
        answers.push(error.to_string().replace(role, "ROLE"));
    }
    assert_eq!(answers[0], answers[1]);
    let gone = file_request(&stage.services, &stage.session("nobody"), ask("web-look")).await.unwrap_err();
    assert!(matches!(gone, RequestError::NotEligible { .. }));

    let request = stage.filed("web-restart").await;
    let stranger = stage.session("dora");
    let missing = RequestId::from_bits(99);
    for id in [&request.id, &missing] {
        let answers = [
            status_of(&stage.services, &stranger, id).await.unwrap_err().to_string(),
            withdraw(&stage.services, &stranger, id).await.unwrap_err().to_string(),
            deny(&stage.services, &stranger, id, "").await.unwrap_err().to_string(),
            approve(&stage.services, &stranger, id, "", &Narrowing::default()).await.unwrap_err().to_string(),
        ];
        for answer in answers {
            assert_eq!(answer, format!("there is no {id} that you may see; `status` lists your requests"));
        }
    }
    for viewer in ["alice", "bob", "ann", "carol"] {
        assert!(status_of(&stage.services, &stage.session(viewer), &request.id).await.is_ok(), "{viewer}");
    }
    assert!(withdraw(&stage.services, &stage.session("carol"), &request.id).await.is_err());
    assert_eq!(my_requests(&stage.services, &stage.session("bob")).await.unwrap(), Vec::new());
    assert_eq!(my_requests(&stage.services, &stage.session("alice")).await.unwrap(), vec![request]);
}

#[tokio::test]
async fn one_user_can_keep_so_many_waiting_and_no_more() {
    let stage = Rehearsal::new();
    let first = stage.filed("web-restart").await;
    for _ in 1..10 {
        stage.filed("web-restart").await;
    }
    let alice = stage.session("alice");
    let error = file_request(&stage.services, &alice, ask("web-look")).await.unwrap_err();
    assert!(matches!(error, RequestError::TooMany { open: 10 }), "{error}");
    // Others have room of their own, and withdrawing or lapsing makes some.
    assert!(file_request(&stage.services, &stage.session("ann"), ask("web-look")).await.is_ok());
    withdraw(&stage.services, &alice, &first.id).await.unwrap();
    assert!(file_request(&stage.services, &alice, ask("web-restart")).await.is_ok());
    stage.clock.pass(8 * HOUR);
    assert!(file_request(&stage.services, &alice, ask("web-restart")).await.is_ok());
    assert_eq!(stage.log.kinds().iter().filter(|kind| *kind == "lapsed").count(), 10);
}

#[tokio::test]
async fn many_channels_at_once_file_no_more_than_one_after_the_other() {
    let stage = Rehearsal::new();
    let alice = stage.session("alice");
    // Each of them finds room when it looks.
    let channel = || file_request(&stage.services, &alice, ask("web-restart"));
    let all = tokio::join!(
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
        channel(),
    );
    drop(all);
    assert_eq!(stage.store.requests.lock().unwrap().len(), 10);
    // Whoever found none after their entry was written is contradicted by the next one.
    let kinds = stage.log.kinds();
    let count = |wanted: &str| kinds.iter().filter(|kind| *kind == wanted).count();
    assert_eq!(count("requested") - count("error"), 10);
}

#[tokio::test]
async fn active_grants_are_bounded_too() {
    let stage = Rehearsal::new();
    for _ in 0..60 {
        let request = stage.filed("web-look").await;
        activate(&stage.services, &request.id, HERE).await.unwrap();
    }
    let error = file_request(&stage.services, &stage.session("alice"), ask("web-look")).await.unwrap_err();
    assert!(matches!(error, RequestError::TooMany { open: 60 }), "{error}");
}

#[tokio::test]
async fn nothing_is_filed_without_its_entry_and_no_entry_stays_uncontradicted() {
    let stage = Rehearsal::new();
    let alice = stage.session("alice");
    stage.log.broken.store(true, Ordering::SeqCst);
    let error = file_request(&stage.services, &alice, ask("web-look")).await.unwrap_err();
    assert!(matches!(error, RequestError::Unavailable(Unavailable::Log(_))));
    assert_eq!(my_requests(&stage.services, &alice).await.unwrap(), Vec::new());
    stage.log.mend();
    assert_eq!(stage.log.kinds(), ["error"]);

    stage.store.read_only.store(true, Ordering::SeqCst);
    let error = file_request(&stage.services, &alice, ask("web-look")).await.unwrap_err();
    assert!(matches!(error, RequestError::Unavailable(Unavailable::Store(_))));
    assert!(!error.to_string().contains("broken for the test"));
    assert_eq!(stage.log.kinds(), ["error", "requested", "error"]);
}

#[tokio::test]
async fn an_identifier_that_is_taken_is_drawn_again() {
    let stage = Rehearsal::new();
    stage.dice.loaded.lock().unwrap().extend([5, 5, 5, 6]);
    let first = stage.filed("web-look").await;
    let second = stage.filed("web-look").await;
    assert_eq!((first.id, second.id), (RequestId::from_bits(5), RequestId::from_bits(6)));
    assert_eq!(stage.log.kinds(), ["requested", "requested"]);
    // Two that draw the same at once: one entry is contradicted, both are filed.
    stage.dice.loaded.lock().unwrap().extend([9, 9]);
    let (third, fourth) = tokio::join!(stage.filed("web-look"), stage.filed("web-look"));
    assert_ne!(third.id, fourth.id);
    assert_eq!(stage.log.kinds()[2..], ["requested", "requested", "error", "requested"]);
}

#[tokio::test]
async fn a_request_is_taken_back_while_it_waits_even_without_a_log() {
    let stage = Rehearsal::new();
    let alice = stage.session("alice");
    let (pending, approved) = (stage.filed("web-restart").await, stage.filed("web-look").await);
    stage.log.broken.store(true, Ordering::SeqCst);
    for id in [&pending.id, &approved.id] {
        let request = withdraw(&stage.services, &alice, id).await.unwrap();
        assert!(matches!(request.state, State::Withdrawn { .. }));
        let again = withdraw(&stage.services, &alice, id).await.unwrap_err().to_string();
        assert!(again.contains("cannot be withdrawn: it was withdrawn at"), "{again}");
    }
    assert_eq!(stage.log.waiting(), 2);
    stage.log.mend();
    assert_eq!(stage.log.kinds()[2..], ["withdrawn", "withdrawn"]);
}

#[tokio::test]
async fn whoever_looks_first_after_the_deadline_stores_and_logs_it_once() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    stage.clock.pass(8 * HOUR);
    let alice = stage.session("alice");
    for _ in 0..2 {
        let seen = status_of(&stage.services, &alice, &request.id).await.unwrap();
        assert_eq!(seen.state, State::Lapsed { at: request.filed.after(8 * HOUR) });
    }
    assert_eq!(stage.log.kinds(), ["requested", "lapsed"]);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_requester_hears_of_a_change_at_once_and_of_time_by_itself() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-restart").await;
    let started = Instant::now();
    let unchanged = await_change(&stage.services, &request, Duration::from_secs(5)).await.unwrap();
    assert_eq!((unchanged, started.elapsed().as_secs()), (request.clone(), 5));

    let (bob, seen) = (stage.session("bob"), request.digest().short());
    let started = Instant::now();
    let waits = await_change(&stage.services, &request, HOUR);
    let none = Narrowing::default();
    let (after, approved) = tokio::join!(waits, approve(&stage.services, &bob, &request.id, &seen, &none));
    let after = after.unwrap();
    assert_eq!(after, approved.unwrap().request);
    assert!(started.elapsed() < Duration::from_millis(10), "it was rung, not polled");
    // A change before it began to wait is not slept through.
    assert_eq!(await_change(&stage.services, &request, HOUR).await.unwrap(), after);

    // Nor one while it reads.
    let request = stage.filed("web-restart").await;
    let (started, alice) = (Instant::now(), stage.session("alice"));
    let mut waits = Box::pin(await_change(&stage.services, &request, HOUR));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waits.as_mut().poll(&mut context).is_pending());
    withdraw(&stage.services, &alice, &request.id).await.unwrap();
    assert!(matches!(waits.await.unwrap().state, State::Withdrawn { .. }));
    assert!(started.elapsed() < Duration::from_millis(10));

    let (ended, ()) = tokio::join!(await_change(&stage.services, &after, HOUR), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        stage.clock.pass(4 * HOUR);
    });
    assert!(matches!(ended.unwrap().state, State::Ended { .. }));
}
