//! A connection whose client does not read is gone when it has to go.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use russh::client::{self, Handle};
use russh::keys::PrivateKeyWithHashAlg;

use crate::client::descriptors;
use crate::support::bastion::{Bastion, PATIENCE, ROLE, Setup, eventually};
use crate::support::client::{Trusting, key};

/// A wire between a client and the bastion that can stop: it stays open, and nobody takes what comes from the bastion.
struct Wire {
    port: u16,
    stopped: Arc<AtomicBool>,
}

impl Wire {
    fn to(bastion: &Bastion) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let (port, there) = (listener.local_addr().expect("a port").port(), bastion.port);
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        std::thread::spawn(move || {
            let Ok((near, _)) = listener.accept() else { return };
            let far = TcpStream::connect(("127.0.0.1", there)).expect("connect");
            let (mut from, mut to) = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            let (mut far, mut near, mut bytes) = (far, near, [0; 16 * 1024]);
            while !stop.load(Ordering::Relaxed) {
                let Ok(count @ 1..) = far.read(&mut bytes) else { return };
                let _ = near.write_all(&bytes[..count]);
            }
            // Held open, at most as long as a test takes.
            std::thread::sleep(Duration::from_secs(120));
        });
        Self { port, stopped }
    }
}

/// A bastion whose role writes for ever.
fn flooding(top: &str, limits: &str) -> Bastion {
    let rule = "\n[[command]]\nrun = \"/usr/bin/yes {word}\"\nwhere.word = { pattern = '[a-z0-9]+' }\nmax_output = 1073741824\n";
    let roles = vec![("ops".to_owned(), format!("{ROLE}{rule}"))];
    let (top, tables) = (top.to_owned(), format!("[limits]\n{limits}\n"));
    Bastion::with(Setup { roles, top, tables, ..Setup::default() })
}

/// A client with a window larger than every buffer on the way, whose command has filled them all.
async fn stalled(bastion: &Bastion) -> (Handle<Trusting>, Wire) {
    let wire = Wire::to(bastion);
    let config = Arc::new(client::Config { window_size: 256 << 20, ..client::Config::default() });
    let mut handle = client::connect(config, ("127.0.0.1", wire.port), Trusting).await.expect("connect");
    let proof = PrivateKeyWithHashAlg::new(key(bastion, "alice"), None);
    assert!(handle.authenticate_publickey("here", proof).await.expect("an answer").success());
    let mut channel = handle.channel_open_session().await.expect("a channel");
    channel.exec(false, "yes flood").await.expect("sent");
    let first = tokio::time::timeout(PATIENCE, channel.wait()).await.expect("output");
    assert!(first.is_some());
    wire.stopped.store(true, Ordering::Relaxed);
    // What still comes is taken and thrown away: the wire is what stops.
    tokio::spawn(async move { while channel.wait().await.is_some() {} });
    (handle, wire)
}

/// Waits, at most a minute, until hardly more descriptors are open than before (a few for the database come and go): less than
/// the connection, the recording and the three pipes of a command.
fn back_to(bastion: &Bastion, before: usize) {
    let patience = Instant::now();
    while descriptors(bastion) > before + 3 {
        assert!(patience.elapsed() < Duration::from_secs(60), "{} descriptors, {before} before", descriptors(bastion));
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_loses_its_connection() {
    let bastion = flooding("", "unread_deadline = \"5s\"");
    bastion.grant("ops", "here", "30m");
    let finished = || bastion.entries("command-finished").len();
    let before = descriptors(&bastion);
    let (client, _wire) = stalled(&bastion).await;
    assert!(descriptors(&bastion) > before + 3 && finished() == 0);
    back_to(&bastion, before);
    eventually("its entry", || finished() == 1);
    assert_eq!(bastion.run("alice", &["here@bastion", "id -un"]).code, 0);
    drop(client);
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_command_ends_at_once_although_its_client_reads_nothing() {
    let bastion = flooding("", "unread_deadline = \"5s\"");
    let grant = bastion.grant("ops", "here", "30m");
    let before = descriptors(&bastion);
    let (client, _wire) = stalled(&bastion).await;
    let revoked = bastion.run("bob", &["bastion", "revoke", &grant, "flood"]);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    eventually("its entry", || bastion.entries("command-finished").len() == 1);
    back_to(&bastion, before);
    drop(client);
    bastion.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_does_not_wait_for_a_client_that_reads_nothing() {
    let mut bastion = flooding("drain = \"1s\"", "");
    bastion.grant("ops", "here", "30m");
    let (client, _wire) = stalled(&bastion).await;
    tokio::task::block_in_place(|| bastion.stop());
    assert_eq!(bastion.entries("command-finished").len(), 1);
    assert_eq!(bastion.entries("stop").len(), 1);
    drop(client);
    bastion.verify();
}
