//! What others have makes no difference to what somebody reads. Two bastions, alike for alice and dave; in the second there are
//! also roles, targets, people, requests and grants that are none of theirs. The same lines are typed at every door of both,
//! and the answers must be the same: exit code, output, errors.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use regex::Regex;
use support::bastion::{Bastion, DOORWARD, ROLE, Setup, came};

/// A role that neither alice nor dave may ask for, on a target that no other role reaches.
const VAULT: &str = r#"
description = "The vault"
targets     = ["vault-1", "web-1"]
run_as      = "ops"
[request]
eligible     = ["user:erin"]
approvers    = ["user:carol"]
max_duration = "1h"
[[command]]
run = "/usr/bin/id -un"
[[command]]
run = "/usr/bin/uptime"
"#;

/// The world without, or with, what is none of their business.
fn bastion(with_others: bool) -> Bastion {
    let mut roles = vec![("ops".to_owned(), ROLE.to_owned())];
    if with_others {
        roles.push(("vault".to_owned(), VAULT.to_owned()));
    }
    let prepare: Box<dyn Fn(&Path)> = if with_others { Box::new(others) } else { Box::new(|_| {}) };
    let bastion = Bastion::with(Setup { roles, prepare, ..Setup::default() });
    if with_others {
        // Others are at work: a grant that lives and a request that waits, by somebody alice has never heard of.
        let ask = |host: &str, line: &str| bastion.run("mallory", &[host, line]);
        for target in ["vault-1", "web-1"] {
            let asked = ask("bastion", &format!("request vault --on {target} --no-wait"));
            assert_eq!(asked.code, 0, "{asked:?}");
        }
        let id = bastion.entries("requested").first().expect("a request")["data"]["request"].clone();
        let id = id.as_str().expect("an ID");
        let pending = bastion.run("carol", &["bastion", "pending"]).out;
        let rest = pending.split_once(&format!("approve {id} ")).unwrap_or_else(|| panic!("{pending}")).1;
        let digest = rest.split_whitespace().next().expect("a digest");
        assert_eq!(bastion.run("carol", &["bastion", "approve", id, digest]).code, 0);
        let _ = ask("vault-1@bastion", "uptime");
        assert_eq!(bastion.entries("command-allowed").len(), 1, "the others' target is really in use");
    }
    bastion
}

/// erin (with the key of the harness's stranger) and the target that is hers alone.
fn others(dir: &Path) {
    let key = dir.parent().expect("the home").join("mallory.pub");
    let output = Command::new(DOORWARD).args(["user", "add"]).arg(dir).arg("erin").arg("--key").arg(key).output();
    let output = output.expect("doorward user add");
    assert!(output.status.success(), "{output:?}");
    let targets = dir.join("targets.toml");
    let text = fs::read_to_string(&targets).expect("targets.toml");
    let here = text.split_once("[here]").expect("the local target").1;
    let accounts = here.lines().find(|line| line.starts_with("run_as")).expect("its accounts");
    fs::write(&targets, format!("{text}\n[vault-1]\nkind = \"local\"\n{accounts}\n")).expect("targets.toml");
}

/// `ID`s, times, ports and places differ between two runs of one world, too.
fn plain(text: &str, bastion: &Bastion) -> String {
    let text = text.replace(&bastion.port.to_string(), "PORT").replace(&bastion.sshd.port.to_string(), "SSHD");
    let text = text.replace(bastion.home().to_str().expect("a path"), "HOME");
    let rules: [(&str, &str); 9] = [
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"\b([rgsck])-[0-9A-HJKMNP-TV-Z]{6,}\b", "$1-ID"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?", "TIME"),
        (r"\b\d\d:\d\d(:\d\dZ?)?\b", "TIME"),
        (r"\b(\d+h ?)?(\d+m ?)?\d+s\b|\b\d+m\b", "SPAN"),
        (r"SHA256:[A-Za-z0-9+/]{43}", "FINGERPRINT"),
        (r"AAAA[A-Za-z0-9+/=]+", "KEY"),
        (r"(approve [rg]-ID )[0-9a-f]{4}\b", "${1}DIGEST"),
        (r#""(digest|seconds|expires|serial)":("[^"]*"|\d+)"#, "\"$1\":X"),
    ];
    rules.iter().fold(text, |text, (rule, to)| Regex::new(rule).expect("a rule").replace_all(&text, *to).into_owned())
}

/// (host, line): everything somebody might try to learn about what is not theirs.
fn lines() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut at = |host: &str, line: &str| lines.push((host.to_owned(), line.to_owned()));
    for line in [
        "",
        "help",
        "whoami",
        "whoami --json",
        "setup",
        "setup config",
        "setup known-hosts",
        "roles",
        "roles --json",
        "targets",
        "targets --json",
        "status",
        "status --json",
        "pending",
        "pending --json",
        "grants",
        "grants --json",
        "audit search",
        "audit search --user erin",
        "audit verify",
        "sessions",
        "cert",
    ] {
        at("bastion", line);
    }
    for role in ["vault", "vaul", "no-such-role", "ops"] {
        for line in [
            "roles {}",
            "request {} --on web-1 --no-wait --reason INC-1 x",
            "request {} --no-wait --reason INC-1 x",
            "request {} --on vault-1 --no-wait --reason INC-1 x",
            "help {}",
        ] {
            at("bastion", &line.replace("{}", role));
        }
        at(&format!("{role}+web-1@bastion"), "id -un");
        at(&format!("{role}+vault-1@bastion"), "uptime");
    }
    for target in ["vault-1", "vault-2", "vault-1.jea", "vault-2.jea", "web-1", "VAULT-1", "vault", "erin", "nobody"] {
        for line in [
            "why {} uptime",
            "why --json {} uptime",
            "why {} id -un",
            "why --json {} id -un",
            "request ops --on {} --no-wait --reason INC-1 x",
            "targets {}",
        ] {
            at("bastion", &line.replace("{}", target));
        }
        for line in ["uptime", "id -un", "", "help", "cat /etc/passwd", "a; b"] {
            at(&format!("{target}@bastion"), line);
        }
    }
    for id in ["r-000000", "g-000000", "s-00000000"] {
        for verb in ["status", "approve", "deny", "withdraw", "done", "revoke", "kill", "watch", "replay"] {
            at("bastion", &format!("{verb} {id} 0000"));
            at("bastion", &format!("{verb} {id}"));
        }
    }
    for user in ["erin", "nobody-here"] {
        at("bastion", &format!("why --user {user} vault-1 uptime"));
        at("bastion", &format!("lock {user}"));
    }
    lines
}

/// What `-W host:port` answers with: the code, what came through, what ssh says.
fn forwarded(bastion: &Bastion, who: &str, to: &str) -> (i32, String, String) {
    let mut ssh = bastion.ssh(who, &["-W", to, "bastion"]);
    let mut child = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    // Whatever answers is told nothing that it could like.
    let _ = child.stdin.take().expect("its stdin").write_all(b"GET / HTTP/1.0\r\n\r\n");
    let came = came(&child.wait_with_output().expect("ssh"));
    (came.code, came.out, came.err)
}

#[test]
fn nothing_that_somebody_reads_depends_on_what_is_not_theirs() {
    let (without, with) = (bastion(false), bastion(true));
    let mut compared = 0;
    for who in ["alice", "dave"] {
        for (host, line) in lines() {
            let answer = |bastion: &Bastion| {
                let came = bastion.run(who, &[&host, &line]);
                (came.code, plain(&came.out, bastion), plain(&came.err, bastion))
            };
            assert_eq!(answer(&without), answer(&with), "{who}: ssh {host} {line}");
            compared += 1;
        }
        for name in ["vault-1", "vault-2", "vault-1.jea", "vault-2.jea", "erin", "10.0.0.1", "localhost"] {
            for port in [22, 23] {
                let to = format!("{name}:{port}");
                let answer = |bastion: &Bastion| {
                    let (code, out, err) = forwarded(bastion, who, &to);
                    (code, plain(&out, bastion), plain(&err, bastion))
                };
                let (one, other) = (answer(&without), answer(&with));
                assert_eq!(one, other, "{who}: -W {to}");
                assert!(one.0 != 0 && one.1.is_empty(), "{who}: -W {to}: {one:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared}");
    assert!(with.entries("command-allowed").len() == 1 && without.entries("command-allowed").is_empty());
    with.verify();
}
