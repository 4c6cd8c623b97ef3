use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::inventory::Target;
use crate::service::activate_grant::activate_approved;
use crate::service::end_grant::{Which, done};
use crate::service::ports::{Cleared, Running, TargetError, Targets};
use crate::service::rehearsal::{HERE, Rehearsal, name, target};

/// Notes what is to be prepared and answers as the test says.
struct Prepares(Mutex<Vec<String>>, Preparation);

#[async_trait]
impl Targets for Prepares {
    async fn start(&self, _: Cleared, _: &Target) -> Result<Running, TargetError> {
        panic!("a command was started")
    }

    async fn prepare(&self, target: &Target, most: usize) -> Preparation {
        self.0.lock().unwrap().push(format!("{} {most}", target.name));
        self.1.clone()
    }
}

fn stage(answer: Preparation) -> (Rehearsal, Arc<Prepares>) {
    let mut rehearsal = Rehearsal::new();
    let targets = Arc::new(Prepares(Mutex::default(), answer));
    rehearsal.services.targets = targets.clone();
    (rehearsal, targets)
}

/// What was prepared when alice logged in for `target`.
async fn asked(stage: &(Rehearsal, Arc<Prepares>), user: &str, target: &str) -> Vec<String> {
    prepare(&stage.0.services, &stage.0.session(user), &target.parse().unwrap()).await;
    std::mem::take(&mut *stage.1.0.lock().unwrap())
}

/// Self-service on web-1.
async fn granted(stage: &(Rehearsal, Arc<Prepares>)) {
    stage.0.filed("web-look").await;
    activate_approved(&stage.0.services, &name("alice"), HERE).await.unwrap();
}

#[tokio::test]
async fn only_a_target_of_an_active_grant_is_prepared() {
    let stage = stage(Preparation::Used);
    assert!(asked(&stage, "alice", "web-1").await.is_empty(), "alice may ask for it and holds nothing");
    stage.0.filed("web-look").await;
    assert!(
        asked(&stage, "alice", "web-1").await.is_empty(),
        "approved is not active, and nothing is activated for this"
    );
    granted(&stage).await;
    assert_eq!(asked(&stage, "alice", "web-1").await, ["web-1 2"]);
    for (user, other) in [("alice", "web-2"), ("alice", "db-1"), ("alice", "nowhere"), ("bob", "web-1")] {
        assert!(asked(&stage, user, other).await.is_empty(), "{user} {other}");
    }
    let session = stage.0.session("alice");
    done(&stage.0.services, &session, &Which::All).await.unwrap();
    assert!(asked(&stage, "alice", "web-1").await.is_empty(), "given back");
}

#[tokio::test]
async fn what_the_configuration_takes_away_is_not_prepared_any_more() {
    let stage = stage(Preparation::Used);
    granted(&stage).await;
    stage.0.reload(|snapshot| snapshot.settings.prepared_connections = 0);
    assert!(asked(&stage, "alice", "web-1").await.is_empty(), "switched off");
    stage.0.reload(|snapshot| snapshot.settings.prepared_connections = 1);
    assert_eq!(asked(&stage, "alice", "web-1").await, ["web-1 1"]);
    stage.0.reload(|snapshot| {
        snapshot.inventory = crate::inventory::Inventory::new([target("web-1", "another")]);
    });
    assert!(asked(&stage, "alice", "web-1").await.is_empty(), "the account is not the approved one");
    stage.0.reload(|snapshot| snapshot.inventory = crate::inventory::Inventory::default());
    assert!(asked(&stage, "alice", "web-1").await.is_empty(), "the target is gone");
}

#[tokio::test]
async fn one_that_no_command_took_is_in_the_log_with_who_caused_it() {
    let failed = Preparation::Failed { reason: "web-1 cannot be reached".to_owned() };
    for (outcome, wanted) in [
        (Preparation::Used, None),
        (Preparation::NotMade, None),
        (Preparation::Unused, Some("no command came in time")),
        (failed, Some("web-1 cannot be reached")),
    ] {
        let stage = stage(outcome.clone());
        granted(&stage).await;
        assert_eq!(asked(&stage, "alice", "web-1").await.len(), 1);
        let events = stage.0.log.entries();
        let unused: Vec<_> = events
            .iter()
            .filter_map(|event| match &event.what {
                What::TargetConnectionUnused { reason } => Some((event, reason.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(unused.iter().map(|(_, reason)| *reason).next(), wanted, "{outcome:?}");
        assert!(unused.iter().all(|(event, _)| {
            (event.user.as_ref(), event.target.as_ref(), event.session.is_some())
                == (Some(&name("alice")), Some(&"web-1".parse().unwrap()), true)
        }));
    }
}

#[tokio::test]
async fn a_bastion_that_stops_prepares_nothing() {
    let stage = stage(Preparation::Used);
    granted(&stage).await;
    stage.0.services.stopping.cancel();
    assert!(asked(&stage, "alice", "web-1").await.is_empty());
}
