//! What proves: a set of files is used whole or refused whole, and a refusal names every problem with its place.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a failed step is a failed test"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use doorward::config::load;
use doorward::domain::{Diagnostic, Severity};
use doorward::inventory::{HostIdentity, Reach};

#[path = "configuration/bad_roles.rs"]
mod bad_roles;
#[path = "configuration/checking.rs"]
mod checking;
#[path = "configuration/cross_file.rs"]
mod cross_file;
#[path = "configuration/mistakes.rs"]
mod mistakes;
#[path = "support/policy.rs"]
mod policy;

/// A set as `init` makes it, with alice (admin), bob (approver), carol (reviewer) and the target web-1.
struct Set {
    root: tempfile::TempDir,
}

const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJQS+J/3te3wEVNra/+7ZTkFZa/mKiI6YLZMEAxS8N2J";
const DAVE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBl0MjPvRLLUsS9uR2udbHTKsol6GvoIXRcz+KWRH0JS dave";

impl Set {
    /// A copy of a set that was made once: most tests need many.
    fn new() -> Self {
        static MADE: OnceLock<Set> = OnceLock::new();
        let root = tempfile::tempdir().expect("a temporary directory");
        let made = MADE.get_or_init(Self::made).dir();
        let copied = Command::new("cp").arg("-a").arg(made).arg(root.path()).status().expect("cp runs");
        assert!(copied.success());
        Self { root }
    }

    fn made() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        for name in ["alice", "bob", "carol"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(root.path().join(name))
                .status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        let set = Self { root };
        let key = |name: &str| format!("{name}={}", set.root.path().join(format!("{name}.pub")).display());
        let made = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .arg("init")
            .arg(set.dir())
            .args(["--name", "bastion.example.com", "--port", "2222"])
            .args(["--user", &key("alice"), "--approver", &key("bob"), "--reviewer", &key("carol")])
            .output()
            .expect("doorward runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let target = format!(
            "[web-1]\naddress = \"10.0.0.11\"\nlabels = {{ tier = \"web\" }}\nhost_key = \"{HOST_KEY}\"\nrun_as = {{ ops = \"ops\" }}\n"
        );
        set.write("targets.toml", &target);
        set
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("b")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file of the set")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file of the set");
    }

    fn append(&self, name: &str, text: &str) {
        self.write(name, &(self.read(name) + text));
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn findings(&self) -> Vec<Diagnostic> {
        load(self.dir()).map_or_else(|findings| findings, |loaded| loaded.warnings)
    }
}

fn is(finding: &Diagnostic, severity: Severity, place: &str, parts: &[&str]) -> bool {
    let found = match finding.line_column() {
        Some((line, column)) => format!("{}:{line}:{column}", finding.file),
        None => finding.file.to_string(),
    };
    let text = format!("{} {}", finding.message, finding.help.as_deref().unwrap_or_default());
    finding.severity == severity && found == place && parts.iter().all(|part| text.contains(part))
}

#[track_caller]
fn assert_finds(set: &Set, severity: Severity, place: &str, parts: &[&str]) {
    let findings = set.findings();
    let shown: Vec<String> = findings.iter().map(|finding| format!("{finding}")).collect();
    assert!(
        findings.iter().any(|finding| is(finding, severity, place, parts)),
        "wanted at {place}: {parts:?}; found:\n{}",
        shown.join("\n\n")
    );
}

#[test]
fn a_set_from_init_with_one_target_is_clean() {
    let set = Set::new();
    let loaded = load(set.dir()).unwrap_or_else(|findings| panic!("{findings:#?}"));
    assert!(loaded.warnings.is_empty(), "{:#?}", loaded.warnings);
    assert_eq!(loaded.snapshot.settings.name, "bastion.example.com");
    assert_eq!(loaded.listen.addresses, ["0.0.0.0:2222".parse().expect("an address")]);
    assert!(!loaded.demo);
}

/// The name is what `ssh` would look for in the certificate.
#[test]
fn a_host_ca_goes_with_the_name_that_is_said_or_the_host_of_the_address() {
    for (address, named, wanted) in [
        ("10.0.0.11", "", "10.0.0.11"),
        ("Web-1.Example.com:2222", "", "web-1.example.com"),
        ("10.0.0.11", "host_name = \"Web-1.example.com\"\n", "web-1.example.com"),
        ("[2001:db8::1]:22", "host_name = \"2001:db8::1\"\n", "2001:db8::1"),
    ] {
        let set = Set::new();
        let text = set.read("targets.toml").replace("10.0.0.11", address);
        set.write("targets.toml", &text.replace("host_key", &format!("{named}host_ca")));
        let loaded = load(set.dir()).unwrap_or_else(|findings| panic!("{findings:#?}"));
        let web = loaded.snapshot.inventory.target(&"web-1".parse().expect("a name")).expect("web-1");
        let Reach::Ssh(reach) = &web.reach else { panic!("{web:?}") };
        let HostIdentity::Certified { name, .. } = &reach.identity else { panic!("{reach:?}") };
        assert_eq!(name, wanted, "{address} {named}");
    }
}

#[test]
fn what_cannot_work_is_warned_of_and_still_loads() {
    let rows: &[(&str, &str, &str, &str, &[&str])] = &[
        ("users.toml", "[\"approvers\"]", "[]", "roles/web-restart.toml:8:17", &["nobody", "group approvers"]),
        ("users.toml", "[\"approvers\"]", "[]", "roles/web-restart.toml:8:1", &["nobody's request can be approved"]),
        ("users.toml", "[\"security\"]", "[]", "doorward.toml:7:14", &["group security"]),
        ("users.toml", "[\"admins\"]", "[]", "roles/host-status.toml:7:1", &["nobody", "may ask"]),
        ("roles/web-restart.toml", "group:approvers", "user:zoe", "roles/web-restart.toml:8:17", &["no user zoe"]),
        (
            "roles/web-restart.toml",
            "group:approvers",
            "user:alice",
            "roles/web-restart.toml:8:1",
            &["nobody counts for their own"],
        ),
        ("roles/web-restart.toml", "tier=web", "tier=db", "roles/web-restart.toml:3:1", &["no target"]),
        ("targets.toml", "ops = \"ops\"", "web = \"ops\"", "targets.toml:1:2", &["no role reaches web-1"]),
        ("targets.toml", "ops = \"ops\"", "web = \"ops\"", "roles/web-restart.toml:4:1", &["no `ops`"]),
        ("targets.toml", "run_as = { ops = \"ops\" }", "", "targets.toml:1:2", &["web-1 has no account"]),
        ("targets.toml", "ops = \"ops\"", "ops = \"root\"", "targets.toml:5:18", &["log in as root"]),
    ];
    for (file, from, to, place, parts) in rows {
        let set = Set::new();
        set.write(file, &set.read(file).replacen(from, to, 1));
        assert!(load(set.dir()).is_ok(), "{file}: {from} -> {to}");
        assert_finds(&set, Severity::Warning, place, parts);
    }
}

#[test]
fn nobody_else_may_be_able_to_change_the_policy_or_read_the_keys() {
    let rows: &[(&str, u32, &str, &str)] = &[
        ("keys", 0o755, "keys/", "must be 0700"),
        ("keys/session_ca", 0o640, "keys/session_ca", "must be 0600"),
        ("users.toml", 0o664, "users.toml", "others than its owner may write"),
        ("roles/host-status.toml", 0o646, "roles/host-status.toml", "others than its owner may write"),
        ("roles", 0o777, "roles/", "others than its owner may write"),
        ("certs/session.toml", 0o666, "certs/session.toml", "others than its owner may write"),
        (".", 0o770, "DIR", "others than its owner may write"),
    ];
    for (name, mode, place, message) in rows {
        let set = Set::new();
        set.mode(name, *mode);
        assert_finds(&set, Severity::Error, place, &[message, "chmod"]);
    }
}

#[test]
fn keys_must_be_whole_and_belong_to_their_public_parts() {
    let rows: &[(&str, &str, &str, &str)] = &[
        ("keys/target_ca", "nonsense\n", "keys/target_ca", "not a private key"),
        ("certs/host_ca.pub", HOST_KEY, "certs/host_ca.pub", "not the public part of keys/host_ca"),
        ("certs/session_ca.pub", "", "certs/session_ca.pub", "not the public part"),
    ];
    for (name, text, place, message) in rows {
        let set = Set::new();
        set.write(name, text);
        assert_finds(&set, Severity::Error, place, &[message]);
    }
    let set = Set::new();
    fs::remove_file(set.path("keys/log_key")).expect("it was there");
    assert_finds(&set, Severity::Error, "keys/log_key", &["does not exist"]);
    let secret = set.read("keys/host_ca");
    set.write("keys/host_ca", &secret.replace("-----END", "-----AND"));
    let shown = format!("{:?}", set.findings());
    assert!(!shown.contains(secret.lines().nth(1).expect("a line of the key")), "a finding holds a private key");
}

/// Invariant 6: the authorities are separate, and so is the key that signs the log.
#[test]
fn no_key_has_two_offices() {
    for (from, to) in
        [("session_ca", "target_ca"), ("session_ca", "host_ca"), ("host_ca", "host_key"), ("target_ca", "log_key")]
    {
        let set = Set::new();
        for (folder, end) in [("keys", ""), ("certs", ".pub")] {
            // The log key's public part has another format.
            if (folder, to) != ("certs", "log_key") {
                set.write(&format!("{folder}/{to}{end}"), &set.read(&format!("{folder}/{from}{end}")));
            }
        }
        let same = format!("the same key as keys/{from}");
        assert_finds(&set, Severity::Error, &format!("keys/{to}"), &[&same, "ssh-keygen"]);
    }
}

#[test]
fn files_that_are_no_plain_text_are_refused_without_waiting() {
    type Make = fn(&Path);
    let make: &[(&str, Make, &str)] = &[
        ("a loop of links", |path| symlink(path, path).expect("a link"), "cannot be read: the link leads in a circle"),
        (
            "a link to nothing",
            |path| symlink("/nonexistent", path).expect("a link"),
            "/nonexistent, which does not exist",
        ),
        ("a directory", |path| fs::create_dir(path).expect("a directory"), "a directory, not a regular file"),
        ("a device", |path| symlink("/dev/zero", path).expect("a link"), "a device, not a regular file"),
        (
            "a pipe",
            |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe"),
            "a named pipe, not a regular file",
        ),
        (
            "a socket",
            |path| drop(std::os::unix::net::UnixListener::bind(path).expect("a socket")),
            "a socket, not a regular file",
        ),
        ("too much", |path| fs::write(path, vec![b'#'; 2 << 20]).expect("a file"), "longer than 1024 KiB"),
    ];
    for (what, make, message) in make {
        for name in ["users.toml", "roles/host-status.toml"] {
            let set = Set::new();
            fs::remove_file(set.path(name)).expect("it was there");
            make(&set.path(name));
            let found = set.findings().iter().any(|finding| is(finding, Severity::Error, name, &[message]));
            assert!(found, "{what} as {name}: {:?}", set.findings());
        }
    }
}

#[test]
fn a_local_target_loads_in_a_demo_alone() {
    let set = Set::new();
    set.append("targets.toml", "\n[here]\nkind = \"local\"\nrun_as = { ops = \"ops\" }\n");
    assert_finds(&set, Severity::Error, "targets.toml:8:8", &["demo"]);
    set.write("doorward.toml", &format!("demo = true\n{}", set.read("doorward.toml")));
    assert!(load(set.dir()).expect("a demo").demo);
}

#[test]
fn the_digest_is_over_every_file_and_says_nothing_else() {
    let set = Set::new();
    let digest = || load(set.dir()).expect("a set").snapshot.digest;
    let first = digest();
    assert_eq!(first, digest());
    for file in ["doorward.toml", "users.toml", "targets.toml", "roles/web-restart.toml", "certs/target.toml"] {
        let before = digest();
        set.append(file, "# more\n");
        assert_ne!(before, digest(), "{file}");
    }
}

#[test]
fn what_roles_share_is_a_part_of_each_that_uses_it_and_of_the_digest() {
    let set = Set::new();
    let role = "targets = [\"*\"]\nrun_as = \"ops\"\n[request]\neligible = [\"user:alice\"]\napprovals = 0\n\
        [[command]]\nrun = \"/usr/bin/id {who}\"\nwhere.who = { use = \"people\" }\n";
    fs::write(set.dir().join("roles/who.toml"), role).expect("write");
    let found = load(set.dir()).expect_err("there is no such definition");
    assert!(
        found.iter().any(|one| is(one, Severity::Error, "roles/who.toml:8:21", &["no shared parameter `people`"])),
        "{found:?}"
    );

    let shared = |text: &str| fs::write(set.dir().join("parameters.toml"), text).expect("write");
    shared("[people]\none_of = [\"ops\"]\n");
    let first = load(set.dir()).expect("a set without errors");
    let text =
        |loaded: &doorward::config::Loaded| loaded.snapshot.roles[&"who".parse().expect("a name")].text().to_owned();
    assert!(text(&first).ends_with("\n[parameters.people]\none_of = [\"ops\"]\n"), "{}", text(&first));

    shared("[people]\none_of = [\"ops\", \"www-data\"]\n[spare]\ntext = 9\n");
    let second = load(set.dir()).expect("a set without errors");
    assert_ne!(text(&first), text(&second));
    assert_ne!(first.snapshot.digest, second.snapshot.digest);
    let warned = second.warnings.iter().any(|one| is(one, Severity::Warning, "parameters.toml:3:2", &["`spare`"]));
    assert!(warned, "{:?}", second.warnings);

    shared("[people]\none_of = [\"-x\"]\n");
    let found = load(set.dir()).expect_err("a definition is wrong");
    assert!(
        found.iter().any(|one| is(one, Severity::Error, "parameters.toml:2:11", &["would be refused"])),
        "{found:?}"
    );
}
