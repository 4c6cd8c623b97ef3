use std::sync::atomic::Ordering;

use super::super::held::current_certificate;
use super::super::rehearsal::{HERE, ROLES, Rehearsal, name, role, user};
use super::*;
use crate::domain::Clock;
use crate::identity::Directory;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn time_counts_from_the_first_use() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-look").await;
    stage.clock.pass(3 * HOUR);
    assert_eq!(activate_approved(&stage.services, &name("alice"), HERE).await.unwrap(), 1);
    let active = stage.stored(&request.id);
    let grant = active.active_grant(stage.clock.now()).unwrap();
    assert_eq!(grant.ends(), stage.clock.now().after(HOUR / 2));
    assert_eq!(stage.log.last(), What::Activated { ends: grant.ends() });
    let entry = stage.log.entries().pop().unwrap();
    assert_eq!((entry.user, entry.grant), (Some(name("alice")), Some(grant.id().clone())));
    // Again is no second beginning.
    stage.clock.pass(HOUR / 4);
    assert_eq!(activate_approved(&stage.services, &name("alice"), HERE).await.unwrap(), 0);
    assert_eq!(activate(&stage.services, &request.id, HERE).await.unwrap(), active);
    assert_eq!(stage.log.kinds(), ["requested", "activated"]);
}

#[tokio::test]
async fn two_first_uses_at_once_are_one() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-look").await;
    let (one, two) =
        tokio::join!(activate(&stage.services, &request.id, HERE), activate(&stage.services, &request.id, HERE));
    assert_eq!(one.unwrap(), two.unwrap());
}

#[tokio::test]
async fn nothing_begins_without_its_entry_nor_without_the_store() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-look").await;
    stage.log.broken.store(true, Ordering::SeqCst);
    assert!(matches!(activate_approved(&stage.services, &name("alice"), HERE).await, Err(Unavailable::Log(_))));
    assert_eq!(stage.stored(&request.id), request);
    stage.log.mend();
    stage.store.read_only.store(true, Ordering::SeqCst);
    assert!(matches!(activate_approved(&stage.services, &name("alice"), HERE).await, Err(Unavailable::Store(_))));
    assert_eq!(stage.stored(&request.id), request);
    assert_eq!(stage.log.kinds(), ["requested", "error", "activated", "error"]);
}

#[tokio::test]
async fn what_waits_for_approval_or_too_long_or_lost_its_role_does_not_begin() {
    let stage = Rehearsal::new();
    let pending = stage.filed("web-restart").await;
    let approved = stage.filed("web-look").await;
    assert!(matches!(activate(&stage.services, &pending.id, HERE).await, Err(ActivateError::State(_))));
    stage.reload(|now| drop(now.roles.remove(&approved.role)));
    assert!(matches!(activate(&stage.services, &approved.id, HERE).await, Err(ActivateError::Outdated(_))));
    assert_eq!(activate_approved(&stage.services, &name("alice"), HERE).await.unwrap(), 0);
    let stage_of_others = Rehearsal::new();
    let request = stage_of_others.filed("web-look").await;
    stage_of_others.reload(|now| now.directory = Directory::new([user("alice", &["leads"])]));
    assert!(matches!(activate(&stage_of_others.services, &request.id, HERE).await, Err(ActivateError::Outdated(_))));
    assert_eq!(stage_of_others.log.kinds(), ["requested"]);

    stage.clock.pass(4 * HOUR);
    let error = activate(&stage.services, &approved.id, HERE).await.unwrap_err().to_string();
    assert!(error.contains("cannot be activated: it expired at"), "{error}");
    assert_eq!(stage.log.kinds(), ["requested", "requested", "ended"]);
    assert!(matches!(activate(&stage.services, &RequestId::from_bits(99), HERE).await, Err(ActivateError::Gone(_))));
}

#[tokio::test]
async fn what_has_fewer_approvals_than_its_role_needs_by_now_does_not_begin_and_its_user_hears_why() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-look").await;
    let stricter = ROLES[2].1.replace("approvals = 0", "approvers = [\"group:leads\"]\napprovals = 1");
    stage.reload(|snapshot| drop(snapshot.roles.insert(request.role.clone(), role("web-look", &stricter))));
    let error = activate(&stage.services, &request.id, HERE).await.unwrap_err();
    assert!(matches!(error, ActivateError::MoreNeeded { needed: 1, have: 0, .. }), "{error}");
    assert_eq!(activate_approved(&stage.services, &name("alice"), HERE).await.unwrap(), 0);
    let told = current_certificate(&stage.services, &stage.session("alice")).await.unwrap_err().to_string();
    assert!(told.contains("has 0 approvals, and web-look needs 1 by now") && told.contains("asks again"), "{told}");
    assert_eq!(stage.stored(&request.id), request);
    // As it was, it begins.
    stage.reload(|snapshot| drop(snapshot.roles.insert(request.role.clone(), role("web-look", ROLES[2].1))));
    assert!(activate(&stage.services, &request.id, HERE).await.is_ok());
}

#[tokio::test]
async fn a_role_that_was_shortened_shortens_what_begins_and_one_that_was_widened_widens_nothing() {
    for (now, minutes) in [("max_duration = \"10m\"", 10), ("max_duration = \"8h\"", 30)] {
        let stage = Rehearsal::new();
        let request = stage.filed("web-look").await;
        let text = ROLES[2].1.replace("max_duration = \"30m\"", now).replace("web-1", "*");
        stage.reload(|snapshot| drop(snapshot.roles.insert(request.role.clone(), role("web-look", &text))));
        let active = activate(&stage.services, &request.id, HERE).await.unwrap();
        let grant = active.active_grant(stage.clock.now()).unwrap();
        assert_eq!(grant.ends(), stage.clock.now().after(Duration::from_secs(minutes * 60)));
        assert_eq!((grant.targets().len(), grant.role_digest()), (1, request.role_digest));
    }
}

/// `web-look` with these lines under `[when]`. It is Saturday, 14:00 UTC, and everybody comes from [`HERE`].
fn look_when(when: &str) -> String {
    ROLES[2].1.replace("[request]", &format!("[when]\n{when}\n[request]"))
}

#[tokio::test]
async fn what_its_conditions_keep_from_beginning_waits_for_them_and_says_so() {
    let stage = Rehearsal::new();
    let monday = look_when("hours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"");
    stage.reload(|snapshot| drop(snapshot.roles.insert("web-look".parse().unwrap(), role("web-look", &monday))));
    // Asking is possible at any time.
    let request = stage.filed("web-look").await;
    let error = activate(&stage.services, &request.id, HERE).await.unwrap_err();
    let words = "web-look may be used Mon-Fri 08:00-20:00 Europe/Berlin; it is Sat 15:00 there; opens Mon 08:00";
    assert!(matches!(error, ActivateError::Unmet { .. }) && error.to_string().contains(words), "{error}");
    assert_eq!(activate_approved(&stage.services, &name("alice"), HERE).await.unwrap(), 0);
    let told = current_certificate(&stage.services, &stage.session("alice")).await.unwrap_err().to_string();
    assert!(told.contains(words) && told.contains("has not begun") && told.contains("first command then"), "{told}");
    assert_eq!(stage.stored(&request.id), request);
    // Four hours to begin in, from when it opens (Monday, 07:00 UTC) on.
    let State::Approved { activate_by, .. } = request.state else { panic!("{:?}", request.state) };
    assert_eq!(activate_by, stage.clock.now().after((24 + 10 + 7) * HOUR).after(4 * HOUR));
    stage.clock.pass((24 + 10 + 7) * HOUR + HOUR / 2);
    let active = activate(&stage.services, &request.id, HERE).await.unwrap();
    assert_eq!(active.active_grant(stage.clock.now()).unwrap().ends(), stage.clock.now().after(HOUR / 2));
}

#[tokio::test]
async fn the_role_as_approved_and_as_loaded_must_both_let_it_begin_from_there() {
    let elsewhere = "198.51.100.1".parse().unwrap();
    for (when, key, here, there) in [
        ("networks = [\"192.0.2.0/24\"]", "networks", true, false),
        ("networks = [\"10.0.0.0/8\"]", "networks", false, false),
        ("same_source = true", "same_source", true, false),
        ("not_after = 2026-01-30", "not_after", false, false),
        // How many run is for each command to ask.
        ("max_sessions = 1", "", true, true),
    ] {
        let (plain, text) = (ROLES[2].1.to_owned(), look_when(when));
        for (approved, loaded) in [(&text, &text), (&text, &plain), (&plain, &text)] {
            for (source, begins) in [(elsewhere, there), (HERE, here)] {
                let stage = Rehearsal::new();
                let loads = |text: &str| {
                    let role = role("web-look", text);
                    stage.reload(|snapshot| drop(snapshot.roles.insert("web-look".parse().unwrap(), role)));
                };
                loads(approved);
                let request = stage.filed("web-look").await;
                loads(loaded);
                match activate(&stage.services, &request.id, source).await {
                    Ok(_) => assert!(begins, "{when} from {source}"),
                    Err(ActivateError::Unmet { what, .. }) => assert!(!begins && what.key == key, "{when}: {what}"),
                    Err(other) => panic!("{when}: {other}"),
                }
            }
        }
    }
}
