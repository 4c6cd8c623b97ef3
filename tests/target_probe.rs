//! `doorward target test` on a real `sshd` that was enrolled with the very snippet: all is well, and every way of breaking the
//! target makes the right line fail.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use doorward::config::enroll::{EnrollFacts, OpenSsh, Places, snippet};
use support::bastion::{Bastion, Came, DOORWARD, came, is_root};
use support::certificates::{certificate_of, sign};
use support::sshd::{Sshd, new_key, own_account, shown, text};

const BASTION: &str = "bastion.test";

/// A DIR with one target, and the `sshd` that is it.
struct World {
    home: tempfile::TempDir,
    sshd: Sshd,
}

impl World {
    /// `change` gets the server's directory and the snippet, and answers with what is put there instead.
    fn with(change: impl FnOnce(&Before, String) -> String) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        for user in ["alice", "bob", "carol"] {
            new_key(&home.path().join(user));
        }
        let key = |user: &str| format!("{user}={}", home.path().join(format!("{user}.pub")).display());
        let init = Command::new(DOORWARD)
            .args(["init", text(&home.path().join("dir")), "--name", BASTION, "--port", "2222"])
            .args(["--user", &key("alice"), "--approver", &key("bob"), "--reviewer", &key("carol")])
            .output()
            .expect("doorward init");
        assert!(init.status.success(), "{}", shown(&init));
        let sshd = Sshd::start(|place| {
            let enrolled = enroll(home.path(), place);
            change(&Before { home: home.path().to_owned(), place: place.to_owned() }, enrolled)
        });
        let world = Self { home, sshd };
        world.write_targets(&world.sshd.host_key());
        world
    }

    fn write_targets(&self, host_key: &str) {
        let account = own_account();
        let target = |name: &str, port: u16| {
            format!(
                "[{name}]\naddress = \"127.0.0.1:{port}\"\nhost_key = \"{host_key}\"\nrun_as = {{ ops = \"{account}\" }}\n\n"
            )
        };
        let both = target("web-1", self.sshd.port) + &target("web-2", 9);
        fs::write(self.home.path().join("dir/targets.toml"), both).expect("written");
    }

    fn test(&self) -> Came {
        let output =
            Command::new(DOORWARD).args(["target", "test"]).arg(self.home.path().join("dir")).arg("web-1").output();
        came(&output.expect("doorward target test"))
    }
}

/// What is there before the server starts.
struct Before {
    home: PathBuf,
    place: PathBuf,
}

/// Puts what `target enroll` prints under `place`, and gives the part of `sshd_config`.
fn enroll(home: &Path, place: &Path) -> String {
    let ca = fs::read_to_string(home.join("dir/certs/target_ca.pub")).expect("the target CA's public key");
    let places = Places {
        authority: place.join("target_ca.pub"),
        principals: place.join("principals"),
        snippet: place.join("snippet"),
    };
    fs::create_dir(&places.principals).expect("a directory");
    let facts = EnrollFacts {
        target: &"web-1".parse().expect("a name"),
        bastion: BASTION,
        accounts: &[own_account().parse().expect("a name")],
        authority: &ca.trim().parse().expect("a key"),
        places: &places,
        openssh: Some(OpenSsh { major: 9, minor: 2 }),
        from: &[],
    };
    for file in snippet(&facts).expect("a snippet") {
        fs::write(&file.path, &file.text).expect("written");
    }
    fs::read_to_string(&places.snippet).expect("the snippet")
}

/// The checks whose lines begin with FAILED.
fn failed(came: &Came) -> Vec<&str> {
    came.out.lines().filter_map(|line| line.strip_prefix("FAILED  ")).collect()
}

/// Exactly these checks fail, in this order, each given by a part of its line; the report holds `said`.
fn fails(came: &Came, checks: &[&str], said: &str) {
    let failed = failed(came);
    let right = failed.len() == checks.len() && failed.iter().zip(checks).all(|(line, part)| line.contains(part));
    assert!(
        right && came.code == 1 && came.out.contains(said),
        "{checks:?}, {said:?}, exit {}:\n{}{}",
        came.code,
        came.out,
        came.err
    );
}

#[test]
fn an_enrolled_target_passes_every_check_and_its_own_log_shows_whose_logins_these_were() {
    let world = World::with(|_, snippet| snippet);
    let came = world.test();
    let failed = failed(&came);
    assert!(
        came.code == 0 && failed.is_empty() && came.err.is_empty(),
        "{}{}\n{}",
        came.out,
        came.err,
        world.sshd.log()
    );
    assert_eq!(came.out.lines().filter(|line| line.starts_with("ok ")).count(), 14, "{}", came.out);
    let log = world.sshd.log();
    assert!(log.contains(&format!("ID doorward-target-test:web-1/{} (serial ", own_account())), "{log}");
    assert!(!log.contains("ID doorward:"), "no login that looks like a user's: {log}");
    assert!(!world.home.path().join("dir/state/doorward.db").exists(), "the running bastion's database is left alone");
}

#[test]
fn it_runs_beside_a_bastion_that_serves_and_its_log_stays_sound() {
    let bastion = Bastion::start();
    let mut command = Command::new(DOORWARD);
    command.args(["target", "test"]).arg(bastion.dir()).arg("web-1");
    if is_root() {
        // The bastion of the tests serves as `nobody` then, and so its operator works.
        command.uid(65534).gid(65534);
    }
    let came = came(&command.output().expect("doorward target test"));
    assert_eq!((came.code, failed(&came)), (0, Vec::new()), "{}{}", came.out, came.err);
    bastion.grant("ops", "web-1", "10m");
    let ran = bastion.run("alice", &["web-1@bastion", "id", "-un"]);
    assert_eq!((ran.code, ran.out.trim()), (0, own_account().as_str()), "{ran:?}");
    bastion.verify();
}

#[test]
fn a_principal_of_another_target_or_account_in_the_file_is_found() {
    for (principal, check) in [
        (format!("web-2/{}", own_account()), "another target"),
        ("web-1/doorward-nobody".to_owned(), "another account"),
    ] {
        let world = World::with(|there, snippet| {
            let file = there.place.join("principals").join(own_account());
            let both = fs::read_to_string(&file).expect("the principals") + &format!("{principal}@{BASTION}\n");
            fs::write(file, both).expect("written");
            snippet
        });
        fails(&world.test(), &[check], "was accepted");
    }
}

#[test]
fn a_key_of_a_user_that_opens_the_account_by_itself_is_found() {
    let world = World::with(|there, snippet| {
        fs::copy(there.home.join("alice.pub"), there.place.join("authorized_keys")).expect("copied");
        snippet.replace(
            "AuthorizedKeysFile none",
            &format!("AuthorizedKeysFile {}", there.place.join("authorized_keys").display()),
        )
    });
    fails(&world.test(), &["plain keys are refused"], "without a certificate");
}

#[test]
fn other_ways_to_log_in_are_found() {
    let world = World::with(|_, snippet| {
        snippet
            .replace("AuthenticationMethods publickey", "AuthenticationMethods any")
            .replace("PasswordAuthentication no", "PasswordAuthentication yes")
    });
    fails(&world.test(), &["no way in but by key"], "it also offers password");
}

#[test]
fn forwarding_that_is_not_disabled_is_found() {
    let world = World::with(|_, snippet| snippet.replace("    DisableForwarding yes\n", ""));
    fails(&world.test(), &["forwarding is refused"], "it opened a connection");
}

#[test]
fn another_host_key_stops_the_test_with_what_to_compare() {
    let world = World::with(|_, snippet| snippet);
    let other = fs::read_to_string(world.home.path().join("bob.pub")).expect("a public key");
    world.write_targets(other.trim());
    let came = world.test();
    fails(&came, &["shows its pinned host key"], "ssh-keygen -l -f");
    let real =
        Command::new("ssh-keygen").arg("-lf").arg(world.sshd.dir().join("host_key.pub")).output().expect("ssh-keygen");
    let real = String::from_utf8(real.stdout).expect("UTF-8");
    let fingerprint = real.split(' ').nth(1).expect("a fingerprint");
    assert!(came.out.contains(fingerprint), "{}", came.out);
}

#[test]
fn a_target_with_a_host_ca_is_tested_as_one_and_another_name_stops_the_test_with_what_to_do() {
    let world = World::with(|there, snippet| {
        let key = there.place.join("host_key");
        sign(&there.home.join("carol"), &key, &["-h", "-I", "web-1", "-n", "web-1.example.com"]);
        // Global keys stand before the first `Match`.
        format!("HostCertificate {}\n{snippet}", certificate_of(&key).display())
    });
    let ca = fs::read_to_string(world.home.path().join("carol.pub")).expect("a public key");
    let pinned = fs::read_to_string(world.home.path().join("dir/targets.toml")).expect("targets.toml");
    let recognised = |name: &str| {
        let line = format!("host_name = \"{name}\"\nhost_ca = \"{}\"", ca.trim());
        let certified = pinned.replace(&format!("host_key = \"{}\"", world.sshd.host_key()), &line);
        fs::write(world.home.path().join("dir/targets.toml"), certified).expect("written");
    };
    recognised("web-1.example.com");
    let came = world.test();
    assert_eq!((came.code, failed(&came)), (0, Vec::new()), "{}{}", came.out, came.err);
    assert!(came.out.contains("shows a certificate of its host CA for web-1.example.com"), "{}", came.out);
    recognised("web-2.example.com");
    let check = "shows a certificate of its host CA for web-2.example.com";
    fails(&world.test(), &[check], "its certificate is for web-1.example.com, and web-2.example.com was wanted");
}

#[test]
fn a_target_that_trusts_somebody_else_says_no_and_the_report_says_where_to_look() {
    let world = World::with(|there, snippet| {
        fs::copy(there.home.join("bob.pub"), there.place.join("target_ca.pub")).expect("copied");
        snippet
    });
    fails(&world.test(), &["a certificate for it is accepted"], "the certificate was refused");
}

#[test]
fn a_target_that_runs_what_is_asked_or_talks_before_the_command_is_found() {
    // An account whose startup files print something cannot be had without touching a real home: `ForceCommand` prints it.
    let world = World::with(|_, snippet| {
        snippet.replace(
            "    MaxSessions 1\n",
            "    MaxSessions 1\n    ForceCommand printf 'Welcome\\033[2J\\n'; eval \"$SSH_ORIGINAL_COMMAND\"\n",
        )
    });
    let came = world.test();
    let checks = ["runs the certified command", "nothing runs before", "hostile words", "a command can be ended"];
    fails(&came, &checks, "it runs what is asked");
    assert!(came.out.contains("Welcome\\u{1b}[2J") && !came.out.contains('\u{1b}'), "{}", came.out);
}

#[test]
fn a_target_where_a_command_outlives_its_connection_is_found() {
    // End-of-file does not reach the command; it comes by itself some seconds after the test has looked.
    let world = World::with(|_, snippet| {
        let forced = "    ForceCommand (sleep 25 2>/dev/null &) | eval \"$SSH_ORIGINAL_COMMAND\"\n";
        snippet.replace("    MaxSessions 1\n", &format!("    MaxSessions 1\n{forced}"))
    });
    fails(&world.test(), &["runs the certified command", "a command can be ended"], "after its connection was cut");
}

#[test]
fn what_cannot_be_tested_is_an_error_with_what_to_do() {
    let world = World::with(|_, snippet| snippet);
    let dir = world.home.path().join("dir");
    let output = Command::new(DOORWARD).args(["target", "test"]).arg(&dir).arg("web-9").output().expect("doorward");
    let came = came(&output);
    assert!(came.code == 1 && came.err.contains("there is no target web-9"), "{came:?}");
    let nobody =
        std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a port");
    let targets = fs::read_to_string(dir.join("targets.toml")).expect("targets.toml");
    let moved = targets.replace(&format!("127.0.0.1:{}", world.sshd.port), &nobody.to_string());
    fs::write(dir.join("targets.toml"), moved).expect("written");
    fails(&world.test(), &["web-1 answers"], "cannot be reached");
}
