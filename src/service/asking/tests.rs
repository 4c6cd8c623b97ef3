use super::super::rehearsal::{NOW, Rehearsal, name, role};
use super::*;
use crate::domain::Timestamp;

/// (role, its answer in a word, whether it leads there) of each role that `who` may ask for.
fn answers(snapshot: &Snapshot, who: &str, target: &str, line: &str) -> Vec<(String, String, bool)> {
    let person = snapshot.person(&name(who)).unwrap();
    let target = snapshot.inventory.target(&target.parse().unwrap()).unwrap();
    let words = Words::split(line.as_bytes()).unwrap();
    let found = candidates(
        snapshot,
        &Question { person: &person, target, words: &words, around: &NOW.into(), asked_from: None },
    );
    let word = |one: &Candidate| match &one.answer {
        Supposed::Allowed(outcome) => format!("rule {}", outcome.rule),
        Supposed::Denied(denial) => denial.word().to_owned(),
    };
    found.iter().map(|one| (one.role.name().to_string(), word(one), one.leads_there())).collect()
}

#[tokio::test]
async fn each_role_answers_as_the_decision_would_if_it_were_held() {
    let stage = Rehearsal::new();
    let snapshot = stage.services.snapshot.load();
    let row = |role: &str, answer: &str, leads: bool| (role.to_owned(), answer.to_owned(), leads);
    assert_eq!(
        answers(&snapshot, "alice", "web-1", "systemctl stop nginx"),
        [
            row("web-look", "not-in-role", false),
            row("web-rescue", "rule 2", true),
            row("web-restart", "not-in-role", false)
        ]
    );
    assert_eq!(answers(&snapshot, "alice", "web-2", "uptime")[0], row("web-look", "no-grant", false));
    // dora may ask, and nobody but herself could approve.
    assert_eq!(answers(&snapshot, "dora", "db-1", "uptime"), [row("db-look", "rule 1", false)]);
    assert_eq!(answers(&snapshot, "carol", "db-1", "uptime"), []);
}

#[tokio::test]
async fn roles_of_others_are_known_to_who_asks_for_them_alone_and_who_can_names_everybody() {
    let stage = Rehearsal::new();
    let snapshot = stage.services.snapshot.load();
    let person = snapshot.person(&name("alice")).unwrap();
    let target = snapshot.inventory.target(&"db-1".parse().unwrap()).unwrap();
    let words = Words::split(b"uptime").unwrap();
    let question = Question { person: &person, target, words: &words, around: &NOW.into(), asked_from: None };
    assert!(candidates(&snapshot, &question).iter().all(|one| one.role.name().as_str() != "db-look"));
    let others = not_theirs(&snapshot, &question);
    assert_eq!(others.len(), 1);
    assert!(others[0].quorum.is_none() && !others[0].leads_there());
    assert_eq!(others[0].answer, Supposed::Denied(Denial::Ineligible { role: "db-look".parse().unwrap() }));

    let restart = Words::split(b"systemctl restart nginx").unwrap();
    let web = snapshot.inventory.target(&"web-2".parse().unwrap()).unwrap();
    let ways: Vec<(String, String)> = who_can(&snapshot, web, &restart, &NOW.into())
        .iter()
        .map(|way| (way.candidate.role.name().to_string(), way.user.to_string()))
        .collect();
    let pair = |role: &str, user: &str| (role.to_owned(), user.to_owned());
    assert_eq!(
        ways,
        [
            pair("web-rescue", "alice"),
            pair("web-rescue", "ann"),
            pair("web-restart", "alice"),
            pair("web-restart", "ann")
        ]
    );
    assert!(who_can(&snapshot, target, &restart, &NOW.into()).is_empty());
}

#[tokio::test]
async fn what_is_supposed_to_be_held_together_is_decided_together() {
    let stage = Rehearsal::new();
    let snapshot = stage.services.snapshot.load();
    let person = snapshot.person(&name("alice")).unwrap();
    let target = snapshot.inventory.target(&"web-1".parse().unwrap()).unwrap();
    let words = Words::split(b"uptime").unwrap();
    let question = Question { person: &person, target, words: &words, around: &NOW.into(), asked_from: None };
    let make = |called: &str, more: &str| {
        let text = format!(
            "targets = [\"*\"]\nrun_as = \"ops\"\n[request]\neligible = [\"user:alice\"]\napprovals = 0\n[[command]]\nrun = \"/usr/bin/uptime\"\n{more}"
        );
        role(called, &text)
    };
    let (plain, short, root) =
        (make("plain", ""), make("short", "timeout = \"5s\"\nstdin = true\n"), make("root", "sudo = true\n"));
    let together = suppose(&snapshot, &question, &[&plain, &short]);
    let Supposed::Allowed(outcome) = together else { panic!("{together:?}") };
    assert_eq!((outcome.terms.stdin, outcome.terms.timeout.as_secs(), outcome.rule), (false, 5, 1));
    let Supposed::Denied(Denial::Ambiguous { roles }) = suppose(&snapshot, &question, &[&plain, &root]) else {
        panic!("two accounts of one line")
    };
    assert_eq!(roles.len(), 2);
    assert_eq!(suppose(&snapshot, &question, &[]), Supposed::Denied(Denial::NoGrant));
}

/// Else who asks what a set gives away would not hear of the widest of its roles.
#[tokio::test]
async fn a_role_that_observes_answers_for_every_line_like_the_decision() {
    let stage = Rehearsal::new();
    let text = "targets = [\"web-1\"]\nrun_as = \"ops\"\nobserve = true\n[when]\nnot_before = 2020-01-01\n[request]\n\
                eligible = [\"group:web-admins\"]\napprovers = [\"group:leads\"]\napprovals = 2\n";
    stage.reload(|snapshot| drop(snapshot.roles.insert("web-watch".parse().unwrap(), role("web-watch", text))));
    let snapshot = stage.services.snapshot.load();
    let watch = |line: &str| {
        let found = answers(&snapshot, "alice", "web-1", line);
        found.into_iter().find(|(role, ..)| role == "web-watch").map(|(_, answer, leads)| (answer, leads))
    };
    assert_eq!(watch("sudo rm -r /srv"), Some(("rule 0".to_owned(), true)));
    assert_eq!(watch("sudo -u bob id"), Some(("not-observed".to_owned(), false)));
    assert_eq!(
        answers(&snapshot, "alice", "web-2", "rm /srv/x").first(),
        answers(&snapshot, "alice", "web-2", "id").first()
    );

    let words = Words::split(b"rm -r /srv").unwrap();
    let web = snapshot.inventory.target(&"web-1".parse().unwrap()).unwrap();
    let who = |target: &Target, at: Timestamp| -> Vec<String> {
        let ways = who_can(&snapshot, target, &words, &at.into());
        ways.iter().map(|way| format!("{} {:?}", way.user, way.candidate.rule(&words))).collect()
    };
    assert_eq!(who(web, NOW), ["alice Some(0)", "ann Some(0)"]);
    assert_eq!(who(web, Timestamp::from_secs(0)), ["alice Some(0)", "ann Some(0)"], "the condition is shown");
    assert!(who(snapshot.inventory.target(&"web-2".parse().unwrap()).unwrap(), NOW).is_empty());
    let person = snapshot.person(&name("dora")).unwrap();
    let question = Question { person: &person, target: web, words: &words, around: &NOW.into(), asked_from: None };
    assert_eq!(not_theirs(&snapshot, &question).len(), 1);
}
