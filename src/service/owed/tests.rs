use std::sync::atomic::Ordering;

use super::super::activate_grant::activate;
use super::super::end_grant::{Which, done, revoke};
use super::super::rehearsal::{HERE, Rehearsal};
use super::super::request_access::withdraw;
use super::*;

/// Lets the tasks that forget what is written come to their end.
async fn settled(stage: &Rehearsal) {
    stage.services.owing.close();
    stage.services.owing.wait().await;
    stage.services.owing.reopen();
}

#[tokio::test]
async fn what_the_log_has_is_not_owed_any_more() {
    let stage = Rehearsal::new();
    let grant = activate(&stage.services, &stage.filed("web-look").await.id, HERE).await.unwrap();
    let pending = stage.filed("web-restart").await;
    withdraw(&stage.services, &stage.session("alice"), &pending.id).await.unwrap();
    revoke(&stage.services, &stage.session("carol"), &grant.grant_id(), "").await.unwrap();
    settled(&stage).await;
    assert_eq!(stage.log.kinds()[3..], ["withdrawn", "ended"]);
    assert!(stage.store.owed.lock().unwrap().is_empty());
    assert_eq!(write_owed(&*stage.store, &*stage.log).await.unwrap(), 0);
}

#[tokio::test]
async fn what_the_log_does_not_have_is_owed_and_written_by_the_next_start() {
    let stage = Rehearsal::new();
    let grant = activate(&stage.services, &stage.filed("web-look").await.id, HERE).await.unwrap();
    let expiring = activate(&stage.services, &stage.filed("web-look").await.id, HERE).await.unwrap();
    stage.log.broken.store(true, Ordering::SeqCst);
    done(&stage.services, &stage.session("alice"), &Which::One(grant.grant_id())).await.unwrap();
    stage.clock.pass(std::time::Duration::from_secs(3600));
    super::super::end_grant::expire_due(&stage.services).await.unwrap();
    let owed = |stage: &Rehearsal| stage.store.owed.lock().unwrap().values().cloned().collect::<Vec<_>>();
    let grants: Vec<_> = owed(&stage).into_iter().map(|event| event.grant.unwrap()).collect();
    assert_eq!(grants, [grant.grant_id(), expiring.grant_id()]);

    // The process dies: what waited in the memory of its log is gone, what the store owes is not.
    let next = Rehearsal::new();
    next.log.broken.store(true, Ordering::SeqCst);
    let refused = write_owed(&*stage.store, &*next.log).await;
    assert!(matches!(refused, Err(Unavailable::Log(_))) && owed(&stage).len() == 2);
    next.log.mend();
    let expected = owed(&stage);
    assert_eq!(write_owed(&*stage.store, &*next.log).await.unwrap(), 2);
    assert_eq!((next.log.entries(), owed(&stage)), (expected, Vec::new()));
}

#[tokio::test]
async fn who_asked_may_go_away_and_the_entry_is_written_all_the_same() {
    let stage = Rehearsal::new();
    let grant = activate(&stage.services, &stage.filed("web-look").await.id, HERE).await.unwrap();
    let stored = stage.services.store.request(&grant.id).await.unwrap().unwrap();
    let after = grant.give_back(stage.services.clock.now()).unwrap();
    let entry = AuditEvent::of(crate::audit::event::What::Ended { why: "given-back".to_owned(), text: String::new() });
    let mut asking = Box::pin(replace_owing(&stage.services, &stored, &after, entry));
    // It has begun, and is dropped before the store has answered.
    assert!(futures_once(asking.as_mut()).await.is_none());
    drop(asking);
    settled(&stage).await;
    assert!(stage.stored(&grant.id).state.is_over());
    assert_eq!(stage.log.kinds().last().unwrap(), "ended");
}

/// What a future says when it is asked once.
async fn futures_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
