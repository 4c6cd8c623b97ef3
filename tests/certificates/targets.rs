//! What a stock `sshd` lets our certificates do. The server is real; the client is the stock `ssh` with certificate *and* key
//! in hand, as a thief would have them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use doorward::ca::profile::{Kind, TargetFacts};
use doorward::ca::signer::{HostCa, SessionCa, TargetCa};
use doorward::domain::{CertificateId, GrantId, Timestamp, Window};
use doorward::service::ports::{SessionAuthority, SessionCertificateRequest};
use russh::keys::{Certificate, PublicKey};

use super::stock_tools::{ca_key, identity, profile, serial, shipped};
use crate::support::certificates::{certificate_of, sign};
use crate::support::sshd::{Sshd, new_key, own_account, shown};

const BASTION: &str = "bastion.example.com";

fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_micros(i64::try_from(elapsed.as_micros()).expect("before 294247"))
}

fn public(key: &Path) -> PublicKey {
    PublicKey::read_openssh_file(key.with_extension("pub")).expect("a public key")
}

/// Puts a certificate beside its key, where `ssh -i KEY` finds it.
fn put(key: &Path, certificate: &Certificate) {
    fs::write(certificate_of(key), certificate.to_openssh().expect("a line")).expect("written");
}

/// A target as `target enroll` sets it up: trusts the target CA, and each account takes its own principal only.
struct Target {
    sshd: Sshd,
    ca: TargetCa,
    key: PathBuf,
}

/// What a row of these tests changes about the certificate.
struct Facts {
    target: &'static str,
    account: &'static str,
    source: &'static str,
    at: Timestamp,
    command: &'static str,
    pty: bool,
}

impl Facts {
    fn good() -> Self {
        let command = "exec /bin/sh -c 'echo certified \"$SSH_ORIGINAL_COMMAND\"; exit 7'";
        Self { target: "web-1", account: "ops", source: "127.0.0.1", at: now(), command, pty: false }
    }
}

impl Target {
    fn start(profile_text: &str) -> Self {
        let mut ca = None;
        let sshd = Sshd::start(|dir| {
            ca = Some(TargetCa::new(ca_key(dir, "target_ca"), profile(Kind::Target, profile_text)));
            fs::create_dir(dir.join("principals")).expect("a directory");
            fs::write(dir.join("principals").join(own_account()), "web-1/ops@bastion.example.com\n").expect("written");
            fs::write(dir.join("principals/nobody"), "web-1/web@bastion.example.com\n").expect("written");
            let dir = dir.display();
            format!("TrustedUserCAKeys {dir}/target_ca.pub\nAuthorizedPrincipalsFile {dir}/principals/%u\n")
        });
        let key = new_key(&sshd.dir().join("ephemeral"));
        Self { ca: ca.expect("a CA"), sshd, key }
    }

    fn certify(&self, facts: &Facts) {
        let certificate = self.ca.issue(&TargetFacts {
            serial: serial(3),
            identity: &identity(),
            target: &facts.target.parse().expect("a name"),
            account: &facts.account.parse().expect("a name"),
            bastion: BASTION,
            key: &public(&self.key),
            force_command: facts.command,
            source_address: facts.source.parse().expect("an address"),
            at: facts.at,
            pty: facts.pty,
        });
        put(&self.key, &certificate.expect("a certificate"));
    }

    fn run(&self, account: &str, arguments: &[&str]) -> Output {
        self.sshd.ssh(account, &self.key).args(arguments).output().expect("ssh")
    }
}

fn is_refused(output: &Output) -> bool {
    output.status.code() == Some(255) && String::from_utf8_lossy(&output.stderr).contains("Permission denied")
}

#[test]
fn whatever_is_asked_for_the_target_runs_the_certified_line_and_logs_whose_it_is() {
    let target = Target::start(Kind::Target.shipped());
    target.certify(&Facts::good());
    let me = own_account();
    for asked in [&["id; echo pwned"][..], &["scp -t /tmp"], &[]] {
        let output = target.run(&me, asked);
        assert_eq!(output.status.code(), Some(7), "{}", shown(&output));
        let expected = format!("certified {}\n", asked.concat());
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", shown(&output));
    }
    let log = target.sshd.log_with("ID doorward:alice:g-000001:s-00000002:c-00000003 (serial 3)");
    assert!(log.contains("Accepted publickey"), "{log}");
    // No extension was given: no terminal, no forwarding.
    let terminal = target.sshd.ssh(&me, &target.key).arg("-tt").output().expect("ssh");
    assert!(
        String::from_utf8_lossy(&terminal.stderr).contains("PTY allocation request failed"),
        "{}",
        shown(&terminal)
    );
    let subsystem = target.sshd.ssh(&me, &target.key).args(["-s", "sftp"]).output().expect("ssh");
    assert!(!String::from_utf8_lossy(&subsystem.stdout).contains("sftp>"), "{}", shown(&subsystem));
    let mut forward = target.sshd.ssh(&me, &target.key);
    let forward = forward.args(["-W", &format!("127.0.0.1:{}", target.sshd.port)]).output().expect("ssh");
    assert!(!forward.status.success(), "{}", shown(&forward));
    target.certify(&Facts { pty: true, ..Facts::good() });
    let terminal = target.sshd.ssh(&me, &target.key).arg("-tt").output().expect("ssh");
    assert_eq!(terminal.status.code(), Some(7), "{}", shown(&terminal));
}

#[test]
fn for_another_target_account_or_address_or_time_it_opens_nothing() {
    let target = Target::start(Kind::Target.shipped());
    let me = own_account();
    let ago = |seconds| now().before(Duration::from_secs(seconds));
    for (name, facts, account, logged) in [
        ("another target", Facts { target: "web-2", ..Facts::good() }, me.as_str(), "authorized principal"),
        ("another role account", Facts { account: "web", ..Facts::good() }, &me, "authorized principal"),
        ("another login", Facts::good(), "nobody", "authorized principal"),
        ("another address", Facts { source: "192.0.2.9", ..Facts::good() }, &me, "not from a permitted source address"),
        ("after its minute", Facts { at: ago(61), ..Facts::good() }, &me, "expired"),
        ("before its time", Facts { at: now().after(Duration::from_secs(120)), ..Facts::good() }, &me, "not yet valid"),
    ] {
        target.certify(&facts);
        let before = target.sshd.log().len();
        let output = target.run(account, &["true"]);
        assert!(is_refused(&output), "{name}: {}", shown(&output));
        let log = target.sshd.log_with(logged);
        let said = log.get(before..).unwrap_or_default();
        assert!(said.contains(logged) && !said.contains("Accepted"), "{name}: {said}");
    }
    target.certify(&Facts::good());
    let output = target.run(&me, &["true"]);
    assert_eq!(output.status.code(), Some(7), "the same key with the right certificate: {}", shown(&output));
}

#[test]
fn a_certificate_that_worked_works_no_more_when_its_time_is_over() {
    // The shipped profile with four seconds instead of a minute.
    let target = Target::start(&Kind::Target.shipped().replace("\"60s\"", "\"4s\""));
    let me = own_account();
    let give_up = Instant::now() + Duration::from_secs(30);
    let worked = || {
        target.certify(&Facts::good());
        target.run(&me, &["true"]).status.code() == Some(7)
    };
    // On a busy machine a login may take longer than the certificate lives: then try with a fresh one.
    while !worked() {
        assert!(Instant::now() < give_up, "{}", target.sshd.log());
    }
    loop {
        let output = target.run(&me, &["true"]);
        if is_refused(&output) {
            break;
        }
        assert!(Instant::now() < give_up, "{}", shown(&output));
        std::thread::sleep(Duration::from_millis(200));
    }
    target.sshd.log_with("expired");
}

#[tokio::test]
async fn a_session_certificate_opens_no_sshd_even_one_that_trusts_the_session_ca() {
    let mut ca = None;
    let sshd = Sshd::start(|dir| {
        ca = Some(SessionCa::new(ca_key(dir, "session_ca"), shipped(Kind::Session), BASTION));
        fs::write(dir.join("principals"), "alice@bastion.example.com\n").expect("written");
        let dir = dir.display();
        format!("TrustedUserCAKeys {dir}/session_ca.pub\nAuthorizedPrincipalsFile {dir}/principals\n")
    });
    let key = new_key(&sshd.dir().join("alice"));
    let ca = ca.expect("a CA");
    let certificate = ca.issue(SessionCertificateRequest {
        id: CertificateId::from_bits(5),
        serial: serial(7),
        user: "alice".parse().expect("a name"),
        key: public(&key),
        grants: [GrantId::from_bits(1)].into(),
        validity: Window { start: now(), end: now().after(Duration::from_secs(3600)) },
        networks: Vec::new(),
    });
    put(&key, &certificate.await.expect("a certificate"));
    let output = sshd.ssh(&own_account(), &key).arg("true").output().expect("ssh");
    assert!(is_refused(&output), "{}", shown(&output));
    sshd.log_with("grants@doorward");
    // The same certificate without that one option is let in: it is the option that keeps it out.
    sign(&sshd.dir().join("session_ca"), &key, &["-I", "x", "-n", "alice@bastion.example.com", "-V", "-1m:+1h"]);
    let output = sshd.ssh(&own_account(), &key).arg("exit 5").output().expect("ssh");
    assert_eq!(output.status.code(), Some(5), "{}\n{}", shown(&output), sshd.log());
}

#[test]
fn a_client_that_knows_the_host_ca_believes_our_host_certificate_for_its_names_only() {
    for (names, believed) in [(&["bastion.example.com", "127.0.0.1"][..], true), (&["bastion.example.com"], false)] {
        let mut ca_line = String::new();
        let sshd = Sshd::start(|dir| {
            let ca = HostCa::new(ca_key(dir, "host_ca"), shipped(Kind::Host));
            ca_line = ca.public_key().to_openssh().expect("a line");
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            let certificate =
                ca.issue(serial(9), &public(&dir.join("host_key")), &names, now()).expect("a certificate");
            put(&dir.join("host_key"), &certificate);
            new_key(&dir.join("me"));
            let dir = dir.display();
            format!("HostCertificate {dir}/host_key-cert.pub\nAuthorizedKeysFile {dir}/me.pub\n")
        });
        let known = format!("@cert-authority [127.0.0.1]:{} {ca_line}\n", sshd.port);
        let mut ssh = sshd.ssh_knowing(&known, &own_account(), &sshd.dir().join("me"));
        let output = ssh.arg("exit 5").output().expect("ssh");
        assert_eq!(output.status.code(), Some(if believed { 5 } else { 255 }), "{names:?}: {}", shown(&output));
    }
}
