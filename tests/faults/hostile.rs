//! A hostile client, a hostile target and a stranger at once, and neighbours who notice nothing of it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use russh::keys::{Certificate, PrivateKey, PrivateKeyWithHashAlg};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId, client};

use crate::support::bastion::{Bastion, ROLE, Setup, eventually};
use crate::support::client::Trusting;
use crate::support::sshd::own_account;

/// For dave, on the hostile target: nobody approves, everything is long.
const EVIL: &str = r#"
description = "Commands on a target that means harm"
targets     = ["evil-1", "evil-2", "evil-3"]
run_as      = "ops"
[request]
eligible     = ["user:dave"]
approvals    = 0
max_duration = "1h"
[[command]]
run = "/usr/bin/cat"
stdin = true
max_output = 1073741824
"#;

/// What the hostile target does with its next command.
#[derive(Clone, Copy)]
struct Evil(usize);

impl server::Handler for Evil {
    type Error = russh::Error;

    async fn auth_openssh_certificate(&mut self, _: &str, _: &Certificate) -> Result<Auth, russh::Error> {
        if self.0 % 8 == 7 {
            std::future::pending::<()>().await;
        }
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let piece = || Bytes::from(vec![b'x'; 32 * 1024]);
        match self.0 % 8 {
            // Says yes, then writes for ever on both streams.
            0 | 1 => {
                session.channel_success(id)?;
                let handle = session.handle();
                tokio::spawn(async move {
                    while handle.data(id, piece()).await.is_ok() {
                        let _ = handle.extended_data(id, 1, piece()).await;
                    }
                });
            }
            // Opens channels of every kind towards the bastion.
            2 => {
                session.channel_success(id)?;
                session.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 1)?;
                session.channel_open_agent()?;
            }
            // Ends it more than once, and goes on after the end.
            3 => {
                session.channel_success(id)?;
                for status in [0, 9, 0] {
                    session.exit_status_request(id, status)?;
                }
                session.eof(id)?;
                session.data(id, Bytes::from_static(b"after the end"))?;
                session.close(id)?;
                session.exit_status_request(id, 7)?;
            }
            // Speaks before it has answered.
            4 => session.data(id, Bytes::from_static(b"early"))?,
            // Answers nothing.
            5 => {}
            _ => return Err(russh::Error::Disconnect),
        }
        Ok(())
    }
}

/// A target that speaks SSH and means harm, on its own port until the test ends.
async fn evil_target(key: PrivateKey) -> u16 {
    let config = Arc::new(server::Config { keys: vec![key], ..server::Config::default() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.expect("a connection");
            let config = Arc::clone(&config);
            tokio::spawn(async move {
                if let Ok(session) = server::run_stream(config, socket, Evil(number)).await {
                    let _ = session.await;
                }
            });
        }
    });
    port
}

/// A target that says this for ever, or, if it is nothing, takes the connection and keeps silent.
fn raw_target(said: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            std::thread::spawn(move || {
                while !said.is_empty() && socket.write_all(said).is_ok() {}
                let _ = socket.read_to_end(&mut Vec::new());
            });
        }
    });
    port
}

/// dave, until he is told to stop: connections one after the other, on each as many channels as he gets, whose output he
/// never reads, input without end, forwards, and a hard end.
async fn hostile_client(home: std::path::PathBuf, port: u16, login: &'static str, stop: Arc<AtomicBool>) {
    let key = Arc::new(russh::keys::load_secret_key(home.join("dave"), None).expect("a key"));
    while !stop.load(Ordering::SeqCst) {
        let attack = async {
            let mut handle = client::connect(client::Config::default().into(), ("127.0.0.1", port), Trusting).await?;
            let proof = PrivateKeyWithHashAlg::new(Arc::clone(&key), None);
            if !handle.authenticate_publickey(login, proof).await?.success() {
                return Ok(());
            }
            let mut channels = Vec::new();
            while let Ok(channel) = handle.channel_open_session().await {
                let line = if channels.len() % 5 == 4 { "\u{1b}[2J; rm -rf /" } else { "cat" };
                channel.exec(channels.len() % 2 == 0, line).await?;
                let _ = tokio::time::timeout(Duration::from_millis(50), channel.data(&vec![b'i'; 200_000][..])).await;
                channels.push(channel);
                if channels.len() > 30 {
                    break;
                }
            }
            for number in 0..40 {
                let _ = handle.channel_open_direct_streamlocal(format!("/run/{number}\u{1b}[2J")).await;
            }
            tokio::time::sleep(Duration::from_millis(700)).await;
            Ok::<(), russh::Error>(())
        };
        let _ = tokio::time::timeout(Duration::from_secs(5), attack).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A stranger who sends what is no SSH, from another address.
fn stranger(port: u16, stop: &AtomicBool) {
    let garbage: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0xff; 3000], b"SSH-2.0-x\r\n\x7f\xff\xff\xff\x04\x14", b"SSH-2.0-x\r\n"];
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) {
            let _ = socket.write_all(garbage[number % garbage.len()]);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// One round of alice's work on the good target: every byte and every exit code is what it should be.
fn good_work(bastion: &Bastion, round: usize) {
    let said = bastion.run("alice", &["web-1@bastion", &format!("printf round-{round}")]);
    assert_eq!((said.code, said.out), (0, format!("round-{round}")), "{}", said.err);
    let missing = bastion.run("alice", &["web-1@bastion", "ls /nowhere/x"]);
    assert_eq!(missing.code, 2, "{missing:?}");
    let sent: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(31) >> 3) as u8).collect();
    let mut ssh = bastion.ssh("alice", &["web-1@bastion", "cat"]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    let (mut input, copy) = (ssh.stdin.take().expect("stdin"), sent.clone());
    let writing = std::thread::spawn(move || input.write_all(&copy));
    let output = ssh.wait_with_output().expect("ssh");
    writing.join().expect("a thread").expect("written");
    assert!(output.status.success() && output.stdout == sent, "{} bytes, {output:?}", output.stdout.len());
    assert_eq!(bastion.run("bob", &["bastion", "pending"]).code, 0);
}

fn memory(bastion: &Bastion) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", bastion.pid())).expect("it lives");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hostile_client_and_a_hostile_target_at_once_and_the_neighbours_notice_nothing() {
    let key = PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).expect("a key");
    let public = key.public_key().to_openssh().expect("a line");
    let ports = [evil_target(key).await, raw_target(b"SSH-2.0-x\r\n\x7f\xff\xff\xff\x04\x14"), raw_target(b"")];
    let account = own_account();
    let evil: String = ports
        .iter()
        .zip(1..)
        .map(|(port, n)| {
            format!("\n[evil-{n}]\naddress = \"127.0.0.1:{port}\"\nhost_key = \"{public}\"\nrun_as = {{ ops = \"{account}\" }}\n")
        })
        .collect();
    let prepare = move |dir: &std::path::Path| {
        let path = dir.join("targets.toml");
        let text = std::fs::read_to_string(&path).expect("targets");
        std::fs::write(&path, text + &evil).expect("targets");
    };
    let roles = vec![("ops".to_owned(), ROLE.to_owned()), ("evil".to_owned(), EVIL.to_owned())];
    let bastion = Bastion::with(Setup { roles, prepare: Box::new(prepare), ..Setup::default() });
    bastion.grant("ops", "web-1", "30m");
    let asked = bastion.run("dave", &["bastion", "request evil --no-wait"]);
    assert_eq!(asked.code, 0, "{asked:?}");

    // Each harm of a target alone is said and is nothing to wait for.
    let silent = bastion.run("dave", &["evil-3@bastion", "cat"]);
    assert_eq!(silent.code, 125, "{silent:?}");
    assert!(silent.err.contains("evil-3 cannot be reached: it did not answer the key exchange"), "{silent:?}");
    let absurd = bastion.run("dave", &["evil-2@bastion", "cat"]);
    assert_eq!(absurd.code, 125, "{absurd:?}");
    assert!(absurd.err.contains("evil-2 cannot be reached"), "{absurd:?}");

    let stop = Arc::new(AtomicBool::new(false));
    let mut attackers = Vec::new();
    for login in ["evil-1", "evil-1", "evil-2", "evil-3", "dave"] {
        let home = bastion.home().to_owned();
        attackers.push(tokio::spawn(hostile_client(home, bastion.port, login, Arc::clone(&stop))));
    }
    let (port, theirs) = (bastion.port, Arc::clone(&stop));
    let stranger = std::thread::spawn(move || stranger(port, &theirs));
    let rounds = AtomicUsize::new(0);
    tokio::task::block_in_place(|| {
        for round in 0..8 {
            good_work(&bastion, round);
            rounds.fetch_add(1, Ordering::SeqCst);
        }
    });
    let peak = memory(&bastion);
    stop.store(true, Ordering::SeqCst);
    for attacker in attackers {
        attacker.await.expect("a task");
    }
    stranger.join().expect("a thread");
    assert_eq!(rounds.load(Ordering::SeqCst), 8);
    assert!(peak < 400 * 1024, "{peak} KiB");
    assert!(bastion.entries("command-allowed").len() > 40, "the attack reached the target");
    // Nothing of the hostile ones stays: every command that began is closed.
    let closed = || {
        ["command-finished", "command-failed", "command-outcome-unknown"]
            .iter()
            .map(|kind| bastion.entries(kind).len())
            .sum()
    };
    let began = std::time::Instant::now();
    loop {
        let (allowed, closed): (usize, usize) = (bastion.entries("command-allowed").len(), closed());
        if allowed == closed {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{allowed} allowed, {closed} closed");
        std::thread::sleep(Duration::from_millis(200));
    }
    eventually("the neighbours' next command", || bastion.run("alice", &["web-1@bastion", "id -un"]).code == 0);
    let said = bastion.server_log();
    assert!(!said.contains("panicked") && !said.contains('\u{1b}'), "{said}");
    bastion.verify();
}

/// The processes of the target's `sshd` that serve connections: everything below the one that listens.
fn sessions(bastion: &Bastion) -> Vec<String> {
    let pgrep = |arguments: &[&str]| {
        let output = std::process::Command::new("pgrep").args(arguments).output().expect("pgrep");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut found = pgrep(&["-f", &format!("sshd.* -f {}/", bastion.sshd.dir().display())]);
    let mut at = 0;
    while let Some(parent) = found.get(at).cloned() {
        found.extend(pgrep(&["-P", &parent]));
        at += 1;
    }
    found.split_off(1)
}

#[test]
fn a_target_that_freezes_in_the_middle_of_a_command_keeps_neither_the_command_nor_the_neighbours() {
    let bastion = Bastion::start();
    let grant = bastion.grant("ops", "web-1", "30m");
    let mut ssh = bastion.ssh("alice", &["web-1@bastion", "sleep 3598"]);
    let frozen = ssh.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
    eventually("the sleep", || {
        let running = std::process::Command::new("pgrep").args(["-fx", "/usr/bin/sleep 3598"]).output();
        running.expect("pgrep").status.success()
    });
    let processes = sessions(&bastion);
    assert!(!processes.is_empty());
    let signal = |name: &str| {
        let sent = std::process::Command::new("kill").arg(name).args(&processes).status().expect("kill");
        assert!(sent.success() || name == "-CONT", "{name} {processes:?}");
    };
    signal("-STOP");
    // Others on the same target go on.
    assert_eq!(bastion.run("alice", &["web-1@bastion", "id -un"]).code, 0);
    assert_eq!(bastion.run("bob", &["bastion", &format!("revoke {grant} frozen")]).code, 0);
    let ended = crate::support::bastion::came(&frozen.wait_with_output().expect("ssh"));
    assert_eq!(ended.code, 124, "{ended:?}");
    eventually("its entry", || bastion.entries("command-finished").len() == 2);
    signal("-CONT");
    eventually("its end on the target", || {
        let running = std::process::Command::new("pgrep").args(["-fx", "/usr/bin/sleep 3598"]).output();
        !running.expect("pgrep").status.success()
    });
    bastion.verify();
}
