use super::super::activate_grant::activate;
use super::super::rehearsal::{HERE, ROLES, Rehearsal, name, role};
use super::*;

fn person(stage: &Rehearsal, who: &str) -> Person {
    stage.services.snapshot.load().person(&name(who)).unwrap()
}

#[tokio::test]
async fn people_see_the_roles_they_may_ask_for_and_who_would_approve() {
    let stage = Rehearsal::new();
    let of = |who: &str| {
        let found = roles_for(&stage.services.snapshot.load(), &person(&stage, who));
        let line = |one: RequestableRole| format!("{}/{}: {}", one.role.name(), one.targets.len(), one.approvers);
        found.into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        of("alice"),
        [
            "web-look/1: nobody needs to approve",
            "web-rescue/2: 2 of ann, bob or dan must approve",
            "web-restart/2: ann, bob or dan can approve",
        ]
    );
    assert_eq!(of("ann")[2], "web-restart/2: bob or dan can approve");
    // dora may ask, and is the only one who could approve.
    assert_eq!(of("dora"), ["db-look/1: needs 1 to approve, and 0 can at the moment"]);
    assert_eq!(of("carol"), [""; 0]);
}

#[tokio::test]
async fn people_see_the_targets_they_may_use_or_ask_for_and_no_others() {
    let stage = Rehearsal::new();
    let request = stage.filed("web-look").await;
    activate(&stage.services, &request.id, HERE).await.unwrap();
    let of = async |who: &str| {
        let found = targets_for(&stage.services, &name(who)).await.unwrap();
        let line = |one: VisibleTarget| (one.name.to_string(), one.active.len(), one.requestable.len());
        found.into_iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(of("alice").await, [("web-1".to_owned(), 1, 3), ("web-2".to_owned(), 0, 2)]);
    assert_eq!(of("ann").await, [("web-1".to_owned(), 0, 3), ("web-2".to_owned(), 0, 2)]);
    assert_eq!(of("dora").await, [("db-1".to_owned(), 0, 1)]);
    assert!(of("carol").await.is_empty() && of("nobody").await.is_empty());
    // A role that no longer reaches the target takes it out of sight, grant or not.
    let text = ROLES[2].1.replace("web-1", "db-1").replace("web-admins", "leads");
    stage.reload(|now| drop(now.roles.insert(request.role.clone(), role("web-look", &text))));
    assert_eq!(of("alice").await[0], ("web-1".to_owned(), 0, 2));
}

#[tokio::test]
async fn the_suggestion_is_the_request_that_needs_the_fewest_people() {
    let stage = Rehearsal::new();
    let of = |who: &str, target: &str, line: &str| {
        let words = Words::split(line.as_bytes()).unwrap();
        let found =
            role_allowing(&stage.services.snapshot.load(), &person(&stage, who), &target.parse().unwrap(), &words);
        found.map(|suggestion| suggestion.line)
    };
    let some = |line: &str| Some(line.to_owned());
    let restart = "ssh bastion request web-restart --on web-2 --reason WHY";
    assert_eq!(of("alice", "web-2", "systemctl restart nginx"), some(restart));
    let rescue = "ssh bastion request web-rescue --on web-1 --ticket TICKET --reason WHY";
    assert_eq!(of("alice", "web-1", "systemctl stop nginx"), some(rescue));
    assert_eq!(of("alice", "web-1", "/usr/bin/uptime"), some("ssh bastion request web-look --on web-1"));
    assert_eq!(of("alice", "web-2", "uptime"), None);
    assert_eq!(of("alice", "db-1", "uptime"), None);
    assert_eq!(of("alice", "web-1", "systemctl restart sshd"), None);
    assert_eq!(of("carol", "web-1", "uptime"), None);
}
