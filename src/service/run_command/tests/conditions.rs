//! `[when]`: every command is judged by the role as approved and as loaded, and what runs ends when its role says so.

use super::*;

/// [`ROLE`] with these lines under `[when]`.
fn with(when: &str) -> String {
    ROLE.replace("[request]", &format!("[when]\n{when}\n[request]"))
}

impl World {
    /// Alice holds the role that was approved as one text and is loaded as another. It is Saturday, 14:00 UTC; she comes
    /// from 192.0.2.7, and asked from 127.0.0.1.
    pub(super) fn under(approved: &str, loaded: &str) -> Self {
        let mut world = Self::new(WHOLE);
        world.role_becomes(loaded);
        let (role, _) = Role::parse("talk".parse().unwrap(), "talk.toml", approved).unwrap();
        let request = &mut world.request;
        (request.role_text, request.role_digest) = (approved.to_owned(), Digest::of(approved.as_bytes()));
        let grant = request.active_grant(NOW).unwrap();
        world.held = vec![HeldGrant { grant, role: Arc::new(role) }];
        world.becomes(world.request.clone());
        world
    }

    fn always(when: &str) -> Self {
        Self::under(&with(when), &with(when))
    }

    /// The decision alone.
    async fn decided(&self) -> Result<Allowed, String> {
        let ask = ask("echo hello");
        let words = Words::split(&ask.line).unwrap();
        self.attempt(&ask).decide(&words, &self.held).await.map_err(|stop| {
            assert_eq!(stop.code, 126);
            stop.lines.join("\n")
        })
    }

    /// Runs `echo hello` while `acting` acts, until both are over.
    async fn hello<T>(&self, acting: impl Future<Output = T>) -> (u8, String) {
        let (mut client, _typist) = FakeClient::new(self.diary());
        let both = async { tokio::join!(self.run("echo hello", &mut client), acting).0 };
        let code = tokio::time::timeout(Duration::from_secs(8), both).await.expect("it ends");
        (code, client.said())
    }
}

#[tokio::test]
async fn every_command_is_judged_by_the_role_as_approved_and_as_loaded() {
    let rows = [
        ("hours = \"Sat 08:00-20:00 Europe/Berlin\"", None),
        (
            "hours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"",
            Some("talk may be used Mon-Fri 08:00-20:00 Europe/Berlin; it is Sat 15:00 there; opens Mon 08:00"),
        ),
        ("networks = [\"::ffff:192.0.2.0/120\"]", None),
        ("networks = [\"10.0.0.0/8\"]", Some("talk may be used from 10.0.0.0/8; this comes from 192.0.2.7")),
        ("same_source = true", Some("that was 127.0.0.1, and this comes from 192.0.2.7")),
        ("not_before = 2026-01-31", None),
        ("not_before = 2026-02-01", Some("talk may be used from 2026-02-01 UTC on")),
        ("not_after = 2026-01-31", None),
        ("not_after = 2026-01-30", Some("talk may be used until the end of 2026-01-30 UTC")),
        ("max_sessions = 1", None),
    ];
    for (when, denial) in rows {
        let text = with(when);
        for (approved, loaded) in [(text.as_str(), text.as_str()), (&text, ROLE), (ROLE, &text)] {
            let world = World::under(approved, loaded);
            match (world.decided().await, denial) {
                (Ok(_), None) => {}
                (Err(said), Some(words)) => {
                    assert!(said.starts_with("denied: talk may be used") && said.contains(words), "{when}: {said}");
                    assert_eq!(world.diary().lines(), ["log: command-denied written"], "{when}");
                }
                (decided, _) => panic!("{when}: {:?}", decided.map(|allowed| allowed.permit)),
            }
        }
    }
}

#[tokio::test]
async fn what_runs_when_its_hours_end_is_ended_by_the_target_too_and_the_log_names_the_condition() {
    let world = World::always("hours = \"Sat 08:00-15:02 Europe/Berlin\"");
    // What the target is told: two minutes, not the five of the rule.
    let allowed = world.decided().await.unwrap();
    assert_eq!(allowed.permit.deadline(), NOW.after(Duration::from_secs(120)));
    assert!(allowed.permit.argv().contains(&"120s".into()), "{:?}", allowed.permit.argv());
    drop(allowed);
    let (code, said) = world
        .hello(async {
            let program = world.program().await;
            world.stage.clock.pass(Duration::from_secs(121));
            world.stage.services.changed.notify_waiters();
            program.closed().await;
        })
        .await;
    assert_eq!((code, world.finished().as_deref()), (124, Some("lapsed-hours")), "{said}");
    let words =
        "ended: talk may be used Sat 08:00-15:02 Europe/Berlin; it is Sat 15:02 there; opens Sat 2026-02-07 08:00";
    assert!(said.contains(words), "{said}");
}

#[tokio::test]
async fn what_may_finish_does_through_a_reload_and_no_longer_than_its_own_limit() {
    let finish = "hours = \"Sat 08:00-15:02 Europe/Berlin\"\non_lapse = \"finish\"";
    for (seconds, code, ended_by) in [(121, 0, ""), (301, 124, "time-limit"), (3601, 124, "expired")] {
        let world = World::always(finish);
        assert!(world.decided().await.unwrap().permit.argv().contains(&"300s".into()));
        let acting = async {
            let program = world.program().await;
            world.stage.clock.pass(Duration::from_secs(seconds));
            world.configured(&with(finish).replace("Says things", "Says more"));
            world.stage.services.changed.notify_waiters();
            if code == 0 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let _ = program.send(Output::Exit(0)).await;
            } else {
                program.closed().await;
            }
        };
        let (came, said) = world.hello(acting).await;
        assert_eq!((came, world.finished().as_deref()), (code, Some(ended_by)), "{seconds}: {said}");
    }
}

#[tokio::test]
async fn a_condition_that_is_loaded_while_it_runs_ends_it_unless_it_says_that_it_may_finish() {
    for (when, ended_by) in [
        ("networks = [\"10.0.0.0/8\"]", "lapsed-networks"),
        ("same_source = true", "lapsed-same-source"),
        ("not_after = 2026-01-30", "lapsed-not-after"),
        ("not_before = 2026-02-01", "lapsed-not-before"),
        ("hours = \"Sun 08:00-20:00 UTC\"", "lapsed-hours"),
        ("hours = \"Sun 08:00-20:00 UTC\"\non_lapse = \"finish\"", ""),
        // It does not count itself, and who comes later does not end who came before.
        ("max_sessions = 1", ""),
    ] {
        let world = World::new(WHOLE);
        let acting = async {
            let program = world.program().await;
            world.configured(&with(when));
            world.stage.services.changed.notify_waiters();
            if ended_by.is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let _ = program.send(Output::Exit(0)).await;
            } else {
                program.closed().await;
            }
        };
        let (code, said) = world.hello(acting).await;
        assert_eq!(world.finished().as_deref(), Some(ended_by), "{when}: {said}");
        assert_eq!(code, if ended_by.is_empty() { 0 } else { 124 }, "{when}");
    }
}

#[tokio::test]
async fn what_lapses_between_decision_and_start_starts_nothing_even_where_it_could_finish() {
    for more in ["", "\non_lapse = \"finish\""] {
        let world = World::always(&format!("hours = \"Sat 08:00-14:01 UTC\"{more}"));
        world.stage.clock.pass(Duration::from_secs(58));
        let ask = ask("echo hello");
        let attempt = world.attempt(&ask);
        let allowed = world.decided().await.unwrap();
        let Ok(written) = attempt.log(&allowed, &world.certificate).await else { panic!("not logged") };
        world.stage.clock.pass(Duration::from_secs(2));
        let (mut client, _typist) = FakeClient::new(world.diary());
        let stop = attempt.execute(allowed, written, &mut client).await.expect_err("it starts nothing");
        assert!(stop.code == 126 && stop.lines.concat().starts_with("not run: talk may be used"), "{:?}", stop.lines);
        assert_eq!(world.diary().only(&["target"]), [""; 0]);
        assert!(world.stage.services.running.of(&world.session.user.name).is_empty(), "its place is free again");
    }
    let world = World::always("hours = \"Sat 08:00-14:01 UTC\"");
    world.stage.clock.pass(Duration::from_millis(59_500));
    let said = world.decided().await.map(|allowed| allowed.permit).unwrap_err();
    assert!(said.contains("ends within a second"), "{said}");
}

#[tokio::test]
async fn so_many_commands_run_at_a_time_and_no_more_however_they_come() {
    let world = World::under(&with("max_sessions = 2"), &with("max_sessions = 5"));
    let (one, two) = (world.decided().await.unwrap(), world.decided().await.unwrap());
    let said = world.decided().await.map(|allowed| allowed.permit).unwrap_err();
    assert!(said.contains("talk may be used for 2 commands at a time; 2 run now; wait until one ends"), "{said}");
    drop(one);
    let three = world.decided().await.unwrap();
    assert!(world.decided().await.is_err());
    drop((two, three));

    // A place is kept as long as the command runs, and not longer.
    let (code, said) = world
        .hello(async {
            let program = world.program().await;
            let running = world.stage.services.running.of(&world.session.user.name);
            assert_eq!(running.values().copied().collect::<Vec<_>>(), [1]);
            let _ = program.send(Output::Exit(0)).await;
        })
        .await;
    assert_eq!(code, 0, "{said}");
    assert!(world.stage.services.running.of(&world.session.user.name).is_empty());
}

#[tokio::test]
async fn a_denial_names_the_approved_grant_that_would_allow_it_and_waits_for_its_time() {
    let world = World::new(WHOLE);
    let later = with("hours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"").replace("\"hello\", \"world\"", "\"goodbye\"");
    let filing = Filing {
        user: world.request.user.clone(),
        role: "talk".parse().unwrap(),
        role_text: later.clone(),
        approvals_needed: 0,
        scope: world.request.scope.clone(),
        reason: String::new(),
        ticket: None,
        source: world.request.source,
    };
    world.becomes(AccessRequest::file(RequestId::from_bits(2), filing, NOW, HOUR, HOUR));
    let (mut client, _typist) = FakeClient::new(world.diary());
    assert_eq!(world.run("echo goodbye", &mut client).await, 126);
    let words = "your grant g-000002 is approved and has not begun: talk may be used Mon-Fri 08:00-20:00 Europe/Berlin";
    assert!(client.said().contains(words) && !client.said().contains("to ask for it"), "{}", client.said());
}
