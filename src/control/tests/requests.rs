//! Asking, deciding, waiting, giving back.

use super::*;

#[tokio::test]
async fn alice_asks_waits_and_is_told_what_to_type_when_bob_says_yes() {
    let world = World::new();
    let (running, screen) = world.leaves_running("alice", ASK);
    until(&screen, "Ctrl-C").await;
    assert_eq!(screen.out(), "r-000001\n");
    assert_eq!(
        screen.err(),
        "doorward: r-000001 asks for web-restart on web-1 for 30m: INC-4711 nginx won't start\n\
         doorward: bob or dan can approve it; 1 approval is needed; it lapses in 8h\n\
         doorward: waiting; Ctrl-C stops the waiting, not the request (`ssh bastion status r-000001` looks again)\n"
    );
    let approved = world.approves("bob", "r-000001").await;
    assert_eq!((approved.exit, approved.err.as_str()), (0, ""));
    assert_eq!(
        approved.out,
        "you approved: r-000001, web-restart for alice on web-1 for 30m\n\
         alice can use it now; if it is not used within 4h, it is gone\n\
         to take it back: ssh bastion revoke g-000001 WHY\n"
    );
    assert_eq!(running.await.unwrap(), 0);
    assert_eq!(screen.out(), "r-000001\n", "standard output carries the ID alone");
    let said = screen.err();
    let (_, news) = said.split_once("looks again)\n").unwrap();
    assert_eq!(
        news,
        "doorward: bob approved it\n\
         doorward: web-restart is active on web-1 until 14:30:00Z (30m); now you can type:\n\
         doorward:     ssh web-1@bastion systemctl restart {unit}\n\
         doorward: `ssh bastion done g-000001` gives it back\n"
    );
    let again = world.types("bob", &format!("approve r-000001 {}", "0000")).await;
    assert_eq!(again.exit, 1, "{}", again.err);
}

#[tokio::test]
async fn an_approver_sees_all_there_is_to_decide_on_and_the_line_to_type() {
    let world = World::new();
    world.types("alice", &format!("{ASK} --no-wait")).await;
    world.types("bob", "deny r-000001 which\u{202e}unit?").await;
    world.advance(Duration::from_secs(7200));
    assert_eq!(world.types("alice", "request web-restart --reason nginx <b>stuck</b> --no-wait").await.exit, 0);
    let digest = world.digest_of("bob", "r-000002").await;
    let pending = world.types("bob", "pending").await;
    assert_eq!(pending.exit, 0);
    assert_eq!(
        pending.out,
        format!(
            "r-000002  alice (team web) asks for web-restart\n\
             \x20 role      Restart and inspect the web tier\n\
             \x20 targets   web-1 as ops, web-2 as ops\n\
             \x20 for       1h\n\
             \x20 reason    nginx <b>stuck</b>\n\
             \x20 from      192.0.2.7\n\
             \x20 asked     0s ago, lapses in 8h\n\
             \x20 before    asked once (1 denied), last 2h ago\n\
             \x20 approvals 0 of 1\n\
             \x20 commands\n\
             \x20   systemctl restart {{unit}}   # Restart a web unit\n\
             \x20       unit: nginx or php-fpm\n\
             \x20 approve   ssh bastion approve r-000002 {digest}\n\
             \x20 or        ssh bastion deny r-000002 WHY\n"
        )
    );
    let looking = world.types("carol", "pending").await;
    assert!(looking.out.contains("r-000002  alice") && !looking.out.contains("ssh bastion approve"), "{}", looking.out);
    let nobody = world.types("mallory", "pending").await;
    assert_eq!((nobody.exit, nobody.out.as_str(), nobody.err.as_str()), (0, "", "doorward: nothing waits for you\n"));
}

#[tokio::test]
async fn nobody_approves_their_own_request_and_is_told_who_can() {
    let world = World::new();
    world.types("alice", &format!("{ASK} --no-wait")).await;
    let own = world.types("alice", "approve r-000001 4f9a").await;
    assert_eq!(own.exit, 1);
    assert_eq!(own.err, "doorward: you cannot decide on r-000001, which is your own request; bob or dan can\n");
    let reviewer = world.types("carol", "approve r-000001 4f9a").await;
    assert_eq!(
        (reviewer.exit, reviewer.err.as_str()),
        (1, "doorward: you are not an approver of r-000001; bob or dan can\n")
    );
    let stale = world.types("bob", "approve r-000001 0000").await;
    assert_eq!(stale.exit, 1);
    assert!(stale.err.contains("read it again in `pending`"), "{}", stale.err);
}

#[tokio::test]
async fn an_approval_may_be_less_and_can_be_said_twice() {
    let world = World::new();
    world.types("alice", "request web-restart --on web-1,web-2 --for 1h --reason x --no-wait").await;
    let digest = world.digest_of("bob", "r-000001").await;
    let line = format!("approve r-000001 {digest} --for 10m --on web-2");
    let first = world.types("bob", &line).await;
    assert!(
        first.out.starts_with("you approved: r-000001, web-restart for alice on web-2 for 10m\n"),
        "{}{}",
        first.out,
        first.err
    );
    let second = world.types("bob", &line).await;
    assert!(
        second.out.starts_with("you had approved this already: r-000001, web-restart for alice on web-2 for 10m\n"),
        "{}",
        second.err
    );
    let wider = world.types("dan", "approve g-000001 0000 --for 2h").await;
    assert_eq!(wider.exit, 1);
}

#[tokio::test]
async fn two_approvals_are_told_one_by_one() {
    let world = World::new();
    let (running, screen) = world.leaves_running("alice", "request web-stop --on web-1");
    until(&screen, "2 approvals are needed").await;
    let first = world.approves("bob", "r-000001").await;
    assert!(first.out.contains("1 more must approve it before it can be used: dan\n"), "{}", first.out);
    until(&screen, "bob approved it\ndoorward: still waiting: dan can approve it; 1 approval is needed").await;
    world.approves("dan", "r-000001").await;
    assert_eq!(running.await.unwrap(), 0, "{}", screen.err());
}

#[tokio::test]
async fn a_no_ends_the_waiting_with_what_was_said() {
    let world = World::new();
    let (running, screen) = world.leaves_running("alice", ASK);
    until(&screen, "Ctrl-C").await;
    let denied = world.types("dan", "deny r-000001 not \"today\" -- it's late\u{9f}").await;
    assert_eq!(denied.exit, 2, "a control character is refused");
    let denied = world.types("dan", "deny r-000001 not \"today\" -- it's late").await;
    assert_eq!(denied.out, "r-000001 is denied: web-restart for alice, who is told: not \"today\" -- it's late\n");
    assert_eq!(running.await.unwrap(), 1);
    assert!(
        screen
            .err()
            .ends_with("doorward: r-000001 was denied by dan at 2026-01-31 14:00:00Z: not \"today\" -- it's late\n"),
        "{}",
        screen.err()
    );
}

#[tokio::test]
async fn leaving_leaves_the_request_pending() {
    let world = World::new();
    let (running, screen) = world.leaves_running("alice", ASK);
    until(&screen, "Ctrl-C").await;
    screen.gone.cancel();
    assert_eq!(running.await.unwrap(), 1);
    let status = world.types("alice", "status r-000001").await;
    assert!(status.out.starts_with("r-000001 waits for approval until "), "{}", status.out);
    assert!(
        status.out.contains("  can       bob or dan can approve it\n  to stop   ssh bastion withdraw r-000001\n"),
        "{}",
        status.out
    );
    let withdrawn = world.types("alice", "withdraw r-000001").await;
    assert_eq!(
        (withdrawn.exit, withdrawn.out.as_str()),
        (0, "r-000001 is withdrawn; nobody can approve or use it any more\n")
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_wait_is_refreshed() {
    let world = World::new();
    let (running, screen) = world.leaves_running("alice", ASK);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(
        screen.err().matches("doorward: still waiting: bob or dan can approve it").count(),
        2,
        "{}",
        screen.err()
    );
    screen.gone.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn what_needs_no_approval_is_active_at_once() {
    let world = World::new();
    let look = world.types("alice", "request look").await;
    assert_eq!((look.exit, look.out.as_str()), (0, "r-000001\n"), "{}", look.err);
    assert_eq!(
        look.err,
        "doorward: r-000001 asks for look on web-1 for 1h\n\
         doorward: nobody needs to approve it\n\
         doorward: look is active on web-1 until 15:00:00Z (1h); now you can type:\n\
         doorward:     ssh web-1@bastion uptime\n\
         doorward: `ssh bastion done g-000001` gives it back\n"
    );
    let cert = world.types("alice", "cert").await;
    assert!(
        cert.out.starts_with("ssh-ed25519-cert-v01@openssh.com AAAA") && cert.out.lines().count() == 1,
        "{}",
        cert.out
    );
    assert!(
        cert.err.contains(" for g-000001 is valid for 1h more; `ssh bastion cert > ~/.ssh/doorward-cert.pub` keeps it"),
        "{}",
        cert.err
    );
    let who = world.types("alice", "whoami").await.out;
    for line in [
        "  you       alice\n",
        "  login     al\\u{1b}ice (it says where",
        "  active    g-000001 look on web-1, 1h left\n",
        "  rights    approver\n",
    ] {
        assert!(who.contains(line), "{line} in\n{who}");
    }
    let done = world.types("alice", "done").await;
    assert_eq!(done.out, "g-000001 is given back: look on web-1; commands under it are ended\n");
    let nothing = world.types("alice", "done").await;
    assert_eq!((nothing.exit, nothing.err.as_str()), (3, "doorward: you hold nothing to give back\n"));
    let cert = world.types("alice", "cert").await;
    assert_eq!((cert.exit, cert.out.as_str()), (1, ""));
    assert!(cert.err.contains("(you gave it back); `ssh bastion request look"), "{}", cert.err);
}

#[tokio::test]
async fn of_several_grants_one_is_named_to_give_back() {
    let world = World::new();
    world.types("alice", "request look").await;
    world.types("alice", "request look").await;
    let done = world.types("alice", "done").await;
    assert_eq!(done.exit, 2);
    assert_eq!(
        done.err,
        "doorward: you hold 2 grants; say which one to give back:\n\
         doorward:   ssh bastion done g-000003   # look, active, 1h left\n\
         doorward:   ssh bastion done g-000001   # look, active, 1h left\n"
    );
}
