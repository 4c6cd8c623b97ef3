//! Each mistake in a file: an error at its place that says what to write, and all of them in one run.

use doorward::config::load;
use doorward::domain::Severity;

use super::{DAVE, Set, assert_finds};

/// Each row: a file, the text in it, what replaces it, and the finding that must come of it.
#[test]
fn each_mistake_in_a_file_is_an_error_at_its_place_with_what_to_write() {
    let rows: &[(&str, &str, &str, &str, &[&str])] = &[
        // doorward.toml
        ("doorward.toml", "[rights]", "liste = 1\n[rights]", "doorward.toml:5:1", &["unknown key `liste`", "`listen`"]),
        (
            "doorward.toml",
            "reviewers =",
            "reviewer =",
            "doorward.toml:7:1",
            &["unknown key `reviewer` in [rights]", "`reviewers`"],
        ),
        ("doorward.toml", "[rights]", "store = \"x\"\n[rights]", "doorward.toml:5:1", &["`store` is not enforced"]),
        (
            "doorward.toml",
            "[rights]",
            "[notification]\n[rights]",
            "doorward.toml:5:2",
            &["`notification` is not enforced"],
        ),
        ("doorward.toml", "group:security", "security", "doorward.toml:7:14", &["`user:NAME` or `group:NAME`"]),
        (
            "doorward.toml",
            "\"0.0.0.0:2222\"",
            "\"bastion:22\"",
            "doorward.toml:3:11",
            &["an IP address and a port", "[::]:2222"],
        ),
        (
            "doorward.toml",
            "[\"0.0.0.0:2222\"]",
            "\"0.0.0.0:2222\"",
            "doorward.toml:3:10",
            &["is a list", "[\"0.0.0.0:2222\"]"],
        ),
        ("doorward.toml", "bastion.example.com", "Bastion.example.com", "doorward.toml:2:10", &["lower-case"]),
        ("doorward.toml", "name   = \"bastion.example.com\"", "", "doorward.toml", &["`name` is missing", "name = "]),
        ("doorward.toml", "[rights]", "drain = 20\n[rights]", "doorward.toml:5:9", &["span of time", "drain = \""]),
        ("doorward.toml", "[rights]", "drain = \"20 h\"\n[rights]", "doorward.toml:5:9", &["may be from 1s to 1h"]),
        (
            "doorward.toml",
            "[rights]",
            "[requests]\npending_per_user = 0\n[rights]",
            "doorward.toml:6:20",
            &["from 1 to 1000"],
        ),
        ("doorward.toml", "[rights]", "[limits]\nmax_sesions = 9\n[rights]", "doorward.toml:6:1", &["`max_sessions`"]),
        ("doorward.toml", "[rights]", "demo = \"yes\"\n[rights]", "doorward.toml:5:8", &["true or false"]),
        // users.toml
        (
            "users.toml",
            "groups = [\"admins\"]",
            "group = [\"admins\"]",
            "users.toml:5:1",
            &["unknown key `group` in [alice]", "`groups`"],
        ),
        ("users.toml", "[alice]", "[\"al ice\"]", "users.toml:3:2", &["user name", "' '"]),
        ("users.toml", "[alice]", "[web-1]", "users.toml:3:2", &["also a target's name"]),
        ("users.toml", "[alice]", "[\"Web-1.jea\"]", "users.toml:3:2", &["also a target's name"]),
        ("users.toml", "[alice]", "[BOB]", "users.toml:7:2", &["upper and lower case"]),
        ("users.toml", "groups = [\"admins\"]", "totp = \"x\"", "users.toml:5:1", &["`totp` is not enforced"]),
        (
            "users.toml",
            "groups = [\"admins\"]",
            "networks = [\"10.0.0.1/8\"]",
            "users.toml:5:13",
            &["beyond its prefix", "10.0.0.0/8"],
        ),
        (
            "users.toml",
            "groups = [\"admins\"]",
            "networks = [\"::ffff:10.0.0.0/104\"]",
            "users.toml:5:13",
            &["no client is ever seen", "10.0.0.0/8"],
        ),
        ("users.toml", "groups = [\"admins\"]", "networks = [\"office\"]", "users.toml:5:13", &["not a network"]),
        // targets.toml
        ("targets.toml", "host_key", "host_cert", "targets.toml:4:1", &["unknown key `host_cert`", "`host_ca`"]),
        (
            "targets.toml",
            "host_key",
            "host_ca = \"x\"\nhost_key",
            "targets.toml:4:11",
            &["one of them only", "take one out"],
        ),
        ("targets.toml", "host_key", "host_ca = 1 #", "targets.toml:4:11", &["host_ca"]),
        ("targets.toml", "host_key", "host_ca = \"ssh-rsa AAAAB3NzaC1yc2E=\" #", "targets.toml:4:11", &["RSA keys"]),
        (
            "targets.toml",
            "host_key",
            "host_ca = \"@cert-authority * ssh-ed25519 AAAAC3Nz\" #",
            "targets.toml:4:11",
            &["known_hosts", "`ssh-…`"],
        ),
        ("targets.toml", "host_key", "host_name = \"web-1\"\nhost_key", "targets.toml:4:13", &["has a pinned key"]),
        ("targets.toml", "host_key", "host_name = \"*.com\"\nhost_ca", "targets.toml:4:13", &["lower-case letters"]),
        ("targets.toml", "host_key", "# host_key", "targets.toml:1:2", &["no `host_key` and no `host_ca`"]),
        ("targets.toml", "10.0.0.11", "2001:db8::1", "targets.toml:2:11", &["in brackets"]),
        ("targets.toml", "10.0.0.11", "10.0.0.11:0", "targets.toml:2:11", &["from 1 to 65535"]),
        ("targets.toml", "10.0.0.11", "a b", "targets.toml:2:11", &["host name or IP address"]),
        ("targets.toml", "[web-1]", "[Web-1]", "targets.toml:1:2", &["lower-case", "'W'"]),
        ("targets.toml", "[web-1]", "[\"web-1.jea\"]", "targets.toml:1:2", &["may not end in `.jea`"]),
        ("targets.toml", "[web-1]", "[bastion]", "targets.toml:1:2", &["the bastion itself"]),
        ("targets.toml", "address = \"10.0.0.11\"", "kind = \"local\"", "targets.toml:2:8", &["demo alone"]),
        ("targets.toml", "address = \"10.0.0.11\"", "kind = \"locl\"", "targets.toml:2:8", &["did you mean \"local\""]),
        ("targets.toml", "address = \"10.0.0.11\"", "from = \"nat\"", "targets.toml:2:8", &["for example from ="]),
        ("targets.toml", "tier = \"web\"", "tier = \"a,b\"", "targets.toml:3:19", &["labels and their values"]),
        ("targets.toml", "ops = \"ops\" }", "ops = \"o p\" }", "targets.toml:5:18", &["account name"]),
        // the rest
        ("roles/host-status.toml", "run_as", "run_az", "roles/host-status.toml:4:1", &["run_az", "run_as"]),
        ("roles/host-status.toml", "[request]", "[[fil]]\n[request]", "roles/host-status.toml:6:3", &["`fil`", "file"]),
        (
            "roles/host-status.toml",
            "[request]",
            "[when]\nhours = \"Mon-Fri 08:00-20:00 Europe/Belrin\"\n[request]",
            "roles/host-status.toml:7:30",
            &["no time zone", "Europe/Berlin"],
        ),
    ];
    for (file, from, to, place, parts) in rows {
        let set = Set::new();
        let text = set.read(file);
        assert!(text.contains(from), "{file} holds {from}");
        set.write(file, &text.replacen(from, to, 1));
        assert_finds(&set, Severity::Error, place, parts);
        let shown = set.findings().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(
            !place.contains(':') || (shown.contains(place) && shown.contains('^')),
            "no caret at {place}:\n{shown}"
        );
    }
}

#[test]
fn what_people_paste_for_a_key_by_mistake_is_named() {
    let rows: &[(&str, &str)] = &[
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "this is a private key"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "this is a certificate"),
        ("ssh-rsa AAAAB3NzaC1yc2E=", "RSA keys are not supported"),
        ("ssh-dss AAAAB3NzaC1kc3M=", "DSA keys are too weak"),
        ("from=\\\"10.0.0.1\\\" ssh-ed25519 AAAAC3Nz", "options before a key"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "not a public key"),
        ("alice.pub", "not a public key"),
    ];
    let set = Set::new();
    let users = set.read("users.toml");
    for (key, message) in rows {
        set.write("users.toml", &format!("{users}\n[dave]\nkeys = [\"{key}\"]\n"));
        assert_finds(&set, Severity::Error, "users.toml:16:9", &[message]);
        let shown = format!("{:?}", set.findings().iter().map(|finding| &finding.message).collect::<Vec<_>>());
        assert!(!shown.contains("BEGIN"), "a message must not repeat what may be a secret: {shown}");
    }
    set.write("users.toml", &format!("{users}\n[dave]\nkeys = [\"{DAVE}\"]\n[erin]\nkeys = [\"{DAVE} too\"]\n"));
    assert_finds(&set, Severity::Error, "users.toml:18:9", &["also dave's"]);
}

#[test]
fn one_run_finds_the_problems_of_every_file() {
    let set = Set::new();
    set.append("doorward.toml", "\n[limit]\n");
    set.append("users.toml", "\n[dave]\nkey = []\n");
    set.write("targets.toml", "a = \nb = ]\n");
    set.append("roles/host-status.toml", "\nx = 1\n");
    set.append("certs/session.toml", "\n# harmless\n");
    set.write("roles/broken name.toml", "description = \"x\"\n");
    set.mode("keys/host_key", 0o644);
    let findings = set.findings();
    let errors: Vec<&str> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).map(|finding| &*finding.file).collect();
    for file in ["doorward.toml", "users.toml", "targets.toml", "roles/broken name.toml", "keys/host_key"] {
        assert!(errors.contains(&file), "{file} in {errors:?}");
    }
    assert!(errors.iter().filter(|file| **file == "targets.toml").count() >= 2, "every syntax error: {errors:?}");
}

/// No text makes the reader panic, hang or accept what it did not understand.
#[test]
fn hostile_text_is_an_error_like_any_other() {
    let deep = format!("a = {}", "[".repeat(5_000));
    let dotted = format!("{}b = 1", "a.".repeat(5_000));
    let wide = format!("[alice]\nkeys = [{}]\n", "\"x\", ".repeat(2_000));
    let rows =
        ["\u{0}", "\u{feff}[alice", "[alice]\n[alice]\n", "alice = 1979-05-27", "a = \"\u{1b}[2J\"", "\u{202e} = 1"];
    for text in rows.into_iter().chain([deep.as_str(), &dotted, &wide]) {
        for name in ["doorward.toml", "users.toml", "targets.toml", "roles/host-status.toml", "certs/session.toml"] {
            let set = Set::new();
            set.write(name, text);
            let findings = load(set.dir()).err().unwrap_or_default();
            let certs_are_read_elsewhere = name == "certs/session.toml";
            let named = findings.iter().any(|finding| &*finding.file == name);
            assert!(named || certs_are_read_elsewhere, "{name}: {}", &text[..text.len().min(40)]);
            for finding in &findings {
                let shown = finding.to_string();
                assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{0}']), "{shown:?}");
            }
        }
    }
}
