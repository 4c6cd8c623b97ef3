//! Targets that say nothing, too much, or what nobody asked for. Nothing of it may hang or pass for an answer.

use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::service::ports::{Running, TargetError};
use doorward::target::Deadlines;
use russh::keys::{Certificate, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session};
use russh::{Channel, ChannelId};

use crate::workshop::{Wish, Workshop, all};

fn impatient() -> Deadlines {
    let short = Duration::from_secs(2);
    Deadlines { connect: short, login: short, exec: short, tail: Duration::from_secs(1) }
}

fn host_key() -> PrivateKey {
    PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).expect("a key")
}

fn reason(result: Result<Running, TargetError>) -> String {
    match result {
        Err(TargetError::Unreachable { reason, .. }) => reason,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it started"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_floods_before_the_handshake_end_at_once_or_at_the_deadline() {
    let key = host_key().public_key().to_openssh().expect("a line");
    let says: [(&str, &[u8], bool); 5] = [
        ("silence", b"", true),
        ("one endless line", &[b'x'; 4096], false),
        ("endless lines", b"hello\r\n", false),
        ("a version and then noise", b"SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff", false),
        ("a packet of an absurd length", b"SSH-2.0-x\r\n\x7f\xff\xff\xff\x04\x14", false),
    ];
    for (name, said, once) in says {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a connection");
            while socket.write_all(said).is_ok() {
                if once {
                    std::thread::sleep(Duration::from_secs(20));
                    return;
                }
            }
        });
        let workshop = Workshop::new(impatient());
        let begun = Instant::now();
        let why = reason(workshop.start(Wish::closed("true"), port, &key).await);
        // Before the target itself gives up.
        assert!(begun.elapsed() < Duration::from_secs(18), "{name}: {why}");
        assert!(workshop.certifier.signed.lock().expect("list").is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_where_nobody_listens_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    drop(listener);
    let key = host_key().public_key().to_openssh().expect("a line");
    let why = reason(Workshop::new(impatient()).start(Wish::closed("true"), port, &key).await);
    assert!(why.contains("refused"), "{why}");
}

/// What a target does that speaks SSH and means harm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Harm {
    NeverAnswersLogin,
    AsksQuestions,
    NeverAnswersExec,
    RefusesExec,
    ExitBeforeOutput,
    ClosesWithoutStatus,
    OpensChannel,
    HangsUp,
    FloodsForEver,
    KeepsOutputOpen,
    HugeStatus,
    ExitTwice,
    OpensManyChannels,
    EndsManyTimes,
    TakesNothing,
    TakesAnything,
}

impl Harm {
    /// How much the target says that it takes at once, and in one packet.
    fn window(self) -> (u32, u32) {
        match self {
            Self::TakesNothing => (0, 32 * 1024),
            // What comes on top of it overflows any count; no packet of SSH is that long.
            Self::TakesAnything => (u32::MAX, u32::MAX),
            _ => (2 * 1024 * 1024, 32 * 1024),
        }
    }
}

/// How often a target does what it may do once.
const MANY: usize = 100_000;

struct Target(Harm);

impl server::Handler for Target {
    type Error = russh::Error;

    async fn auth_openssh_certificate(&mut self, _: &str, _: &Certificate) -> Result<Auth, russh::Error> {
        match self.0 {
            Harm::NeverAnswersLogin => std::future::pending().await,
            Harm::AsksQuestions => {
                let methods = [russh::MethodKind::KeyboardInteractive].as_slice().into();
                Ok(Auth::Reject { proceed_with_methods: Some(methods), partial_success: true })
            }
            _ => Ok(Auth::Accept),
        }
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
        match self.0 {
            Harm::NeverAnswersExec => return Ok(()),
            Harm::RefusesExec => return session.channel_failure(id),
            _ => session.channel_success(id)?,
        }
        match self.0 {
            Harm::ExitBeforeOutput => {
                session.exit_status_request(id, 5)?;
                session.data(id, bytes::Bytes::from_static(b"after"))?;
                session.extended_data(id, 7, bytes::Bytes::from_static(b"of no kind"))?;
                session.eof(id)?;
                session.close(id)?;
            }
            Harm::ClosesWithoutStatus => {
                session.data(id, bytes::Bytes::from_static(b"half"))?;
                session.close(id)?;
            }
            Harm::OpensChannel => {
                session.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 1)?;
            }
            Harm::OpensManyChannels => {
                for _ in 0..MANY {
                    session.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 1)?;
                }
            }
            Harm::EndsManyTimes => {
                for number in 0..MANY {
                    session.exit_status_request(id, if number == 0 { 5 } else { 0 })?;
                }
                session.eof(id)?;
            }
            Harm::HangsUp => return Err(russh::Error::Disconnect),
            Harm::FloodsForEver => {
                let handle = session.handle();
                tokio::spawn(async move {
                    let piece = bytes::Bytes::from(vec![b'x'; 32 * 1024]);
                    while handle.data(id, piece.clone()).await.is_ok() {}
                });
            }
            Harm::KeepsOutputOpen => {
                session.data(id, bytes::Bytes::from_static(b"out"))?;
                session.exit_status_request(id, 9)?;
            }
            Harm::HugeStatus => {
                session.exit_status_request(id, 256)?;
                session.eof(id)?;
            }
            Harm::ExitTwice => {
                session.exit_status_request(id, 5)?;
                session.exit_status_request(id, 0)?;
                session.eof(id)?;
                session.exit_status_request(id, 0)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Starts a command on a target that does `harm`.
async fn start(workshop: &Workshop, harm: Harm) -> Result<Running, TargetError> {
    start_late(workshop, harm, Duration::ZERO).await
}

/// As [`start`], on a target that begins to speak after `late`.
async fn start_late(workshop: &Workshop, harm: Harm, late: Duration) -> Result<Running, TargetError> {
    let key = host_key();
    let public = key.public_key().to_openssh().expect("a line");
    let (window_size, maximum_packet_size) = harm.window();
    let config = server::Config { keys: vec![key], window_size, maximum_packet_size, ..server::Config::default() };
    let config = Arc::new(config);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a connection");
        tokio::time::sleep(late).await;
        if let Ok(session) = server::run_stream(config, socket, Target(harm)).await {
            let _ = session.await;
        }
    });
    let takes_input = matches!(harm, Harm::TakesNothing | Harm::TakesAnything);
    let wish = if takes_input { Wish::open("true") } else { Wish::closed("true") };
    workshop.start(wish, port, &public).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_go_along_is_given_up_in_time() {
    for (harm, says) in [
        (Harm::NeverAnswersLogin, "the login was not done 2 s after"),
        (Harm::NeverAnswersExec, "whether the command began is unknown"),
        (Harm::RefusesExec, "refuses to run commands"),
        (Harm::HangsUp, ""),
    ] {
        let begun = Instant::now();
        let workshop = Workshop::new(impatient());
        let why = match start(&workshop, harm).await {
            // It had said yes before it hung up.
            Ok(running) if harm == Harm::HangsUp => all(running).await.2,
            result => reason(result),
        };
        assert!(why.contains(says), "{harm:?}: {why}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{harm:?}");
    }
    let refused = start(&Workshop::new(impatient()), Harm::AsksQuestions).await.err();
    assert!(matches!(refused, Some(TargetError::Refused { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_key_exchange_leaves_less_time_for_the_login() {
    let six = Duration::from_secs(6);
    let (workshop, begun) = (Workshop::new(Deadlines { connect: six, login: six, ..impatient() }), Instant::now());
    let why = reason(start_late(&workshop, Harm::NeverAnswersLogin, Duration::from_secs(5)).await);
    assert!(why.contains("the login was not done 6 s after"), "{why}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}: two deadlines, not one", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_says_is_taken_for_what_it_is() {
    for (harm, out, end) in [
        (Harm::ExitBeforeOutput, "after", "Exit(5)"),
        (Harm::ClosesWithoutStatus, "half", "Lost"),
        (Harm::OpensChannel, "", "it tried to open a channel"),
        (Harm::KeepsOutputOpen, "out", "Exit(9)"),
        (Harm::HugeStatus, "", "Exit(256)"),
        (Harm::ExitTwice, "", "Exit(5)"),
        (Harm::OpensManyChannels, "", "it tried to open a channel"),
        (Harm::EndsManyTimes, "", "Exit(5)"),
    ] {
        let workshop = Workshop::new(impatient());
        let running = start(&workshop, harm).await.unwrap_or_else(|error| panic!("{harm:?}: {error}"));
        let all = tokio::time::timeout(Duration::from_secs(30), all(running)).await;
        let (got, err, got_end) = all.unwrap_or_else(|_| panic!("{harm:?} hangs"));
        assert_eq!((&*String::from_utf8_lossy(&got), err.len()), (out, 0), "{harm:?}");
        assert!(got_end.contains(end), "{harm:?}: {got_end}");
    }
}

fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_nobody_reads_waits_on_the_targets_side() {
    let workshop = Workshop::new(impatient());
    let running = start(&workshop, Harm::FloodsForEver).await.expect("started");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = memory();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let grown = memory().saturating_sub(before);
    // The flooding server lives in this process too and keeps a little.
    assert!(grown < 64 * 1024, "{grown} KiB more");
    drop(running);
}

/// Input that a target has no window for waits here, and ends with the command; a window without end is no invitation to fill the
/// memory, and what is sent into it goes out in packets of the usual size.
#[tokio::test(flavor = "multi_thread")]
async fn a_window_of_nothing_or_without_end_holds_up_nobody() {
    use tokio::io::AsyncWriteExt as _;
    for harm in [Harm::TakesNothing, Harm::TakesAnything] {
        let workshop = Workshop::new(impatient());
        let mut running = start(&workshop, harm).await.unwrap_or_else(|error| panic!("{harm:?}: {error}"));
        let before = memory();
        let (piece, mut taken) = (vec![b'x'; 64 * 1024], 0);
        let writing = async {
            while taken < 256 * piece.len() && running.input.write_all(&piece).await.is_ok() {
                taken += piece.len();
            }
        };
        let finished = tokio::time::timeout(Duration::from_secs(3), writing).await.is_ok();
        assert_eq!(finished, harm == Harm::TakesAnything, "{harm:?}: {taken} bytes were taken");
        assert!(harm == Harm::TakesAnything || taken < 1024 * 1024, "{harm:?}: {taken} bytes were taken");
        assert!(memory().saturating_sub(before) < 64 * 1024, "{harm:?}");
        // Whoever ends the command does not wait for the target.
        let mut output = running.output;
        drop(running.input);
        output.close();
        let drained =
            tokio::time::timeout(Duration::from_secs(30), async { while output.recv().await.is_some() {} }).await;
        assert!(drained.is_ok(), "{harm:?}");
    }
}
