//! `target add` and `target enroll`: host keys are trusted when the operator says so, and what is enrolled opens what it should.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::host::{Answer, Host};
use super::sshd::Sshd;

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
    let host = Host::with_target();
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
