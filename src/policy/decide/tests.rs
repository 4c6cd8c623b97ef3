use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::*;
use crate::domain::{Digest, RequestId, Window};
use crate::grant::{AccessRequest, Scope, State};
use crate::policy::explain;

mod observing;

const NOW: Timestamp = Timestamp::from_secs(1_000);

fn role(name: &str, rules: &str) -> Role {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
    Role::parse(name.parse().unwrap(), "roles/x.toml", &text).unwrap_or_else(|found| panic!("{}", found[0])).0
}

fn grant(bits: u64, role: &Role, ends: i64) -> ActiveGrant {
    grant_as(bits, role, ends, &"ops".parse().unwrap())
}

fn grant_as(bits: u64, role: &Role, ends: i64, account: &AccountName) -> ActiveGrant {
    let targets = BTreeMap::from([("web-1".parse().unwrap(), account.clone())]);
    let request = AccessRequest {
        id: RequestId::from_bits(bits),
        user: "alice".parse().unwrap(),
        role: role.name().clone(),
        role_text: role.text().to_owned(),
        role_digest: role.digest(),
        scope: Scope { targets, duration: Duration::from_secs(60) },
        reason: String::new(),
        ticket: None,
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        filed: Timestamp::from_secs(0),
        approvals_needed: 0,
        approvals: Vec::new(),
        state: State::Active { window: Window { start: Timestamp::from_secs(0), end: Timestamp::from_secs(ends) } },
    };
    request.active_grant(Timestamp::from_secs(1)).unwrap()
}

/// One held role: as approved, as loaded, the account now, the grant's end.
struct Held {
    approved: Role,
    loaded: Option<Role>,
    account: Option<&'static str>,
    eligible: bool,
    ends: i64,
}

fn held(name: &str, rules: &str) -> Held {
    Held {
        approved: role(name, rules),
        loaded: Some(role(name, rules)),
        account: Some("ops"),
        eligible: true,
        ends: 5_000,
    }
}

fn ask(target: &str, chosen: Option<&str>, line: &str, held: &[Held]) -> Decision {
    let grants: Vec<ActiveGrant> =
        held.iter().zip(1..).map(|(one, bits)| grant(bits, &one.approved, one.ends)).collect();
    let accounts: Vec<Option<AccountName>> =
        held.iter().map(|one| one.account.map(|name| name.parse().unwrap())).collect();
    let roles: Vec<HeldRole<'_>> = held
        .iter()
        .zip(grants.iter().zip(&accounts))
        .map(|(one, (grant, account))| HeldRole {
            grant,
            approved: &one.approved,
            loaded: one.loaded.as_ref(),
            account: account.as_ref(),
            eligible: one.eligible,
        })
        .collect();
    let (target, chosen) = (target.parse().unwrap(), Choice::from(chosen.map(|name| name.parse().unwrap())));
    let words = Words::split(line.as_bytes()).unwrap();
    decide(&CommandRequest { target: &target, words: &words, choice: &chosen }, &roles, NOW)
}

fn allowed(line: &str, held: &[Held]) -> Permit {
    match ask("web-1", None, line, held) {
        Decision::Allow(permit) => permit,
        Decision::Deny(denial) => panic!("{line}: {denial:?}"),
    }
}

fn denied(line: &str, held: &[Held]) -> Denial {
    match ask("web-1", None, line, held) {
        Decision::Allow(permit) => panic!("{line}: {permit:?}"),
        Decision::Deny(denial) => denial,
    }
}

const RESTART: &str = "[[command]]\nrun = \"/usr/bin/systemctl restart {unit}\"\nsudo = true\n\
    where.unit = { one_of = [\"nginx\", \"php-fpm\"] }\n";

#[test]
fn a_permit_says_exactly_what_runs_and_until_when() {
    for line in [
        "systemctl restart nginx",
        "/usr/bin/systemctl restart nginx",
        "sudo systemctl restart nginx",
        "sudo -n systemctl restart 'nginx'",
    ] {
        let permit = allowed(line, &[held("web", RESTART)]);
        assert_eq!(permit.command(), ["/usr/bin/sudo", "-n", "/usr/bin/systemctl", "restart", "nginx"], "{line}");
        assert!(permit.line().ends_with("'/usr/bin/sudo' '-n' '/usr/bin/systemctl' 'restart' 'nginx'"));
        assert_eq!(permit.digest(), Digest::of(permit.line().as_bytes()));
        assert_eq!((permit.account().as_str(), permit.rule(), permit.grants().len()), ("ops", 1, 1));
        assert_eq!(permit.deadline(), Timestamp::from_secs(1_000 + 3_600));
        assert!(explain::allowed(&permit)[0].contains("rule 1 of web"));
    }
    let soon = Held { ends: 1_010, ..held("web", RESTART) };
    let permit = allowed("systemctl restart nginx", &[soon]);
    assert_eq!(permit.deadline(), Timestamp::from_secs(1_010));
    assert!(permit.argv().contains(&"10s".into()));
}

#[test]
fn nothing_is_held_is_one_answer() {
    let web = || [held("web", RESTART)];
    let over = Held { ends: 1_000, ..held("web", RESTART) };
    for decision in [
        ask("web-1", None, "systemctl restart nginx", &[]),
        ask("web-2", None, "systemctl restart nginx", &web()),
        ask("web-1", Some("other"), "systemctl restart nginx", &web()),
        ask("web-1", None, "systemctl restart nginx", &[over]),
    ] {
        assert!(matches!(decision, Decision::Deny(Denial::NoGrant)), "{decision:?}");
    }
}

#[test]
fn a_choice_leaves_out_and_never_adds() {
    let web = grant(1, &role("web", RESTART), 5_000);
    let means = |choice: Choice, target: &str| choice.means(&web, &target.parse().unwrap());
    let account = |name: &str| Choice::Account(name.parse().unwrap());
    assert!(means(Choice::Any, "web-1") && means(Choice::Role("web".parse().unwrap()), "web-1"));
    assert!(means(account("ops"), "web-1"));
    // The account as approved for this very target, whatever else it is called elsewhere.
    assert!(!means(account("root"), "web-1") && !means(account("ops"), "web-2"));
    assert!(!means(account("web"), "web-1") && !means(Choice::Role("ops".parse().unwrap()), "web-1"));
    for (choice, said) in [
        (Choice::Any, None),
        (Choice::Role("web".parse().unwrap()), Some("only the role web counted")),
        (account("ops"), Some("only what you hold as ops counted")),
    ] {
        let line = explain::choice(&choice, &"web-1".parse().unwrap());
        assert_eq!(line.as_deref().and_then(|line| line.split_once(',')).map(|(first, _)| first), said);
    }
}

#[test]
fn what_was_approved_and_what_is_configured_must_both_allow_it() {
    let narrowed = |change: fn(&mut Held)| {
        let mut one = held("web", RESTART);
        change(&mut one);
        denied("systemctl restart nginx", &[one])
    };
    for denial in [
        narrowed(|one| one.loaded = None),
        narrowed(|one| one.account = None),
        narrowed(|one| one.account = Some("root")),
        narrowed(|one| one.loaded = Some(role("web", "[[command]]\nrun = \"/bin/true\"\n"))),
        narrowed(|one| one.loaded = Some(role("web", &RESTART.replace("\"nginx\", ", "")))),
        narrowed(|one| one.loaded = Some(role("web", &RESTART.replace("/usr/bin/systemctl", "/opt/systemctl")))),
        narrowed(|one| one.loaded = Some(role("web", &RESTART.replace("sudo = true", "sudo = false")))),
        narrowed(|one| {
            one.loaded = Some(role("web", "[[command]]\nrun = \"/usr/bin/systemctl restart nginx\"\nenv.A = \"1\"\n"));
        }),
    ] {
        assert!(matches!(denial, Denial::Narrowed { .. }), "{denial:?}");
    }
    let mut widened = held("web", RESTART);
    widened.loaded = Some(role("web", &format!("{RESTART}[[command]]\nrun = \"/bin/id\"\n")));
    assert!(matches!(denied("id", &[widened]), Denial::Widened { .. }));
}

#[test]
fn who_may_no_longer_ask_for_a_role_may_not_use_it() {
    let lost = || Held { eligible: false, ..held("web", RESTART) };
    let denial = denied("systemctl restart nginx", &[lost()]);
    assert_eq!(denial, Denial::Ineligible { role: "web".parse().unwrap() });
    let shown = explain::denial(&denial, &"web-1".parse().unwrap(), "bastion");
    assert!(shown[0].contains("no longer ask for web") && shown[1].contains("`ssh bastion roles`"), "{shown:?}");
    // What was never approved is no more theirs than before, and nobody is told to ask for what they may not.
    let wider = Some(role("web", &format!("{RESTART}[[command]]\nrun = \"/bin/id\"\n")));
    assert!(matches!(denied("id", &[Held { loaded: wider, ..lost() }]), Denial::NotInRole { .. }));
    // Another role stands by itself.
    assert_eq!(allowed("systemctl restart nginx", &[lost(), held("db", RESTART)]).role().as_str(), "db");
}

#[test]
fn terms_are_the_strictest_of_all_that_allow_it() {
    let rule = |terms: &str| format!("[[command]]\nrun = \"/bin/cat x\"\n{terms}\n");
    let mut one = held("a", &rule("stdin = true\ntimeout = \"60s\"\nmax_output = 100"));
    one.loaded = Some(role("a", &rule("stdin = true\ntimeout = \"90s\"\nmax_output = 50")));
    let permit = allowed("cat x", &[one]);
    let expected = Terms { stdin: true, timeout: Duration::from_secs(60), max_output: 50, max_stdin: u64::MAX };
    assert_eq!(permit.terms(), &expected);
    let two =
        [held("a", &rule("stdin = true\ntimeout = \"60s\"")), held("b", &rule("timeout = \"2h\"\nmax_output = 7"))];
    let permit = allowed("cat x", &two);
    assert_eq!(
        permit.terms(),
        &Terms { stdin: false, timeout: Duration::from_secs(60), max_output: 7, max_stdin: u64::MAX }
    );
    assert_eq!(permit.grants().len(), 2);
    let both_end = [Held { ends: 1_030, ..held("a", &rule("")) }, Held { ends: 1_020, ..held("b", &rule("")) }];
    assert_eq!(allowed("cat x", &both_end).deadline(), Timestamp::from_secs(1_020));
}

#[test]
fn different_things_to_run_are_ambiguous_and_the_answer_says_what_to_type() {
    let plain = "[[command]]\nrun = \"/usr/bin/systemctl restart nginx\"\n";
    let other = "[[command]]\nrun = \"/opt/bin/systemctl restart nginx\"\n";
    let two = || [held("web", RESTART), held("db", plain)];
    let denial = denied("systemctl restart nginx", &two());
    assert_eq!(denial, Denial::Ambiguous { roles: vec!["db".parse().unwrap(), "web".parse().unwrap()] });
    let shown = explain::denial(&denial, &"web-1".parse().unwrap(), "bastion").join("\n");
    assert!(shown.contains("ssh db+web-1@bastion"), "{shown}");
    assert!(matches!(ask("web-1", Some("db"), "systemctl restart nginx", &two()), Decision::Allow(_)));
    assert_eq!(allowed("sudo systemctl restart nginx", &two()).role().as_str(), "web");
    let one = || [held("web", &format!("{plain}{other}"))];
    assert!(matches!(denied("systemctl restart nginx", &one()), Denial::Ambiguous { .. }));
    assert_eq!(allowed("/opt/bin/systemctl restart nginx", &one()).rule(), 2);
    let same = Held { account: Some("root"), ..held("db", RESTART) };
    assert!(matches!(denied("systemctl restart nginx", &[same]), Denial::Narrowed { .. }));
}

#[test]
fn a_denial_names_the_nearest_rule_the_word_and_what_would_be_allowed() {
    let rules = format!("{RESTART}[[command]]\nrun = \"/bin/ls {{f}}\"\nwhere.f = {{ path = \"/srv/*\" }}\n");
    for (line, word, column, parts) in [
        ("systemctl restart sshd", 2, 19, &["word 3 (`sshd`, column 19)", "nginx or php-fpm", "rule 1 of web"][..]),
        ("sudo -n systemctl stop nginx", 3, 19, &["`stop`", "`restart`"]),
        ("systemctl restart nginx --now", 3, 25, &["`--now`", "nothing more"]),
        ("systemctl restart", 2, 19, &["ends after word 2", "{unit}"]),
        ("ls /srv/../etc", 1, 4, &["write where it leads"]),
        ("ls -la", 1, 4, &["as an option"]),
        ("sudo ls /srv/a", 0, 1, &["without sudo"]),
        ("rm -rf /", 0, 1, &["`systemctl`"]),
    ] {
        let denial = denied(line, &[held("web", &rules)]);
        let Denial::NotInRole { nearest: Some(nearest) } = &denial else { panic!("{line}: {denial:?}") };
        assert_eq!((nearest.miss.word, nearest.miss.column), (word, column), "{line}");
        let shown = explain::denial(&denial, &"web-1".parse().unwrap(), "bastion").join("\n");
        parts.iter().for_each(|part| assert!(shown.contains(part), "{part} in:\n{shown}"));
    }
}

#[test]
fn an_alias_runs_what_its_rule_says() {
    let rules = "[[command]]\nalias = \"reload {what} now\"\nrun = \"/usr/sbin/nginx -s {what}\"\nsudo = true\n\
        where.what = { one_of = [\"reload\"] }\n";
    let expected = ["/usr/bin/sudo", "-n", "/usr/sbin/nginx", "-s", "reload"];
    for line in ["reload reload now", "sudo reload reload now", "nginx -s reload"] {
        assert_eq!(allowed(line, &[held("web", rules)]).command(), expected, "{line}");
    }
    assert!(matches!(denied("reload stop now", &[held("web", rules)]), Denial::NotInRole { .. }));
}

#[test]
fn a_rule_for_some_targets_holds_on_these_alone_and_the_denial_says_which() {
    let rules = |targets: &str| format!("[[command]]\nrun = \"/bin/x\"\ntargets = [{targets}]\n");
    let (here, there) = (rules("\"db-1\", \"web-*\""), rules("\"db-*\""));
    assert_eq!(allowed("x", &[held("web", &here)]).rule(), 1);
    let denial = denied("x", &[held("web", &there)]);
    assert!(matches!(&denial, Denial::OtherTargets { rule: 1, targets, .. } if targets == "db-*"), "{denial:?}");
    let shown = explain::denial(&denial, &"web-1".parse().unwrap(), "bastion").join("\n");
    assert!(shown.contains("rule 1 of web allows it on db-* alone"), "{shown}");
    assert!(matches!(denied("y", &[held("web", &there)]), Denial::NotInRole { nearest: None }));
    // Narrowed after the approval, and widened after it.
    let narrowed = Held { loaded: Some(role("web", &there)), ..held("web", &here) };
    assert!(matches!(denied("x", &[narrowed]), Denial::Narrowed { .. }));
    let widened = Held { loaded: Some(role("web", &here)), ..held("web", &there) };
    assert!(matches!(denied("x", &[widened]), Denial::Widened { .. }));
}
