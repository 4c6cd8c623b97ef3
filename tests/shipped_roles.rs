//! The roles that `init` copies load without a finding, and their examples come out as written.

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
