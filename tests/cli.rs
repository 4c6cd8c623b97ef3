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

#[test]
fn verbs_of_later_builds_are_refused_by_name_and_other_words_are_usage() {
    let host = Host::with_set();
    for verb in ["can", "learn", "test"] {
        let answer = host.run(&[verb, "b", "--json", "--help"]);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert_eq!(
            answer.err,
            format!("doorward: `doorward {verb}` is not in this build; `doorward --help` lists what is\n")
        );
    }
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
