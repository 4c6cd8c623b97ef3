//! Who is this? Keys that were shown and not proved, certificates that say too much, machines that are others.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorward::ca::signer::KeyFileSigner;
use russh::client::AuthResult;
use russh::keys::agent::AgentIdentity;
use russh::keys::ssh_encoding::Encode;
use russh::keys::{Certificate, HashAlg, PrivateKey};

use crate::support::bastion::{Bastion, Came, Setup, came, eventually};
use crate::support::certificates::{Wire, sign};
use crate::support::client::{greeted, key};
use crate::support::sshd::{new_key, text};

/// A copy of one of the bastion's private keys that the test may read: what an insider could have made.
fn stolen(bastion: &Bastion, name: &str) -> PathBuf {
    let copy = bastion.home().join(format!("stolen-{name}"));
    fs::copy(bastion.dir().join("keys").join(name), &copy).expect("the key");
    std::os::unix::fs::chown(&copy, Some(nix::unistd::geteuid().as_raw()), None).expect("chown");
    copy
}

/// `ssh` to the control door with these identity files, tried in this order, and no configuration.
fn offering(bastion: &Bastion, keys: &[&Path], line: &str) -> Came {
    let mut ssh = std::process::Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
    ssh.args(["-o", "HostKeyAlias=bastion.test", "-o", "StrictHostKeyChecking=yes"]);
    ssh.arg("-o").arg(format!("UserKnownHostsFile={}/known_hosts", bastion.home().display()));
    for key in keys {
        ssh.arg("-i").arg(key);
    }
    ssh.args(["-p", &bastion.port.to_string(), "alice@127.0.0.1", line]).env_remove("SSH_AUTH_SOCK");
    came(&ssh.output().expect("ssh"))
}

/// The reasons for which logins were refused so far.
fn refused_logins(bastion: &Bastion) -> Vec<String> {
    let entries = bastion.entries("authentication-failed");
    entries.iter().filter_map(|entry| entry["data"]["reason"].as_str().map(str::to_owned)).collect()
}

/// Nothing but a failure is in the log once the only connection is over. (The harness's own look whether the port is open is
/// one that failed, too.)
fn nobody_came_in(bastion: &Bastion) {
    eventually("its entry", || {
        bastion.entries("authentication-failed").len() + bastion.entries("connection").len() >= 2
    });
    assert!(bastion.entries("connection").is_empty(), "{:?}", bastion.entries("connection"));
}

#[tokio::test(flavor = "multi_thread")]
async fn teleport_cve_2025_49825_a_certificate_is_no_authority_for_another() {
    let bastion = Bastion::start();
    let (ca, home) = (stolen(&bastion, "session_ca"), bastion.home());
    let foreign = new_key(&home.join("foreign"));
    let options = ["-I", "doorward:alice:k-00000000", "-n", "alice@bastion.test", "-z", "9", "-V", "-1m:+10m"];
    let good: Certificate = sign(&foreign, &home.join("mallory"), &options).trim().parse().expect("a certificate");
    // The CA's public key stands inside a certificate that mallory made about it, and that is named as the signature key.
    let about_ca: Certificate = sign(&foreign, &ca_public(&ca), &["-I", "x", "-n", "x"]).trim().parse().expect("one");
    let mut nested = Wire::of(&good);
    nested.authority = about_ca.to_bytes().expect("bytes");
    nested.sign(&KeyFileSigner::open(&foreign).expect("the attacker's key"));
    let nested = Certificate::from_bytes(&nested.bytes()).expect("well-formed, and worth nothing");
    let mut handle = greeted(&bastion).await;
    let key = key(&bastion, "mallory");
    let answer = handle.authenticate_openssh_cert("web-1", key, nested).await;
    assert!(!matches!(answer, Ok(AuthResult::Success)), "{answer:?}");
    drop(handle);
    nobody_came_in(&bastion);
}

/// `ssh-keygen -s` wants the public key in a file beside.
fn ca_public(ca: &Path) -> PathBuf {
    let public = crate::support::sshd::keygen(&["-y", "-f", text(ca)]);
    fs::write(format!("{}.pub", text(ca)), public).expect("the public part");
    ca.to_owned()
}

#[test]
fn warpgate_ghsa_3cjp_an_offered_key_is_not_a_proved_one() {
    let bastion = Bastion::start();
    // Only the public half of alice's key, as anybody may have it: the offer is welcome, the proof never comes.
    let stolen = bastion.home().join("alice-public-only");
    fs::copy(bastion.home().join("alice.pub"), &stolen).expect("her public key");
    let came = offering(&bastion, &[&stolen], "whoami");
    assert_eq!((came.code, came.out.as_str()), (255, ""), "{came:?}");
    nobody_came_in(&bastion);
}

#[test]
fn x_crypto_cve_2024_45337_who_somebody_is_follows_from_the_key_that_signed() {
    let bastion = Bastion::start();
    let stolen = bastion.home().join("alice-public-only");
    fs::copy(bastion.home().join("alice.pub"), &stolen).expect("her public key");
    // alice's key is offered first, dave's signs: it is dave, under whatever login name.
    let came = offering(&bastion, &[&stolen, &bastion.home().join("dave")], "whoami");
    assert_eq!(came.code, 0, "{came:?}");
    assert!(came.out.contains("dave") && !came.out.contains("user: alice"), "{came:?}");
    assert_eq!(bastion.eventual_entries("connection", 1)[0]["user"], "dave");
    // The other way round it is alice, and the order of offers plays no part.
    let came = offering(&bastion, &[&bastion.home().join("mallory"), &bastion.home().join("alice")], "whoami");
    assert!(came.code == 0 && came.out.contains("alice"), "{came:?}");
}

/// What a client can send is more than what stock clients do: theirs, and russh's, open no channel before they are through. Requests
/// of the connection take the same way, and russh's client sends those.
#[tokio::test(flavor = "multi_thread")]
async fn erlang_otp_cve_2025_32433_what_is_sent_before_the_proof_runs_nothing_and_the_log_says_that_nothing_was_proved()
{
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "10m");
    bastion.caught_up();
    let refused = bastion.entries("refused").len();
    let handle = greeted(&bastion).await;
    let moment = std::time::Duration::from_secs(2);
    let asked = tokio::time::timeout(moment, handle.tcpip_forward("0.0.0.0", 0)).await;
    assert!(!matches!(asked, Ok(Ok(_))), "{asked:?}");
    let opened = tokio::time::timeout(moment, handle.channel_open_session()).await;
    assert!(!matches!(opened, Ok(Ok(_))), "a channel before anything was proved");
    let before = bastion.entries("authentication-failed").len();
    drop(handle);
    let told = bastion.eventual_entries("authentication-failed", before + 1);
    assert_eq!(told.last().expect("it")["data"]["reason"], "nothing was proved", "{told:?}");
    bastion.caught_up();
    assert_eq!(bastion.entries("refused").len(), refused, "it was read by nobody");
    assert!(bastion.entries("command-allowed").is_empty());
    bastion.verify();
}

/// Signs with another key than it names.
struct Impostor(Arc<PrivateKey>);

impl russh::Signer for Impostor {
    type Error = russh::AgentAuthError;

    async fn auth_sign(
        &mut self,
        _key: &AgentIdentity,
        _hash: Option<HashAlg>,
        to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, russh::AgentAuthError> {
        let signature = russh::keys::signature::Signer::try_sign(&*self.0, &to_sign).expect("a signature");
        let signature: russh::keys::ssh_key::Signature = signature;
        let blob = signature.encode_vec().expect("a signature's bytes");
        let mut framed = to_sign;
        framed.extend(u32::try_from(blob.len()).expect("short").to_be_bytes());
        framed.extend(blob);
        Ok(framed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn privx_cve_2024_47857_a_signature_by_another_key_proves_nothing() {
    let bastion = Bastion::start();
    // The way to sign is right: with alice's own key the same steps open the door.
    for (signs, opens) in [("mallory", false), ("dave", false), ("alice", true)] {
        let mut handle = greeted(&bastion).await;
        let named = key(&bastion, "alice").public_key().clone();
        let mut signer = Impostor(key(&bastion, signs));
        let answer = handle.authenticate_publickey_with("alice", named, None, &mut signer).await;
        assert_eq!(matches!(answer, Ok(AuthResult::Success)), opens, "signed by {signs}: {answer:?}");
    }
    // The harness's look at the port and the two impostors.
    bastion.eventual_entries("authentication-failed", 3);
    let connections = bastion.eventual_entries("connection", 1);
    assert_eq!(connections.len(), 1, "alice's own, and no impostor's: {connections:?}");
}

#[test]
fn x_crypto_cve_2026_46595_where_somebody_may_come_from_counts_on_every_way_in() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let certificate = bastion.run("alice", &["bastion", "cert"]).out;
    let users = bastion.dir().join("users.toml");
    let before = fs::read_to_string(&users).expect("users.toml");
    let narrowed = before.replacen("[alice]\n", "[alice]\nnetworks = [\"10.0.0.0/8\"]\n", 1);
    assert_ne!(before, narrowed);
    fs::write(&users, narrowed).expect("users.toml");
    bastion.reload();
    // The plain key, and with it the certificate on file; then the certificate presented; then from where it was issued.
    for presented in [false, true] {
        if presented {
            fs::write(bastion.home().join("alice.presented"), &certificate).expect("the certificate");
        }
        for (host, line) in [("web-1@bastion", "id -un"), ("bastion", "whoami")] {
            let came = bastion.run("alice", &[host, line]);
            assert_eq!((came.code, came.out.as_str()), (255, ""), "presented: {presented}, {host}: {came:?}");
        }
    }
    let told = |reason: &String| reason.contains("may not come from") || reason.contains("may not be used from");
    eventually("the reasons", || refused_logins(&bastion).iter().filter(|reason| told(reason)).count() >= 4);
    assert!(bastion.entries("command-allowed").is_empty());
}

#[test]
fn opkssh_513_vault_cve_2024_7594_no_principal_is_nobody_and_a_star_is_a_name() {
    let top = "require_presented_certificate = true\n".to_owned();
    let bastion = Bastion::with(Setup { top, ..Setup::default() });
    let grant = bastion.grant("ops", "web-1", "30m");
    let ca = stolen(&bastion, "session_ca");
    let grants = format!("critical:grants@doorward={grant}");
    let common = ["-I", "doorward:alice:k-00000000", "-z", "9", "-V", "-1m:+10m", "-O", &grants];
    for principals in [&[][..], &["-n", "*"], &["-n", "*@bastion.test"], &["-n", "root"], &["-n", "web-1"]] {
        for who in ["alice", "mallory"] {
            let options = [&common[..], principals].concat();
            let certificate = sign(&ca, &bastion.home().join(who), &options);
            fs::remove_file(bastion.home().join(format!("{who}-cert.pub"))).expect("the implicit certificate");
            fs::write(bastion.home().join(format!("{who}.presented")), certificate).expect("the certificate");
            let came = bastion.run(who, &["web-1@bastion", "id -un"]);
            assert!(came.code == 126 || came.code == 255, "{who} {principals:?}: {came:?}");
            assert_eq!(came.out, "", "{who} {principals:?}");
        }
    }
    assert!(bastion.entries("command-allowed").is_empty());
}

#[test]
fn step_ca_cve_2025_44005_no_way_to_a_certificate_leads_around_the_approval() {
    let bastion = Bastion::start();
    let none = |what: &str| {
        let came = bastion.run("alice", &["bastion", "cert"]);
        assert!(came.code != 0 && came.out.is_empty(), "{what}: {came:?}");
        let ran = bastion.run("alice", &["web-1@bastion", "id -un"]);
        assert_eq!((ran.code, ran.out.as_str()), (126, ""), "{what}: {ran:?}");
    };
    none("nothing asked for");
    let id = bastion.request("ops", "web-1", "10m");
    none("waiting");
    assert_eq!(bastion.run("alice", &["bastion", "withdraw", &id]).code, 0);
    none("withdrawn");
    let id = bastion.request("ops", "web-1", "10m");
    assert_eq!(bastion.run("bob", &["bastion", "deny", &id, "no"]).code, 0);
    none("denied");
    let grant = bastion.grant("ops", "web-1", "10m");
    // What was approved for alice is nothing to anybody else with an enrolled key.
    for who in ["bob", "carol", "dave"] {
        let came = bastion.run(who, &["bastion", "cert"]);
        assert!(came.code != 0 && came.out.is_empty(), "{who}: {came:?}");
    }
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    assert_eq!(bastion.run("bob", &["bastion", "revoke", &grant, "over"]).code, 0);
    none("revoked");
    let issued = bastion.entries("certificate-issued");
    assert!(issued.iter().all(|entry| entry["user"] == "alice"), "{issued:?}");
}

#[test]
fn warpgate_cve_2026_91166_bastillion_another_machine_in_the_targets_place_gets_nothing() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    let logins = bastion.sshd.log().matches("Accepted publickey").count();
    // The same address with another host key, as if somebody had taken the target's place. The right place is where the key is.
    let another = new_key(&bastion.home().join("another-host"));
    let another = fs::read_to_string(format!("{}.pub", text(&another))).expect("a public key");
    let targets = bastion.dir().join("targets.toml");
    let pinned = fs::read_to_string(&targets).expect("targets.toml");
    fs::write(&targets, pinned.replace(&bastion.sshd.host_key(), another.trim())).expect("targets.toml");
    bastion.reload();
    let came = bastion.run("alice", &["web-1@bastion", "id -un"]);
    assert_eq!((came.code, came.out.as_str()), (125, ""), "{came:?}");
    assert!(came.err.contains("another host key"), "{came:?}");
    assert_eq!(bastion.sshd.log().matches("Accepted publickey").count(), logins, "nothing was proved to it");
    assert!(!bastion.sshd.log().contains("Failed publickey"), "{}", bastion.sshd.log());
}

#[test]
fn terrapin_cve_2023_48795_the_key_exchange_is_strict() {
    let bastion = Bastion::start();
    let came = bastion.run("alice", &["-o", "LogLevel=DEBUG3", "bastion", "whoami"]);
    assert_eq!(came.code, 0, "{came:?}");
    assert!(came.err.contains("will use strict KEX ordering"), "{}", came.err);
    assert!(came.err.contains("resetting send seqnr") && came.err.contains("resetting read seqnr"), "{}", came.err);
}
