use std::collections::BTreeSet;

use proptest::prelude::*;

use super::unused::{UnusedPart, unused};
use super::*;

const HEAD: &str = "targets = [\"web-1\"]\nrun_as = \"ops\"\n";

fn sample(line: &str, runs: u64) -> Sample {
    let words = Words::split(line.as_bytes()).unwrap();
    let texts: Vec<String> = words.as_slice().iter().map(|word| word.text().to_owned()).collect();
    match texts.split_first() {
        Some((sudo, rest)) if sudo == "sudo" => Sample { sudo: true, vector: rest.to_vec(), runs },
        _ => Sample { sudo: false, vector: texts, runs },
    }
}

fn samples(lines: &[&str]) -> Vec<Sample> {
    lines.iter().map(|line| sample(line, 1)).collect()
}

fn learn(lines: &[&str], exact: bool) -> Proposal {
    let frame = Frame { name: "web".parse().unwrap(), head: HEAD, existing: None, exact };
    propose(samples(lines), &frame).unwrap()
}

fn role(text: &str) -> Role {
    Role::parse("web".parse().unwrap(), "roles/web.toml", text).unwrap_or_else(|found| panic!("{text}\n{}", found[0])).0
}

fn patterns(proposal: &Proposal) -> Vec<String> {
    let line = |line: &str| line.strip_prefix("run = ").map(str::to_owned);
    proposal.rules.lines().filter_map(line).collect()
}

fn left(proposal: &Proposal) -> Vec<(String, Left)> {
    proposal.left.iter().map(|(sample, why)| (line_of(sample.sudo, &sample.vector), *why)).collect()
}

const DAY: [&str; 9] = [
    "sudo systemctl restart nginx",
    "sudo systemctl restart php-fpm",
    "sudo systemctl reload nginx",
    "/usr/bin/systemctl status nginx",
    "journalctl --no-pager -u nginx -n 50",
    "journalctl --no-pager -u php-fpm -n 200",
    "tail -n 50 /var/log/nginx/error.log",
    "tail -n 50 /var/log/nginx/access.log",
    "uptime",
];

#[test]
fn a_day_of_lines_becomes_a_role_that_allows_them_all() {
    let proposal = learn(&DAY, false);
    assert_eq!((proposal.covered.len(), proposal.left.len(), proposal.already), (9, 0, 0), "{proposal:#?}");
    assert_eq!(
        patterns(&proposal),
        [
            "\"/usr/bin/journalctl --no-pager -u {u} -n {n}\"",
            "\"/usr/bin/systemctl status nginx\"",
            "\"/usr/bin/systemctl reload nginx\"",
            "\"/usr/bin/systemctl restart {value}\"",
            "\"/usr/bin/tail -n 50 {file}\"",
            "\"/usr/bin/uptime\"",
        ]
    );
    let text = &proposal.rules;
    assert!(text.contains("where.n = { one_of = [\"200\", \"50\"] }\n# wider, instead of the line before:\n# where.n = { int = [50, 200] }\n"), "{text}");
    assert!(text.contains("# where.file = { path = \"/var/log/nginx/*.log\" }\n"), "{text}");
    assert!(text.contains("# typed as `uptime`: check that"), "{text}");
    assert!(!text.contains("typed as `systemctl`"), "its path was seen: {text}");
    let role = role(&proposal.whole);
    assert!(role.allows(&Words::split(b"journalctl --no-pager -u nginx -n 200").unwrap()), "a product of values seen");
    for line in ["systemctl restart sshd", "systemctl restart nginx --now", "tail -n 51 /var/log/nginx/error.log"] {
        assert!(!role.allows(&Words::split(line.as_bytes()).unwrap()), "{line}");
    }
}

#[test]
fn exact_allows_nothing_that_was_not_run_and_puts_together_what_it_can() {
    let proposal = learn(&DAY, true);
    assert_eq!(proposal.covered.len(), 9);
    let role = role(&proposal.whole);
    assert!(!role.allows(&Words::split(b"journalctl --no-pager -u nginx -n 200").unwrap()));
    assert!(patterns(&proposal).contains(&"\"/usr/bin/systemctl restart {value}\"".to_owned()), "{}", proposal.rules);
    let square = ["/bin/svc stop a", "/bin/svc stop b", "/bin/svc start a", "/bin/svc start b"];
    assert_eq!(patterns(&learn(&square, true)), ["\"/bin/svc {what} {value}\""]);
}

#[test]
fn what_a_comment_offers_loads_in_the_place_of_the_line_before_and_allows_at_least_as_much() {
    let proposal = learn(&DAY, false);
    let lines: Vec<&str> = proposal.whole.lines().collect();
    let mut wider = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if lines.get(at + 1).is_some_and(|next| next.starts_with("# wider")) {
            wider.push(lines[at + 2].trim_start_matches("# "));
        } else {
            wider.push(line);
        }
    }
    let role = role(&wider.join("\n"));
    for sample in &proposal.covered {
        assert!(role.allows(&words_of(sample.sudo, &sample.vector).unwrap()), "{sample:?}");
    }
    assert!(role.allows(&Words::split(b"tail -n 50 /var/log/nginx/other.log").unwrap()));
}

#[test]
fn what_no_rule_should_or_can_hold_is_left_out_with_its_reason() {
    for (line, why) in [
        ("mysql --password=hunter2 -e x", Left::Secret),
        ("/usr/bin/curl https://bob:word@example.com/x", Left::Secret),
        ("deploy API_TOKEN=abc", Left::Secret),
        ("sh -c 'id; id'", Left::Text),
        ("echo ''", Left::Unsayable),
        ("echo \u{fc}", Left::Unsayable),
        (r"echo it\'s", Left::Unsayable),
        ("bin/x", Left::Program),
        ("/usr/bin/../bin/x", Left::Program),
    ] {
        let proposal = learn(&[line, "/usr/bin/id"], false);
        assert_eq!(left(&proposal).iter().map(|(_, why)| *why).collect::<Vec<_>>(), [why], "{line}");
        assert_eq!(proposal.covered.len(), 1, "{line}");
        assert!(!proposal.whole.contains("hunter2") && !proposal.whole.contains("abc"), "{line}");
    }
    let long = format!("/usr/bin/echo {}", "x ".repeat(64));
    assert_eq!(left(&learn(&[&long], false))[0].1, Left::Unsayable);
    assert!(learn(&[], false).rules.is_empty() == learn(&["sh -c 'a b'"], false).rules.is_empty());
}

#[test]
fn a_line_run_with_sudo_and_without_is_covered_as_far_as_one_role_can_tell_them_apart() {
    let proposal = learn(&["/usr/bin/id", "sudo /usr/bin/id", "/usr/bin/uptime"], false);
    assert_eq!(left(&proposal), [("/usr/bin/id".to_owned(), Left::Clash)]);
    assert_eq!(proposal.covered.len(), 2);
    let two_paths = learn(&["/usr/bin/x 1", "/usr/bin/x 2", "/opt/x 1", "x 1"], false);
    assert_eq!(left(&two_paths), [("x 1".to_owned(), Left::Clash)]);
}

#[test]
fn more_than_a_role_can_hold_is_left_out_the_least_used_first() {
    let many: Vec<Sample> = (0..300).map(|number| sample(&format!("/opt/p{number}"), 1 + number % 7)).collect();
    let frame = Frame { name: "web".parse().unwrap(), head: HEAD, existing: None, exact: false };
    let proposal = propose(many, &frame).unwrap();
    assert_eq!((proposal.count, proposal.covered.len(), proposal.left.len()), (200, 200, 100));
    let least = proposal.covered.iter().map(|sample| sample.runs).min().unwrap();
    assert!(proposal.left.iter().all(|(sample, why)| *why == Left::NoRoom && sample.runs <= least));
    let values: Vec<Sample> = (0..1200).map(|number| sample(&format!("/opt/p {number}"), 1)).collect();
    assert_eq!(propose(values, &frame).unwrap().count, 3, "a list has 500 values");
}

const WEB: &str = r#"targets = ["web-1"]
run_as = "ops"
[[command]]
run = "/usr/bin/systemctl restart {unit}"
sudo = true
where.unit = { one_of = ["nginx", "php-fpm"] }
[[command]]
run = "/usr/bin/tail [-n {lines}] [-f] {file}"
where.lines = { int = [1, 9] }
where.file = { path = "/var/log/*.log" }
[[command]]
run = "/usr/sbin/nginx -t"
[examples]
allow = ["systemctl restart nginx"]
"#;

#[test]
fn an_existing_role_gets_only_what_it_lacks_and_keeps_what_it_allows() {
    let existing = role(WEB);
    let frame = Frame { name: "web".parse().unwrap(), head: WEB, existing: Some(&existing), exact: false };
    let lines =
        samples(&["sudo systemctl restart nginx", "tail -n 5 /var/log/a.log", "tail -n 50 /var/log/a.log", "uptime"]);
    let proposal = propose(lines, &frame).unwrap();
    assert_eq!((proposal.already, proposal.covered.len(), proposal.count), (2, 4, 2), "{proposal:#?}");
    assert!(proposal.whole.starts_with(WEB.trim_end()) && proposal.whole.contains(&proposal.rules));
    // Without sudo it would make the existing line ambiguous.
    let clash =
        propose(samples(&["/usr/bin/systemctl restart nginx", "sudo systemctl restart nginx"]), &frame).unwrap();
    assert_eq!((clash.count, clash.already), (0, 1), "{clash:#?}");
    assert_eq!(left(&clash), [("/usr/bin/systemctl restart nginx".to_owned(), Left::Clash)]);
}

#[test]
fn what_nobody_used_is_named_by_the_rules_of_today() {
    let role = role(WEB);
    let used = samples(&["sudo /usr/bin/systemctl restart nginx", "/usr/bin/tail -n 5 /var/log/a.log"]);
    let found = unused(&role, &used, &[]);
    let values = UnusedPart::Values { name: "unit".to_owned(), values: vec!["php-fpm".to_owned()] };
    let parts: Vec<(usize, UnusedPart)> = found.unused.iter().map(|one| (one.rule, one.what.clone())).collect();
    assert_eq!(parts, [(1, values), (2, UnusedPart::Group("[-f]".to_owned())), (3, UnusedPart::Rule)]);
    assert_eq!(found.unmatched, 0);
    // A line that fits no rule of today may have been any of that program.
    let older = samples(&["sudo /usr/bin/systemctl restart sshd"]);
    let found = unused(&role, &older, &samples(&["tail -f /var/log/a.log", "uptime"]));
    let parts: Vec<(usize, UnusedPart)> = found.unused.iter().map(|one| (one.rule, one.what.clone())).collect();
    assert_eq!(
        (parts, found.unmatched),
        (vec![(2, UnusedPart::Group("[-n {lines}]".to_owned())), (3, UnusedPart::Rule)], 1)
    );
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "start", "stop", "5", "70", "/var/log/a.log", "/var/log/b.log", "/etc/x"]),
        2 => prop::sample::select(vec!["-f", "-n", "--all", "--lines=5", "--lines=9", "-x=y", "+%F", "a:b", "@f", "{a}", "[b]", "a\"b"]),
        1 => prop::sample::select(vec!["it's", "", "a b", "\u{fc}", "\\", "--token=x", "$HOME", "*"]),
    ]
    .prop_map(str::to_owned)
}

fn line() -> impl Strategy<Value = Sample> {
    let program = prop::sample::select(vec!["ctl", "/usr/bin/ctl", "/opt/ctl", "ls", "/usr/bin/ls"]);
    (any::<bool>(), program, prop::collection::vec(word(), 0..4), 1..9_u64).prop_map(|(sudo, program, words, runs)| {
        Sample { sudo, vector: std::iter::once(program.to_owned()).chain(words).collect(), runs }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was run: what is said to be covered is allowed as one thing to run, nothing is lost, and of all lines made of
    /// the words seen the proposal allows only products of what stood at the places of one rule; with `exact` nothing else
    /// than what was run.
    #[test]
    fn covered_is_allowed_and_nothing_beyond_the_products_of_what_was_seen(
        lines in prop::collection::vec(line(), 0..14),
        probes in prop::collection::vec(line(), 40),
        exact: bool,
    ) {
        let distinct: BTreeSet<(bool, Vec<String>)> = lines.iter().map(|one| (one.sudo, one.vector.clone())).collect();
        let samples: Vec<Sample> =
            distinct.iter().map(|(sudo, vector)| Sample { sudo: *sudo, vector: vector.clone(), runs: 2 }).collect();
        let frame = Frame { name: "web".parse().unwrap(), head: HEAD, existing: None, exact };
        let Ok(proposal) = propose(samples.clone(), &frame) else {
            // A role has at least one rule: nothing to propose is no role.
            prop_assert!(samples.iter().all(|one| !one.vector.iter().all(|word| word.starts_with('/'))));
            return Ok(());
        };
        prop_assert_eq!(proposal.covered.len() + proposal.left.len(), samples.len());
        let Ok((role, _)) = Role::parse("web".parse().unwrap(), "roles/web.toml", &proposal.whole) else {
            prop_assert!(proposal.count == 0);
            return Ok(());
        };
        let owned = |reading: &super::super::rule::Reading<'_>| reading.vector.iter().map(ToString::to_string).collect::<Vec<String>>();
        let base = |vector: &[String]| -> Vec<String> {
            vector.iter().enumerate().map(|(at, word)| if at == 0 { word.rsplit('/').next().unwrap().to_owned() } else { word.clone() }).collect()
        };
        for sample in &proposal.covered {
            let words = words_of(sample.sudo, &sample.vector).unwrap();
            let readings = role.readings(&words);
            prop_assert!(!readings.is_empty());
            for reading in readings {
                prop_assert_eq!(reading.rule.sudo(), sample.sudo);
                prop_assert_eq!(base(&owned(&reading)), base(&sample.vector));
            }
        }
        for probe in probes.iter().filter_map(|probe| Some((probe, words_of(probe.sudo, &probe.vector)?))) {
            for reading in role.readings(&probe.1) {
                let alike: Vec<&Sample> = proposal.covered.iter().filter(|seen| {
                    seen.sudo == reading.rule.sudo() && seen.vector.len() == reading.vector.iter().count()
                        && base(&seen.vector)[0] == base(&owned(&reading))[0]
                }).collect();
                if exact {
                    prop_assert!(alike.iter().any(|seen| base(&seen.vector) == base(&owned(&reading))), "{:?}", probe.0);
                }
                for (at, word) in reading.vector.iter().enumerate().skip(1) {
                    prop_assert!(alike.iter().any(|seen| seen.vector[at] == word), "{:?}", probe.0);
                    if word.starts_with('-') && !word.contains('=') {
                        // Options stand where they stood in one line at least with the same options elsewhere.
                        let options = |vector: &[String]| -> Vec<Option<String>> {
                            vector.iter().skip(1).map(|word| (word.starts_with('-') && !word.contains('=')).then(|| word.clone())).collect()
                        };
                        prop_assert!(alike.iter().any(|seen| options(&seen.vector) == options(&owned(&reading))), "{:?}", probe.0);
                    }
                }
            }
        }
    }
}
