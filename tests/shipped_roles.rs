//! What proves: the roles that `init` copies, and those in docs/roles.md, load without a finding and their examples come out as written.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::fs;

use doorward::policy::{Role, sudoers_lines};

#[test]
fn every_shipped_role_loads_without_a_finding() {
    let mut seen = 0;
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/roles")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let (role, warnings) = Role::parse(name, &path.display().to_string(), &text).unwrap_or_else(|found| {
            panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"));
        });
        assert!(warnings.is_empty(), "{}", warnings[0]);
        assert!(!role.description().is_empty() && role.request().is_some(), "{}", role.name());
        assert!(text.contains("allow = ") && text.contains("deny  = ") || text.contains("deny = "), "{}", role.name());
        for rule in role.rules() {
            assert!(!rule.help().is_empty(), "{}: {}", role.name(), rule.usage());
            let lines = sudoers_lines(rule, role.run_as());
            // Neither comments nor expressions, so that a sudo of any age takes them.
            assert!(lines.iter().all(|line| !line.starts_with('#') && !line.contains('^')), "{lines:?}");
        }
        seen += 1;
    }
    assert!(seen >= 5, "{seen} roles");
}

#[test]
fn every_role_in_the_documentation_loads_without_a_finding() {
    let text = include_str!("../docs/roles.md");
    let blocks = text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let mut seen = 0;
    for block in blocks.filter(|block| block.contains("[[command]]") && block.contains("targets ")) {
        let (role, warnings) =
            Role::parse("documented".parse().unwrap(), "docs/roles.md", block).unwrap_or_else(|found| {
                panic!("{}\n{block}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"));
            });
        assert!(warnings.is_empty(), "{}", warnings[0]);
        let lines: Vec<String> = role.rules().iter().flat_map(|rule| sudoers_lines(rule, role.run_as())).collect();
        for line in lines.iter().filter(|line| line.contains("systemctl")) {
            assert!(text.contains(&format!("\n{line}\n")), "the page shows other lines for sudo than {line}");
        }
        seen += 1;
    }
    assert!(seen >= 2, "{seen} roles");
}

/// The conditions on the page are read, and said in the words that stand below them; the page for operators names the time
/// zones that are compiled in.
#[test]
fn the_conditions_of_the_documentation_are_read_and_said_as_it_shows() {
    let page = include_str!("../docs/roles.md");
    let block = |begin: &str| page.split_once(begin).unwrap().1.split_once("```").unwrap().0;
    let when = block("## [when]\n\n```toml\n");
    let text = format!("targets = [\"web-*\"]\nrun_as = \"ops\"\n{when}[[command]]\nrun = \"/usr/bin/uptime\"\n");
    let (role, warnings) = Role::parse("documented".parse().unwrap(), "docs/roles.md", &text)
        .unwrap_or_else(|found| panic!("{}", found[0]));
    assert!(warnings.is_empty(), "{}", warnings[0]);
    let said: Vec<&str> = block("each with how it stands:\n\n```text\n").lines().collect();
    assert_eq!(role.conditions().in_words(), said);
    let operators = include_str!("../docs/operations.md");
    assert!(operators.contains(&format!("version {}, with chrono-tz", chrono_tz::IANA_TZDB_VERSION)));
}

/// What the page says is refused by name is refused, with its name.
#[test]
fn what_the_documentation_says_is_refused_by_name_is() {
    let head = "targets = [\"a\"]\nrun_as = \"ops\"\n";
    let rule = "[[command]]\nrun = \"/bin/x {p}\"\n";
    let plain = "where.p = { text = 9 }\n";
    let (request, kind) = ("[request]\neligible = [\"user:a\"]\napprovals = 0\n", |kind: &str| {
        format!("{head}{rule}where.p = {{ {kind} = 1 }}\n")
    });
    let mut rows = vec![
        ("file", format!("{head}{rule}{plain}[[file]]\n")),
        ("forward", format!("{head}{rule}{plain}[[forward]]\n")),
    ];
    rows.extend(["mfa", "approval"].map(|key| (key, format!("{head}{request}{key} = 1\n{rule}{plain}"))));
    let of_rule = ["tty", "approve", "accept_escape", "when"];
    rows.extend(of_rule.map(|key| (key, format!("{head}{rule}{plain}{key} = true\n"))));
    let of_parameter = ["secret"];
    rows.extend(of_parameter.map(|key| (key, kind(key))));
    let page =
        include_str!("../docs/roles.md").split_once("**Refused by name.**").unwrap().1.split_once("\n\n").unwrap().0;
    for (key, text) in rows {
        let found = Role::parse("r".parse().unwrap(), "roles/r.toml", &text).unwrap_err();
        let message = format!("does not enforce `{key}` yet");
        assert!(found.iter().any(|one| one.message.contains(&message)), "{key}: {found:?}");
        assert!(
            page.contains(&format!("`{key}`"))
                || page.contains(&format!("`[{key}]`"))
                || page.contains(&format!("`[[{key}]]`")),
            "{key} is not on the page"
        );
    }
}
