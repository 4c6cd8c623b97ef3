//! What ends a command, before it begins and while it runs.

use super::*;

/// [`ROLE`] without its `[request]`.
fn without_request() -> String {
    let (head, rest) = ROLE.split_once("[request]").expect("a section");
    let (_, rules) = rest.split_once("[[command]]").expect("a rule");
    format!("{head}[[command]]{rules}")
}

#[tokio::test]
async fn who_may_no_longer_ask_for_a_role_is_denied_its_commands_and_told_so() {
    for text in [ROLE.replace("user:alice", "user:erin"), without_request()] {
        let world = World::new(WHOLE);
        world.role_becomes(&text);
        let (mut client, _typist) = FakeClient::new(world.diary());
        assert_eq!(world.run("echo hello", &mut client).await, 126);
        let said = client.said();
        assert!(said.contains("you may no longer ask for talk") && said.contains(" roles`"), "{said}");
        assert_eq!(world.diary().lines()[0], "log: command-denied written");
        assert_eq!(world.diary().only(&["target"]), [""; 0]);
    }
}

/// Takes something away from alice.
type Change = fn(&World);

const CHANGES: [(&str, Change, &str); 10] = [
    ("given back", |world| world.becomes(world.request.give_back(NOW).unwrap()), "given-back"),
    (
        "revoked",
        |world| {
            let bob = "bob".parse().unwrap();
            world.becomes(world.request.revoke(&bob, "", NOW).unwrap());
        },
        "revoked",
    ),
    ("expired", |world| world.stage.clock.pass(HOUR), "expired"),
    ("the key is gone", |world| world.stage.reload(|snapshot| snapshot.directory = Directory::default()), "withdrawn"),
    (
        "another account",
        |world| world.stage.reload(|snapshot| snapshot.inventory = Inventory::new([target("web-1", "root")])),
        "withdrawn",
    ),
    ("no longer eligible", |world| world.role_becomes(&ROLE.replace("user:alice", "user:erin")), "withdrawn"),
    ("nobody may ask", |world| world.role_becomes(&without_request()), "withdrawn"),
    ("the value is gone", |world| world.configured(&ROLE.replace("\"hello\", ", "")), "narrowed"),
    (
        "the network is gone",
        |world| {
            world.stage.reload(|snapshot| {
                let mut user = snapshot.directory.user(&world.session.user.name).unwrap().clone();
                user.networks = vec!["10.0.0.0/8".parse().unwrap()];
                snapshot.directory = Directory::new([user]);
            });
        },
        "withdrawn",
    ),
    ("the role is gone", |world| world.stage.reload(|snapshot| snapshot.roles = Default::default()), "withdrawn"),
];

#[tokio::test]
async fn what_was_taken_away_while_the_log_was_written_starts_nothing() {
    for (name, change, _) in CHANGES {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let changing = async {
            while world.diary().only(&["log"]).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        // The change comes between the log entry and the last look: the fake recorder is opened in between.
        let ask = ask("echo hello");
        let attempt = world.attempt(&ask);
        let words = Words::split(&ask.line).expect("words");
        let Ok(allowed) = attempt.decide(&words, &world.held).await else { panic!("{name}: denied") };
        let (written, ()) = tokio::join!(attempt.log(&allowed, &world.certificate), changing);
        let Ok(written) = written else { panic!("{name}: not logged") };
        change(&world);
        let stop = attempt.execute(allowed, written, &mut client).await.err();
        assert_eq!(stop.map(|stop| stop.code), Some(126), "{name}");
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{name}");
        assert_eq!(world.diary().only(&["log: command-failed"]).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_decision_that_is_old_or_of_another_configuration_starts_nothing() {
    let rows: [(&str, Change); 2] = [
        ("the configuration was changed", |world| world.configured(&ROLE.replace("Says things", "Says more"))),
        ("took too long", |world| world.stage.clock.pass(Duration::from_secs(6))),
    ];
    for (said, change) in rows {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let ask = ask("echo hello");
        let attempt = world.attempt(&ask);
        let words = Words::split(&ask.line).expect("words");
        let Ok(allowed) = attempt.decide(&words, &world.held).await else { panic!("denied") };
        let Ok(written) = attempt.log(&allowed, &world.certificate).await else { panic!("not logged") };
        change(&world);
        let stop = attempt.execute(allowed, written, &mut client).await.expect_err(said);
        assert!(stop.code == 125 && stop.lines.concat().contains(said), "{said}: {:?}", stop.lines);
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{said}");
        assert_eq!(world.diary().only(&["log: command-failed"]).len(), 1, "{said}");
    }
}

#[tokio::test]
async fn a_change_of_the_configuration_that_leaves_the_command_allowed_ends_nothing() {
    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        world.configured(&ROLE.replace(", \"world\"", ""));
        world.stage.services.changed.notify_waiters();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let _ = program.send(Output::Exit(0)).await;
    };
    let (code, ()) = tokio::join!(world.run("echo hello", &mut client), playing);
    assert_eq!(code, 0, "{}", client.said());
}

#[tokio::test]
async fn what_is_taken_away_while_it_runs_ends_it_within_seconds() {
    for (name, change, ended_by) in CHANGES {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let taking = async {
            let program = world.program().await;
            change(&world);
            world.stage.services.changed.notify_waiters();
            program.closed().await;
        };
        let both = async { tokio::join!(world.run("echo hello", &mut client), taking).0 };
        let code = tokio::time::timeout(Duration::from_secs(5), both).await;
        assert_eq!(code, Ok(124), "{name}");
        assert_eq!(world.finished().as_deref(), Some(ended_by), "{name}");
        assert!(client.said().starts_with("doorward: ended: "), "{name}: {}", client.said());
    }
}

#[tokio::test]
async fn its_time_limit_the_client_and_the_stopping_bastion_end_it() {
    type Act = fn(&World, &CancellationToken);
    let cases: [(&str, Act); 3] = [
        ("time-limit", |world, _| world.stage.clock.pass(Duration::from_secs(301))),
        ("client-gone", |_, gone| gone.cancel()),
        ("bastion-stopping", |world, _| world.stage.services.stopping.cancel()),
    ];
    for (ended_by, act) in cases {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let gone = client.gone.clone();
        let acting = async {
            let program = world.program().await;
            act(&world, &gone);
            program.closed().await;
        };
        let both = async { tokio::join!(world.run("echo hello", &mut client), acting).0 };
        assert_eq!(tokio::time::timeout(Duration::from_secs(5), both).await, Ok(124), "{ended_by}");
        assert_eq!(world.finished().as_deref(), Some(ended_by));
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_moment_ends_nothing_and_one_that_stays_away_does() {
    for (hangs, away, expected) in [(false, 20, 0), (false, 60, 124), (true, 60, 124)] {
        let world = World::new(WHOLE);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let playing = async {
            let program = world.program().await;
            let store = &world.stage.store;
            let away_how = if hangs { &store.hangs } else { &store.broken };
            away_how.store(true, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_secs(away)).await;
            away_how.store(false, Ordering::SeqCst);
            let _ = program.send(Output::Exit(0)).await;
        };
        let (code, ()) = tokio::join!(world.run("echo hello", &mut client), playing);
        assert_eq!(code, expected, "hangs: {hangs}, away for {away} s");
    }
}

/// A role may have one line for two things, of which one is loaded: to ask for it means that one.
#[tokio::test]
async fn a_command_ends_when_its_line_comes_to_mean_another_thing() {
    let alias = |program: &str| format!("[[command]]\nrun = \"/usr/bin/{program} hello\"\nalias = \"hi\"\n");
    let with = |rules: &[&str]| format!("{ROLE}{}", rules.iter().map(|one| alias(one)).collect::<String>());
    let approved = with(&["printf", "logger"]);
    for (then, ends) in [(&["printf"][..], false), (&["logger"][..], true)] {
        let world = World::under(&approved, &with(&["printf"]));
        let (mut client, _typist) = FakeClient::new(world.diary());
        let changing = async {
            let program = world.program().await;
            world.configured(&with(then).replace("Says things", "Says more"));
            world.stage.services.changed.notify_waiters();
            let closed = tokio::time::timeout(Duration::from_secs(4), program.closed()).await.is_ok();
            let _ = program.send(Output::Exit(0)).await;
            closed
        };
        let (code, closed) = tokio::join!(world.run("hi", &mut client), changing);
        assert_eq!((code, closed), if ends { (124, true) } else { (0, false) }, "{}", client.said());
        assert_eq!(world.finished().as_deref(), Some(if ends { "narrowed" } else { "" }));
    }
}
