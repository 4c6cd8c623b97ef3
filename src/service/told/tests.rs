use std::sync::Arc;

use super::*;
use crate::service::activate_grant::activate;
use crate::service::rehearsal::{Rehearsal, name, role};

const LOOK: &str =
    "targets = [\"web-1\"]\nrun_as = \"ops\"\n[request]\neligible = [\"group:web-admins\"]\napprovals = 0\n";

fn looking(rules: &str) -> String {
    format!("{LOOK}{rules}")
}

const TWO: &str = "[[command]]\nrun = \"/usr/bin/uptime\"\n[[command]]\nrun = \"/usr/bin/df -h\"\n";
const ONE: &str = "[[command]]\nrun = \"/usr/bin/uptime\"\n";

/// alice holds web-look with two rules, and the role is loaded again as `text`; `None`: it is gone.
async fn reloaded(text: Option<&str>) -> Rehearsal {
    let stage = Rehearsal::new();
    stage.reload(|snapshot| {
        snapshot.roles.insert("web-look".parse().unwrap(), role("web-look", &looking(TWO)));
    });
    let filed = stage.filed("web-look").await;
    activate(&stage.services, &filed.id, filed.source).await.unwrap();
    let old = stage.services.snapshot.load_full();
    stage.reload(|snapshot| match text {
        Some(text) => {
            snapshot.roles.insert("web-look".parse().unwrap(), role("web-look", text));
        }
        None => {
            snapshot.roles.remove(&"web-look".parse().unwrap());
        }
    });
    let new = stage.services.snapshot.load_full();
    note_what_shrank(&stage.services, &old, &new).await.unwrap();
    stage
}

fn now(stage: &Rehearsal) -> Timestamp {
    stage.services.clock.now()
}

#[tokio::test]
async fn who_holds_what_a_reload_narrowed_is_told_once_what_it_is() {
    let rows = [
        (Some(looking(ONE)), Some("rule 2 of before, `df -h`, is gone")),
        (Some(looking(TWO).replace("\"web-1\"", "\"web-2\"")), Some("it no longer reaches web-1 as ops")),
        (Some(looking(TWO).replace("web-admins", "db-admins")), Some("you may no longer ask for it")),
        (None, Some("the role is gone")),
        (Some(looking(TWO)), None),
        (Some(looking(&format!("{TWO}[[command]]\nrun = \"/usr/bin/free\"\n"))), None),
        (Some(looking(&TWO.replace("df -h", "df -h [-T]"))), None),
    ];
    for (text, expected) in rows {
        let stage = reloaded(text.as_deref()).await;
        let told = &stage.services.told;
        let (latest, running) = told.after(&name("alice"), 0);
        let next = told.take(&name("alice"), now(&stage));
        assert_eq!(running, next, "{text:?}");
        match expected {
            Some(expected) => {
                assert_eq!(next.len(), 1, "{next:?}");
                assert!(next[0].starts_with("since ") && next[0].contains(expected), "{next:?}");
                assert!(next[0].contains("of web-look gives less"), "{next:?}");
            }
            None => assert!(next.is_empty(), "{text:?}: {next:?}"),
        }
        assert!(told.take(&name("alice"), now(&stage)).is_empty(), "said twice");
        assert!(told.after(&name("alice"), latest).1.is_empty(), "said twice to what runs");
        assert!(told.take(&name("bob"), now(&stage)).is_empty() && told.after(&name("bob"), 0).1.is_empty());
    }
}

#[tokio::test]
async fn a_rule_that_was_never_approved_is_not_said_to_be_lost() {
    let stage = reloaded(Some(&looking(&format!("{TWO}[[command]]\nrun = \"/usr/bin/free\"\n")))).await;
    let old = stage.services.snapshot.load_full();
    stage.reload(|snapshot| {
        snapshot.roles.insert("web-look".parse().unwrap(), role("web-look", &looking(TWO)));
    });
    note_what_shrank(&stage.services, &old, &stage.services.snapshot.load_full()).await.unwrap();
    assert!(stage.services.told.take(&name("alice"), now(&stage)).is_empty());
}

/// Its rules come and go without them, and so does the role.
#[tokio::test]
async fn who_may_no_longer_ask_for_a_role_is_told_nothing_more_of_it() {
    let others = |rules: &str| looking(rules).replace("web-admins", "db-admins");
    let stage = reloaded(Some(&others(&format!("{TWO}[[command]]\nrun = \"/usr/bin/id carol\"\n")))).await;
    let (alice, told) = (name("alice"), &stage.services.told);
    assert_eq!(told.take(&alice, now(&stage)).len(), 1);
    for text in [Some(others(ONE)), None] {
        let old = stage.services.snapshot.load_full();
        stage.reload(|snapshot| {
            snapshot.roles.remove(&"web-look".parse().unwrap());
            snapshot.roles.extend(text.map(|text| ("web-look".parse().unwrap(), role("web-look", &text))));
        });
        note_what_shrank(&stage.services, &old, &stage.services.snapshot.load_full()).await.unwrap();
        assert_eq!(told.take(&alice, now(&stage)), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_command_is_told_of_what_comes_after_it_began() {
    let stage = Rehearsal::new();
    let services = Arc::new(stage.services);
    let far = Timestamp::from_secs(i64::MAX / 1_000_000);
    services.told.add(&name("alice"), far, "before".to_owned());
    let (tell, mut lines) = mpsc::channel(1);
    let (with, since) = (Arc::clone(&services), services.told.latest());
    let telling = tokio::spawn(async move { tell_for_ever(&with, &name("alice"), since, tell).await });
    services.told.add(&name("bob"), far, "not yours".to_owned());
    services.told.add(&name("alice"), far, "after\u{1b}[2J".to_owned());
    services.changed.notify_waiters();
    assert_eq!(lines.recv().await.unwrap(), "doorward: after\\u{1b}[2J\n");
    assert!(tokio::time::timeout(Duration::from_secs(60), lines.recv()).await.is_err(), "said twice");
    telling.abort();
}

#[test]
fn what_is_kept_to_be_told_is_bounded_and_forgotten_when_its_grant_is_over() {
    let (told, at) = (Told::default(), Timestamp::from_secs);
    for number in 0..MOST_PER_USER + 5 {
        told.add(&name("alice"), at(100), format!("{number}"));
    }
    let lines = told.take(&name("alice"), at(1));
    assert_eq!((lines.len(), lines[0].as_str()), (MOST_PER_USER, "5"));
    told.add(&name("alice"), at(100), "over".to_owned());
    assert!(told.take(&name("alice"), at(100)).is_empty());
    for number in 0..MOST_USERS + 5 {
        told.add(&name(&format!("u{number}")), at(100), String::new());
    }
    assert!(told.lines().len() <= MOST_USERS);
}

/// A comparison for each would else keep signals and deadlines waiting.
#[tokio::test]
async fn others_go_on_between_one_open_request_and_the_next() {
    let stage = Rehearsal::new();
    let old = stage.services.snapshot.load_full();
    let mut turns = [0, 0];
    for turns in &mut turns {
        let mut noting = std::pin::pin!(note_what_shrank(&stage.services, &old, &old));
        std::future::poll_fn(|context| {
            let polled = noting.as_mut().poll(context);
            *turns += usize::from(polled.is_pending());
            polled
        })
        .await
        .unwrap();
        for _ in 0..5 {
            stage.filed("web-restart").await;
        }
    }
    assert!(turns[1] >= turns[0] + 5, "{turns:?}");
}

/// While lines come, one who takes what is new and goes on from there is told of each once.
#[test]
fn no_line_is_said_twice_however_close_it_comes() {
    const MOST: usize = 20_000;
    let (told, far) = (Told::default(), Timestamp::from_secs(100));
    let (alice, bob) = (name("alice"), name("bob"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1..=MOST {
                told.add(&alice, far, number.to_string());
            }
        });
        let (mut since, mut last) = (0, 0);
        while last < MOST {
            // Both what begins and what runs goes on from the number that it was given.
            let (latest, lines) = told.after(&alice, since);
            let (begins, _) = told.take_to_begin(&bob, far);
            assert!(begins >= latest);
            for line in lines {
                let number: usize = line.parse().unwrap();
                assert!(number > last, "{number} was said twice");
                last = number;
            }
            since = latest;
        }
    });
    told.add(&bob, far, "new".to_owned());
    let (latest, lines) = told.take_to_begin(&bob, Timestamp::from_secs(1));
    assert_eq!((lines.len(), told.after(&bob, latest).1.len()), (1, 0));
}
