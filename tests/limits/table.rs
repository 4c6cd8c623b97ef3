//! Every key of `[limits]`: its range, what it contradicts, its row in the documentation, and that a reload cannot change it.

use std::fs;
use std::path::Path;
use std::process::Command;

use doorward::config::{RestartOnly, load};

use crate::support::bastion::DOORWARD;
use crate::support::sshd::{new_key, text};

/// Key, default, least, most, as they are written; and another value that stands alone.
const LIMITS: [(&str, &str, &str, &str, &str); 22] = [
    ("handshake_deadline", "\"30s\"", "\"2s\"", "\"10m\"", "\"40s\""),
    ("unread_deadline", "\"2m\"", "\"5s\"", "\"1h\"", "\"3m\""),
    ("max_unproven", "100", "1", "4096", "200"),
    ("max_unproven_per_source", "40", "1", "4096", "30"),
    ("max_sessions", "256", "1", "65536", "300"),
    ("max_sessions_per_user", "128", "1", "65536", "100"),
    ("max_channels", "8", "1", "64", "9"),
    ("max_channels_in_all", "16384", "64", "1048576", "100"),
    ("max_auth_attempts", "20", "2", "100", "6"),
    ("max_key_probes", "20", "1", "1000", "6"),
    ("max_login_bytes", "8192", "64", "65536", "300"),
    ("max_line_bytes", "65536", "256", "65536", "1024"),
    ("max_request_bytes", "1024", "64", "65536", "2048"),
    ("channel_queue", "100", "1", "1000", "50"),
    ("auth_failures_logged", "120", "1", "10000", "60"),
    ("input_memory_kib", "1024", "1", "65536", "512"),
    ("input_per_command_mib", "2048", "1", "1073741824", "100"),
    ("input_per_user_mib", "2048", "1", "1073741824", "3000"),
    ("input_mib", "4096", "1", "1073741824", "5000"),
    ("recordings_mib", "10240", "1", "1073741824", "9"),
    ("recorded_mib", "64", "1", "1073741824", "65"),
    ("keep_free_mib", "256", "1", "1073741824", "9"),
];

/// A set of files, and `doorward.toml` without limits.
fn set() -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().expect("a directory");
    new_key(&home.path().join("alice"));
    let key = format!("alice={}", home.path().join("alice.pub").display());
    let dir = home.path().join("bastion");
    let made = Command::new(DOORWARD)
        .args(["init", text(&dir), "--name", "b.test", "--port", "2222", "--user", &key])
        .output();
    assert!(made.expect("doorward").status.success());
    let settings = fs::read_to_string(dir.join("doorward.toml")).expect("settings");
    assert!(!settings.contains("\n[limits]"), "init writes no limits:\n{settings}");
    (home, settings)
}

/// What is said of the set with these limits; `Err` with every finding.
fn with(home: &Path, settings: &str, limits: &str) -> Result<RestartOnly, String> {
    let dir = home.join("bastion");
    fs::write(dir.join("doorward.toml"), format!("{settings}\n[limits]\n{limits}\n")).expect("settings");
    match load(dir) {
        Ok(loaded) => Ok(RestartOnly::of(&loaded)),
        Err(findings) => Err(findings.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn every_limit_is_documented_bounded_and_needs_a_restart() {
    let (home, settings) = set();
    let plain = with(home.path(), &settings, "").expect("the set");
    let documentation = fs::read_to_string("docs/configuration.md").expect("the documentation");
    for (key, usual, least, most, other) in LIMITS {
        let row = documentation.lines().find(|line| line.starts_with(&format!("| `[limits] {key}` |")));
        let row = row.unwrap_or_else(|| panic!("{key} has no row in docs/configuration.md"));
        let shown = format!("| `{usual}` | {} to {} |", least.trim_matches('"'), most.trim_matches('"'));
        assert!(row.ends_with(&shown), "{row}\nends otherwise than {shown}");

        let said = |value: &str| with(home.path(), &settings, &format!("{key} = {value}"));
        assert_eq!(plain.changed_in(&said(usual).expect(key)), Vec::<&str>::new(), "{key} = {usual} is the default");
        assert_eq!(plain.changed_in(&said(other).expect(key)), [format!("[limits] {key}")], "{key} = {other}");
        for bad in ["0", "-1", "\"0s\"", "\"x\"", "true", "[]", "1e3", "99999999999999999999", "\"99d\""] {
            let refused = said(bad).expect_err(key);
            assert!(refused.contains(key) && refused.contains("doorward.toml:"), "{key} = {bad}: {refused}");
        }
        let over = match most.parse::<u64>() {
            Ok(most) => (most + 1).to_string(),
            Err(_) => format!("\"{} 1s\"", most.trim_matches('"')),
        };
        let refused = said(&over).expect_err(key);
        assert!(refused.contains(key) && refused.contains(most.trim_matches('"')), "{key} = {over}: {refused}");
    }
    let documented = documentation.lines().filter(|line| line.starts_with("| `[limits] ")).count();
    assert_eq!(documented, LIMITS.len(), "a row for a key that this test does not know");
}

#[test]
fn a_part_that_is_larger_than_the_whole_is_refused() {
    let (home, settings) = set();
    let rows = [
        ("max_unproven = 10\nmax_unproven_per_source = 11", "max_unproven_per_source", "max_unproven"),
        ("max_unproven_per_source = 101", "max_unproven_per_source", "max_unproven"),
        ("max_sessions = 4\nmax_sessions_per_user = 5", "max_sessions_per_user", "max_sessions"),
        ("input_mib = 100\ninput_per_user_mib = 101", "input_per_user_mib", "input_mib"),
        ("input_per_user_mib = 100\ninput_per_command_mib = 101", "input_per_command_mib", "input_per_user_mib"),
    ];
    for (limits, low, high) in rows {
        let refused = with(home.path(), &settings, limits).expect_err(limits);
        let wanted = [
            format!("`{low}`"),
            format!("is more than `{high}`"),
            format!("or raise `{high}`"),
            "doorward.toml:".to_owned(),
        ];
        assert!(wanted.iter().all(|part| refused.contains(part)), "{limits}: {refused}");
    }
    // A whole that is lowered alone lowers what follows from it.
    for alone in ["max_unproven = 1", "max_sessions = 1", "input_mib = 1", "input_per_user_mib = 1"] {
        with(home.path(), &settings, alone).expect(alone);
    }
}

#[test]
fn a_proxy_is_a_network_and_not_everybody() {
    let (home, settings) = set();
    let plain = with(home.path(), &settings, "").expect("the set");
    let said = |value: &str| with(home.path(), &format!("proxy_protocol_from = {value}\n{settings}"), "");
    let changed = said("[\"10.0.0.0/24\", \"2001:db8::1/128\"]").expect("networks");
    assert_eq!(plain.changed_in(&changed), ["proxy_protocol_from"]);
    for (bad, told) in [
        ("[\"0.0.0.0/0\"]", "everybody"),
        ("[\"::/0\"]", "everybody"),
        ("[\"10.0.0.1\"]", "an address and a length"),
        ("[\"proxy.example.com\"]", "an address and a length"),
        ("[\"10.0.0.7/24\"]", "all of 10.0.0.0/24 would be believed"),
        ("\"10.0.0.0/24\"", "a list"),
    ] {
        let refused = said(bad).expect_err(bad);
        assert!(refused.contains(told) && refused.contains("doorward.toml:1:"), "{bad}: {refused}");
    }
}
