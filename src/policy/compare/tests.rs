use proptest::prelude::*;

use super::*;
use crate::policy::words::Words;

fn role(rules: &str) -> Role {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
    let (role, _) = Role::parse("web".parse().unwrap(), "roles/web.toml", &text)
        .map_err(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        .unwrap_or_else(|found| panic!("{text}\n{found}"));
    role
}

fn plain(role: &Role) -> Version<'_> {
    Version { role, world: None }
}

/// `+` widened, `-` narrowed, `=` other; then the words.
fn said(old: &str, new: &str) -> Vec<String> {
    let sign = |change: Change| {
        let sign = match change.direction {
            Direction::Widened => '+',
            Direction::Narrowed => '-',
            Direction::Other => '=',
        };
        format!("{sign} {}", change.text)
    };
    roles(plain(&role(old)), plain(&role(new))).into_iter().map(sign).collect()
}

const UNITS: &str = "[[command]]\nrun = \"/usr/bin/systemctl restart {unit}\"\nsudo = true\nwhere.unit = { one_of = [\"nginx\", \"php-fpm\"] }\n";

fn command(run: &str, rest: &str) -> String {
    format!("[[command]]\nrun = {run:?}\n{rest}\n")
}

#[test]
fn each_change_of_a_rule_is_said_in_words_with_its_direction() {
    let tail = |n: &str, file: &str| {
        command("/usr/bin/tail -n {n} {file}", &format!("where.n = {{ {n} }}\nwhere.file = {{ {file} }}"))
    };
    let base = tail("int = [1, 500]", "path = \"/var/log/nginx/*.log\"");
    let ls = |rest: &str| command("/bin/ls -l", rest);
    let rows = [
        (
            tail("int = [1, 500]", "text = 9"),
            tail("int = [1, 500]", "text = 9, secret = true"),
            vec!["= rule 1 `tail -n {n} {file}`: {file} is a secret now, and kept out of the log"],
        ),
        (
            tail("int = [1, 500]", "text = 9, secret = true"),
            tail("int = [1, 500]", "text = 9"),
            vec!["= rule 1 `tail -n {n} {file}`: {file} is no secret any more: its values will be in the log"],
        ),
        (
            UNITS.to_owned(),
            UNITS.replace("\"nginx\", ", ""),
            vec!["- rule 1 `systemctl restart {unit}`: {unit} may no longer be nginx"],
        ),
        (
            UNITS.to_owned(),
            UNITS.replace("\"php-fpm\"", "\"redis\", \"php-fpm\""),
            vec!["+ rule 1 `systemctl restart {unit}`: {unit} may also be redis"],
        ),
        (
            UNITS.to_owned(),
            UNITS.replace("\"php-fpm\"", "\"redis\""),
            vec![
                "+ rule 1 `systemctl restart {unit}`: {unit} may also be redis",
                "- rule 1 `systemctl restart {unit}`: {unit} may no longer be php-fpm",
            ],
        ),
        (
            UNITS.to_owned(),
            UNITS.replace("sudo = true\n", ""),
            vec![
                "+ rule 1 `systemctl restart {unit}`: runs as the role's account now, was as root: another thing to run, not compared",
            ],
        ),
        (
            base.clone(),
            tail("int = [1, 5000]", "path = \"/var/log/nginx/*.log\""),
            vec![
                "+ rule 1 `tail -n {n} {file}`: {n} may be a whole number from 1 to 5000 now, was a whole number from 1 to 500",
            ],
        ),
        (
            base.clone(),
            tail("int = [1, 500]", "path = \"/var/log/**\""),
            vec![
                "+ rule 1 `tail -n {n} {file}`: {file} may be a path like /var/log/** now, was a path like /var/log/nginx/*.log",
            ],
        ),
        (
            base.clone(),
            tail("int = [1, 500]", "path = \"/var/log/nginx/access.log\""),
            vec![
                "- rule 1 `tail -n {n} {file}`: {file} may be a path like /var/log/nginx/access.log now, was a path like \
             /var/log/nginx/*.log",
            ],
        ),
        (
            base.clone(),
            tail("int = [1, 500]", "pattern = '/var/log/nginx/[a-z]+'"),
            vec![
                "+ rule 1 `tail -n {n} {file}`: {file} may be a word matching /var/log/nginx/[a-z]+ now, was a path like \
             /var/log/nginx/*.log: not compared, read both",
            ],
        ),
        (
            base,
            command(
                "/usr/bin/tail -n {lines} {file}",
                "where.lines = { int = [1, 500] }\nwhere.file = { path = \"/var/log/nginx/*.log\" }",
            ),
            vec![],
        ),
        (ls(""), ls("timeout = \"2h\""), vec!["+ rule 1 `ls -l`: its timeout is 2h now, was 1h"]),
        (ls(""), ls("timeout = \"5m\""), vec!["- rule 1 `ls -l`: its timeout is 5m now, was 1h"]),
        (ls(""), ls("max_output = 1024"), vec!["- rule 1 `ls -l`: its max_output is 1 KiB now, was 1 GiB"]),
        (ls(""), ls("stdin = true"), vec!["+ rule 1 `ls -l`: its program reads what the user sends now"]),
        (ls("stdin = true"), ls(""), vec!["- rule 1 `ls -l`: its program reads no input any more"]),
        (
            ls(""),
            ls("env = { TZ = \"UTC\" }"),
            vec!["+ rule 1 `ls -l`: its environment is another: not compared, read both"],
        ),
        (ls(""), ls("help = \"look\""), vec!["= rule 1 `ls -l`: its help is another"]),
        (
            ls(""),
            command("/bin/ls -l [-a]", ""),
            vec!["+ rule 1 `ls -l [-a]`: `/bin/ls -l [-a]` now, was `/bin/ls -l`"],
        ),
        (
            command("/bin/ls -l [-a]", ""),
            command("/bin/ls -l -a", ""),
            vec!["- rule 1 `ls -l -a`: `/bin/ls -l -a` now, was `/bin/ls -l [-a]`"],
        ),
        (
            ls(""),
            format!("{}{}", ls(""), command("/bin/df -h", "sudo = true")),
            vec!["+ rule 2 `df -h` is new (as root)"],
        ),
        (format!("{}{}", ls(""), command("/bin/df -h", "")), ls(""), vec!["- rule 2 of before, `df -h`, is gone"]),
        (
            format!("{}{}", ls(""), command("/bin/df -h", "")),
            format!("{}{}", command("/bin/df -h", ""), ls("")),
            vec![],
        ),
        (
            format!("{}{}", ls(""), command("/bin/ls -l", "timeout = \"5m\"")),
            ls(""),
            vec![
                "= rule 2 of before, `ls -l`, is gone, and rule 1 gives all of it",
                "+ rule 2 of before no longer stands in the way of rule 1 `ls -l`: lines that both allowed were refused as \
             ambiguous, or held to stricter terms",
            ],
        ),
        (
            format!("{}{}", ls(""), command("/bin/ls -l", "sudo = true")),
            ls(""),
            vec![
                "- rule 2 of before, `ls -l`, is gone",
                "+ rule 2 of before no longer stands in the way of rule 1 `ls -l`: lines that both allowed were refused as \
             ambiguous, or held to stricter terms",
            ],
        ),
        (ls(""), ls("alias = \"look\""), vec!["+ rule 1 `look`: it may be typed as `look` now: not compared"]),
        (ls("alias = \"look\""), ls(""), vec!["- rule 1 `ls -l`: it has no alias any more"]),
        (
            UNITS.to_owned(),
            command("/usr/bin/systemctl restart nginx", "sudo = true"),
            vec![
                "- rule 1 `systemctl restart nginx`: `/usr/bin/systemctl restart nginx` now, was \
             `/usr/bin/systemctl restart {unit}`",
            ],
        ),
    ];
    for (old, new, expected) in rows {
        assert_eq!(said(&old, &new), expected, "{old}\n->\n{new}");
    }
}

#[test]
fn who_may_ask_and_approve_and_for_how_long_has_a_direction() {
    let request = |rest: &str| format!("[request]\n{rest}\n{UNITS}");
    let base = "eligible = [\"group:web\"]\napprovers = [\"group:leads\"]\nreason = \"required\"\nticket = 'INC-\\d+'";
    let rows = [
        (base.replace("group:web\"", "group:web\", \"user:erin\""), vec!["+ `user:erin` may ask for it now"]),
        (base.replace("group:leads\"", "group:leads\", \"user:bob\""), vec!["+ `user:bob` may approve it now"]),
        (
            base.replace("\"group:leads\"", "\"user:bob\""),
            vec!["+ `user:bob` may approve it now", "- `group:leads` may no longer approve it"],
        ),
        (format!("{base}\napprovals = 2"), vec!["- approvals needed: 2 now, 1 before"]),
        (format!("{base}\napprovals = 0"), vec!["+ it is self-service now: it needed approvals: 1"]),
        (format!("{base}\nmax_duration = \"2h\""), vec!["+ max_duration is 2h now, was 1h"]),
        (base.replace("required", "optional"), vec!["+ whether a reason is required is false now, was true"]),
        (base.replace("\nticket = 'INC-\\d+'", ""), vec!["+ no ticket is needed any more"]),
        (base.replace("INC", "CHG"), vec!["+ a ticket is like CHG-\\d+ now, was like INC-\\d+: not compared"]),
    ];
    for (new, expected) in rows {
        assert_eq!(said(&request(base), &request(&new)), expected, "{new}");
    }
    assert_eq!(said(&request(base), UNITS), ["- nobody may ask for it any more: `[request]` is gone"]);
    assert_eq!(said(UNITS, &request(base)), ["+ it may be asked for now, by group:web: `[request]` is new"]);
}

#[test]
fn groups_and_targets_are_resolved_where_the_world_is_known() {
    let person = |name: &str, groups: &[&str]| Person {
        name: name.parse().unwrap(),
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
    };
    let role = role(&format!("[request]\neligible = [\"group:web\"]\napprovals = 0\n{UNITS}"));
    let reach = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(target, account)| (target.parse().unwrap(), account.parse().unwrap())).collect()
    };
    let old = World {
        people: vec![person("alice", &["web"]), person("bob", &[])],
        reach: reach(&[("web-1", "ops"), ("web-2", "ops")]),
    };
    let new = World {
        people: vec![person("bob", &["web"]), person("eve", &["web"])],
        reach: reach(&[("web-1", "root"), ("web-3", "ops")]),
    };
    let found = roles(Version { role: &role, world: Some(&old) }, Version { role: &role, world: Some(&new) });
    let found: Vec<&str> = found.iter().map(|change| change.text.as_str()).collect();
    assert_eq!(
        found,
        [
            "on web-1 it runs as root now, was as ops: another account",
            "reaches web-3 too now, as ops",
            "no longer reaches web-2",
            "bob and eve may ask for it now",
            "alice may no longer ask for it",
        ]
    );
}

/// Rules over so few words that they meet often.
fn any_rule() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("a"),
        Just("b"),
        Just("3"),
        Just("/x/a"),
        Just("{p}"),
        Just("{q}"),
        Just("[-v]"),
        Just("[-n {r}]")
    ];
    let kind = prop_oneof![
        Just("{ one_of = [\"a\", \"b\"] }"),
        Just("{ one_of = [\"a\"] }"),
        Just("{ one_of = [\"3\", \"-v\"], dash = true }"),
        Just("{ int = [1, 5] }"),
        Just("{ int = [3, 3] }"),
        Just("{ path = \"/x/*\" }"),
        Just("{ path = \"/x/**\" }"),
        Just("{ path = \"/x/a\" }"),
        Just("{ pattern = '[a-c3]' }"),
        Just("{ text = 3 }"),
        Just("{ text = 9 }"),
    ];
    let program = prop_oneof![3 => Just("/bin/run"), 1 => Just("/sbin/run")];
    let terms = prop_oneof![3 => Just(""), 1 => Just("timeout = \"5m\"\n"), 1 => Just("stdin = true\n"), 1 => Just("max_output = 9\n")];
    let rest = (any::<bool>(), terms, prop::bool::weighted(0.2), prop::bool::weighted(0.2));
    (program, prop::collection::vec(word, 0..4), prop::collection::vec(kind, 3), rest).prop_map(
        |(program, words, kinds, (sudo, terms, alias, env))| {
            let mut seen = BTreeSet::new();
            let words: Vec<&str> =
                words.into_iter().filter(|word| !word.contains(['{', '[']) || seen.insert(*word)).collect();
            let run = std::iter::once(program).chain(words.iter().copied()).collect::<Vec<_>>().join(" ");
            let mut text = format!("[[command]]\nrun = {run:?}\n{terms}");
            for (name, kind) in [("p", kinds[0]), ("q", kinds[1]), ("r", kinds[2])] {
                if run.contains(&format!("{{{name}}}")) {
                    text.push_str(&format!("where.{name} = {kind}\n"));
                }
            }
            if sudo {
                text.push_str("sudo = true\n");
            } else if env {
                text.push_str("env = { TZ = \"UTC\" }\n");
            }
            if alias && !run.contains('[') {
                let parameters: Vec<&str> = words.iter().rev().copied().filter(|word| word.starts_with('{')).collect();
                text.push_str(&format!(
                    "alias = \"{}\"\n",
                    std::iter::once("run").chain(parameters).collect::<Vec<_>>().join(" ")
                ));
            }
            text
        },
    )
}

fn any_role() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(any_rule(), 1..4)
}

/// What runs, as whom, with which environment, and the strictest terms.
type Outcome = (Vec<String>, bool, Vec<(String, String)>, (bool, Duration, u64));

/// What a line comes to under one role, as the decision has it.
fn outcome(role: &Role, words: &Words) -> Option<Outcome> {
    let readings = role.readings(words);
    let first = readings.first()?;
    let terms = readings.iter().map(|reading| (reading.rule.stdin, reading.rule.timeout, reading.rule.max_output));
    let terms = terms.reduce(|a, b| (a.0 && b.0, a.1.min(b.1), a.2.min(b.2)))?;
    let one = readings.iter().all(|other| other.runs_the_same(first));
    let vector = first.vector.iter().map(ToString::to_string).collect();
    one.then(|| (vector, first.rule.sudo, first.rule.env.clone(), terms))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// The promise of the whole module: what NEW allows and OLD did not (or allowed as something else, or on stricter terms) is
    /// said to be a widening.
    #[test]
    fn a_line_that_only_the_new_role_allows_is_reported_as_a_widening(
        old in any_role(),
        new in any_role(),
        keep in any::<bool>(),
        drop in any::<bool>(),
        lines in prop::collection::vec(prop::collection::vec(0..9_usize, 0..5), 60),
    ) {
        // Half of the time the new role is a change of the old one.
        let mut new = if keep { old.iter().cloned().chain(new).collect() } else { new };
        if drop && new.len() > 1 {
            new.remove(0);
        }
        let parse = |rules: &[String]| {
            let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{}", rules.concat());
            Role::parse("web".parse().unwrap(), "roles/web.toml", &text).ok()
        };
        let (Some((old, _)), Some((new, _))) = (parse(&old), parse(&new)) else { return Ok(()) };
        let found = roles(plain(&old), plain(&new));
        let widened = found.iter().any(|change| change.direction == Direction::Widened);
        let vocabulary = ["a", "b", "3", "/x/a", "/x/b", "/x/y/a", "-v", "-n", "c"];
        for line in lines {
            let line: Vec<&str> = std::iter::once("run").chain(line.into_iter().map(|at| vocabulary[at])).collect();
            let line = line.join(" ");
            let words = Words::split(line.as_bytes()).unwrap();
            let (before, after) = (outcome(&old, &words), outcome(&new, &words));
            let more = match (before, after) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some((vector, sudo, env, was)), Some((now_vector, now_sudo, now_env, now))) => {
                    (vector, sudo, env) != (now_vector, now_sudo, now_env)
                        || (now.0 && !was.0) || now.1 > was.1 || now.2 > was.2
                }
            };
            prop_assert!(!more || widened, "{line}\n{}\n->\n{}\n{found:#?}", old.text(), new.text());
            if keeps_all(&old, &new) {
                let lost = outcome(&old, &words).is_some() && new.readings(&words).is_empty();
                prop_assert!(!lost, "{line}\n{}\n->\n{}", old.text(), new.text());
            }
        }
        prop_assert!(roles(plain(&new), plain(&new)).is_empty());
    }
}

#[test]
fn to_observe_is_more_than_any_rules_and_to_stop_is_less() {
    let request = "[request]\neligible = [\"group:admins\"]\napprovers = [\"group:leads\"]\napprovals = 2\n";
    let (observes, rules) = (format!("observe = true\n{request}"), format!("{request}{}", command("/usr/bin/id", "")));
    let more = said(&rules, &observes);
    assert!(more.iter().any(|line| line.starts_with("+ it is a role to observe: every command line")), "{more:?}");
    let less = said(&observes, &rules);
    assert!(less.contains(&"- it observes no more: only its rules hold".to_owned()), "{less:?}");
    let new = new_role(plain(&role(&observes)));
    assert!(new.iter().any(|change| change.text.contains("every command line")), "{new:?}");
}
