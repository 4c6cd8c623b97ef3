//! What the log and the recorder are told of a line with a secret.

use super::*;
use crate::service::rehearsal::Diary;

const SECRET: &str = "Xyzzy-Plugh-77";
const RULE: &str = r#"
[[command]]
run = "/bin/login --user {user} --password={word}"
where.user = { pattern = '[a-z]+' }
where.word = { text = 40, secret = true }
"#;

/// A world whose role has that rule, as approved and as loaded.
fn world() -> World {
    let mut world = World::new(WHOLE);
    let text = format!("{ROLE}{RULE}");
    world.configured(&text);
    let role = Role::parse("talk".parse().unwrap(), "talk.toml", &text).unwrap().0;
    world.request.role_text = text;
    world.request.role_digest = role.digest();
    world.becomes(world.request.clone());
    world.held = vec![HeldGrant { grant: world.request.active_grant(NOW).unwrap(), role: Arc::new(role) }];
    world
}

/// What log and recorder have been told, as text.
fn told(world: &World, diary: &Diary) -> String {
    let recorder = diary.only(&["recorder: open"]).join("\n");
    let log: Vec<String> =
        world.stage.log.entries().iter().map(|entry| serde_json::to_string(entry).unwrap()).collect();
    format!("{recorder}\n{}", log.join("\n"))
}

#[tokio::test]
async fn of_an_allowed_line_log_and_recorder_get_a_placeholder_and_the_target_the_value() {
    let world = world();
    let (mut client, _typist) = FakeClient::new(world.diary());
    let playing = async {
        world.program().await.send(Output::Exit(0)).await.expect("send");
    };
    let line = format!("login --user bob --password={SECRET}");
    let (code, ()) = tokio::join!(world.run(&line, &mut client), playing);
    assert_eq!(code, 0, "{}", client.said());
    let start = world.diary().only(&["target: start"]).join("\n");
    assert!(start.contains(&format!("--password={SECRET}")), "{start}");
    let told = told(&world, world.diary());
    let placeholder = world.stage.services.secrets.placeholder(SECRET);
    assert!(!told.contains(SECRET), "{told}");
    assert!(told.contains(&format!("recorder: open login --user bob --password={placeholder}")), "{told}");
    let entries = world.stage.log.entries();
    let allowed = entries.iter().find_map(|entry| match &entry.what {
        What::CommandAllowed(allowed) => Some(allowed),
        _ => None,
    });
    let allowed = allowed.expect("an entry");
    assert_eq!(allowed.withheld, [allowed.argv.len() - 1]);
    assert_eq!(allowed.digest, Digest::of(crate::policy::render::shell_line(&allowed.argv).unwrap().as_bytes()));
}

#[tokio::test]
async fn of_a_denied_line_the_log_gets_no_word_that_may_be_the_secret_and_the_user_their_own() {
    for line in [
        format!("login --user bob --password={SECRET} --now"),
        format!("login --user bob --password {SECRET}"),
        format!("lgoin --password={SECRET}"),
        format!("sudo login --user {SECRET} x"),
    ] {
        let world = world();
        let (mut client, _typist) = FakeClient::new(world.diary());
        assert_eq!(world.run(&line, &mut client).await, DENIED, "{}", client.said());
        let told = told(&world, world.diary());
        assert!(told.contains(r#""withheld":true"#) && told.contains("secret:") && !told.contains(SECRET), "{told}");
    }
    // A line that has nothing to do with the rule is evidence, and stays as it is.
    let world = world();
    let (mut client, _typist) = FakeClient::new(world.diary());
    assert_eq!(world.run("echo goodbye", &mut client).await, DENIED);
    let told = told(&world, world.diary());
    assert!(told.contains("echo goodbye") && !told.contains("withheld"), "{told}");
}
