use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::cli::{Screen, run_on};

const ALICE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJQS+J/3te3wEVNra/+7ZTkFZa/mKiI6YLZMEAxS8N2J alice\n";
const BOB: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBl0MjPvRLLUsS9uR2udbHTKsol6GvoIXRcz+KWRH0JS bob\n";
const ROLE: &str = r#"
targets = ["*"]
run_as  = "ops"
[request]
eligible  = ["user:alice"]
approvals = 0
[when]
hours = "Mon-Fri 08:00-20:00 UTC"
[[command]]
run = "/usr/bin/uptime"
[[command]]
run       = "/usr/bin/id {who}"
targets   = ["web-*"]
where.who = { one_of = ["www"] }
"#;

fn run(within: &Path, words: &[&str]) -> (u8, String) {
    let (screen, said) = Screen::collecting();
    let dir = within.join("b").display().to_string();
    let place = within.display().to_string();
    let words = words.iter().map(|word| word.replace("DIR", &dir).replace("HERE", &place));
    let code = run_on(["doorward".to_owned()].into_iter().chain(words).map(OsString::from), screen);
    (code, said.text())
}

#[test]
fn what_somebody_may_do_is_a_table_with_a_row_for_each_rule_on_each_target() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    fs::write(here.join("alice.pub"), ALICE).unwrap();
    fs::write(here.join("bob.pub"), BOB).unwrap();
    let people = ["--user", "alice=HERE/alice.pub", "--approver", "bob=HERE/bob.pub"];
    let (code, said) = run(here, &[&["init", "DIR", "--name", "bastion.example.com"], &people[..]].concat());
    assert_eq!(code, 0, "{said}");
    let key = fs::read_to_string(here.join("b/certs/host_key.pub")).unwrap();
    let key: Vec<&str> = key.split(' ').take(2).collect();
    let target = |name: &str| {
        let labels = if name == "web-1" { "{ tier = \"web\" }" } else { "{}" };
        let rest = format!("labels = {labels}\nhost_key = \"{}\"\nrun_as = {{ ops = \"ops\" }}\n", key.join(" "));
        format!("[{name}]\naddress = \"192.0.2.1\"\n{rest}")
    };
    fs::write(here.join("b/targets.toml"), target("web-1") + &target("app-1")).unwrap();
    fs::write(here.join("b/roles/zz.toml"), ROLE).unwrap();

    let table = |more: &[&str]| -> Vec<String> {
        let (code, said) = run(here, &[&["can", "--table", "DIR", "alice"], more].concat());
        assert_eq!(code, 0, "{said}");
        said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    let all = table(&[]);
    assert_eq!(all[0], "TARGET AS ROLE RULE APPROVAL WHEN COMMAND VALUES");
    let hours = "Mon-Fri 08:00-20:00 UTC; a command that still runs then is ended";
    for row in [
        &format!("app-1 ops zz 1 nobody needs to approve {hours} uptime -"),
        &format!("web-1 ops zz 1 nobody needs to approve {hours} uptime -"),
        &format!("web-1 ops zz 2 nobody needs to approve {hours} id {{who}} {{who}}: www"),
        "web-1 ops, root by sudo web-restart 1 bob can approve - systemctl restart {unit} {unit}: nginx or php-fpm",
    ] {
        assert_eq!(all.iter().filter(|line| *line == row).count(), 1, "{row}\n{}", all.join("\n"));
    }
    assert!(!all.iter().any(|line| line.starts_with("app-1 ops zz 2")), "{}", all.join("\n"));
    assert!(all[1..].is_sorted_by_key(|line| line.split(' ').next()), "{}", all.join("\n"));
    // As many rows as the JSON has rules on targets, but for the rule of zz that is for one of its two.
    let json: serde_json::Value = serde_json::from_str(&run(here, &["can", "--json", "DIR", "alice"]).1).unwrap();
    let count = |value: &serde_json::Value| value.as_array().unwrap().len();
    let rules = json["roles"].as_array().unwrap().iter().map(|role| count(&role["targets"]) * count(&role["commands"]));
    assert_eq!(all.len() - 1, rules.sum::<usize>() - 1, "{}", all.join("\n"));
    let one = table(&["app-1"]);
    assert!(one.len() > 1 && one[1..].iter().all(|line| line.starts_with("app-1 ")), "{one:?}");
    assert_eq!(run(here, &["can", "--table", "--json", "DIR", "alice"]).0, 2);
}
