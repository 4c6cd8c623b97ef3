//! `ssh -L` hands a port to whoever is on the same machine, and not the grants of the one who opened it.

use std::process::Child;

use russh::keys::PrivateKeyWithHashAlg;

use crate::inside::{inner, key, outer};
use crate::support::bastion::{Bastion, Came, eventually};
use crate::support::sshd::free_port;

/// alice's `ssh -L`, and the port it listens on.
fn forwarded(bastion: &Bastion) -> (Child, u16) {
    let port = free_port();
    let forward = format!("{port}:web-1:22");
    let child = bastion.ssh("alice", &["-N", "-L", &forward, "bastion"]).spawn().expect("ssh");
    eventually("the forward", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    (child, port)
}

/// What somebody with these options gets at that port.
fn through(bastion: &Bastion, port: u16, options: &[&str]) -> Came {
    let port = port.to_string();
    let to = ["-p", &port, "-o", "HostKeyAlias=web-1.jea", "-o", "IdentitiesOnly=yes"];
    bastion.run("alice", &[&to[..], options, &["127.0.0.1", "id -un"]].concat())
}

#[test]
fn a_forwarded_port_wants_the_same_key_as_the_connection_it_goes_through() {
    let bastion = Bastion::start();
    bastion.grant("ops", "web-1", "30m");
    let (mut forward, port) = forwarded(&bastion);
    let file = |who: &str| bastion.home().join(who).display().to_string();
    // dave is enrolled, mallory is not, and whoever has no key proves nothing.
    let (dave, mallory, alice) = (file("dave"), file("mallory"), file("alice"));
    for options in [&["-i", &dave][..], &["-i", &mallory], &["-o", "PubkeyAuthentication=no"]] {
        let refused = through(&bastion, port, options);
        assert_eq!((refused.code, refused.out.as_str()), (255, ""), "{options:?}: {refused:?}");
        assert!(refused.err.contains("Permission denied (publickey)"), "{options:?}: {refused:?}");
    }
    assert!(bastion.entries("command-allowed").is_empty() && bastion.entries("forward").is_empty());
    let refusals = bastion.entries("authentication-failed");
    let said = |part: &str| {
        refusals.iter().filter(|entry| entry["data"]["reason"].as_str().is_some_and(|why| why.contains(part))).count()
    };
    assert_eq!(said("not the key of the connection that it came through"), 2, "{refusals:?}");
    assert!(said("nothing was proved") >= 1, "{refusals:?}");
    let inside = |entry: &&serde_json::Value| entry["target"] == "web-1";
    assert!(refusals.iter().filter(inside).all(|entry| entry["user"] == "alice"), "{refusals:?}");

    let ran = through(&bastion, port, &["-i", &alice]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let cert = bastion.run("alice", &["bastion", "cert"]);
    std::fs::write(bastion.home().join("alice-cert.pub"), cert.out).expect("a certificate");
    let certificate = format!("CertificateFile={}", file("alice-cert.pub"));
    let ran = through(&bastion, port, &["-o", &certificate, "-i", &alice]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let proofs: Vec<_> = bastion.entries("forward").iter().map(|entry| entry["data"]["proof"].clone()).collect();
    assert_eq!(proofs, ["key", "certificate"]);
    let _ = forward.kill();
    let _ = forward.wait();
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_originator_of_a_stdio_forward_needs_no_proof() {
    let bastion = Bastion::start();
    let alice = outer(&bastion, "alice").await;
    for originator in [
        ("127.0.0.1", 65534),
        ("127.0.0.1", 0),
        ("::1", 65535),
        ("localhost", 65535),
        ("127.0.0.2", 65535),
        ("127.0.0.1 ", 65535),
        ("", 65535),
        ("127.0.0.1", 65535 + 65536),
    ] {
        let mut inside = inner(&alice, "web-1", originator).await;
        assert!(!inside.authenticate_none("alice").await.expect("an answer").success(), "{originator:?}");
        let dave = PrivateKeyWithHashAlg::new(key(&bastion, "dave"), None);
        assert!(!inside.authenticate_publickey("alice", dave).await.expect("an answer").success(), "{originator:?}");
        assert!(!inside.authenticate_password("alice", "x").await.expect("an answer").success(), "{originator:?}");
    }
    let mut inside = inner(&alice, "web-1", ("127.0.0.1", 40000)).await;
    let own = PrivateKeyWithHashAlg::new(key(&bastion, "alice"), None);
    assert!(inside.authenticate_publickey("any", own).await.expect("an answer").success());
}
