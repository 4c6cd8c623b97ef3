use std::sync::atomic::Ordering;
use std::time::Duration;

use super::super::activate_grant::activate;
use super::super::rehearsal::{HERE, Rehearsal};
use super::*;

const HOUR: Duration = Duration::from_secs(3600);

async fn active(stage: &Rehearsal) -> AccessRequest {
    let request = stage.filed("web-look").await;
    activate(&stage.services, &request.id, HERE).await.unwrap()
}

#[tokio::test]
async fn done_gives_back_one_or_all() {
    let stage = Rehearsal::new();
    let alice = stage.session("alice");
    assert_eq!(done(&stage.services, &alice, &Which::All).await.unwrap(), Vec::new());
    let (first, second, unused) = (active(&stage).await, active(&stage).await, stage.filed("web-look").await);
    let waiting = stage.filed("web-restart").await;
    let ended = done(&stage.services, &alice, &Which::One(first.grant_id())).await.unwrap();
    assert!(matches!(ended[0].state, State::Ended { .. }));
    assert_eq!(stage.log.last(), What::Ended { why: "given-back".to_owned(), text: String::new() });
    let again = done(&stage.services, &alice, &Which::One(first.grant_id())).await.unwrap_err().to_string();
    assert!(again.contains("cannot be given back: it was given back at"), "{again}");
    let ended = done(&stage.services, &alice, &Which::All).await.unwrap();
    let mut ids: Vec<_> = ended.into_iter().map(|request| request.id).collect();
    ids.sort();
    assert_eq!(ids, [second.id, unused.id]);
    assert!(matches!(stage.stored(&waiting.id).state, State::Pending { .. }));
}

#[tokio::test]
async fn without_a_log_power_is_taken_and_the_entries_come_first_afterwards() {
    let stage = Rehearsal::new();
    let (first, second) = (active(&stage).await, active(&stage).await);
    stage.log.broken.store(true, Ordering::SeqCst);
    done(&stage.services, &stage.session("alice"), &Which::One(first.grant_id())).await.unwrap();
    revoke(&stage.services, &stage.session("carol"), &second.grant_id(), "why?").await.unwrap();
    assert!(stage.stored(&first.id).state.is_over() && stage.stored(&second.id).state.is_over());
    assert_eq!(stage.log.waiting(), 2);
    stage.log.mend();
    assert_eq!(stage.log.kinds()[4..], ["ended", "ended"]);
    let last = stage.log.entries().pop().unwrap();
    assert_eq!(last.what, What::Ended { why: "revoked".to_owned(), text: "why?".to_owned() });
    assert_eq!((last.grant, last.user), (Some(second.grant_id()), Some("carol".parse().unwrap())));
}

#[tokio::test]
async fn approvers_and_reviewers_revoke_and_others_hear_nothing() {
    let stage = Rehearsal::new();
    // Nobody approves web-look, so only a reviewer takes it away.
    let grant = active(&stage).await;
    let missing = GrantId::from_bits(99);
    for who in ["bob", "dora", "nobody"] {
        for id in [&grant.grant_id(), &missing] {
            let error = revoke(&stage.services, &stage.session(who), id, "").await.unwrap_err();
            assert_eq!(error.to_string(), format!("there is no {id} that you may see; `status` lists your requests"));
            let error = done(&stage.services, &stage.session(who), &Which::One(id.clone())).await.unwrap_err();
            assert!(matches!(error, EndError::Unseen(_)));
        }
    }
    let own = revoke(&stage.services, &stage.session("alice"), &grant.grant_id(), "").await.unwrap_err();
    assert_eq!(own.to_string(), format!("{id} is your own: `done {id}` gives it back", id = grant.grant_id()));
    let long = "ä".repeat(FREE_TEXT);
    let ended = revoke(&stage.services, &stage.session("carol"), &grant.grant_id(), &long).await.unwrap();
    let State::Ended { why, .. } = &ended.state else { panic!() };
    assert_eq!(why.text().len(), FREE_TEXT);

    let pending = stage.filed("web-restart").await;
    let error = revoke(&stage.services, &stage.session("bob"), &pending.grant_id(), "").await.unwrap_err();
    assert!(error.to_string().ends_with(&format!("an approver can `deny {}`", pending.id)), "{error}");
}

#[tokio::test]
async fn grants_lists_what_one_may_revoke() {
    let stage = Rehearsal::new();
    let grant = active(&stage).await;
    stage.filed("web-restart").await;
    let of = async |who: &str| grants(&stage.services, &stage.session(who)).await.unwrap();
    assert_eq!(of("carol").await, vec![grant]);
    for who in ["alice", "bob", "nobody"] {
        assert!(of(who).await.is_empty(), "{who}");
    }
}

#[tokio::test]
async fn the_sweep_ends_what_is_due_once() {
    let stage = Rehearsal::new();
    let (grant, _pending) = (active(&stage).await, stage.filed("web-restart").await);
    assert_eq!(expire_due(&stage.services).await.unwrap(), 0);
    stage.clock.pass(HOUR / 2);
    assert_eq!(expire_due(&stage.services).await.unwrap(), 1);
    assert_eq!(stage.log.last(), What::Ended { why: "expired".to_owned(), text: String::new() });
    assert_eq!(expire_due(&stage.services).await.unwrap(), 0);
    stage.clock.pass(8 * HOUR);
    assert_eq!(expire_due(&stage.services).await.unwrap(), 1);
    assert!(matches!(stage.log.last(), What::Lapsed { .. }));
    let late = revoke(&stage.services, &stage.session("carol"), &grant.grant_id(), "").await.unwrap_err().to_string();
    assert!(late.contains("cannot be revoked: it expired at"), "{late}");
    stage.store.broken.store(true, Ordering::SeqCst);
    assert!(expire_due(&stage.services).await.is_err());
}

#[tokio::test]
async fn however_many_newer_requests_there_are_the_old_ones_are_seen_and_ended() {
    let stage = Rehearsal::new();
    let (grant, waiting) = (active(&stage).await, stage.filed("web-restart").await);
    {
        let mut requests = stage.store.requests.lock().unwrap();
        for number in 1..=u64::try_from(RequestQuery::MOST).unwrap() {
            let id = RequestId::from_bits(1_000_000 + number);
            let filed = waiting.filed.after(HOUR / 4);
            let state = State::Pending { lapses: filed.after(8 * HOUR) };
            requests.insert(id.clone(), (1, AccessRequest { id, filed, state, ..waiting.clone() }));
        }
    }
    let carol = stage.session("carol");
    assert_eq!(grants(&stage.services, &carol).await.unwrap(), vec![grant.clone()]);
    let seen = super::super::review_request::pending(&stage.services, &carol).await.unwrap();
    assert_eq!((seen.len(), &seen[0].request), (RequestQuery::MOST + 1, &waiting));
    stage.clock.pass(HOUR / 2);
    assert_eq!(expire_due(&stage.services).await.unwrap(), 1);
    assert!(stage.stored(&grant.id).state.is_over());
}

#[tokio::test]
async fn two_who_revoke_at_once_revoke_once() {
    let stage = Rehearsal::new();
    let grant = active(&stage).await.grant_id();
    let (carol, alice) = (stage.session("carol"), stage.session("alice"));
    let one = Which::One(grant.clone());
    let (by, back) = tokio::join!(revoke(&stage.services, &carol, &grant, ""), done(&stage.services, &alice, &one));
    assert!(by.is_ok() != back.is_ok());
    assert_eq!(stage.log.kinds().iter().filter(|kind| *kind == "ended").count(), 1);
}
