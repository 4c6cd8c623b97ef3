//! Connections that are made before a command is decided: taken by the next one, few, short-lived, never logged in on, and of no
//! harm when they die.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use doorward::inventory::{HostIdentity, Reach, Target};
use doorward::service::ports::{Preparation, Targets as _};
use doorward::target::Deadlines;
use russh::keys::PublicKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::sshd::{Sshd, new_key, text};
use crate::workshop::{Wish, Workshop, all, recognised, target};

fn connections(sshd: &Sshd) -> usize {
    sshd.log().matches("Connection from ").count()
}

/// Waits, at most half a minute, until `holds`.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not happen");
}

async fn says_ran(workshop: &Workshop, target: &Target) -> String {
    let running = workshop.start_on(Wish::closed("echo ran"), target).await.expect("started");
    String::from_utf8(all(running).await.0).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_takes_the_connection_that_was_prepared_and_makes_no_other() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let target = target(sshd.port, &sshd.host_key());
    // One that is still being made is waited for.
    let (outcome, said) = tokio::join!(workshop.targets.prepare(&target, 2), says_ran(&workshop, &target));
    assert_eq!((outcome, said.as_str(), connections(&sshd)), (Preparation::Used, "ran\n", 1), "{}", sshd.log());
    // One that is ready is there for whoever comes; the one after that has its own.
    let later = async {
        eventually("the connection", || connections(&sshd) == 2).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(
            workshop.certifier.signed.lock().expect("list").len(),
            1,
            "nothing is signed before there is a command"
        );
        says_ran(&workshop, &target).await + &says_ran(&workshop, &target).await
    };
    let (outcome, said) = tokio::join!(workshop.targets.prepare(&target, 2), later);
    assert_eq!((outcome, said.as_str(), connections(&sshd)), (Preparation::Used, "ran\nran\n", 3), "{}", sshd.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_allowed_wait_for_one_target_and_they_are_closed_when_nobody_comes() {
    let workshop = Workshop::new(Deadlines::default());
    let (sshd, other) = (workshop.sshd(), workshop.sshd());
    let here = target(sshd.port, &sshd.host_key());
    let mut there = target(other.port, &other.host_key());
    there.name = "web-2".parse().expect("a name");
    let targets = &workshop.targets;
    let outcomes = tokio::join!(
        targets.prepare(&here, 2),
        targets.prepare(&here, 2),
        targets.prepare(&here, 2),
        targets.prepare(&there, 1)
    );
    use Preparation::{NotMade, Unused};
    assert_eq!(outcomes, (Unused, Unused, NotMade, Unused));
    assert_eq!((connections(&sshd), connections(&other)), (2, 1));
    eventually("the end of both", || sshd.log().matches("[preauth]").count() >= 2).await;
    assert!(!sshd.log().contains("Accepted") && !sshd.log().contains("Failed"), "{}", sshd.log());
    assert!(workshop.certifier.signed.lock().expect("list").is_empty());
    // Their places are free again.
    let (outcome, said) = tokio::join!(targets.prepare(&here, 1), says_ran(&workshop, &here));
    assert_eq!((outcome, said.as_str()), (Preparation::Used, "ran\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_dropped_is_closed_at_once() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let target = target(sshd.port, &sshd.host_key());
    let given_up = tokio::time::timeout(Duration::from_secs(2), workshop.targets.prepare(&target, 1)).await;
    assert!(given_up.is_err());
    sshd.log_with("[preauth]");
    let (outcome, _) = tokio::join!(workshop.targets.prepare(&target, 1), says_ran(&workshop, &target));
    assert_eq!(outcome, Preparation::Used, "its place is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_for_a_target_that_is_configured_otherwise_by_now_is_not_taken() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let before = target(sshd.port, &sshd.host_key());
    let mut after = before.clone();
    if let Reach::Ssh(reach) = &mut after.reach {
        reach.from = Some("127.0.0.1".parse().expect("an address"));
    }
    let (outcome, said) = tokio::join!(workshop.targets.prepare(&before, 2), says_ran(&workshop, &after));
    assert_eq!((outcome, said.as_str()), (Preparation::Unused, "ran\n"));
    assert_eq!(connections(&sshd), 2, "{}", sshd.log());
    // Above all when another key or CA is to be shown from now on: the old proof is no proof any more.
    let dir = tempfile::tempdir().expect("a directory");
    let ca = std::fs::read_to_string(text(&new_key(&dir.path().join("ca"))).to_owned() + ".pub").expect("a key");
    let authority = Box::new(PublicKey::from_openssh(ca.trim()).expect("a key"));
    let certified = recognised(sshd.port, HostIdentity::Certified { authority, name: "web-1".to_owned() });
    let (outcome, refused) =
        tokio::join!(workshop.targets.prepare(&before, 2), workshop.start_on(Wish::closed("true"), &certified));
    assert!(outcome == Preparation::Unused && refused.is_err(), "{outcome:?}");
}

/// When a connection between the bastion and the target is cut.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cut {
    /// As soon as the test says so, while it waits.
    Waiting,
    /// When the bastion next speaks on it, which is its login.
    AtLogin,
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_died_meanwhile_is_replaced_and_the_command_runs() {
    for (when, logins) in [(Cut::Waiting, 1), (Cut::AtLogin, 2)] {
        let workshop = Workshop::new(Deadlines::default());
        let sshd = workshop.sshd();
        let (cut, passed, ended) = (flag(), Arc::new(AtomicUsize::new(0)), flag());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let target = target(listener.local_addr().expect("an address").port(), &sshd.host_key());
        let (cutting, count, gone, port) = (Arc::clone(&cut), Arc::clone(&passed), Arc::clone(&ended), sshd.port);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let first = count.fetch_add(1, Ordering::SeqCst) == 0;
                let (cut, gone) = (first.then(|| (Arc::clone(&cutting), when)), Arc::clone(&gone));
                tokio::spawn(async move {
                    between(client, port, cut).await;
                    gone.store(true, Ordering::SeqCst);
                });
            }
        });
        let later = async {
            eventually("the connection", || passed.load(Ordering::SeqCst) == 1).await;
            // Long enough for the key exchange even here; it must be ready, not in the making.
            tokio::time::sleep(Duration::from_secs(2)).await;
            cut.store(true, Ordering::SeqCst);
            if when == Cut::Waiting {
                eventually("the cut", || ended.load(Ordering::SeqCst)).await;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            says_ran(&workshop, &target).await
        };
        let (outcome, said) = tokio::join!(workshop.targets.prepare(&target, 2), later);
        assert_eq!(
            (outcome, said.as_str(), passed.load(Ordering::SeqCst)),
            (Preparation::Used, "ran\n", 2),
            "{when:?}"
        );
        let signed = workshop.certifier.signed.lock().expect("list").len();
        assert_eq!(signed, logins, "{when:?}: each login has a key and a certificate of its own");
    }
}

fn flag() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(false))
}

/// Carries bytes between `client` and the server until one of them ends it, or it is cut.
async fn between(mut client: TcpStream, port: u16, cut: Option<(Arc<AtomicBool>, Cut)>) {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await.expect("sshd");
    let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
    let is_cut = || cut.as_ref().is_some_and(|(cut, _)| cut.load(Ordering::SeqCst));
    let waiting = cut.as_ref().is_some_and(|(_, when)| *when == Cut::Waiting);
    loop {
        tokio::select! {
            read = client.read_buf(&mut up) => match read {
                Ok(count) if count > 0 && !is_cut() => if server.write_all_buf(&mut up).await.is_err() { return },
                _ => return,
            },
            read = server.read_buf(&mut down) => match read {
                Ok(count) if count > 0 => if client.write_all_buf(&mut down).await.is_err() { return },
                _ => return,
            },
            () = tokio::time::sleep(Duration::from_millis(20)), if waiting => if is_cut() { return },
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_prepared_says_why_and_the_command_says_it_too() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let dir = tempfile::tempdir().expect("a directory");
    let other = std::fs::read_to_string(text(&new_key(&dir.path().join("other"))).to_owned() + ".pub").expect("a key");
    let target = target(sshd.port, other.trim());
    let outcome = workshop.targets.prepare(&target, 2).await;
    assert!(matches!(&outcome, Preparation::Failed { reason } if reason.contains("another host key")), "{outcome:?}");
    let (outcome, refused) =
        tokio::join!(workshop.targets.prepare(&target, 2), workshop.start_on(Wish::closed("true"), &target));
    let refused = refused.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(outcome == Preparation::Used && refused.contains("another host key"), "{outcome:?} {refused}");
    assert_eq!(connections(&sshd), 2, "the command does not ask a second time");
}
