//! What proves: the roles that `init` copies, those of the cookbook, and those in docs/roles.md, load without a finding and their
//! examples come out as written; docs/roles-cookbook.md has each with lines that it allows and what sudo is told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::fs;
use std::path::Path;

use doorward::policy::{Role, sudoers_lines};

/// The role files below `folder`, with their place in the repository and text, in order.
fn role_files(folder: &str) -> Vec<(String, String)> {
    let below = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
    let mut files: Vec<(String, String)> = below
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap()), path))
        .map(|(place, path)| (place, fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The role of a file, which must be read without a finding.
fn role(place: &str, text: &str) -> Role {
    let name = Path::new(place).file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let (role, warnings) = Role::parse(name, place, text).unwrap_or_else(|found| {
        panic!("{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n"));
    });
    assert!(warnings.is_empty(), "{}", warnings[0]);
    role
}

/// All that sudo on a target is told for a role.
fn sudoers(role: &Role) -> Vec<String> {
    role.rules().iter().flat_map(|rule| sudoers_lines(rule, role.run_as())).collect()
}

#[test]
fn every_shipped_role_loads_without_a_finding() {
    let (first, cookbook) = (role_files("roles"), role_files("roles/cookbook"));
    assert!(first.len() >= 5 && first.len() + cookbook.len() >= 25, "{} and {}", first.len(), cookbook.len());
    for (place, text) in first.iter().chain(&cookbook) {
        let role = role(place, text);
        assert!(!role.description().is_empty() && role.request().is_some(), "{place}");
        assert!(!text.contains("accept_escape") && !text.contains("stdin"), "{place}");
        for rule in role.rules() {
            assert!(!rule.help().is_empty(), "{place}: {}", rule.usage());
        }
        let examples: toml::Table = text.parse().unwrap();
        let count = |key: &str| examples["examples"][key].as_array().unwrap().len();
        assert!(count("allow") >= 2 && count("deny") >= 3, "{place}");
        // What sudo cannot be told does not run: a role that can be taken as it is has none of that.
        assert!(sudoers(&role).iter().all(|line| !line.starts_with('#')), "{place}");
    }
    for (place, text) in &first {
        // Without expressions, so that a sudo of any age takes them.
        assert!(sudoers(&role(place, text)).iter().all(|line| !line.contains('^')), "{place}");
    }
}

/// Each role has its section, with what is typed there and exactly the lines for sudo that are derived from it.
#[test]
fn the_cookbook_has_every_role_with_lines_that_it_allows_and_what_sudo_is_told() {
    let page = include_str!("../docs/roles-cookbook.md");
    let (head, _) = page.split_once("\n## ").unwrap();
    let files: Vec<_> = role_files("roles").into_iter().chain(role_files("roles/cookbook")).collect();
    assert_eq!(page.matches("\n## ").count(), files.len(), "a section for each role, and no other");
    for (place, text) in &files {
        let one = role(place, text);
        let section = page.split("\n## ").find(|section| section.contains(&format!("\n[{place}](../{place})\n")));
        let section = section.unwrap_or_else(|| panic!("docs/roles-cookbook.md has no section for {place}"));
        let block = |fence: &str| Some(section.split_once(fence)?.1.split_once("```").unwrap().0);
        // The table names it with what it needs.
        let told = sudoers(&one);
        let root = if told.is_empty() { "no" } else { "some" };
        let approvals = text.lines().find_map(|line| line.strip_prefix("approvals")).unwrap();
        let approvals = approvals.split(['=', '#']).nth(1).unwrap().trim();
        let title = section.lines().next().unwrap();
        let row = format!(" | `{}` | {root} | {approvals} |", one.name());
        assert!(head.lines().any(|line| line.starts_with(&format!("| [{title}](")) && line.ends_with(&row)), "{row}");
        // What is typed is allowed: it would do as an example.
        let lines = block("```sh\n").unwrap();
        let typed: Vec<&str> =
            lines.lines().filter_map(|line| line.split_once("@bastion ")).map(|(_, it)| it).collect();
        assert!(typed.len() >= 2 && lines.contains(&format!("request {} ", one.name())), "{place}: {lines}");
        let more =
            typed.iter().map(|line| format!("allow = [{line:?}, ")).map(|begin| text.replacen("allow = [", &begin, 1));
        for text in more {
            role(place, &text);
        }
        // What sudo is told, in the words of `target enroll`.
        match block("```sudoers\n") {
            Some(shown) => {
                let derived = format!("# {} as {}\n{}\n", one.name(), one.run_as(), told.join("\n"));
                assert_eq!(shown, derived, "{place}: docs/roles-cookbook.md shows other lines for sudo");
            }
            None => assert!(told.is_empty() && section.contains("\nFor sudo: nothing.\n"), "{place}: {told:#?}"),
        }
        assert!(section.contains("**Why so.** ") && section.contains("**Change:** "), "{place}");
    }
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
    let request = "[request]\neligible = [\"user:a\"]\napprovals = 0\n";
    let mut rows: Vec<(&str, String)> = Vec::new();
    rows.extend(["mfa", "approval"].map(|key| (key, format!("{head}{request}{key} = 1\n{rule}{plain}"))));
    let of_rule = ["tty", "approve", "when"];
    rows.extend(of_rule.map(|key| (key, format!("{head}{rule}{plain}{key} = true\n"))));
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
