//! May it run? Lines that passed elsewhere and should not have, values that became options, rules that reached too far.

use std::fs;

use crate::support::bastion::{Bastion, ROLE, Setup};
use crate::support::master::Master;

/// Runs each line as alice on web-1 and wants it denied.
fn all_denied(bastion: &Bastion, lines: &[&str]) {
    for line in lines {
        let came = bastion.run("alice", &["web-1@bastion", line]);
        assert_eq!((came.code, came.out.as_str()), (126, ""), "{line:?}: {came:?}");
    }
    assert!(bastion.entries("command-allowed").is_empty());
    bastion.verify();
}

#[test]
fn lshell_cve_2016_6902_scp_cve_2020_15778_nothing_beside_the_command_runs() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    let mark = bastion.home().join("mark");
    let touch = format!("touch {}", mark.display());
    let lines: Vec<String> = [
        "id -un; {}",
        "id -un && {}",
        "id -un || {}",
        "id -un | {}",
        "id -un & {}",
        "id -un\n{}",
        "id -un\r{}",
        "printf $({})",
        "printf `{}`",
        "printf \"$({})\"",
        "printf <({})",
        "id -un > {}",
        "scp -t /tmp/x; {}",
        "scp -t '/tmp/x`{}`'",
        "scp -f $({})",
        "echo os.system('{}')",
        "FOO=bar {}",
        "{}",
        "sh -c '{}'",
        "exec {}",
        "id -un #\n{}",
        "ls /nowhere/x;{}",
        "ls '/nowhere/x' ; {}",
        "ls /nowhere/$({})",
        "!{}",
        "~/{}",
        "\\{}",
    ]
    .iter()
    .map(|line| line.replace("{}", &touch))
    .collect();
    all_denied(&bastion, &lines.iter().map(String::as_str).collect::<Vec<_>>());
    // What is quoted is data, down to the target's shell.
    let came = bastion.run("alice", &["web-1@bastion", &format!("printf '$({touch})`{touch}`;{touch}'")]);
    assert_eq!((came.code, came.out), (0, format!("$({touch})`{touch}`;{touch}")));
    assert!(!mark.exists(), "something ran beside the command");
}

#[test]
fn denylists_everywhere_disguises_of_a_forbidden_word_are_not_allowed_words() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    all_denied(
        &bastion,
        &[
            "r\\m -rf /nowhere",
            "rm$IFS-rf$IFS/nowhere",
            "r''m -rf /nowhere",
            "echo cm0= | base64 -d | sh",
            "/bin/r?",
            "{rm,-rf,/nowhere}",
            "$'\\x72\\x6d' -rf",
            "ID -un",
            "id -UN",
            "id  -un extra",
            "ｉｄ -un",
            "id\u{200b} -un",
            "/usr/bin/../bin/id -un",
            "/usr/bin//id -un",
            "./id -un",
            "/bin/id -un",
            "usr/bin/id -un",
            "id.exe -un",
        ],
    );
}

#[test]
fn sudo_glob_rules_a_pattern_does_not_reach_into_the_next_word() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    all_denied(
        &bastion,
        &[
            "ls /nowhere/x /etc/shadow",
            "ls -la /nowhere/x",
            "ls /nowhere/x -R",
            "ls '/nowhere/x /etc/shadow/y'",
            "ls /nowhere/../etc/shadow",
            "ls /nowhere/./x",
            "ls /nowhere//x",
            "ls /nowhere/a/b",
            "ls /nowhere/.hidden",
            "ls /nowhere",
            "ls /nowhere/",
            "ls /NOWHERE/x",
            "ls nowhere/x",
            "ls /nowhere/*",
            "ls '/nowhere/*'",
        ],
    );
}

#[test]
fn sudoedit_cve_2023_22809_a_value_never_becomes_an_option_and_the_environment_never_travels() {
    let role = format!(
        "{ROLE}\n[[command]]\nrun = \"/usr/bin/printenv {{name}}\"\nwhere.name = {{ pattern = '[A-Z_]+' }}\n\
         [[command]]\nrun = \"/usr/bin/head {{file}}\"\nwhere.file = {{ text = 50 }}\n"
    );
    let bastion = Bastion::with(Setup { roles: vec![("ops".to_owned(), role)], ..Setup::default() });
    bastion.grant("ops", "web-1", "10m");
    let variables = ["EDITOR=vim -- /etc/shadow", "LD_PRELOAD=/tmp/x.so", "BASH_ENV=/tmp/x", "IFS=/", "PATH=/tmp"];
    for variable in variables {
        let (name, value) = variable.split_once('=').expect("a variable");
        let set = format!("SetEnv={name}=\"{value}\"");
        let came = bastion.run("alice", &["-o", &set, "web-1@bastion", &format!("printenv {name}")]);
        assert!(!came.out.contains(value), "{variable}: {came:?}");
        assert!(came.code == 1 || name == "PATH", "{variable}: {came:?}");
    }
    for line in ["head --help", "head -n1", "head '-c 5'", "head --", "head -- /etc/shadow", "printenv -0"] {
        let came = bastion.run("alice", &["web-1@bastion", line]);
        assert_eq!((came.code, came.out.as_str()), (126, ""), "{line:?}: {came:?}");
    }
}

#[test]
fn sudo_cve_2025_32462_a_right_on_one_machine_is_none_on_another() {
    let bastion = Bastion::start();
    bastion.grant("ops", "here", "10m");
    for host in ["web-1@bastion", "ops+web-1@bastion", "web-1.jea@bastion"] {
        let came = bastion.run("alice", &[host, "id -un"]);
        assert_eq!((came.code, came.out.as_str()), (126, ""), "{host}: {came:?}");
    }
    assert_eq!(bastion.run("alice", &["here@bastion", "id -un"]).code, 0);
    assert_eq!(bastion.sshd.log().matches("Accepted publickey").count(), 0);
}

#[test]
fn sudo_cve_2019_14287_an_account_is_a_plain_name_and_never_a_number_or_everybody_but() {
    for account in
        ["#-1", "-1", "4294967295", "#0", "!root", "ALL", "*", "root ops", "ops,root", "%wheel", "../root", ""]
    {
        let role = ROLE.replace("run_as      = \"ops\"", &format!("run_as      = \"{account}\""));
        let found = crate::support::bastion::check_of(&[("ops", &role)]);
        assert!(found.contains("error") && found.contains("roles/ops.toml:4:"), "{account:?}: {found}");
    }
    let role = ROLE.replace("run_as      = \"ops\"", "run_as      = \"web_ops-1\"");
    let found = crate::support::bastion::check_of(&[("ops", &role)]);
    assert!(!found.contains("roles/ops.toml:4:"), "a plain name: {found}");
}

#[test]
fn jea_role_merge_two_roles_do_not_add_up_to_more_than_either() {
    let other = ROLE
        .replace("text = 100", "one_of = [\"harmless\"]")
        .replace("description = \"Harmless programs\"", "description = \"Fewer\"")
        .replace("/nowhere/*", "/elsewhere/*")
        .replace("[1, 3600]", "[1, 2]");
    let one = ROLE.replace("/usr/bin/ls {path}", "/usr/bin/ls -l {path}").replace("text = 100", "one_of = [\"fine\"]");
    let roles = vec![("ops".to_owned(), one), ("less".to_owned(), other)];
    let bastion = Bastion::with(Setup { roles, ..Setup::default() });
    bastion.grant("ops", "web-1", "10m");
    bastion.grant("less", "web-1", "10m");
    // The option of one rule with the path of the other, and the value of neither.
    for line in ["ls -l /elsewhere/x", "ls /nowhere/x", "printf anything", "printf harmless fine"] {
        let came = bastion.run("alice", &["web-1@bastion", line]);
        assert_eq!((came.code, came.out.as_str()), (126, ""), "{line:?}: {came:?}");
    }
    for line in ["printf harmless", "printf fine"] {
        assert_eq!(bastion.run("alice", &["web-1@bastion", line]).code, 0, "{line}");
    }
}

#[test]
fn pim_conditions_are_asked_at_every_command_and_not_at_the_activation_alone() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let master = Master::open(&bastion, "alice", "web-1@bastion", &[]);
    let through = |line: &str| bastion.run("alice", &master.through(&["web-1@bastion", line]));
    assert_eq!(through("id -un").code, 0);
    let users = bastion.dir().join("users.toml");
    let before = fs::read_to_string(&users).expect("users.toml");
    fs::write(&users, before.replacen("[alice]\n", "[alice]\nnetworks = [\"10.0.0.0/8\"]\n", 1)).expect("users.toml");
    bastion.reload();
    let came = through("id -un");
    assert!(came.code != 0 && came.out.is_empty(), "the open connection comes from elsewhere now: {came:?}");
}
