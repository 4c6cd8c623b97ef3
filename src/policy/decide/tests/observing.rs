//! What an observe grant allows: everything that no rule does, and none of what would slip past the program's place.

use super::*;

const OBSERVE: &str = "observe = true\n[request]\neligible = [\"group:admins\"]\napprovers = [\"group:leads\"]\n";

fn observing() -> Held {
    held("look", OBSERVE)
}

#[test]
fn every_line_runs_as_it_was_typed_and_sudo_means_what_sudoers_there_allows() {
    for (line, command) in [
        ("id", &["id"][..]),
        ("/usr/bin/id -un", &["/usr/bin/id", "-un"]),
        ("sudo systemctl restart nginx", &["/usr/bin/sudo", "-n", "systemctl", "restart", "nginx"]),
        ("sudo -n /usr/bin/id", &["/usr/bin/sudo", "-n", "/usr/bin/id"]),
        ("sh -c 'echo $HOME; id'", &["sh", "-c", "echo $HOME; id"]),
        ("env -S 'a b' A=1", &["env", "-S", "a b", "A=1"]),
        ("grep -e 'a=b' '*' ''", &["grep", "-e", "a=b", "*", ""]),
    ] {
        let permit = allowed(line, &[observing()]);
        assert_eq!(permit.command(), command, "{line}");
        assert!(permit.argv().ends_with(&permit.command()), "{line}");
        assert_eq!((permit.observed(), permit.rule(), permit.terms().stdin), (true, 0, false), "{line}");
        assert_eq!(permit.deadline(), Timestamp::from_secs(1_000 + 3_600), "{line}");
        assert!(explain::allowed(&permit)[0].starts_with("no rule allows it; look observes"), "{line}");
    }
}

#[test]
fn a_program_that_timeout_or_sudo_would_read_as_something_else_is_refused() {
    for line in [
        "''",
        "sudo",
        "sudo -n",
        "sudo ''",
        "-x",
        "'-s'",
        "sudo -s",
        "sudo -i",
        "sudo -- id",
        "sudo -n -n id",
        "sudo -u root id",
        "sudo --preserve-env id",
        "sudo LD_PRELOAD=/tmp/x id",
        "sudo -n 'PATH=/tmp' id",
        "'LD_PRELOAD=/tmp/x' id",
        "/usr/bin/sudo -s",
        "/opt/sudo id",
        "sudo sudo id",
        "./id",
        "bin/id",
        "/usr/bin/../bin/id",
        "//usr/bin/id",
        "/usr/bin/",
        "/",
        "'/usr/bin/a b'",
        "'a b'",
        "/opt/-x",
        "\u{fc}id",
    ] {
        let denial = denied(line, &[observing()]);
        assert!(matches!(denial, Denial::NotObserved { .. }), "{line}: {denial:?}");
        let said = explain::denial(&denial, &"web-1".parse().unwrap(), "bastion");
        assert!(said[0].contains("look cannot observe it") && said.len() == 2, "{line}: {said:?}");
    }
    let long = format!("echo {}", "x".repeat(40_000));
    assert_eq!(denied(&long, &[observing()]), Denial::TooLong);
}

#[test]
fn a_line_that_a_rule_allows_runs_under_the_rule_whatever_observes_besides() {
    for held in [[observing(), held("web", RESTART)], [held("web", RESTART), observing()]] {
        let permit = allowed("systemctl restart nginx", &held);
        assert_eq!((permit.observed(), permit.role().as_str(), permit.rule()), (false, "web", 1));
        assert_eq!(permit.command()[..3], ["/usr/bin/sudo", "-n", "/usr/bin/systemctl"]);
        assert_eq!(permit.grants().len(), 1, "the end of the observe grant does not end it");
        let other = allowed("systemctl restart sshd", &held);
        assert_eq!((other.observed(), other.command()[0].as_str()), (true, "systemctl"));
    }
    // The choice of a role by the login name counts before.
    let both = [observing(), held("web", RESTART)];
    let Decision::Allow(permit) = ask("web-1", Some("look"), "systemctl restart nginx", &both) else {
        panic!("look allows it");
    };
    assert!(permit.observed());
}

#[test]
fn what_observed_when_it_was_approved_gives_nothing_once_the_file_says_otherwise() {
    let anything = "[[command]]\nrun = \"id\"\n".replace("\"id\"", "\"/usr/bin/id\"");
    let changes: [(&str, Held); 4] = [
        ("rules took its place", Held { loaded: Some(role("look", &anything)), ..observing() }),
        ("it is gone", Held { loaded: None, ..observing() }),
        ("another account", Held { account: Some("root"), ..observing() }),
        ("rules were approved", Held { approved: role("look", &anything), ..observing() }),
    ];
    for (what, held) in changes {
        let denial = denied("/usr/bin/id", &[held]);
        assert_eq!(denial, Denial::Narrowed { role: "look".parse().unwrap() }, "{what}");
    }
    let outside = Held { eligible: false, ..observing() };
    assert_eq!(denied("id", &[outside]), Denial::Ineligible { role: "look".parse().unwrap() });
}

#[test]
fn two_that_observe_as_different_accounts_are_ambiguous_and_as_one_share_the_first_end() {
    let twice = [Held { ends: 2_000, ..observing() }, held("peek", OBSERVE)];
    let permit = allowed("id", &twice);
    assert_eq!((permit.grants().len(), permit.deadline()), (2, Timestamp::from_secs(2_000)));
    let roles: Vec<Role> = ["look", "peek"].map(|name| role(name, OBSERVE)).into();
    let accounts: [AccountName; 2] = ["ops", "dba"].map(|name| name.parse().unwrap());
    let grants: Vec<ActiveGrant> = roles
        .iter()
        .zip(&accounts)
        .zip(1..)
        .map(|((role, account), bits)| grant_as(bits, role, 5_000, account))
        .collect();
    let held: Vec<HeldRole<'_>> = (0..2)
        .map(|at| HeldRole {
            grant: &grants[at],
            approved: &roles[at],
            loaded: Some(&roles[at]),
            account: Some(&accounts[at]),
            eligible: true,
        })
        .collect();
    let (target, words) = ("web-1".parse().unwrap(), Words::split(b"id").unwrap());
    let decision = decide(&CommandRequest { target: &target, words: &words, choice: &Choice::Any }, &held, NOW);
    let Decision::Deny(Denial::Ambiguous { roles }) = decision else { panic!("{decision:?}") };
    assert_eq!(roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(), ["look", "peek"]);
}
