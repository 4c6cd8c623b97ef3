//! Logs and recorders that never answer.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_log_or_recorder_that_never_answers_is_waited_for_half_a_minute_and_nothing_runs_then_or_later() {
    for who in ["log", "recorder"] {
        let recorder = if who == "recorder" { Mood::Hangs } else { Mood::Works };
        let world = World::new(Broken { recorder, ..WHOLE });
        world.stage.log.silent.store(who == "log", Ordering::SeqCst);
        let (mut client, _typist) = FakeClient::new(world.diary());
        let code = tokio::time::timeout(Duration::from_secs(31), world.run("echo hello", &mut client)).await;
        assert_eq!(code, Ok(125), "{who}");
        let said = client.said();
        assert!(said.contains(&format!("{who} has not answered for 30 s; tell the operator")), "{who}: {said}");
        // The entry comes after all: the log says at once that nothing followed from it.
        world.stage.log.mend();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        assert_eq!(world.stage.log.kinds(), ["command-allowed", "command-failed"], "{who}");
        assert_eq!(world.diary().only(&["target"]), [""; 0], "{who}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_and_the_end_of_a_command_do_not_wait_for_a_silent_log_for_ever() {
    let world = World::new(WHOLE);
    world.stage.log.silent.store(true, Ordering::SeqCst);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let denied = tokio::time::timeout(Duration::from_secs(31), world.run("echo goodbye", &mut client)).await;
    assert_eq!(denied, Ok(126));
    assert!(client.said().contains("this denial could not be logged"), "{}", client.said());

    let world = World::new(WHOLE);
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        world.stage.log.silent.store(true, Ordering::SeqCst);
        program.send(Output::Exit(7)).await.expect("send");
    };
    let both = async { tokio::join!(world.run("echo hello", &mut client), playing).0 };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), both).await, Ok(7));
    assert!(client.said().contains("the end of this command could not be logged"), "{}", client.said());
    world.stage.log.mend();
    assert_eq!(world.stage.log.kinds(), ["command-allowed", "command-finished"], "once, and not twice");
}

#[tokio::test(start_paused = true)]
async fn a_recorder_that_falls_silent_ends_what_runs() {
    let mut world = World::new(WHOLE);
    let diary = world.diary().clone();
    world.stage.services.recorders = Arc::new(FakeRecorders { diary, open: Mood::Works, write: Mood::Hangs });
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        let program = world.program().await;
        program.send(Output::Stdout("hello\n".into())).await.expect("send");
        program.closed().await;
    };
    let both = async { tokio::join!(world.run("echo hello", &mut client), playing).0 };
    assert_eq!(tokio::time::timeout(Duration::from_secs(60), both).await, Ok(125));
    assert!(client.output.is_empty(), "nothing passes unrecorded");
    assert_eq!(world.finished().as_deref(), Some("recording"));
}
