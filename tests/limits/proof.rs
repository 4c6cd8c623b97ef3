//! How long, how often and with how much a connection may try to prove who it is.

use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use russh::MethodKind;
use russh::client::AuthResult;
use russh::keys::PrivateKeyWithHashAlg;

use crate::client::{failed_because, is_closed, knock, limited};
use crate::support::bastion::{another_key, eventually};
use crate::support::client::{greeted, key, proven};
use crate::support::sshd::text;

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_prove_anything_in_time_is_cut_and_who_did_stays() {
    let bastion = limited("handshake_deadline = \"3s\"");
    let mut silent = TcpStream::connect(("127.0.0.1", bastion.port)).expect("connect");
    let alice = proven(&bastion, "alice").await;
    let polite = greeted(&bastion).await;
    assert!(!is_closed(&mut silent), "before the deadline");
    for attempt in 0.. {
        if is_closed(&mut silent) && polite.is_closed() {
            break;
        }
        assert!(attempt < 300, "a connection that proved nothing stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(alice.channel_open_session().await.is_ok(), "her deadline ended with her proof");
}

/// Whether this is a refusal that leaves something to go on with. russh's client shows the end of a connection as one that
/// leaves nothing.
fn answered(answer: Result<AuthResult, russh::Error>) -> bool {
    matches!(answer, Ok(AuthResult::Failure { remaining_methods, .. }) if remaining_methods.contains(&MethodKind::PublicKey))
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_attempts_may_fail() {
    let bastion = limited("max_auth_attempts = 3");
    let mut stranger = greeted(&bastion).await;
    let mut refusals = 0;
    while answered(stranger.authenticate_password("alice", "x").await) {
        refusals += 1;
        assert!(refusals <= 3, "one more attempt than is allowed was answered");
    }
    assert_eq!(refusals, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_keys_may_be_offered() {
    let bastion = limited("max_key_probes = 3");
    let mut stranger = greeted(&bastion).await;
    let mallory = key(&bastion, "mallory");
    let mut probes = 0;
    let proof = || PrivateKeyWithHashAlg::new(Arc::clone(&mallory), None);
    while answered(stranger.authenticate_publickey("alice", proof()).await) {
        probes += 1;
        assert!(probes <= 3, "one more probe than is allowed was answered");
    }
    assert_eq!(probes, 3);
    eventually("its entry", || failed_because(&bastion, "more than 3 keys were offered"));

    // The stock client with too many keys, and with the one that counts.
    let others: Vec<_> = (0..4).map(|n| another_key(bastion.home(), &format!("other{n}"))).collect();
    let options: Vec<String> = others.iter().map(|key| format!("IdentityFile={}", text(key))).collect();
    let mut arguments = vec!["-o", "LogLevel=INFO"];
    arguments.extend(options.iter().flat_map(|option| ["-o", option.as_str()]));
    arguments.extend(["bastion", "whoami"]);
    let refused = bastion.run("alice", &arguments);
    assert!(refused.code == 255 && refused.err.contains("Connection closed by"), "{refused:?}");
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0);
}

#[test]
fn a_login_name_may_be_so_long() {
    let bastion = limited("max_login_bytes = 64");
    let login = |length: usize| {
        let user = format!("User={}", "l".repeat(length));
        bastion.run("alice", &["-o", &user, "bastion", "whoami"]).code
    };
    assert_eq!((login(64), login(65)), (0, 255));
    eventually("its entry", || failed_because(&bastion, "a login name of 65 bytes, and at most 64 are read"));
}

#[test]
fn failures_beyond_the_rate_are_counted_and_not_written() {
    let bastion = limited("auth_failures_logged = 5");
    for _ in 0..12 {
        let mut stranger = knock(Ipv4Addr::LOCALHOST, bastion.port);
        let _ = std::io::Write::write_all(&mut stranger, b"GET / HTTP/1.1\r\n\r\n");
        let _ = stranger.shutdown(std::net::Shutdown::Write);
        // Until it is closed.
        let _ = std::io::Read::read_to_end(&mut stranger, &mut Vec::new());
    }
    bastion.eventual_entries("authentication-failed", 5);
    assert_eq!(bastion.run("alice", &["bastion", "whoami"]).code, 0);
    bastion.caught_up();
    // More only if the test took longer than the minute over which they are counted.
    assert!(bastion.entries("authentication-failed").len() <= 10);
    bastion.verify();
}
