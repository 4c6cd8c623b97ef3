//! What the verbs say of `[when]`. It is Saturday, 14:00 UTC, and everybody comes from 192.0.2.7.

use super::world::WEB_RESTART;
use super::*;
use crate::service::rehearsal::role;

const WHEN: &str = "networks = [\"192.0.2.0/24\"]\nhours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"";
const NOT_NOW: &str =
    "web-restart may be used Mon-Fri 08:00-20:00 Europe/Berlin; it is Sat 15:00 there; opens Mon 08:00";

fn world(when: &str) -> std::sync::Arc<World> {
    let world = World::new();
    let text = WEB_RESTART.replace("[request]", &format!("[when]\n{when}\n[request]"));
    world
        .stage
        .reload(|snapshot| drop(snapshot.roles.insert("web-restart".parse().unwrap(), role("web-restart", &text))));
    world
}

#[tokio::test]
async fn requester_and_approver_see_the_conditions_and_how_they_stand() {
    let world = world(WHEN);
    let rows = "\x20 when      from 192.0.2.0/24 (now: this comes from 192.0.2.7)\n\
         \x20 when      Mon-Fri 08:00-20:00 Europe/Berlin (not now: it is Sat 15:00 there; opens Mon 08:00)\n\
         \x20           a command that still runs then is ended\n";
    let roles = world.types("alice", "roles web-restart").await;
    assert!(roles.out.contains(rows), "{}", roles.out);
    let json = world.types("alice", "roles web-restart --json").await.json();
    assert_eq!(json["conditions"][1], "Mon-Fri 08:00-20:00 Europe/Berlin");
    assert!(!world.types("alice", "roles web-stop").await.out.contains("  when"));

    let asked = world.types("alice", &format!("{ASK} --no-wait")).await;
    assert!(asked.exit == 0 && asked.err.contains(&format!("not to be used now: {NOT_NOW}")), "{}", asked.err);
    let pending = world.types("bob", "pending").await.out;
    assert!(pending.contains(rows), "{pending}");
    let json = world.types("bob", "pending --json").await.json();
    assert_eq!(json["pending"][0]["conditions"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn what_is_approved_outside_its_hours_begins_when_they_do() {
    let world = world(WHEN);
    let (running, screen) = world.leaves_running("alice", ASK);
    until(&screen, "Ctrl-C").await;
    let approved = world.approves("bob", "r-000001").await;
    assert!(approved.out.contains(&format!("not to be used now: {NOT_NOW}")), "{}", approved.out);
    assert!(approved.out.contains("if it is not used within 45h, it is gone"), "{}", approved.out);
    assert_eq!(running.await.unwrap(), 0);
    assert!(
        screen.err().contains(&format!("r-000001 is approved and does not begin yet: {NOT_NOW}")),
        "{}",
        screen.err()
    );
    let status = world.types("alice", "status r-000001").await.out;
    assert!(status.contains(&format!("  not yet   {NOT_NOW}")), "{status}");
    let cert = world.types("alice", "cert").await;
    assert!(cert.exit == 1 && cert.err.contains(NOT_NOW) && cert.err.contains("has not begun"), "{}", cert.err);
    world.advance(Duration::from_secs(42 * 3600));
    let cert = world.types("alice", "cert").await;
    assert_eq!(cert.exit, 0, "{}", cert.err);
    assert!(!world.types("alice", "status r-000001").await.out.contains("not yet"));

    // At the end of the day it is no longer to be used, and `why` says so.
    let why = "why web-1 systemctl restart nginx";
    assert_eq!(world.types("alice", why).await.exit, 0);
    let others = world.types("carol", "why --user alice web-1 systemctl restart nginx").await;
    assert!(others.exit == 1 && others.out.contains("where this comes from is not known"), "{}", others.out);
}
