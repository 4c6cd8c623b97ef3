//! What proves: the operator's verbs do what they say, change files gently, and answer with the right exit code.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "in a test, a failed step is a failed test"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        for name in ["alice", "bob", "carol", "dave", "host"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
                .arg(root.path().join(name))
                .status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        Self { root }
    }

    fn with_set() -> Self {
        let host = Self::new();
        let made = host.run(&[
            "init",
            "b",
            "--name",
            "bastion.example.com",
            "--port",
            "2222",
            "--user",
            "alice=alice.pub",
            "--approver",
            "bob=bob.pub",
            "--reviewer",
            "carol=carol.pub",
        ]);
        assert_eq!(made.code, 0, "{made:?}");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(words).current_dir(self.root.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Answer {
        Answer::of(self.command(words).output().expect("doorward runs"))
    }
}

#[derive(Debug)]
struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().expect("an exit code"), out: text(output.stdout), err: text(output.stderr) }
    }
}

#[test]
fn init_leaves_a_set_that_check_finds_clean_and_says_what_comes_next() {
    let host = Host::new();
    let made = host.run(&[
        "init",
        "b",
        "--name",
        "bastion.example.com",
        "--port",
        "2222",
        "--user",
        "alice=alice.pub",
        "--approver",
        "bob=bob.pub",
        "--reviewer",
        "carol=carol.pub",
    ]);
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

#[test]
fn check_counts_and_answers_one_when_the_set_would_not_be_used() {
    let host = Host::with_set();
    fs::write(host.path("b/targets.toml"), "[web-1]\nadress = \"10.0.0.1\"\n").expect("a file");
    let check = host.run(&["check", "b"]);
    assert_eq!(check.code, 1);
    for part in ["targets.toml:2:1", "did you mean `address`?", "web-1 has no `host_key`", "3 errors"] {
        assert!(check.out.contains(part), "{part} in {}", check.out);
    }
    let json: serde_json::Value = serde_json::from_str(&host.run(&["check", "b", "--json"]).out).expect("JSON");
    assert_eq!((&json["ok"], &json["errors"]), (&false.into(), &3.into()));
    assert!(json["findings"].as_array().expect("a list").iter().any(|finding| finding["line"] == 2));
}

#[test]
fn users_and_keys_are_added_without_touching_a_comment() {
    let host = Host::with_set();
    let with_comments =
        host.read("b/users.toml").replace("groups = [\"admins\"]", "groups = [\"admins\"]  # until May")
            + "# the end\n";
    fs::write(host.path("b/users.toml"), &with_comments).expect("a file");
    let added = host.run(&["user", "add", "b", "dave", "--key", "dave.pub", "--group", "admins"]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(added.out.contains("SHA256:"), "the fingerprint to compare: {added:?}");
    let users = host.read("b/users.toml");
    assert!(users.starts_with(with_comments.trim_end()), "{users}");
    assert!(users.contains("\n\n[dave]\nkeys = [\"ssh-ed25519 "), "{users}");

    let key = host.run(&["user", "key", "add", "b", "dave", &host.read("host.pub")]);
    assert_eq!(key.code, 0, "{key:?}");
    assert!(host.read("b/users.toml").starts_with(with_comments.trim_end()));
    let listed = host.run(&["user", "list", "b"]).out;
    assert_eq!(listed.matches("SHA256:").count(), 5, "{listed}");

    let before = host.read("b/users.toml");
    let refused: &[(&[&str], &str)] = &[
        (&["user", "add", "b", "dave", "--key", "dave.pub"], "a user dave already"),
        (&["user", "add", "b", "erin", "--key", "alice.pub"], "also alice's"),
        (&["user", "key", "add", "b", "zoe", "dave.pub"], "no user zoe"),
        (&["user", "add", "b", "erin", "--key", "dave"], "private key"),
    ];
    for (words, part) in refused {
        let answer = host.run(words);
        assert_eq!(answer.code, 1, "{answer:?}");
        assert!(answer.err.contains(part), "{part} in {answer:?}");
    }
    assert_eq!(host.read("b/users.toml"), before, "what is refused changes nothing");
}

/// A real `sshd` on a free port, as root or not.
struct Sshd {
    child: std::process::Child,
    port: u16,
}

impl Sshd {
    fn start(host: &Host) -> Self {
        Self::with(host, "")
    }

    fn with(host: &Host, more: &str) -> Self {
        // Privilege separation wants this directory when sshd runs as root; a package creates it with the service.
        let _ = fs::create_dir_all("/run/sshd");
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let configuration = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\n{more}",
            host.path("host").display()
        );
        fs::write(host.path("sshd_config"), configuration).expect("a file");
        let child = Command::new("/usr/sbin/sshd")
            .args(["-D", "-f"])
            .arg(host.path("sshd_config"))
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd runs");
        let sshd = Self { child, port };
        for _ in 0..1500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return sshd;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        panic!("sshd does not answer");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_scanned_host_key_is_shown_and_not_trusted_until_the_operator_says_so() {
    let host = Host::with_set();
    let sshd = Sshd::start(&host);
    let address = format!("127.0.0.1:{}", sshd.port);
    let fingerprint =
        Command::new("ssh-keygen").arg("-lf").arg(host.path("host.pub")).output().expect("ssh-keygen runs");
    let fingerprint = String::from_utf8(fingerprint.stdout).expect("UTF-8");
    let fingerprint = fingerprint.split(' ').nth(1).expect("a fingerprint");

    let before = host.read("b/targets.toml");
    let scanned = host.run(&["target", "add", "b", "web-1", &address, "--scan", "--label", "tier=web"]);
    assert_eq!(scanned.code, 1, "{scanned:?}");
    assert!(scanned.out.contains(fingerprint) && scanned.out.contains("--host-key 'ssh-ed25519 "), "{scanned:?}");
    assert_eq!(host.read("b/targets.toml"), before);

    let added = host.run(&["target", "add", "b", "web-1", &address, "--scan", "--yes", "--label", "tier=web"]);
    assert_eq!(added.code, 0, "{added:?}");
    assert!(host.read("b/targets.toml").starts_with(&before), "comments stay");
    let check = host.run(&["check", "b"]);
    assert!(check.out.starts_with("0 errors, 0 warnings: 3 users, 1 target"), "{check:?}");

    let enrolled = host.run(&["target", "enroll", "b", "web-1"]);
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    assert!(!enrolled.err.contains("not known"), "the version comes from the greeting: {enrolled:?}");
    let refused = host.run(&["target", "add", "b", "web-2", "10.0.0.2"]);
    assert_eq!((refused.code, refused.err.contains("--scan")), (2, true), "{refused:?}");
}

#[test]
fn a_target_with_a_host_ca_is_added_listed_and_enrolled() {
    let host = Host::with_set();
    let ca = host.read("alice.pub");
    let add = ["target", "add", "b", "web-1", "192.0.2.11", "--label", "tier=web", "--host-ca", ca.trim()];
    let both = host.run(&[&add[..], &["--host-key", ca.trim()]].concat());
    assert_eq!((both.code, both.err.contains("--host-key")), (2, true), "{both:?}");
    let added = host.run(&[&add[..], &["--host-name", "web-1.example.com"]].concat());
    assert_eq!(added.code, 0, "{added:?}");
    let written = host.read("b/targets.toml");
    assert!(written.contains("\nhost_ca = \"ssh-ed25519 ") && !written.contains("\nhost_key ="), "{written}");
    let listed = host.run(&["target", "list", "b"]);
    assert!(listed.out.contains("192.0.2.11:22 web-1.example.com certified by SHA256:"), "{listed:?}");
    let script = host.run(&["target", "enroll", "b", "web-1", "--openssh", "9.2"]);
    assert!(script.out.contains("HostCertificate") && script.out.trim_end().ends_with("echo 'done'"), "{script:?}");
    let read = Command::new("sh").args(["-n", "-c", &script.out]).output().expect("sh runs");
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
}

/// The files that an enrolment script writes, put below `root` in the place of `/`.
fn files_of(script: &str, root: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut lines = script.lines();
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("cat > ").and_then(|line| line.strip_suffix(" <<'END_OF_FILE'")) else {
            continue;
        };
        let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "END_OF_FILE").collect();
        files.push((root.join(path.trim_start_matches('/')), text.join("\n") + "\n"));
    }
    files
}

#[test]
fn the_enrolment_script_is_a_script_and_sshd_and_visudo_accept_its_files() {
    let host = Host::with_set();
    let key = host.read("host.pub");
    let words = ["target", "add", "b", "web-1", "192.0.2.11", "--label", "tier=web", "--host-key", key.trim()];
    assert_eq!(host.run(&words).code, 0);
    let enrolled = host.run(&["target", "enroll", "b", "web-1", "--openssh", "9.2p1"]);
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    fs::write(host.path("enroll.sh"), &enrolled.out).expect("a file");
    for shell in ["dash", "bash", "zsh"] {
        let read = Command::new(shell).arg("-n").arg(host.path("enroll.sh")).status().expect("the shell runs");
        assert!(read.success(), "{shell}");
    }
    let files = files_of(&enrolled.out, &host.path("target"));
    for (path, text) in &files {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    let principals = fs::read_to_string(host.path("target/etc/ssh/doorward_principals/ops")).expect("it is there");
    assert_eq!(principals, "web-1/ops@bastion.example.com\n");

    let snippet = host.path("target/etc/ssh/sshd_config.d/00-doorward.conf");
    let whole = format!("HostKey {}\nInclude {}\nPermitRootLogin no\n", host.path("host").display(), snippet.display());
    fs::write(host.path("sshd_config"), whole).expect("a file");
    let sshd = |user: &str| {
        let _ = fs::create_dir_all("/run/sshd");
        let context = format!("user={user},host=bastion,addr=192.0.2.1");
        let output =
            Command::new("/usr/sbin/sshd").args(["-T", "-C", &context, "-f"]).arg(host.path("sshd_config")).output();
        let output = output.expect("sshd runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let test =
        Command::new("/usr/sbin/sshd").arg("-t").arg("-f").arg(host.path("sshd_config")).output().expect("sshd runs");
    assert!(test.status.success() && test.stderr.is_empty(), "{}", String::from_utf8_lossy(&test.stderr));
    let (ops, other) = (sshd("ops"), sshd("somebody"));
    for line in [
        "trustedusercakeys /etc/ssh/doorward_target_ca.pub",
        "authorizedprincipalsfile /etc/ssh/doorward_principals/%u",
        "authorizedkeysfile none",
        "disableforwarding yes",
        "permituserrc no",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "authenticationmethods publickey",
    ] {
        assert!(ops.lines().any(|set| set == line), "{line} for ops in\n{ops}");
        assert!(
            !other.lines().any(|set| set == line && line != "kbdinteractiveauthentication no"),
            "{line} for others"
        );
    }

    let sudoers = host.path("target/etc/sudoers.d/doorward.new");
    let lines = fs::read_to_string(&sudoers).expect("the role with sudo needs lines");
    assert!(lines.contains("ops ALL=(root) NOPASSWD: /usr/bin/systemctl restart nginx\n"), "{lines}");
    let checked = Command::new("/usr/sbin/visudo").arg("-cf").arg(&sudoers).output().expect("visudo runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let newer = host.run(&["target", "enroll", "b", "web-1", "--openssh", "9.8", "--from", "192.0.2.1"]).out;
    assert!(newer.contains("\nPerSourcePenaltyExemptList 192.0.2.1\n"), "{newer}");
    assert!(!enrolled.out.contains("PerSourcePenaltyExemptList"), "9.2 does not know it");
    let older = host.run(&["target", "enroll", "b", "web-1", "--openssh", "6.6"]);
    assert_eq!((older.code, older.err.contains("too old")), (1, true), "{older:?}");
}

#[test]
fn why_says_which_role_allows_a_line_and_how_to_ask_for_it() {
    let host = Host::with_set();
    let key = host.read("host.pub");
    host.run(&["target", "add", "b", "web-1", "192.0.2.11", "--label", "tier=web", "--host-key", key.trim()]);
    let yes = host.run(&["why", "b", "alice", "web-1", "systemctl", "restart", "nginx"]);
    assert_eq!(yes.code, 0, "{yes:?}");
    assert!(yes.out.contains("ssh bastion request web-restart --on web-1"), "{yes:?}");
    assert_eq!(host.run(&["why", "b", "bob", "web-1", "systemctl", "restart", "nginx"]).code, 1);
    assert_eq!(host.run(&["why", "b", "alice", "web-1", "systemctl", "restart", "sshd"]).code, 1);
}

/// What `docs/asking.md` is about: its target and its users.
fn with_target() -> Host {
    let host = Host::with_set();
    let key = host.read("host.pub");
    let words = ["target", "add", "b", "web-1", "192.0.2.11", "--label", "tier=web", "--host-key", key.trim()];
    assert_eq!(host.run(&words).code, 0);
    host
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
    let host = with_target();
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
    let host = with_target();
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
    let host = with_target();
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
    let host = with_target();
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
    let host = with_target();
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

#[test]
fn words_that_are_no_verb_are_usage() {
    let host = Host::with_set();
    for words in [&["chek", "b"][..], &["check"], &["check", "b", "\u{1b}[2J"], &[]] {
        let answer = host.run(words);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(!answer.err.contains('\u{1b}'), "{answer:?}");
    }
    assert_eq!(host.run(&["--help"]).code, 0);
    assert_eq!(host.run(&["check", "nowhere"]).code, 1);
}

#[test]
fn a_reader_that_leaves_early_is_no_error_and_a_full_disk_is() {
    let host = Host::with_set();
    let mut gone =
        host.command(&["check", "b"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    drop(gone.stdout.take());
    assert_eq!(Answer::of(gone.wait_with_output().expect("it ends")).code, 0);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
    let answer =
        Answer::of(host.command(&["check", "b"]).stdout(full).stderr(Stdio::piped()).output().expect("it runs"));
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("could not be written"), "{answer:?}");
}

#[test]
fn reload_tells_the_process_that_holds_the_directory_and_nobody_else() {
    let host = Host::with_set();
    let paths = doorward::config::Paths::new(host.path("b"));
    let none = host.run(&["reload", "b"]);
    assert_eq!((none.code, none.err.contains("no bastion serves")), (1, true), "{none:?}");
    // A number left behind by a dead process is not told anything: it may be somebody else's by now.
    fs::write(paths.lock(), "1\n").expect("a file");
    assert_eq!(host.run(&["reload", "b"]).code, 1);

    // Whoever started the tests may have had this signal ignored, as `nohup` does, and a shell could not trap it then.
    let mut told = Command::new("env")
        .args([
            "--default-signal=HUP",
            "sh",
            "-c",
            "exec 9>b/state/lock; flock 9; echo $$ >&9; trap 'echo told; exit 7' HUP; while :; do sleep 0.05; done",
        ])
        .current_dir(host.root.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh runs");
    let mut answer = host.run(&["reload", "b"]);
    for _ in 0..1000 {
        if answer.code == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
        answer = host.run(&["reload", "b"]);
    }
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(told.wait().expect("it ends").code(), Some(7));

    let lock = doorward::config::DirLock::take(&paths).expect("it is free again");
    let second = doorward::config::DirLock::take(&paths).expect_err("one serve a DIR");
    assert!(second.to_string().contains(&format!("process {}", std::process::id())), "{second}");
    drop(lock);
}

/// What the demo does too: the very snippet, in other places, under a real `sshd` that is started for it.
#[test]
fn the_snippet_opens_an_account_to_the_bound_certificate_for_its_one_command_and_to_nothing_else() {
    use doorward::config::enroll::{EnrollFacts, OpenSsh, Places, snippet};
    let host = Host::with_set();
    let me = Command::new("id").arg("-un").output().expect("id runs").stdout;
    let accounts = [String::from_utf8(me).expect("UTF-8").trim().parse().expect("an account name")];
    let account = &accounts[0];
    let authority = host.read("b/certs/target_ca.pub").trim().parse().expect("a key");
    let places = Places {
        authority: host.path("target_ca.pub"),
        principals: host.path("principals"),
        snippet: host.path("snippet.conf"),
    };
    let facts = EnrollFacts {
        target: &"web-1".parse().expect("a name"),
        bastion: "bastion.example.com",
        accounts: &accounts,
        authority: &authority,
        places: &places,
        openssh: Some(OpenSsh { major: 9, minor: 2 }),
        from: &[],
    };
    fs::create_dir(&places.principals).expect("a directory");
    for file in snippet(&facts).expect("9.2 is new enough") {
        fs::write(file.path, file.text).expect("a file");
    }
    // The machine's own way in stays for everybody else; alice's plain key would be such a way.
    fs::copy(host.path("alice.pub"), host.path("authorized_keys")).expect("a file");
    let sshd = Sshd::with(
        &host,
        &format!(
            "StrictModes no\nAuthorizedKeysFile {}\nInclude {}\n",
            host.path("authorized_keys").display(),
            places.snippet.display()
        ),
    );
    let certify = |principal: &str, ca: &str, more: &[&str]| {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-s", ca, "-I", "test", "-n", principal, "-V", "-1m:+1m"])
            .args(["-O", "clear", "-O", "force-command=echo certified", "-O", "source-address=127.0.0.1/32"])
            .args(more)
            .arg("alice.pub")
            .current_dir(host.root.path())
            .status();
        assert!(made.expect("ssh-keygen runs").success());
    };
    let log_in = |words: &[&str]| {
        let port = sshd.port.to_string();
        let output = Command::new("ssh")
            .args(["-F", "none", "-i", "alice", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-p", &port])
            .args(["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-l", account.as_str()])
            .args(words)
            .current_dir(host.root.path())
            .stdin(Stdio::null())
            .output();
        Answer::of(output.expect("ssh runs"))
    };
    assert_eq!(log_in(&["127.0.0.1", "id"]).code, 255, "a plain key opens nothing, whatever else the machine accepts");
    let bound = format!("web-1/{account}@bastion.example.com");
    certify(&bound, "b/keys/target_ca", &[]);
    let ran = log_in(&["127.0.0.1", "id"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "certified\n"), "{ran:?}");
    let forwarded = log_in(&["-W", "127.0.0.1:1", "127.0.0.1"]);
    assert!(forwarded.code != 0 && forwarded.err.contains("prohibited"), "{forwarded:?}");
    let rows = [
        (format!("web-2/{account}@bastion.example.com"), "b/keys/target_ca", "another target"),
        ("web-1/other@bastion.example.com".to_owned(), "b/keys/target_ca", "another account"),
        (format!("web-1/{account}@other.example.com"), "b/keys/target_ca", "another bastion"),
        (account.to_string(), "b/keys/target_ca", "a login name"),
        (bound.clone(), "b/keys/session_ca", "another authority"),
    ];
    for (principal, ca, what) in rows {
        certify(&principal, ca, &[]);
        assert_eq!(log_in(&["127.0.0.1", "id"]).code, 255, "{what}");
    }
    certify(&bound, "b/keys/target_ca", &["-O", "critical:grants@doorward=g-000000"]);
    assert_eq!(log_in(&["127.0.0.1", "id"]).code, 255, "an option that stock sshd does not know");
}
