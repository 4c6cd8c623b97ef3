use std::fs;

use super::*;
use crate::service::rehearsal::Rehearsal;

/// The findings of a file with this text, and how many scenarios it gave.
fn read(text: &str) -> (Vec<Diagnostic>, Vec<Scenario>) {
    let stage = Rehearsal::new();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.toml");
    fs::write(&path, text).unwrap();
    let mut out = Vec::new();
    let found = scenarios(&path, "tests/x.toml", &stage.services.snapshot.load(), &mut out);
    (out, found)
}

const GOOD: &str = "[[scenario]]\nuser = \"alice\"\ntarget = \"web-1\"\ncommand = \"uptime\"\nexpect = \"allow\"\n";

#[tokio::test]
async fn people_and_machines_come_from_the_files_or_are_made_up() {
    let made_up = "[[scenario]]\nname = \"n\"\ngroups = [\"web-admins\"]\nlabels = { tier = \"web\" }\nroles = [\"web-look\"]\ncommand = \"uptime\"\nexpect = \"deny\"\nreason = \"not-in-role\"\n";
    let (out, found) = read(&format!("{GOOD}rule = \"web-look:1\"\n{made_up}"));
    assert!(out.is_empty(), "{out:?}");
    let rule = RuleName { role: Some("web-look".parse().unwrap()), number: 1 };
    assert_eq!((&found[0].person.name.to_string()[..], &found[0].expect), ("alice", &Expect::Allow(Some(rule))));
    assert!(found[0].roles.is_none() && found[0].target.name.as_str() == "web-1");
    assert_eq!((found[1].person.name.as_str(), found[1].person.groups.len()), ("somebody", 1));
    assert_eq!((found[1].target.name.as_str(), &found[1].target.labels["tier"][..]), ("somewhere", "web"));
    assert!(
        found[1].target.run_as.contains_key(&"ops".parse().unwrap()),
        "a machine that is made up has every account"
    );
    assert_eq!(found[1].roles.as_ref().map(Vec::len), Some(1));
    assert_eq!(found[1].expect, Expect::Deny(Some("not-in-role")));
    assert_eq!(found[1].place.file_line().1, 12);
    assert!(read("").1.is_empty() && read("").0.is_empty(), "an empty file is no error");
}

#[tokio::test]
async fn what_cannot_be_meant_is_named_with_its_place() {
    let without = |line: &str| GOOD.replace(line, "");
    let with = |line: &str| format!("{GOOD}{line}\n");
    let rows: Vec<(String, usize, &str)> = vec![
        ("scenario = 1".to_owned(), 1, "`scenario` is a list"),
        ("[[scenaro]]".to_owned(), 1, "unknown key `scenaro`"),
        ("[[scenario]".to_owned(), 1, "this table has no end"),
        (without("user = \"alice\"\n"), 1, "does not say who types"),
        (without("target = \"web-1\"\n"), 1, "does not say where"),
        (without("command = \"uptime\"\n"), 1, "has no `command`"),
        (without("expect = \"allow\"\n"), 1, "has no `expect`"),
        (GOOD.replace("alice", "nobody-here"), 2, "no user nobody-here in users.toml"),
        (GOOD.replace("alice", "-"), 2, "user name"),
        (GOOD.replace("web-1", "web-9"), 3, "no target web-9 in targets.toml"),
        (GOOD.replace("\"allow\"", "\"maybe\""), 5, "\"allow\" or \"deny\""),
        (GOOD.replace("\"uptime\"", "7"), 4, "`command` is a text"),
        (with("groups = [\"x\"]"), 2, "is in users.toml"),
        (with("labels = { a = \"b\" }"), 3, "is in targets.toml"),
        (with("rule = \"web-look\""), 6, "a rule is named by its role and its number"),
        (with("rule = \"web-look:0\""), 6, "a rule is named by its role and its number"),
        (with("reason = \"ambiguous\""), 6, "`reason` has no place"),
        (with("reason = \"because\""), 6, "no denial has this reason"),
        (GOOD.replace("allow", "deny") + "rule = \"web-look:1\"\n", 6, "`rule` has no place"),
        (with("roles = [\"web-loo\"]"), 6, "there is no role web-loo"),
        (with("comand = \"x\""), 6, "unknown key `comand` in [[scenario]]"),
    ];
    for (text, line, part) in rows {
        let (out, found) = read(&text);
        let first = out.first().unwrap_or_else(|| panic!("no finding in {text}"));
        assert!(first.message.contains(part), "{part}: {out:?}");
        assert_eq!(first.line_column().map(|place| place.0), Some(line), "{part}");
        assert!(found.is_empty(), "{part}: half a scenario is none");
    }
}

#[tokio::test]
async fn a_place_in_the_command_is_a_place_in_the_file() {
    let (_, found) = read(&GOOD.replace("uptime", "up ü --x"));
    let place = |column, length| {
        let finding = found[0].place.of_command("up ü --x", Some((column, length)), "no");
        (finding.line_column().unwrap(), finding.span.unwrap().len())
    };
    assert_eq!(place(6, 3), ((4, 17), 3));
    assert_eq!(place(9, 1), ((4, 20), 1), "past the end: the quote");
    assert_eq!(place(99, 9), ((4, 20), 1));
    let (_, found) = read(&GOOD.replace("\"uptime\"", "\"up\\u0074ime\""));
    let finding = found[0].place.of_command("uptime", Some((3, 1)), "no");
    assert_eq!(finding.span.unwrap().len(), "\"up\\u0074ime\"".len(), "not as written, so all of it");
}
