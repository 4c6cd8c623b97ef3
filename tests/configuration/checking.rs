//! `doorward check` as people, editors and CI use it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Set;

/// Exit code, what it printed, and what it said of itself.
fn check(set: &Set, words: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    let output = command.current_dir(set.dir()).arg("check").args(words).output().expect("doorward runs");
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

fn json(set: &Set, words: &[&str]) -> Value {
    let (_, out, err) = check(set, &[words, &["--json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

/// A role from somebody's branch, looked at on the terminal of who reviews it.
#[test]
fn a_file_that_is_checked_does_not_drive_the_terminal() {
    let set = Set::new();
    set.append("roles/host-status.toml", "\nx = 1 # \u{9b}2J\u{1b}[31m\u{202e}\u{200b}\n");
    for words in [&["."][..], &[".", "--json"], &["roles/host-status.toml"], &["roles/host-status.toml", "--json"]] {
        let (code, out, err) = check(&set, words);
        let odd = |c: &char| c.is_control() && *c != '\n' || matches!(c, '\u{202e}' | '\u{200b}');
        let found: Vec<char> = out.chars().chain(err.chars()).filter(odd).collect();
        assert!(code == 1 && found.is_empty() && (out + &err).contains("2J"), "{words:?} {found:?}");
    }
    let found = json(&set, &["."]);
    let shown = found["findings"].as_array().expect("findings").iter().find_map(|one| one["source"].as_str());
    assert!(shown.is_some_and(|line| line.contains("\u{9b}2J\u{1b}[31m\u{202e}\u{200b}")), "{found}");
}

const IDLE: &str =
    "\n[dave]\nkeys = [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBl0MjPvRLLUsS9uR2udbHTKsol6GvoIXRcz+KWRH0JS\"]\n";

#[test]
fn exit_codes_are_what_ci_waits_for() {
    let set = Set::new();
    let codes =
        |set: &Set| (check(set, &["."]).0, check(set, &[".", "--deny-warnings"]).0, check(set, &[".", "--json"]).0);
    assert_eq!(codes(&set), (0, 0, 0));
    set.append("users.toml", IDLE);
    assert_eq!(codes(&set), (0, 1, 0), "{}", check(&set, &["."]).1);
    set.append("roles/host-status.toml", "\nx = 1\n");
    assert_eq!(codes(&set), (1, 1, 1));
    let usage: &[&[&str]] = &[
        &[],
        &[".", "--jsno"],
        &[".", "roles"],
        &["users.toml"],
        &["certs/session.toml"],
        &[".", "roles/host-status.toml"],
    ];
    for words in usage {
        let (code, out, err) = check(&set, words);
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}: {err}");
        assert!(!err.is_empty(), "{words:?}");
    }
}

/// The keys are promised: a program that reads them goes on reading them.
#[test]
fn json_has_every_finding_with_its_place_its_line_and_what_to_write() {
    let set = Set::new();
    set.append("users.toml", IDLE);
    let clean = json(&set, &["."]);
    assert_eq!(clean["schema"], 1);
    assert_eq!((&clean["ok"], &clean["errors"], &clean["warnings"]), (&true.into(), &0.into(), &1.into()), "{clean}");
    assert_eq!((&clean["set"]["users"], &clean["set"]["targets"]), (&4.into(), &1.into()), "{clean}");
    assert_eq!(clean["set"]["digest"].as_str().map(str::len), Some(64));
    let warning = &clean["findings"][0];
    assert_eq!(warning["code"], "people/holds-nothing");
    assert_eq!((&warning["severity"], &warning["file"]), (&"warning".into(), &"users.toml".into()));
    assert_eq!((&warning["line"], &warning["column"]), (&15.into(), &2.into()), "{warning}");
    assert_eq!((&warning["end_line"], &warning["end_column"]), (&15.into(), &6.into()));
    assert_eq!(warning["source"], "[dave]");
    assert!(warning["message"].is_string() && warning["help"].is_string());

    set.write("targets.toml", "[web-1\n");
    fs::remove_file(set.path("doorward.toml")).expect("it was there");
    let broken = json(&set, &["."]);
    assert_eq!(
        (&broken["ok"], &broken["set"], &broken["left_out"]),
        (&false.into(), &Value::Null, &0.into()),
        "{broken}"
    );
    let missing = broken["findings"].as_array().into_iter().flatten().find(|one| one["file"] == "doorward.toml");
    let missing = missing.unwrap_or_else(|| panic!("{broken}"));
    for key in ["line", "column", "end_line", "end_column", "source", "code"] {
        assert_eq!(missing.get(key), Some(&Value::Null), "{key} of {missing}");
    }
}

#[test]
fn more_findings_than_anybody_reads_are_counted() {
    let set = Set::new();
    for number in 0..12 {
        let keys: String = (0..100).map(|key| format!("k{key} = 1\n")).collect();
        set.write(&format!("roles/bad-{number}.toml"), &keys);
    }
    let (code, out, _) = check(&set, &["."]);
    assert_eq!(code, 1);
    assert!(out.contains("findings that are not shown"), "{}", &out[out.len() - 200..]);
    let all = json(&set, &["."]);
    assert_eq!(all["findings"].as_array().map(Vec::len), Some(1000));
    assert!(all["left_out"].as_u64().is_some_and(|more| more >= 200), "{}", all["left_out"]);
}

#[test]
fn a_role_file_is_looked_at_alone_by_whoever_writes_it() {
    let set = Set::new();
    // Another group, another mode, another place: all that is the host's business.
    set.mode("roles/host-status.toml", 0o666);
    let (code, out, err) = check(&set, &["roles/host-status.toml", "roles/web-restart.toml"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.ends_with("0 errors, 0 warnings: 2 roles, looked at alone\n"), "{out}");
    set.append("roles/host-status.toml", "\nx = 1\n");
    let (code, out, _) = check(&set, &["roles/web-restart.toml", "roles/host-status.toml"]);
    assert_eq!(code, 1);
    assert!(out.contains(" --> roles/host-status.toml:") && out.contains("x = 1"), "{out}");
    let (code, out, _) = check(&set, &["roles/gone.toml"]);
    assert!(code == 1 && out.contains("does not exist"), "{out}");
}

/// What a checkout cannot have is not asked of it, and everything else is.
#[test]
fn a_checkout_is_looked_at_without_the_host() {
    let set = Set::new();
    fs::remove_dir_all(set.path("keys")).expect("keys");
    for name in ["users.toml", "roles/host-status.toml", "roles"] {
        set.mode(name, 0o775);
    }
    assert_eq!(check(&set, &["."]).0, 1);
    let (code, out, _) = check(&set, &[".", "--checkout"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.starts_with("0 errors, 0 warnings: 3 users"), "{out}");
    set.append("roles/host-status.toml", "\nx = 1\n");
    assert_eq!(check(&set, &[".", "--checkout"]).0, 1);
}

fn documented() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checking.md")).expect("docs/checking.md")
}

/// The blocks of the document that begin with this line, without it.
fn block(first: &str) -> String {
    let text = documented();
    let found = text.split("```").skip(1).step_by(2).find_map(|block| block.split_once(&format!("{first}\n")));
    found.unwrap_or_else(|| panic!("no block with {first}")).1.trim_end().to_owned()
}

#[test]
fn the_output_in_the_document_is_what_the_program_prints() {
    let set = Set::new();
    set.write("users.toml", &set.read("users.toml").replace("[\"approvers\"]", "[\"aprovers\"]"));
    set.write("targets.toml", &set.read("targets.toml").replace("address", "adress"));
    set.append("users.toml", IDLE);
    for entry in fs::read_dir(set.path("roles")).expect("roles").flatten() {
        let name = entry.file_name().into_string().expect("a name");
        if !["host-status.toml", "web-restart.toml"].contains(&name.as_str()) {
            fs::remove_file(entry.path()).expect("a role of init");
        }
    }
    let (code, out, _) = check(&set, &["."]);
    assert_eq!(code, 1);
    assert_eq!(out.trim_end(), block("$ doorward check /srv/doorward"), "docs/checking.md shows something else");
}

#[test]
fn the_keys_of_the_json_are_those_of_the_document() {
    let set = Set::new();
    set.append("users.toml", IDLE);
    let found = json(&set, &["."]);
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
    };
    let mut wanted = keys(&found);
    wanted.extend(keys(&found["findings"][0]));
    wanted.extend(keys(&found["set"]).into_iter().map(|key| format!("set.{key}")));
    let text = documented();
    let rows = text.lines().skip_while(|line| *line != "| key | is |").skip(2).take_while(|line| line.starts_with('|'));
    let named: BTreeSet<String> = rows
        .flat_map(|row| {
            row.split('|')
                .nth(1)
                .unwrap_or_default()
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(named, wanted);
}
