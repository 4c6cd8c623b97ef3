use std::time::Instant;

use nix::sys::signal::kill;
use tokio::io::AsyncWriteExt;

use super::*;

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// Everything a command said: standard output, standard error, and how it ended.
async fn all(mut running: Running) -> (Vec<u8>, Vec<u8>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(piece) = running.output.recv().await {
        match piece {
            Output::Stdout(data) => out.extend_from_slice(&data),
            Output::Stderr(data) => err.extend_from_slice(&data),
            end => return (out, err, format!("{end:?}")),
        }
    }
    (out, err, "nothing".to_owned())
}

#[tokio::test]
async fn streams_status_and_signal_come_apart() {
    for (script, out, err, end) in [
        ("echo out; echo err >&2; exit 7", "out\n", "err\n", "Exit(7)"),
        ("exit 255", "", "", "Exit(255)"),
        ("kill -KILL $$", "", "", "Signal(\"KILL\")"),
        ("env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; true", "", "", "Exit(0)"),
    ] {
        let running = run(&argv(&["/bin/sh", "-c", script])).expect(script);
        let (got_out, got_err, got_end) = all(running).await;
        assert_eq!(
            (String::from_utf8_lossy(&got_out), String::from_utf8_lossy(&got_err), got_end.as_str()),
            (out.into(), err.into(), end),
            "{script}"
        );
    }
    assert!(run(&argv(&["/no/such/program"])).is_err());
    assert!(run(&argv(&[])).is_err());
}

#[tokio::test]
async fn sixteen_megabytes_pass_both_ways_unchanged() {
    let mut running = run(&argv(&["/bin/cat"])).expect("cat");
    let sent: Vec<u8> = (0..16_u32 * 1024 * 1024).map(|n| (n / 7 % 251) as u8).collect();
    let copy = sent.clone();
    let mut input = std::mem::replace(&mut running.input, Box::new(tokio::io::sink()));
    let writing = tokio::spawn(async move {
        input.write_all(&copy).await.expect("write");
        input.shutdown().await.expect("close");
    });
    let (out, _, end) = all(running).await;
    writing.await.expect("writer");
    assert!(out == sent, "{} of {} bytes, or other bytes", out.len(), sent.len());
    assert_eq!(end, "Exit(0)");
}

#[tokio::test]
async fn a_process_left_behind_does_not_hold_the_end_for_ever() {
    let running = run(&argv(&["/bin/sh", "-c", "sleep 30 & echo $!"])).expect("sh");
    let begun = Instant::now();
    let (out, _, end) = all(running).await;
    let left = String::from_utf8_lossy(&out).trim().parse().map(Pid::from_raw).expect("a process id");
    kill(left, Signal::SIGKILL).expect("it was left running");
    assert_eq!(end, "Exit(0)");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn dropping_it_ends_the_whole_group() {
    let script = "sleep 300 & echo $!; exec sleep 301";
    let mut running = run(&argv(&["/bin/sh", "-c", script])).expect("sh");
    let Some(Output::Stdout(said)) = running.output.recv().await else { panic!("no process id") };
    let inner = String::from_utf8_lossy(&said).trim().parse().map(Pid::from_raw).expect("a process id");
    kill(inner, None).expect("it runs");
    drop(running);
    let begun = Instant::now();
    // A zombie whose parent is gone is reaped by init, which may take its time: only a living process counts.
    while alive(inner) {
        assert!(begun.elapsed() < Duration::from_secs(8), "still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn alive(process: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
