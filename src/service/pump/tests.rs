use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::sync::mpsc;

use super::*;
use crate::service::rehearsal::{Diary, FakeClient, FakeRecorder, Mood};

const TERMS: Terms = Terms { stdin: true, timeout: Duration::from_secs(60), max_output: 1000, max_stdin: 1000 };

/// A running command whose far side the test plays: what it reads, and where it writes.
fn command(room: usize) -> (Running, DuplexStream, mpsc::Sender<Output>) {
    let (input, far) = tokio::io::duplex(room);
    let (output, received) = mpsc::channel(4);
    (Running { input: Box::new(input), output: received }, far, output)
}

fn recorder(diary: &Diary) -> FakeRecorder {
    FakeRecorder { diary: diary.clone(), write: Mood::Works }
}

async fn soon(end: End) -> End {
    tokio::time::sleep(Duration::from_millis(200)).await;
    end
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test]
async fn everything_is_recorded_before_it_passes_and_the_exit_comes_last() {
    let diary = Diary::default();
    let (mut client, typist) = FakeClient::new(&diary);
    let mut recorder = recorder(&diary);
    let (running, mut far, output) = command(1000);
    typist.send(bytes("typed")).expect("send");
    drop(typist);
    let program = async {
        let mut got = String::new();
        far.read_to_string(&mut got).await.expect("input with its end");
        for piece in [Output::Stdout(bytes("out")), Output::Stderr(bytes("err")), Output::Exit(3)] {
            output.send(piece).await.expect("send");
        }
        got
    };
    let mut pump = Pump::new(&mut client, &mut recorder, &TERMS);
    let (outcome, got) = tokio::join!(pump.run(running, std::future::pending()), program);
    assert_eq!((outcome, pump.bytes, got.as_str()), (Outcome::Exit(3), [5, 3, 3], "typed"));
    assert_eq!((client.output, client.error), (b"out".to_vec(), b"err".to_vec()));
    let expected = ["recorder: Input", "recorder: Output", "client: output", "recorder: Error", "client: error"];
    assert_eq!(diary.lines(), expected);
}

#[tokio::test]
async fn without_stdin_nothing_reaches_the_program_not_even_the_end() {
    let diary = Diary::default();
    let (mut client, typist) = FakeClient::new(&diary);
    let mut recorder = recorder(&diary);
    let (running, mut far, output) = command(1_000_000);
    for _ in 0..5 {
        typist.send(Bytes::from(vec![b'x'; 30_000])).expect("send");
    }
    drop(typist);
    let program = async {
        let read = tokio::time::timeout(Duration::from_millis(200), far.read_u8()).await;
        assert!(read.is_err(), "{read:?}");
        output.send(Output::Exit(0)).await.expect("send");
    };
    let terms = Terms { stdin: false, ..TERMS };
    let mut pump = Pump::new(&mut client, &mut recorder, &terms);
    let (outcome, ()) = tokio::join!(pump.run(running, std::future::pending()), program);
    assert_eq!(outcome, Outcome::Exit(0));
    assert_eq!(client.said().matches("takes no input").count(), 1);
    assert!(diary.only(&["recorder"]).is_empty());
    assert!(far.read_u8().await.is_err(), "closed once the command has ended");
}

#[tokio::test]
async fn input_that_is_not_whole_never_ends_as_if_it_were() {
    for (lost, end) in [(true, End::InputOverflow), (false, End::ClientGone)] {
        let diary = Diary::default();
        let (mut client, typist) = FakeClient::new(&diary);
        let mut recorder = recorder(&diary);
        let (running, mut far, _output) = command(1000);
        typist.send(bytes("half")).expect("send");
        if lost {
            client.overflowed.store(true, Ordering::SeqCst);
        } else {
            client.gone.cancel();
        }
        drop(typist);
        let program = tokio::spawn(async move {
            let mut got = Vec::new();
            let _ = far.read_to_end(&mut got).await;
        });
        let mut pump = Pump::new(&mut client, &mut recorder, &TERMS);
        assert_eq!(pump.run(running, std::future::pending()).await, Outcome::Ended(end));
        assert!(!pump.closing, "no orderly end of the input was on its way");
        program.abort();
    }
}

#[tokio::test]
async fn output_stops_exactly_at_its_limit() {
    let full = Outcome::Ended(End::OutputLimit(1000));
    for (first, second, expected) in [(400, 600, Outcome::Exit(0)), (400, 601, full)] {
        let diary = Diary::default();
        let (mut client, _typist) = FakeClient::new(&diary);
        let mut recorder = recorder(&diary);
        let (running, _far, output) = command(10);
        output.send(Output::Stdout(Bytes::from(vec![1; first]))).await.expect("send");
        output.send(Output::Stderr(Bytes::from(vec![2; second]))).await.expect("send");
        output.send(Output::Exit(0)).await.expect("send");
        let mut pump = Pump::new(&mut client, &mut recorder, &TERMS);
        assert_eq!(pump.run(running, std::future::pending()).await, expected);
        assert_eq!(client.output.len() + client.error.len(), 1000);
    }
}

#[tokio::test]
async fn the_supervisor_is_heard_whatever_else_is_stuck() {
    for stuck in ["client", "recorder", "program that takes no input", "nothing"] {
        let diary = Diary::default();
        let (mut client, typist) = FakeClient::new(&diary);
        client.stuck = stuck == "client";
        let mut recorder = recorder(&diary);
        recorder.write = if stuck == "recorder" { Mood::Hangs } else { Mood::Works };
        let (running, mut far, output) = command(10);
        match stuck {
            "program that takes no input" => typist.send(Bytes::from(vec![0; 100_000])).expect("send"),
            "nothing" => {}
            _ => output.send(Output::Stdout(bytes("out"))).await.expect("send"),
        }
        let mut pump = Pump::new(&mut client, &mut recorder, &TERMS);
        let ending = pump.run(running, soon(End::TimeLimit));
        let outcome = tokio::time::timeout(Duration::from_secs(5), ending).await.expect(stuck);
        assert_eq!(outcome, Outcome::Ended(End::TimeLimit), "{stuck}");
        assert!(output.is_closed(), "{stuck}: the command was dropped");
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).await.expect(stuck);
    }
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_pass() {
    let diary = Diary::default();
    let (mut client, _typist) = FakeClient::new(&diary);
    let mut recorder = FakeRecorder { diary: diary.clone(), write: Mood::Fails };
    let (running, _far, output) = command(10);
    output.send(Output::Stdout(bytes("secret"))).await.expect("send");
    let mut pump = Pump::new(&mut client, &mut recorder, &TERMS);
    let outcome = pump.run(running, std::future::pending()).await;
    assert_eq!((outcome.code(), outcome), (125, Outcome::Ended(End::Recording)));
    assert!(client.output.is_empty());
}

#[tokio::test]
async fn bulk_in_both_directions_through_narrow_pipes_does_not_lock_up() {
    const MUCH: usize = 4 * 1024 * 1024;
    let diary = Diary::default();
    let (mut client, typist) = FakeClient::new(&diary);
    let mut recorder = recorder(&diary);
    let (running, mut far, output) = command(4096);
    let sent: Vec<u8> = (0..MUCH).map(|n| (n / 3 % 251) as u8).collect();
    for piece in sent.chunks(32 * 1024) {
        typist.send(Bytes::copy_from_slice(piece)).expect("send");
    }
    drop(typist);
    // An echo that does not read on before its output was taken.
    let program = tokio::spawn(async move {
        let mut piece = vec![0; 8192];
        loop {
            let count = far.read(&mut piece).await.expect("read");
            if count == 0 {
                output.send(Output::Exit(0)).await.expect("send");
                return;
            }
            output.send(Output::Stdout(Bytes::copy_from_slice(&piece[..count]))).await.expect("send");
        }
    });
    let terms = Terms { max_output: u64::MAX, ..TERMS };
    let mut pump = Pump::new(&mut client, &mut recorder, &terms);
    let running = pump.run(running, std::future::pending());
    let outcome = tokio::time::timeout(Duration::from_secs(60), running).await.expect("no lock-up");
    program.await.expect("program");
    assert_eq!(outcome, Outcome::Exit(0));
    assert!(client.output == sent);
}
