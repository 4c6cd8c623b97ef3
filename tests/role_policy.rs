//! Default deny, roles never merge, nothing hostile gets through: the decision as an outsider would attack it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use doorward::domain::{AccountName, RequestId, Timestamp, Window};
use doorward::grant::{AccessRequest, ActiveGrant, Scope, State};
use doorward::policy::{Choice, CommandRequest, Decision, Denial, HeldRole, Permit, Role, Words, decide};
use proptest::prelude::*;

#[path = "role_policy/hostile.rs"]
mod hostile;
#[path = "role_policy/properties.rs"]
mod properties;

fn role(name: &str, rules: &str) -> Role {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
    Role::parse(name.parse().unwrap(), "roles/x.toml", &text).unwrap_or_else(|found| panic!("{}", found[0])).0
}

fn grant(bits: u64, role: &Role) -> ActiveGrant {
    let at = Timestamp::from_secs;
    AccessRequest {
        id: RequestId::from_bits(bits),
        user: "alice".parse().unwrap(),
        role: role.name().clone(),
        role_text: role.text().to_owned(),
        role_digest: role.digest(),
        scope: Scope {
            targets: BTreeMap::from([("web-1".parse().unwrap(), "ops".parse().unwrap())]),
            duration: Duration::from_secs(60),
        },
        reason: String::new(),
        ticket: None,
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        filed: at(0),
        approvals_needed: 0,
        approvals: Vec::new(),
        state: State::Active { window: Window { start: at(0), end: at(10_000) } },
    }
    .active_grant(at(1))
    .unwrap()
}

/// Decides `line` for someone who holds these roles on web-1; `None` when the line is not even words.
fn decide_for(line: &[u8], roles: &[Role]) -> Option<Decision> {
    let words = Words::split(line).ok()?;
    let grants: Vec<ActiveGrant> = roles.iter().zip(1..).map(|(role, bits)| grant(bits, role)).collect();
    let account: AccountName = "ops".parse().unwrap();
    let held: Vec<HeldRole<'_>> = roles
        .iter()
        .zip(&grants)
        .map(|(role, grant)| HeldRole {
            grant,
            approved: role,
            loaded: Some(role),
            account: Some(&account),
            eligible: true,
        })
        .collect();
    let target = "web-1".parse().unwrap();
    let request = CommandRequest { target: &target, words: &words, choice: &Choice::Any };
    Some(decide(&request, &held, Timestamp::from_secs(100)))
}

fn permit(line: &str, roles: &[Role]) -> Option<Permit> {
    match decide_for(line.as_bytes(), roles) {
        Some(Decision::Allow(permit)) => Some(permit),
        _ => None,
    }
}

/// A role with one parameter of each kind, as an author in good faith would write it.
fn generous() -> Role {
    role(
        "generous",
        r#"
[[command]]
run = "/usr/bin/systemctl restart {unit}"
sudo = true
where.unit = { one_of = ["nginx", "php-fpm"] }
[[command]]
run = "/usr/bin/tail [-n {n}] {file}"
where.n = { int = [1, 100] }
where.file = { path = "/var/log/**" }
[[command]]
run = "/usr/bin/id {user}"
where.user = { pattern = '[a-z]+' }
[[command]]
run = "/usr/bin/logger {message}"
where.message = { text = 100 }
[[command]]
run = "/usr/bin/uptime"
"#,
    )
}

#[test]
fn hostile_lines_are_denied() {
    let table: &[(&str, &[&str])] = &[
        (
            "a second command",
            &[
                "uptime; id",
                "uptime && id",
                "uptime || id",
                "uptime | sh",
                "uptime & id",
                "uptime\nid",
                "uptime\rid",
                "uptime;id",
                "; uptime",
                "id root;",
                "uptime |& sh",
                "uptime\u{2028}id",
            ],
        ),
        (
            "substitution",
            &[
                "id $(id)",
                "id `id`",
                "id ${IFS}",
                "id $USER",
                "id \"$(id)\"",
                "id \"`id`\"",
                "id $((1+1))",
                "id <(id)",
                "id $'a'",
                "id \"${x}\"",
            ],
        ),
        (
            "redirection",
            &[
                "uptime > /etc/passwd",
                "uptime >> /tmp/x",
                "uptime < /etc/shadow",
                "uptime 2>&1",
                "uptime <<EOF",
                "uptime >&2",
                "uptime <<< x",
            ],
        ),
        (
            "expansion",
            &[
                "id *",
                "id ?",
                "id [a-z]",
                "id {a,b}",
                "id ~root",
                "id !!",
                "uptime #",
                "tail /var/log/*",
                "tail /var/log/{a,b}",
                "tail ~/x",
            ],
        ),
        (
            "the environment",
            &[
                "LD_PRELOAD=/tmp/x.so uptime",
                "PATH=/tmp uptime",
                "A= uptime",
                "A+=x uptime",
                "env A=1 uptime",
                "BASH_ENV=x uptime",
            ],
        ),
        (
            "another program of that name",
            &[
                "./uptime",
                "/tmp/uptime",
                "/bin/uptime",
                "../usr/bin/uptime",
                "/usr/bin/../bin/uptime",
                "//usr/bin/uptime",
                "Uptime",
                "uptime.sh",
                "/usr/bin/uptime/",
                "\u{443}ptime",
                "upt\u{200b}ime",
                "usr/bin/uptime",
            ],
        ),
        (
            "a program that starts others",
            &[
                "sh -c uptime",
                "bash",
                "env uptime",
                "xargs uptime",
                "sudo -s",
                "su",
                "exec uptime",
                "command uptime",
                "nohup uptime",
                "eval uptime",
            ],
        ),
        (
            "sudo's own options",
            &[
                "sudo -u root systemctl restart nginx",
                "sudo -i",
                "sudo -E systemctl restart nginx",
                "sudo --",
                "sudo -n -n systemctl restart nginx",
                "sudo sudo systemctl restart nginx",
                "/usr/bin/sudo systemctl restart nginx",
                "sudo -nE systemctl restart nginx",
                "sudo uptime",
                "sudo",
            ],
        ),
        (
            "options where values belong",
            &[
                "id -G",
                "id --help",
                "tail -f",
                "tail -n -5 /var/log/x",
                "logger -f",
                "logger --file=/etc/shadow",
                "id '-G'",
                "id \\-G",
                "tail --follow=/x",
                "tail -n5 /var/log/x",
            ],
        ),
        (
            "words too many or too few",
            &[
                "systemctl restart",
                "systemctl restart nginx sshd",
                "systemctl restart nginx --now",
                "uptime -p",
                "id root root",
                "systemctl",
                "uptime ''",
                "tail -n 5 /var/log/a /etc/shadow",
            ],
        ),
        (
            "values that are nearly right",
            &[
                "systemctl restart sshd",
                "systemctl restart NGINX",
                "systemctl restart nginx.service",
                "systemctl restart 'nginx '",
                "systemctl restart ''",
                "systemctl restart 'nginx php-fpm'",
                "id Root",
                "id r00t",
                "id 'root '",
                "systemctl 'restart nginx'",
                "'systemctl restart' nginx",
            ],
        ),
        (
            "numbers",
            &[
                "tail -n 0 /var/log/x",
                "tail -n 101 /var/log/x",
                "tail -n +1 /var/log/x",
                "tail -n 01 /var/log/x",
                "tail -n 1e1 /var/log/x",
                "tail -n 0x1 /var/log/x",
                "tail -n ١ /var/log/x",
                "tail -n 18446744073709551617 /var/log/x",
                "tail -n '' /var/log/x",
            ],
        ),
        (
            "paths",
            &[
                "tail /var/log/../../etc/shadow",
                "tail /var/log/..",
                "tail /var/log//x",
                "tail /var/log/./x",
                "tail /var/log/",
                "tail /var/log",
                "tail /etc/shadow",
                "tail var/log/x",
                "tail '/var/log/*'",
                "tail '/var/log/[a]'",
                "tail /var/log/.x",
                "tail /var/log/a/.ssh/x",
                "tail /var/log/x/../../../etc/shadow",
                "tail '/var/log/a?'",
                "tail host:/var/log/x",
                "tail '/var/log/\u{e4}'",
            ],
        ),
        (
            "text that is an operator to the program",
            &[
                "logger '@/etc/shadow'",
                "logger '*'",
                "logger 'a?'",
                "logger 'root@host:/etc'",
                "logger '[a]'",
                "logger ''",
                "logger '{a,b}'",
            ],
        ),
        (
            "bytes that deceive the eye",
            &[
                "id roo\u{202e}t",
                "id 'a\u{1b}[2J'",
                "id \u{feff}root",
                "id root\u{a0}x",
                "uptime\u{a0}",
                "uptime\t",
                "id r\u{f6}\u{f6}t",
                "logger 'a\u{7}b'",
                "uptime\0",
                "id \u{fb01}",
                "id \u{9b}31m",
                "\u{feff}uptime",
            ],
        ),
        ("quotes that never close", &["id 'root", "id \"root", "id root\\", "it's uptime", "'uptime", "\"", "'", "\\"]),
        ("nothing at all", &["", " ", "''", "\"\"", "   '' "]),
    ];
    let roles = [generous()];
    let lines: usize = table.iter().map(|(_, lines)| lines.len()).sum();
    assert!(lines >= 80, "{lines}");
    for (trick, lines) in table {
        for line in *lines {
            assert!(permit(line, &roles).is_none(), "{trick}: {line:?} was allowed");
        }
    }
    assert!(decide_for(b"uptime \xff", &roles).is_none() && decide_for(b"\xc0\xaf", &roles).is_none());
}

/// The other half: quoted, these are plain words, and the program gets exactly them.
#[test]
fn hostile_text_in_quotes_is_literal() {
    let free = role(
        "free",
        "[[command]]\nrun = \"/usr/bin/logger {x}\"\nwhere.x = { pattern = '.+', dash = true, unicode = true }\n",
    );
    for value in [
        "; id",
        "$(id)",
        "`id`",
        "a && b",
        "> /etc/passwd",
        "'",
        "it's",
        "''",
        "\\",
        "\"",
        "-rf",
        "*",
        "{a,b}",
        "~",
        "!!",
        "#",
        "é 中",
        "$'\\n'",
        "%s",
    ] {
        let line = format!("logger '{}'", value.replace('\'', "'\\''"));
        let permit = permit(&line, std::slice::from_ref(&free)).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(permit.command(), ["/usr/bin/logger", value]);
        assert_eq!(shlex::split(permit.line()).unwrap()[1..], *permit.argv());
    }
}

/// Rules to draw from: each allows something that others allow too, or nearly.
const RULES: [&str; 8] = [
    "[[command]]\nrun = \"/bin/a {x}\"\nwhere.x = { one_of = [\"a\", \"b\"] }\n",
    "[[command]]\nrun = \"/bin/a [-b] {x}\"\nwhere.x = { pattern = '[a-c]' }\ntimeout = \"9s\"\n",
    "[[command]]\nrun = \"/bin/a {x}\"\nwhere.x = { int = [1, 9] }\nsudo = true\n",
    "[[command]]\nrun = \"/opt/a {x}\"\nwhere.x = { one_of = [\"b\"] }\n",
    "[[command]]\nrun = \"/bin/a a\"\nstdin = true\n",
    "[[command]]\nrun = \"/bin/b\"\nalias = \"a b\"\n",
    "[[command]]\nrun = \"/bin/a\"\nenv.X = \"1\"\n",
    "[[command]]\nrun = \"/bin/b [a] [-b]\"\n",
];

fn words_of_rules() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "c", "-b", "/bin/a", "/opt/a", "/bin/b", "sudo", "1", "5", "-n"]);
    prop::collection::vec(word, 1..5).prop_map(|words| words.join(" "))
}

fn role_of(name: &str, picks: &[usize]) -> Role {
    role(name, &picks.iter().map(|pick| RULES[*pick]).collect::<String>())
}

fn picks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..RULES.len(), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_rule_never_denies_what_was_allowed_unless_it_is_ambiguous_now(
        base in picks(), more in 0..RULES.len(), line in words_of_rules(),
    ) {
        let mut wider = base.clone();
        wider.push(more);
        if permit(&line, &[role_of("r", &base)]).is_some() {
            let after = decide_for(line.as_bytes(), &[role_of("r", &wider)]);
            let kept = matches!(after, Some(Decision::Allow(_) | Decision::Deny(Denial::Ambiguous { .. })));
            prop_assert!(kept, "{line}: {after:?}");
        }
    }

    #[test]
    fn removing_a_grant_never_allows_what_nothing_left_allows_alone(
        one in picks(), two in picks(), line in words_of_rules(),
    ) {
        let (one, two) = (role_of("one", &one), role_of("two", &two));
        let both = decide_for(line.as_bytes(), &[one.clone(), two.clone()]);
        let alone = permit(&line, &[one]).is_some() || permit(&line, &[two]).is_some();
        let refused_as_ambiguous = matches!(both, Some(Decision::Deny(Denial::Ambiguous { .. })));
        let allowed = matches!(both, Some(Decision::Allow(_)));
        // Roles never merge: together they allow no more than one of them does, and no less except when they disagree.
        prop_assert!(!allowed || alone, "{line}: {both:?}");
        prop_assert!(!alone || allowed || refused_as_ambiguous, "{line}: {both:?}");
    }

    #[test]
    fn every_word_that_runs_is_the_rules_program_or_a_word_that_was_typed(base in picks(), line in words_of_rules()) {
        if let Some(permit) = permit(&line, &[role_of("r", &base)]) {
            let typed: Vec<&str> = line.split(' ').collect();
            let own = permit.command().iter().skip_while(|word| matches!(word.as_ref(), "/usr/bin/sudo" | "-n"));
            for (at, word) in own.enumerate() {
                let program = at == 0 && ["/bin/a", "/bin/b", "/opt/a"].contains(&&**word);
                prop_assert!(program || typed.contains(&&**word), "{word} in {permit:?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic(line in prop::collection::vec(any::<u8>(), 0..200), text in any::<String>()) {
        let roles = [generous()];
        let _ = decide_for(&line, &roles);
        let _ = decide_for(text.as_bytes(), &roles);
        let _ = Role::parse("r".parse().unwrap(), "roles/r.toml", &text);
        let quoted = format!("targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = {text:?}\nwhere.a = {{ pattern = {text:?} }}\n");
        let _ = Role::parse("r".parse().unwrap(), "roles/r.toml", &quoted);
    }

    #[test]
    fn mutated_role_files_never_panic_and_never_load_silently(at in 0_usize..2000, byte in any::<char>()) {
        let text = include_str!("../roles/web-restart.toml");
        let at = (at % text.len()..).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let mutated = format!("{}{byte}{}", &text[..at], &text[at..]);
        if let Err(found) = Role::parse("r".parse().unwrap(), "roles/r.toml", &mutated) {
            prop_assert!(!found.is_empty());
            found.iter().for_each(|one| drop(one.to_string()));
        }
    }
}
