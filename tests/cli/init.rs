//! `init`: what it writes, and that it changes nothing that exists.

use std::fs;
use std::process::Command;

use super::host::Host;

#[test]
fn init_leaves_a_set_that_check_finds_clean_and_says_what_comes_next() {
    let host = Host::new();
    let made = host.init();
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{made:?}");
    let host_ca = host.read("b/certs/host_ca.pub");
    let key: Vec<&str> = host_ca.split(' ').take(2).collect();
    let known_hosts = format!("@cert-authority [bastion.example.com]:2222,*.jea {}", key.join(" "));
    for part in [
        "doorward target add b web-1",
        "doorward serve b",
        "Host bastion\n    HostName bastion.example.com\n    Port 2222\n",
        "Host *.jea\n    ProxyJump bastion\n",
        &known_hosts,
    ] {
        assert!(made.out.contains(part), "{part} in {}", made.out);
    }
    let check = host.run(&["check", "b"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert!(check.out.starts_with("0 errors, 0 warnings: 3 users, 0 targets, 5 roles"), "{check:?}");
    let json: serde_json::Value = serde_json::from_str(&host.run(&["check", "b", "--json"]).out).expect("JSON");
    assert_eq!((&json["ok"], &json["errors"]), (&true.into(), &0.into()));
    assert!(host.read("b/.gitignore").contains("/keys/\n/state/\n"));
}

#[test]
fn init_writes_the_roles_of_the_cookbook_that_with_names() {
    let host = Host::new();
    let init = ["init", "b", "--name", "x.example.com", "--user", "alice=alice.pub", "--reviewer", "carol=carol.pub"];
    // Two approvers, because one of the roles takes two.
    let approvers = ["--approver", "bob=bob.pub", "--approver", "carol=carol.pub"];
    let misspelt = host.run(&[&init[..], &approvers, &["--with", "bakup"]].concat());
    assert!(misspelt.code == 2 && misspelt.err.contains("'backup'"), "{misspelt:?}");
    let all: Vec<&str> = doorward::config::shipped::COOKBOOK.iter().map(|(name, _)| *name).collect();
    // One by one or with commas, and twice is once.
    let (first, rest) = (all[0], all.join(","));
    let made = host.run(&[&init[..], &approvers, &["--with", first, "--with", &rest]].concat());
    assert_eq!((made.code, made.err.as_str()), (0, ""), "{made:?}");
    for (name, text) in doorward::config::shipped::COOKBOOK {
        assert_eq!(host.read(&format!("b/roles/{name}.toml")), *text);
    }
    let check = host.run(&["check", "b", "--deny-warnings"]);
    let begins = format!("0 errors, 0 warnings: 3 users, 0 targets, {} roles", all.len() + 5);
    assert!(check.code == 0 && check.out.starts_with(&begins), "{check:?}");
    // Together they still say what each was meant to say.
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shipped_roles/scenarios.toml");
    let test = host.run(&["test", "b", scenarios]);
    assert!(test.code == 0 && test.out.contains("24 scenarios of 1 file came out as they should"), "{test:?}");
    assert_eq!(host.run(&["test", "b"]).code, 0, "and what init writes passes");
}

#[test]
fn the_keys_of_init_are_what_openssh_reads() {
    let host = Host::with_set();
    for name in ["session_ca", "target_ca", "host_ca", "host_key", "log_key"] {
        let public = Command::new("ssh-keygen").arg("-y").arg("-f").arg(host.path("b/keys").join(name)).output();
        let public = String::from_utf8(public.expect("ssh-keygen runs").stdout).expect("UTF-8");
        assert!(public.starts_with("ssh-ed25519 "), "{name}: {public}");
        if name != "log_key" {
            assert_eq!(host.read(&format!("b/certs/{name}.pub")), public);
        }
    }
    let log_key = host.read("b/certs/log_key.pub");
    let read = signed_note::StandardVerifier::new(log_key.trim());
    assert!(read.is_ok(), "an independent reader refuses {log_key}");
}

#[test]
fn behind_a_redirect_people_are_told_the_port_that_they_reach() {
    let host = Host::new();
    let made =
        host.run(&["init", "b", "--name", "x.example.com", "--listen", "[::1]:2222", "--listen", "127.0.0.1:2222"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.out.contains("@cert-authority x.example.com,*.jea ssh-") && !made.out.contains("Port"), "{made:?}");
    let listen = doorward::config::load(host.path("b")).expect("a set").listen;
    assert_eq!((listen.public_port, listen.addresses.len()), (22, 2));
}

#[test]
fn init_changes_nothing_that_exists_and_leaves_nothing_half_done() {
    let host = Host::with_set();
    let again = host.run(&["init", "b", "--name", "other.example.com"]);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("is not empty"), "{again:?}");
    fs::create_dir(host.path("empty")).expect("a directory");
    assert_eq!(
        host.run(&["init", "empty", "--name", "x.example.com"]).code,
        0,
        "an empty directory is as good as none"
    );
    let rows: &[(&[&str], i32, &str)] = &[
        (&["--name", "Upper.example.com"], 2, "lower-case"),
        (&["--name", "x.example.com", "--user", "alice=missing.pub"], 1, "missing.pub"),
        (&["--name", "x.example.com", "--user", "alice=alice"], 1, "private key"),
        (&["--name", "x.example.com", "--user", "a b=alice.pub"], 2, "user name"),
        (&["--name", "x.example.com", "--user", "alice=alice.pub", "--approver", "bob=alice.pub"], 1, "also alice's"),
    ];
    for (words, code, part) in rows {
        let refused = host.run(&[&["init", "new"], *words].concat());
        assert_eq!(refused.code, *code, "{refused:?}");
        assert!(refused.err.contains(part), "{part} in {refused:?}");
        assert!(!host.path("new").exists());
    }
    let left = fs::read_dir(host.root.path()).expect("a directory");
    let left = left.filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left.count(), 0, "nothing is left of what was refused");
}
