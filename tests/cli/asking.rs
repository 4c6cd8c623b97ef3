//! `why`, `can` and `test`: what a policy gives, asked of the files alone.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::host::{Answer, Host};

#[test]
fn why_says_which_role_allows_a_line_and_how_to_ask_for_it() {
    let host = Host::with_target();
    let yes = host.run(&["why", "b", "alice", "web-1", "systemctl", "restart", "nginx"]);
    assert_eq!(yes.code, 0, "{yes:?}");
    assert!(yes.out.contains("ssh bastion request web-restart --on web-1"), "{yes:?}");
    assert_eq!(host.run(&["why", "b", "bob", "web-1", "systemctl", "restart", "nginx"]).code, 1);
    assert_eq!(host.run(&["why", "b", "alice", "web-1", "systemctl", "restart", "sshd"]).code, 1);
}

/// Each `$ doorward …` of a page with what stands below it, up to a blank line before the next, or the end of the block.
fn shown_in(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page)).expect("a page");
    let mut shown: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match line.strip_prefix("$ doorward ") {
            Some(command) => {
                shown.push((command.to_owned(), String::new()));
                inside = true;
            }
            None if line.starts_with("```") => inside = false,
            None if inside => {
                let (_, output) = shown.last_mut().expect("a command above");
                output.push_str(line);
                output.push('\n');
            }
            None => {}
        }
    }
    shown
}

#[test]
fn what_the_page_on_asking_shows_is_what_comes() {
    let host = Host::with_target();
    fs::write(host.path("b/tests/wrong.toml"), WRONG).expect("a file");
    let shown = shown_in("asking.md");
    assert!(shown.len() >= 6, "{shown:?}");
    for (command, output) in shown {
        let ran = Command::new("sh")
            .args(["-c", &format!("exec {} {command}", env!("CARGO_BIN_EXE_doorward"))])
            .current_dir(host.root.path())
            .output();
        let ran = Answer::of(ran.expect("sh runs"));
        if std::env::var_os("DOORWARD_UPDATE_DOCS").is_some() && ran.out.trim_end() != output.trim_end() {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/asking.md");
            let text = fs::read_to_string(&path).expect("the page");
            let (old, new) = (format!("$ doorward {command}\n{output}"), format!("$ doorward {command}\n{}", ran.out));
            fs::write(path, text.replacen(&old, &new, 1)).expect("the page is written");
            continue;
        }
        assert_eq!(ran.out.trim_end(), output.trim_end(), "doorward {command}: {}", ran.err);
    }
}

/// The scenario that fails, in `docs/asking.md`.
const WRONG: &str = "[[scenario]]\nname    = \"php is restarted\"\nuser    = \"alice\"\ntarget  = \"web-1\"\ncommand = \"systemctl restart php\"\nexpect  = \"allow\"\n";

#[test]
fn why_as_json_names_every_word_and_every_role_and_codes_say_yes_and_no() {
    let host = Host::with_target();
    let asked = |words: &[&str]| {
        let answer = host.run(words);
        let document: serde_json::Value = serde_json::from_str(&answer.out).expect("JSON");
        (answer.code, document)
    };
    let (code, why) = asked(&["why", "--json", "b", "alice", "web-1", "sudo", "systemctl", "restart", "nginx"]);
    assert_eq!((code, &why["allowed"], &why["line"]), (0, &true.into(), &"sudo systemctl restart nginx".into()));
    let role = &why["roles"][0];
    assert_eq!((&role["role"], &role["standing"]), (&"web-restart".into(), &"may-ask".into()));
    let is: Vec<&str> =
        role["rule"]["words"].as_array().expect("words").iter().filter_map(|word| word["is"].as_str()).collect();
    assert_eq!(is, ["sudo", "program", "literal", "parameter"]);
    let place = role["rule"]["place"].as_str().expect("a place");
    let (file, line) = place.split_once(':').expect("file:line");
    let text = host.read(&format!("b/{file}"));
    let line: usize = line.parse().expect("a line");
    assert!(text.lines().nth(line - 1).expect("that line").contains("/usr/bin/systemctl restart {unit}"), "{place}");
    assert_eq!(role["approval"]["people"], serde_json::json!(["bob"]));

    let (code, why) = asked(&["why", "--json", "b", "bob", "web-1", "uptime"]);
    assert_eq!((code, &why["allowed"], &why["roles"][0]["standing"]), (1, &false.into(), &"not-theirs".into()));
    let (code, why) = asked(&["why", "--json", "b", "alice", "web-1", "uptime", "|", "sh"]);
    assert_eq!((code, &why["problem"]["column"]), (1, &8.into()));
    for words in [
        &["why", "b", "alice", "web-1"][..],
        &["why", "b", "a b", "web-1", "id"],
        &["can"],
        &["can", "b"],
        &["can", "b", "--who", "web-1"],
    ] {
        assert_eq!(host.run(words).code, 2, "{words:?}");
    }
    let forged = host.run(&["why", "b", "alice", "web-1", "\u{1b}[2J"]);
    assert!(forged.code == 1 && !forged.out.contains('\u{1b}') && forged.out.contains("\\u{1b}"), "{forged:?}");
}

#[test]
fn a_role_that_too_few_can_approve_is_no_way_and_a_condition_is_shown_with_its_state() {
    let host = Host::with_target();
    let role = host.read("b/roles/web-restart.toml");
    fs::write(host.path("b/roles/web-restart.toml"), role.replace("approvals    = 1", "approvals    = 2"))
        .expect("a file");
    let line = ["why", "b", "alice", "web-1", "systemctl", "restart", "nginx"];
    let few = host.run(&line);
    assert!(
        few.code == 1
            && few.out.contains("no, for want of approvers")
            && few.out.contains("needs 2 to approve, and 1 can"),
        "{few:?}"
    );
    let when = role.replace("[[command]]\nrun  = \"/usr/bin/systemctl", "[when]\nhours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"\nnetworks = [\"10.0.0.0/8\"]\n\n[[command]]\nrun  = \"/usr/bin/systemctl");
    assert_ne!(when, role);
    fs::write(host.path("b/roles/web-restart.toml"), when).expect("a file");
    let at = |time: &str, source: &str| host.run(&[&["why", "--at", time, "--source", source], &line[1..]].concat());
    let open = at("2026-01-30T09:00:00Z", "10.1.2.3");
    assert!(open.code == 0 && open.out.contains("hours      yes"), "{open:?}");
    let closed = at("2026-01-31T09:00:00Z", "10.1.2.3");
    assert!(
        closed.code == 1 && closed.out.contains("hours      no") && closed.out.contains("networks   yes"),
        "{closed:?}"
    );
    let away = at("2026-01-30T09:00:00Z", "192.0.2.1");
    assert!(away.code == 1 && away.out.contains("networks   no"), "{away:?}");
    let rights: serde_json::Value =
        serde_json::from_str(&host.run(&["can", "b", "alice", "--json"]).out).expect("JSON");
    let restart =
        rights["roles"].as_array().expect("roles").iter().find(|role| role["role"] == "web-restart").expect("it");
    assert_eq!(restart["conditions"].as_array().map(Vec::len), Some(3), "{restart}");

    // Scenarios say when and from where; one that leaves the time out would come out otherwise tomorrow.
    let scenario = |more: &str| {
        format!("[[scenario]]\nuser = \"alice\"\ntarget = \"web-1\"\ncommand = \"systemctl restart nginx\"\n{more}\n")
    };
    let rows = [
        ("expect = \"allow\"\nat = \"2026-01-30T09:00:00Z\"\nsource = \"10.1.2.3\"", 0, ""),
        ("expect = \"deny\"\nreason = \"condition\"\nat = \"2026-01-31T09:00:00+01:00\"\nsource = \"10.1.2.3\"", 0, ""),
        ("expect = \"deny\"\nreason = \"condition\"\nat = \"2026-01-30T09:00:00Z\"", 0, ""),
        ("expect = \"allow\"\nsource = \"10.1.2.3\"", 1, "does not say when"),
        ("expect = \"allow\"\nat = \"tomorrow\"", 1, "write a time as"),
    ];
    for (more, code, part) in rows {
        fs::write(host.path("one.toml"), scenario(more)).expect("a file");
        let answer = host.run(&["test", "b", "one.toml"]);
        assert!(answer.code == code && answer.out.contains(part), "{more}: {answer:?}");
    }
}

#[test]
fn test_names_the_scenario_that_came_out_otherwise_with_its_place() {
    let host = Host::with_target();
    assert_eq!(host.run(&["test", "b"]).code, 0, "what init writes passes");
    let base = "[[scenario]]\nuser = \"alice\"\ntarget = \"web-1\"\n";
    let rows: &[(&str, i32, &str)] = &[
        ("command = \"uptime\"\nexpect = \"allow\"\nrule = \"host-status:1\"\n", 0, "1 scenario of 1 file came out"),
        ("command = \"uptime\"\nexpect = \"allow\"\nrule = 1\n", 1, "`rule` is a text"),
        ("command = \"uptime\"\nexpect = \"allow\"\nrule = \"host-status:2\"\n", 1, "another rule than expected"),
        ("command = \"df -h\"\nexpect = \"allow\"\nrule = \"disk-space:1\"\n", 0, "came out"),
        ("command = \"uptime -p\"\nexpect = \"allow\"\n", 1, "one.toml:4:19"),
        (
            "command = \"uptime\"\nexpect = \"deny\"\n",
            1,
            "is allowed by rule 1 of host-status (roles/host-status.toml:",
        ),
        ("command = \"uptime -p\"\nexpect = \"deny\"\nreason = \"ambiguous\"\n", 1, "for another reason: not-in-role"),
        ("roles = [\"disk-space\"]\ncommand = \"uptime\"\nexpect = \"deny\"\n", 0, "came out"),
        ("roles = []\ncommand = \"uptime\"\nexpect = \"deny\"\nreason = \"no-grant\"\n", 0, "came out"),
        ("command = \"uptime; id\"\nexpect = \"allow\"\n", 1, "one.toml:4:18"),
    ];
    for (more, code, part) in rows {
        fs::write(host.path("one.toml"), format!("{base}{more}")).expect("a file");
        let answer = host.run(&["test", "b", "one.toml"]);
        assert!(answer.code == *code && answer.out.contains(part), "{more}{part}: {answer:?}");
        let json: serde_json::Value =
            serde_json::from_str(&host.run(&["test", "b", "one.toml", "--json"]).out).expect("JSON");
        assert_eq!(json["ok"], (*code == 0), "{more}{json}");
    }
    let missing = host.run(&["test", "b", "none.toml"]);
    assert!(
        missing.code == 1 && missing.out.contains("none.toml") && missing.out.contains("does not exist"),
        "{missing:?}"
    );
    fs::write(host.path("b/roles/broken.toml"), "targets = 1\n").expect("a file");
    assert_eq!(host.run(&["test", "b"]).code, 1);
    let json: serde_json::Value = serde_json::from_str(&host.run(&["test", "b", "--json"]).out).expect("JSON");
    assert!(json["ok"] == false && !json["findings"].as_array().expect("a list").is_empty(), "{json}");
}

#[test]
fn can_lists_rights_and_who_has_them() {
    let host = Host::with_target();
    let rights: serde_json::Value =
        serde_json::from_str(&host.run(&["can", "b", "alice", "web-1", "--json"]).out).expect("JSON");
    let names: Vec<&str> =
        rights["roles"].as_array().expect("roles").iter().filter_map(|role| role["role"].as_str()).collect();
    assert_eq!(names, ["disk-space", "host-status", "read-logs", "service-status", "web-restart"]);
    let restart = &rights["roles"][4];
    assert_eq!(restart["targets"], serde_json::json!([{"target": "web-1", "account": "ops"}]));
    assert_eq!(
        (&restart["commands"][0]["sudo"], &restart["commands"][0]["run"]),
        (&true.into(), &"/usr/bin/systemctl restart {unit}".into())
    );
    assert_eq!(restart["commands"][3]["alias"], "nginx {signal}");
    let who: serde_json::Value = serde_json::from_str(
        &host.run(&["can", "b", "--json", "--who", "web-1", "tail", "-n", "5", "/var/log/syslog"]).out,
    )
    .expect("JSON");
    assert_eq!((who["people"].as_array().map(Vec::len), &who["people"][0]["user"]), (Some(1), &"alice".into()));
    assert_eq!(who["people"][0]["rule"]["words"][3]["value"], "/var/log/syslog");
    for (words, code, part) in [
        (&["can", "b", "carol"][..], 0, "carol may ask for nothing"),
        (&["can", "b", "mallory"], 1, "no user mallory"),
        (&["can", "b", "alice", "web-9"], 1, "no target web-9"),
        (&["can", "b", "--who", "web-1", "reboot"], 0, "nobody may run this on web-1"),
        (&["can", "b", "--who", "web-1", "a;b"], 1, "shell syntax"),
        (&["can", "b", "--who", "Web-1", "id"], 2, "target name"),
    ] {
        let answer = host.run(words);
        assert!(answer.code == code && format!("{}{}", answer.out, answer.err).contains(part), "{words:?}: {answer:?}");
    }
}
