//! Every other verb, and what all of them share.

use super::*;

#[tokio::test]
async fn why_says_what_would_happen_and_what_to_ask_for() {
    let world = World::new();
    let why = world.types("alice", "why web-1 systemctl restart nginx").await;
    assert_eq!(why.exit, 1);
    assert!(why.out.starts_with("denied: "), "{}", why.out);
    assert!(
        why.out.ends_with("to ask for it: ssh bastion request web-restart --on web-1 --reason WHY\n"),
        "{}",
        why.out
    );
    assert!(why.out.starts_with("denied: you hold nothing for web-1\n"), "{}", why.out);
    world.types("alice", &format!("{ASK} --no-wait")).await;
    let why = world.types("alice", "why web-1 systemctl restart nginx").await;
    assert!(
        why.out.contains("r-000001 would allow it, and waits for approval until 2026-01-31 22:00:00Z\n"),
        "{}",
        why.out
    );
    world.approves("bob", "r-000001").await;
    let why = world.types("alice", "why web-1 systemctl restart nginx").await;
    assert!(why.out.contains("g-000001 is approved and would allow it: `ssh bastion cert`"), "{}", why.out);
    world.types("alice", "cert").await;
    let why = world.types("alice", "why web-1 systemctl restart nginx").await;
    assert_eq!(
        (why.exit, why.out.as_str()),
        (
            0,
            "allowed by rule 1 of web-restart (g-000001)\n  runs on web-1 as ops: /usr/bin/systemctl restart nginx\n  until 14:30:00Z at the latest, 1 GiB of output, standard input closed\n  rule 1 of web-restart: systemctl restart {unit}\n    COLUMN  WORD       IS\n    1       systemctl  the program, /usr/bin/systemctl\n    11      restart    this very word\n    19      nginx      {unit}: nginx or php-fpm\n"
        )
    );
    let why = world.types("alice", "why web-1 systemctl restart sshd").await;
    assert_eq!(why.exit, 1);
    assert!(why.out.contains("sshd") && why.out.contains("nginx or php-fpm"), "{}", why.out);
    assert!(why.out.contains("\n    systemctl restart sshd\n                      ^^^^\n"), "{}", why.out);
    let rows: Vec<String> = why.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for row in [
        "ROLE STANDING ANSWER APPROVAL",
        "web-restart held no: its rule 1 is nearest, and word 3 (`sshd`, column 19) does not fit: it is none of what is allowed g-000001, 30m left",
        "look may ask for no: no rule of it begins with `systemctl` nobody needs to approve",
        "web-stop may ask for no: its rule 1 is nearest, and word 2 (`restart`, column 11) does not fit 2 of bob or dan must approve",
    ] {
        assert!(rows.iter().any(|found| found == row), "{row} in\n{}", why.out);
    }
    let reviewer = world.types("carol", "why --user alice web-1 systemctl restart nginx").await;
    assert_eq!(reviewer.exit, 0, "{}", reviewer.err);
    let (unseen, unknown) = (world.types("alice", "why db-1 id").await, world.types("alice", "why xx-1 id").await);
    assert_eq!((unseen.exit, unseen.err.replace("db-1", "xx-1")), (3, unknown.err));
    let shell = world.types("alice", "why web-1 systemctl restart nginx; id").await;
    assert!(shell.exit == 1 && shell.out.starts_with("denied: ") && shell.out.contains(';'), "{}", shell.out);
    let kinds: Vec<_> = world.stage.log.entries().iter().map(|event| event.what.kind()).collect();
    assert!(!kinds.iter().any(|kind| kind.starts_with("command")), "{kinds:?}");
}

#[tokio::test]
async fn why_as_json_has_the_words_the_roles_and_the_way_to_ask() {
    let world = World::new();
    let asked = async |line: &str| {
        let why = world.types("alice", line).await;
        (why.exit, serde_json::from_str::<serde_json::Value>(&why.out).unwrap_or_else(|_| panic!("{}", why.out)))
    };
    let (exit, document) = asked("why --json web-1 systemctl restart nginx").await;
    assert_eq!((exit, &document["allowed"], &document["by"]), (1, &false.into(), &serde_json::Value::Null));
    assert_eq!(document["reason"], serde_json::json!(["you hold nothing for web-1"]));
    let roles = document["roles"].as_array().unwrap();
    let role = roles.iter().find(|role| role["role"] == "web-restart").unwrap();
    assert_eq!((&role["standing"], &role["answer"]), (&"may-ask".into(), &"allowed".into()));
    assert_eq!(
        role["rule"]["words"][2],
        serde_json::json!({"word": "nginx", "column": 19, "is": "parameter", "name": "unit", "value": "nginx", "allowed": "nginx or php-fpm"})
    );
    assert_eq!(role["rule"]["place"], serde_json::Value::Null, "files are the operator's");
    assert_eq!(
        role["approval"],
        serde_json::json!({"needed": 1, "approvers": ["group:leads"], "people": ["bob", "dan"], "enough": true})
    );
    assert_eq!(role["to_ask"], "ssh bastion request web-restart --on web-1 --reason WHY");
    let stop = roles.iter().find(|role| role["role"] == "web-stop").unwrap();
    assert_eq!(
        (&stop["answer"], &stop["nearest"]["word"], &stop["nearest"]["column"]),
        (&"not-in-role".into(), &2.into(), &11.into())
    );
    assert_eq!(
        stop["nearest"]["allowed"],
        serde_json::json!([{"is": "literal", "name": "stop", "in_words": "`stop`"}])
    );

    let (exit, document) = asked("why --json web-1 uptime; id").await;
    assert_eq!((exit, &document["problem"]["column"], &document["roles"]), (1, &7.into(), &serde_json::json!([])));
    world.types("alice", "request look").await;
    let (exit, document) = asked("why --json web-1 uptime").await;
    assert_eq!(
        (exit, &document["allowed"], &document["by"]["runs"]),
        (0, &true.into(), &serde_json::json!(["/usr/bin/uptime"]))
    );
    assert_eq!(document["roles"][0]["standing"], "held");
}

#[tokio::test]
async fn unknown_and_not_yours_answer_alike() {
    let world = World::new();
    world.types("alice", &format!("{ASK} --no-wait")).await;
    for verb in ["status ID", "withdraw ID", "approve ID 4f9a", "deny ID no", "revoke ID no", "done ID"] {
        let theirs = world.types("mallory", &verb.replace("ID", "r-000001")).await;
        let nobodys = world.types("mallory", &verb.replace("ID", "r-ZZZZZZ")).await;
        assert_eq!((theirs.exit, nobodys.exit), (3, 3), "{verb}: {}", theirs.err);
        assert_eq!(theirs.err.replace("000001", "ZZZZZZ"), nobodys.err, "{verb}");
        assert_eq!((theirs.out.as_str(), nobodys.out.as_str()), ("", ""), "{verb}");
    }
    for verb in ["request NAME --reason x", "roles NAME"] {
        let theirs = world.types("mallory", &verb.replace("NAME", "web-restart")).await;
        let nobodys = world.types("mallory", &verb.replace("NAME", "xxx-xxxxxxx")).await;
        assert_eq!((theirs.exit, theirs.err.replace("web-restart", "xxx-xxxxxxx")), (3, nobodys.err), "{verb}");
    }
    let hidden = world.types("mallory", "audit search").await;
    let unknown = world.types("mallory", "xudit search").await;
    assert_eq!((hidden.exit, hidden.err.replace("audit", "xudit")), (2, unknown.err));
    assert!(world.types("mallory", "targets").await.out.is_empty());
}

#[tokio::test]
async fn a_command_at_the_control_door_is_sent_to_a_target_one_may_see() {
    let world = World::new();
    let lost = world.types("alice", "systemctl restart nginx").await;
    assert_eq!(lost.exit, 2);
    assert!(lost.err.starts_with("doorward: `systemctl` is no verb of doorward; did you mean `ssh web-1@bastion systemctl restart nginx`?\ndoorward: the verbs are: help, whoami"), "{}", lost.err);
    let lost = world.types("mallory", "systemctl restart nginx").await;
    assert!(lost.err.contains("`ssh TARGET@bastion systemctl restart nginx`"), "{}", lost.err);
}

#[tokio::test]
async fn help_lists_what_is_yours_and_explains_one_verb() {
    let world = World::new();
    let help = world.types("mallory", "help").await;
    assert!(
        help.exit == 0 && help.out.contains("  request       ask for a role") && !help.out.contains("audit"),
        "{}",
        help.out
    );
    assert!(world.types("carol", "help audit search").await.out.starts_with("ssh bastion audit search [--user USER]"));
    let unknown = world.types("mallory", "help audit search").await;
    assert_eq!(
        (unknown.exit, unknown.err.as_str()),
        (2, "doorward: `audit search` is no verb of doorward\ndoorward: `ssh bastion help` lists the verbs\n")
    );
    let later = world.types("alice", "help extend").await;
    assert_eq!(
        (later.exit, later.err.as_str()),
        (2, "doorward: `extend` is not served by this build yet; `ssh bastion help` lists what is\n")
    );
}

#[tokio::test]
async fn where_only_a_presented_certificate_counts_it_is_fetched_first() {
    let world = World::new();
    let mut settings = (*world.stage.services.snapshot.load_full()).clone();
    settings.settings.require_presented_certificate = true;
    world.stage.services.snapshot.store(settings.into());
    let look = world.types("alice", "request look").await.err;
    assert!(
        look.contains("now you can type:\ndoorward:     ssh bastion cert > ~/.ssh/doorward-cert.pub   # first"),
        "{look}"
    );
}

#[tokio::test]
async fn setup_prints_exactly_the_lines_of_each_file() {
    let world = World::new();
    assert_eq!(
        world.types("alice", "setup config").await.out,
        "Host bastion\n    HostName bastion.example.com\n    Port 2222\n    User alice\n    IdentityFile ~/.ssh/id_ed25519\n    \
         IdentitiesOnly yes\n    CertificateFile ~/.ssh/doorward-cert.pub\n    ForwardAgent no\n\
         Host *.jea\n    ProxyJump bastion\n    PubkeyAuthentication no\n    ForwardAgent no\n"
    );
    assert_eq!(
        world.types("alice", "setup known-hosts").await.out,
        format!("@cert-authority [bastion.example.com]:2222,*.jea {}\n", world.context.host_ca)
    );
}

/// The stock client reads what `setup` prints, and the login name still says where.
#[tokio::test]
async fn the_stock_client_understands_what_setup_prints() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = file("config", world.types("alice", "setup config").await.out);
    let known = file("known_hosts", world.types("alice", "setup known-hosts").await.out);
    let run = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let meant = run("ssh", &["-F", &config, "-G", "bastion"]);
    for line in ["user alice", "hostname bastion.example.com", "port 2222", "certificatefile ~/.ssh/doorward-cert.pub"]
    {
        assert!(meant.lines().any(|found| found == line), "{line} in\n{meant}");
    }
    let there = run("ssh", &["-F", &config, "-G", "web-1@bastion"]);
    assert!(there.lines().any(|found| found == "user web-1"), "{there}");
    let inside = run("ssh", &["-F", &config, "-G", "web-1.jea"]);
    for line in ["proxyjump bastion", "hostname web-1.jea", "port 22", "pubkeyauthentication false", "forwardagent no"]
    {
        assert!(inside.lines().any(|found| found == line), "{line} in\n{inside}");
    }
    for name in ["[bastion.example.com]:2222", "web-1.jea"] {
        let found = run("ssh-keygen", &["-F", name, "-f", &known]);
        assert!(found.contains("found: line 1") && found.contains("@cert-authority"), "{name}: {found}");
    }
}

#[tokio::test]
async fn a_store_that_fails_is_said_without_its_inside() {
    let world = World::new();
    world.types("alice", "request look").await;
    world.stage.store.broken.store(true, Ordering::SeqCst);
    for line in [
        "status",
        "status r-000001",
        ASK,
        "cert",
        "done",
        "grants",
        "pending",
        "withdraw r-000001",
        "whoami",
        "targets",
        "why web-1 id",
    ] {
        let failed = world.types("alice", line).await;
        assert_eq!(failed.exit, 4, "{line}: {}{}", failed.out, failed.err);
        assert!(failed.err.starts_with("doorward: ") && !failed.err.contains("secret"), "{line}: {}", failed.err);
    }
    world.stage.store.broken.store(false, Ordering::SeqCst);
    world.stage.log.broken.store(true, Ordering::SeqCst);
    assert_eq!(world.types("alice", ASK).await.exit, 4, "no entry, no request");
    assert_eq!(world.types("alice", "done g-000001").await.exit, 0, "giving back is never blocked");
}

#[tokio::test]
async fn lists_come_as_one_json_document() {
    let world = World::new();
    world.types("alice", &format!("{ASK} --no-wait")).await;
    let status = world.types("alice", "status --json").await.json();
    let request = &status["requests"][0];
    assert_eq!(
        (&request["id"], &request["state"]["is"], &request["seconds"]),
        (&"r-000001".into(), &"pending".into(), &1800.into())
    );
    assert_eq!(world.types("alice", "status r-000001 --json").await.json(), *request);
    let pending = world.types("bob", "pending --json").await.json();
    assert_eq!(pending["pending"][0]["request"], *request);
    assert_eq!(pending["pending"][0]["commands"][0], "systemctl restart {unit}");
    assert_eq!(world.types("alice", "roles --json").await.json()["roles"][0]["role"], "look");
    assert_eq!(world.types("alice", "targets --json").await.json()["targets"][0]["target"], "web-1");
    assert_eq!(world.types("alice", "whoami --json").await.json()["user"], "alice");
    world.approves("bob", "r-000001").await;
    assert_eq!(world.types("bob", "grants --json").await.json()["grants"][0]["state"]["is"], "approved");
    assert_eq!(world.types("carol", "audit verify --json").await.json()["verifies"], true);
    let found = world.types("carol", "audit search --user bob --json").await.json();
    assert!(found["entries"].as_array().unwrap().iter().all(|entry| entry["user"] == "bob"), "{found}");
    assert!(found["entries"][0]["kind"].is_string() && found["entries"][0]["sequence"].is_number());
}

#[tokio::test]
async fn a_reviewer_searches_verifies_and_revokes() {
    let world = World::new();
    world.types("alice", "request look").await;
    let grants = world.types("carol", "grants").await;
    assert_eq!(grants.out, "GRANT     WHO    ROLE  TARGETS  STATE\ng-000001  alice  look  web-1    active, 1h left\n");
    let search = world.types("carol", "audit search --user alice").await;
    let first = "0  2026-01-31T14:00:00Z  requested  alice  g-000001  s-00000001\n    r-000001: look for 1h on web-1 as ops\n1  ";
    assert!(search.out.starts_with(first), "{}", search.out);
    let revoked = world.types("carol", "revoke g-000001 wrong machine").await;
    assert_eq!(
        revoked.out, "g-000001 is revoked: look of alice on web-1; commands under it are ended; told: wrong machine\n",
        "{}",
        revoked.err
    );
    let status = world.types("alice", "status r-000001").await.out;
    assert!(status.starts_with("g-000001 was revoked by carol at 2026-01-31 14:00:00Z: wrong machine\n"), "{status}");
    assert_eq!(world.types("carol", "audit verify").await.exit, 0);
    let proof = world.types("carol", "audit prove 0").await;
    assert!(proof.out.starts_with("c2sp.org/tlog-proof@v1\nextra e30=\nindex 0\n"), "{}", proof.out);
    assert_eq!(world.types("carol", "audit prove 0 --json").await.json()["proof"], proof.out.as_str());
    assert_eq!(world.types("carol", "audit prove 4000").await.exit, 3);
    assert_eq!(world.types("carol", "audit prove").await.exit, 2);
    assert!(world.types("carol", "audit consistency 2").await.out.starts_with("old 2\n\nlog\n1\n"));
    assert!(world.types("carol", "audit checkpoint").await.out.starts_with("log\n1\nroot\n\n"));
    world.stage.log.broken.store(true, Ordering::SeqCst);
    let broken = world.types("carol", "audit verify").await;
    assert_eq!(
        (broken.exit, broken.err.as_str()),
        (1, "doorward: the audit log does not verify: entry 7 was changed\n")
    );
    assert_eq!(world.types("carol", "audit consistency 2").await.exit, 1);
}

#[tokio::test]
async fn every_line_is_in_the_log_as_it_was_typed() {
    let world = World::new();
    world.types("alice", "whoami").await;
    world.types("alice", "rm -rf \x1b[2J").await;
    let entries = world.stage.log.entries();
    let controls: Vec<_> = entries
        .iter()
        .filter_map(|event| match &event.what {
            What::Control { line, exit } => Some((line.as_str(), *exit)),
            _ => None,
        })
        .collect();
    assert_eq!(controls, [("whoami", 0), ("rm -rf \x1b[2J", 2)]);
    assert!(entries.iter().all(|event| event.user.is_some() && event.session.is_some()));
}

#[tokio::test]
async fn a_shell_request_is_greeted() {
    let world = World::new();
    world.types("alice", "request look").await;
    let mut screen = Screen::default();
    assert_eq!(greet(&world.stage.services, &world.context, &world.session("alice"), &mut screen).await, 0);
    let greeting = screen.out();
    for part in [
        "You are alice at bastion.example.com. There is no shell here.\n",
        "\nActive:\n  g-000001 look on web-1, 1h left\n    ssh web-1@bastion uptime\n",
        "\nYou can ask for: look, web-restart, web-stop\n",
        "\nRequests of others that wait: 0\n",
        "`ssh bastion help` lists everything you can type.\n",
    ] {
        assert!(greeting.contains(part), "{part} in\n{greeting}");
    }
}

#[tokio::test]
async fn who_was_removed_is_told_so_and_nothing_else() {
    let world = World::new();
    let gone = world.types("zoe", "roles").await;
    assert_eq!((gone.exit, gone.out.as_str()), (1, ""));
    assert_eq!(gone.err, "doorward: you are not enrolled here any more; ask the operator\n");
}

#[tokio::test]
async fn a_role_is_described_with_its_commands_and_the_request_to_type() {
    let world = World::new();
    let role = world.types("alice", "roles web-restart").await.out;
    assert_eq!(
        role,
        "web-restart: Restart and inspect the web tier\n\
         \x20 commands\n\
         \x20   systemctl restart {unit}   # Restart a web unit\n\
         \x20       unit: nginx or php-fpm\n\
         \x20 targets   web-1, web-2\n\
         \x20 as        ops\n\
         \x20 approval  bob or dan can approve\n\
         \x20 time      1h unless you say --for, 1h at most\n\
         \x20 to ask    ssh bastion request web-restart --reason WHY\n"
    );
    let roles = world.types("alice", "roles").await.out;
    assert!(
        roles.starts_with(
            "ROLE         AT MOST  TARGETS  WHAT FOR\nlook         2h       1        Look at the machine\n"
        ),
        "{roles}"
    );
    assert_eq!(world.types("bob", "roles web-restart").await.exit, 0, "an approver reads what they approve");
    let targets = world.types("alice", "targets").await.out;
    assert_eq!(
        targets,
        "TARGET  ACTIVE  CAN ASK FOR\nweb-1   -       look, web-restart, web-stop\nweb-2   -       web-restart, web-stop\n"
    );
}

/// The table says that it observes; what follows must not say that nothing allows the line.
#[tokio::test]
async fn why_does_not_say_that_nothing_allows_what_an_observing_role_does() {
    let world = World::new();
    let rule = "[[command]]";
    let text = world::WEB_RESTART.split(rule).next().unwrap().replace("[request]", "observe = true\n[request]");
    let text = text.replace("user:alice", "group:web-admins");
    let text = text.lines().filter(|line| !line.starts_with("approvals")).collect::<Vec<_>>().join("\n");
    let observing = crate::service::rehearsal::role("web-observe", &text);
    world.stage.reload(|snapshot| drop(snapshot.roles.insert("web-observe".parse().unwrap(), observing)));
    let said = world.types("alice", "why web-1 ls -l").await.out;
    assert!(said.contains("allows it, because it observes"), "{said}");
    assert!(
        said.ends_with("no rule that you may ask for allows this on web-1; web-observe does, because it observes\n"),
        "{said}"
    );
}
