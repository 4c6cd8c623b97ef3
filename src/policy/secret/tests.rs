use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::domain::{AccountName, Digest, RequestId, Timestamp, Window};
use crate::grant::AccessRequest;
use crate::policy::permit::Written;
use crate::policy::{Choice, CommandRequest, Decision, HeldRole, decide, explain};

const RULES: &str = r#"
[[command]]
run = "/usr/bin/mysqladmin -u {user} --password={word} [--host={host}] password {new}"
sudo = true
where.user = { pattern = '[a-z]+' }
where.word = { pattern = '[^ ]{1,60}', secret = true, dash = true }
where.host = { pattern = '[a-z]+' }
where.new = { pattern = '[^ ]{1,60}', secret = true, dash = true }
[[command]]
alias = "unlock {word} {times}"
run = "/usr/bin/vault unseal --times {times} {word}"
where.word = { text = 60, secret = true }
where.times = { int = [1, 9] }
[[command]]
run = "/usr/bin/keys {word...}"
where.word = { pattern = '[a-z0-9]+', secret = true }
[[command]]
run = "/usr/bin/id {name}"
where.name = { pattern = '[a-z]+' }
"#;

fn key() -> SecretKey {
    SecretKey::from_bytes([9; 32])
}

fn role(text: &str) -> Role {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{text}");
    Role::parse("db".parse().unwrap(), "roles/db.toml", &text).unwrap_or_else(|found| panic!("{}", found[0])).0
}

fn decided(line: &str, approved: &Role, loaded: &Role) -> (Words, Decision) {
    let (target, account): (_, AccountName) = ("web-1".parse().unwrap(), "ops".parse().unwrap());
    let at = Timestamp::from_secs;
    let targets = BTreeMap::from([("web-1".parse().unwrap(), account.clone())]);
    let as_approved = (approved.name().clone(), approved.digest());
    let (user, source) = ("alice".parse().unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let window = Window { start: at(0), end: at(60) };
    let request = AccessRequest::supposed(RequestId::from_bits(1), user, as_approved, targets, source, window);
    let grant = request.active_grant(at(1)).unwrap();
    let held = [HeldRole { grant: &grant, approved, loaded: Some(loaded), account: Some(&account), eligible: true }];
    let words = Words::split(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
    let decision = decide(&CommandRequest { target: &target, words: &words, choice: &Choice::Any }, &held, at(2));
    (words, decision)
}

fn written(line: &str, approved: &Role, loaded: &Role) -> Written {
    let (words, decision) = decided(line, approved, loaded);
    let Decision::Allow(permit) = decision else { panic!("{line}: {decision:?}") };
    let seen = format!("{permit:?} {words:?}");
    let written = permit.written(&words, &Guard::default(), &key());
    assert_eq!(written.digest, Digest::of(joined_of(&written).as_bytes()));
    if written.withheld.is_empty() {
        assert_eq!((written.typed.as_ref(), written.digest), (None, permit.digest()));
        assert_eq!(written.argv, permit.argv());
    } else {
        assert_ne!(written.digest, permit.digest(), "else short values could be tried");
        for at in &written.withheld {
            assert!(!seen.contains(&permit.argv()[*at]), "{seen}");
        }
    }
    written
}

fn joined_of(written: &Written) -> String {
    crate::policy::render::joined(&written.argv)
}

#[test]
fn a_placeholder_is_the_same_for_the_same_value_and_another_for_another_value_or_key() {
    let placeholder = key().placeholder("hunter2");
    assert_eq!(placeholder, key().placeholder("hunter2"));
    assert_ne!(placeholder, key().placeholder("hunter3"));
    assert_ne!(placeholder, SecretKey::from_bytes([8; 32]).placeholder("hunter2"));
    // HMAC-SHA-256 of the purpose and the value under 32 bytes of 9, by openssl dgst -mac HMAC.
    assert_eq!(placeholder, "secret:3641fcc7a08e8cdb");
    assert_eq!(format!("{:?}", key()), "SecretKey(…)");
}

#[test]
fn of_an_allowed_line_the_secret_words_alone_are_withheld() {
    let (role, of) = (role(RULES), |value: &str| key().placeholder(value));
    for (line, typed, command) in [
        (
            "sudo mysqladmin -u root --password=hunter2 password 's w0rd'",
            format!("sudo mysqladmin -u root --password={0} password {1}", "A", "B"),
            format!("/usr/bin/sudo -n /usr/bin/mysqladmin -u root --password={0} password {1}", "A", "B"),
        ),
        ("unlock hunter2 3", "unlock A 3".to_owned(), "/usr/bin/vault unseal --times 3 A".to_owned()),
        (
            "/usr/bin/vault unseal --times 3 hunter2",
            "/usr/bin/vault unseal --times 3 A".to_owned(),
            "/usr/bin/vault unseal --times 3 A".to_owned(),
        ),
        ("keys hunter2 hunter2", "keys A A".to_owned(), "/usr/bin/keys A A".to_owned()),
    ] {
        let line = line.replace("'s w0rd'", "s-w0rd");
        let filled = |text: &str| {
            let text = text.replace("=A", &format!("={}", of("hunter2"))).replace(" A", &format!(" {}", of("hunter2")));
            text.replace(" B", &format!(" {}", of("s-w0rd")))
        };
        let written = written(&line, &role, &role);
        let shown = written.typed.as_deref().unwrap();
        assert_eq!(
            shown,
            line_of(&Words::split(filled(&typed).as_bytes()).unwrap().iter().map(str::to_owned).collect::<Vec<_>>()),
            "{line}"
        );
        assert!(written.argv.join(" ").ends_with(&filled(&command)), "{:?}", written.argv);
        assert_eq!(written.withheld.len(), shown.matches(PLACEHOLDER).count(), "{line}");
        assert!(written.withheld.iter().all(|at| written.argv[*at].contains(PLACEHOLDER)), "{line}");
    }
    assert_eq!(written("id root", &role, &role).typed, None, "a rule without secrets is written as it is");
}

#[test]
fn a_value_is_withheld_if_the_role_as_approved_or_as_loaded_says_so() {
    let (secret, open) = (role(RULES), role(&RULES.replace(", secret = true", "")));
    for (approved, loaded) in [(&secret, &open), (&open, &secret), (&secret, &secret)] {
        let written = written("unlock hunter2 3", approved, loaded);
        assert!(!format!("{written:?}").contains("hunter2"));
    }
    assert!(format!("{:?}", written("unlock hunter2 3", &open, &open)).contains("hunter2"));
}

#[test]
fn of_a_line_near_such_a_rule_only_literal_words_of_the_rules_stay() {
    let guard = Guard::of([role(RULES)].iter());
    for line in [
        "mysqladmin -u root --password=hunter2 --now password hunter2",
        "sudo -u bob mysqladmin --password hunter2",
        "mysqladmim -u root --password=hunter2",
        "mysqlamdin -u root hunter2",
        "MySQLadmin -u root hunter2",
        "env X=1 /opt/bin/mysqladmin hunter2",
        "sh -c 'mysqladmin -u root --password=hunter2'",
        "mysqladmin -u root --password=hunter2; ls",
        "\"mysqladmin\" 'hunter2",
        "my'sql'admin hunter2",
        "foo --password=hunter2",
        "unlock hunter2",
        "unlok hunter2 3",
        "keys 'it is hunter2'",
        "PASS=hunter2 keys",
        "mysqladmin \u{7} hunter2",
    ] {
        assert!(guard.touches(line), "{line}");
        let veiled = guard.veil(line, &key(), |_| false).unwrap();
        assert!(!veiled.contains("hunter2") && veiled.contains(PLACEHOLDER), "{line}: {veiled}");
    }
    let veiled = guard.veil("mysqladmin -u root --password=hunter2 --now", &key(), |_| false).unwrap();
    let (root, word, now) = (key().placeholder("root"), key().placeholder("hunter2"), key().placeholder("--now"));
    let shown = [format!("'{root}'"), format!("'--password={word}'"), format!("'{now}'")];
    let plain = format!("mysqladmin -u {}", shown.join(" "));
    assert!(veiled == plain || veiled == plain.replace('\'', ""), "{veiled}");
    for line in ["id root", "ls -l /etc", "systemctl restart nginx", "uptime", ""] {
        assert_eq!(guard.veil(line, &key(), |_| false), None, "{line}");
    }
    assert!(Guard::of_everything().touches("uptime") && !Guard::default().touches("mysqladmin x"));
}

#[test]
fn a_denial_of_such_a_line_names_the_rule_and_no_word_of_the_line() {
    let role = role(RULES);
    for line in ["mysqladmin -u root --password=hunter2 hunter2", "keys hünter2", "unlock hunter2 hunter2"] {
        let (_, decision) = decided(line, &role, &role);
        let Decision::Deny(denial) = decision else { panic!("{line}") };
        let said = |denial: &Denial| explain::denial(denial, &"web-1".parse().unwrap(), "bastion").join("; ");
        let veiled = said(&Guard::of([role.clone()].iter()).veil_denial(&denial, &key()));
        assert!(!veiled.contains("nter2") && veiled.contains("nearest: "), "{veiled}");
    }
}

#[test]
fn an_observed_line_near_such_a_rule_keeps_its_program_and_not_its_values() {
    let observe = "observe = true\n[request]\neligible = [\"group:admins\"]\napprovers = [\"user:bob\", \"user:dan\"]\napprovals = 2\n";
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{observe}");
    let observer =
        Role::parse("look".parse().unwrap(), "roles/look.toml", &text).unwrap_or_else(|found| panic!("{}", found[0])).0;
    let guard = Guard::of([role(RULES)].iter());
    let (words, decision) = decided("sudo mysqladmin ping --password=hunter2 hunter2", &observer, &observer);
    let Decision::Allow(permit) = decision else { panic!("{decision:?}") };
    let written = permit.written(&words, &guard, &key());
    assert!(!format!("{written:?}").contains("hunter2"), "{written:?}");
    assert!(written.argv.iter().any(|word| word == "mysqladmin") && written.withheld.len() == 3, "{written:?}");
    assert_eq!(permit.written(&words, &Guard::default(), &key()).argv, permit.argv(), "nothing near, nothing withheld");
}

/// 64 KiB of short words: as placeholders each would be twelve times as long.
#[test]
fn a_long_line_near_such_a_rule_is_not_written_down_much_longer_than_it_was() {
    let guard = Guard::of([role(RULES)].iter());
    let line = format!("keys hunter2{}", " x".repeat(32_000));
    let veiled = guard.veil(&line, &key(), |_| false).unwrap();
    assert!(veiled.starts_with("keys 'secret:") || veiled.starts_with("keys secret:"), "{}", &veiled[..40]);
    assert!(veiled.len() < line.len() && !veiled.contains("hunter2"), "{}", veiled.len());
    let other = guard.veil(&format!("{line}y"), &key(), |_| false).unwrap();
    assert!(other != veiled && other[..1000] == veiled[..1000], "the end counts as well");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_line_with_a_secret_is_written_with_it(
        value in "[A-Za-z0-9_@%+^-]{6,20}",
        before in "[a-z -]{0,12}",
        after in "[ -~]{0,12}",
    ) {
        prop_assume!(!RULES.contains(&value) && !before.contains(&value));
        let (role, guard) = (role(RULES), Guard::of([role(RULES)].iter()));
        for line in [
            format!("mysqladmin -u root --password={value} password {value}"),
            format!("mysqladmin -u root --password={value} --host=abc password x{value}"),
        ] {
            let written = written(&line, &role, &role);
            let text = serde_json::to_string(&(&written.typed, &written.argv, written.digest)).unwrap();
            prop_assert!(!text.contains(&value), "{text}");
        }
        for line in [format!("{before} mysqladmin {value}{after}"), format!("unlock {after}{value}"), format!("{after} keys {value}")] {
            let veiled = guard.veil(&line, &key(), |_| false);
            prop_assert!(veiled.as_ref().is_some_and(|veiled| !veiled.contains(&value)), "{line}: {veiled:?}");
        }
    }
}
