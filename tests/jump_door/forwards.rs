//! `ssh -L` hands a port to whoever is on the same machine, and not the grants of the one who opened it.

use std::process::Child;
use std::sync::Arc;

use russh::keys::PrivateKeyWithHashAlg;

use crate::inside::inner;
use crate::support::bastion::{Bastion, Came, Setup, eventually};
use crate::support::client::{Trusting, key, proven};
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
    let refusals = bastion.eventual_entries_with("authentication-failed", 3, |entry| entry["target"] == "web-1");
    assert!(bastion.entries("command-allowed").is_empty() && bastion.entries("forward").is_empty());
    let said = |part: &str| {
        refusals.iter().filter(|entry| entry["data"]["reason"].as_str().is_some_and(|why| why.contains(part))).count()
    };
    assert_eq!(said("not the key of the connection that it came through"), 2, "{refusals:?}");
    assert!(said("nothing was proved") >= 1, "{refusals:?}");
    assert!(refusals.iter().all(|entry| entry["user"] == "alice"), "{refusals:?}");

    let ran = through(&bastion, port, &["-i", &alice]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let cert = bastion.run("alice", &["bastion", "cert"]);
    std::fs::write(bastion.home().join("alice-cert.pub"), cert.out).expect("a certificate");
    let certificate = format!("CertificateFile={}", file("alice-cert.pub"));
    let ran = through(&bastion, port, &["-o", &certificate, "-i", &alice]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let proofs: Vec<_> =
        bastion.eventual_entries("forward", 2).iter().map(|entry| entry["data"]["proof"].clone()).collect();
    assert_eq!(proofs, ["key", "certificate"]);
    let _ = forward.kill();
    let _ = forward.wait();
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_originator_of_a_stdio_forward_needs_no_proof() {
    let bastion = Bastion::start();
    let alice = proven(&bastion, "alice").await;
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

/// A Unix socket has no port: what the stock client says of whoever connects to it must not be what it says of `-W`.
#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_unix_socket_wants_the_key_too() {
    let bastion = Bastion::start();
    let socket = bastion.home().join("web-1.sock");
    let forward = format!("{}:web-1:22", socket.display());
    let mut child = bastion.ssh("alice", &["-N", "-L", &forward, "bastion"]).spawn().expect("ssh");
    eventually("the forward", || socket.exists());
    let stream = tokio::net::UnixStream::connect(&socket).await.expect("the socket");
    let config = Arc::new(russh::client::Config::default());
    let mut inside = russh::client::connect_stream(config, stream, Trusting).await.expect("a connection inside");
    assert!(!inside.authenticate_none("any").await.expect("an answer").success());
    let own = PrivateKeyWithHashAlg::new(key(&bastion, "alice"), None);
    assert!(inside.authenticate_publickey("any", own).await.expect("an answer").success());
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn the_key_can_be_required_inside_whatever_the_originator() {
    let bastion = Bastion::with(Setup { top: "require_key_inside = true".to_owned(), ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    let refused = bastion.run("alice", &["-J", "bastion", "-o", "IdentityFile=none", "web-1", "id -un"]);
    assert_eq!((refused.code, refused.out.as_str()), (255, ""), "{refused:?}");
    assert!(refused.err.contains("Permission denied (publickey)"), "{refused:?}");
    let key = bastion.home().join("alice").display().to_string();
    let ran = bastion.run("alice", &["-J", "bastion", "-i", &key, "-o", "IdentitiesOnly=yes", "web-1", "id -un"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let proofs: Vec<_> =
        bastion.eventual_entries("forward", 1).iter().map(|entry| entry["data"]["proof"].clone()).collect();
    assert_eq!(proofs, ["key"]);
    let printed = bastion.run("alice", &["bastion", "setup", "config"]).out;
    let (_, block) = printed.split_once("Host *.jea\n").expect("the block of targets");
    assert_eq!(
        block,
        "    ProxyJump bastion\n    IdentityFile ~/.ssh/id_ed25519\n    IdentitiesOnly yes\n    ForwardAgent no\n"
    );
}

/// What the threat model says remains: a forwarded port knows its guests by the address and port they come from, and somebody
/// on the same machine may come from those that `-J` sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_of_a_forwarded_port_who_comes_from_the_port_of_a_stdio_forward_is_kept_out_by_the_key_alone() {
    for (insist, let_in) in [(false, true), (true, false)] {
        let bastion = Bastion::with(Setup { top: format!("require_key_inside = {insist}"), ..Setup::default() });
        bastion.grant("ops", "web-1", "30m");
        let (mut forward, port) = forwarded(&bastion);
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("set");
        socket.bind(([127, 0, 0, 1], 65535).into()).expect("the port is free");
        let stream = socket.connect(([127, 0, 0, 1], port).into()).await.expect("connect");
        let mut inside = russh::client::connect_stream(Arc::default(), stream, Trusting).await.expect("a connection");
        assert_eq!(inside.authenticate_none("alice").await.expect("an answer").success(), let_in, "{insist}");
        let _ = forward.kill();
        let _ = forward.wait();
    }
}
