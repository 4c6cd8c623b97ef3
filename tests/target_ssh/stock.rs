//! A stock `sshd` as the target.

use std::path::Path;
use std::time::{Duration, Instant};

use doorward::service::ports::{Output, Running, TargetError};
use doorward::target::Deadlines;
use tokio::io::AsyncWriteExt;

use crate::support::sshd::keygen;
use crate::workshop::{Wish, Workshop, all};

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_status_are_the_programs_own() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    for (script, out, err, end) in [
        ("echo out; echo err >&2; exit 7", "out\n", "err\n", "Exit(7)"),
        ("exit 255", "", "", "Exit(255)"),
        ("true", "", "", "Exit(0)"),
        ("printf '%s|' \"a  b\" 'it'\\''s' '$HOME'", "a  b|it's|$HOME|", "", "Exit(0)"),
        ("cat; echo end", "end\n", "", "Exit(0)"),
        // What it leaves behind ends with it.
        ("(sleep 1; echo late) & exit 3", "", "", "Exit(3)"),
        ("env | sort", "LANG=C.UTF-8\n", "", "Exit(0)"),
    ] {
        let running = workshop.start(Wish::closed(script), sshd.port, &sshd.host_key()).await.expect(script);
        let (got_out, got_err, got_end) = all(running).await;
        let got_out = String::from_utf8_lossy(&got_out).into_owned();
        // What the login adds to the environment must not get through; PWD, SHLVL and _ are the test's own shell's.
        let got_out = match script {
            "env | sort" => got_out
                .lines()
                .filter(|line| line.starts_with("SSH") || line.starts_with("LANG"))
                .map(|line| format!("{line}\n"))
                .collect(),
            _ => got_out,
        };
        assert_eq!(
            (got_out.as_str(), &*String::from_utf8_lossy(&got_err), got_end.as_str()),
            (out, err, end),
            "{script}"
        );
    }
    let log = sshd.log_with("ID doorward:alice:g-000001:s-00000002:c-00000003");
    assert!(log.contains("Accepted publickey"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_mebibytes_pass_both_ways_unchanged() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let mut running = workshop.start(Wish::open("cat"), sshd.port, &sshd.host_key()).await.expect("cat");
    let sent: Vec<u8> = (0..64_u32 * 1024 * 1024).map(|n| (n / 5 % 253) as u8).collect();
    let copy = sent.clone();
    let mut input = std::mem::replace(&mut running.input, Box::new(tokio::io::sink()));
    let writing = tokio::spawn(async move {
        input.write_all(&copy).await.expect("written");
        input.shutdown().await.expect("ended");
    });
    let (out, _, end) = all(running).await;
    writing.await.expect("writer");
    assert!(out == sent, "{} of {} bytes, or other bytes", out.len(), sent.len());
    assert_eq!(end, "Exit(0)");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_key_is_refused_before_anything_is_signed() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let dir = tempfile::tempdir().expect("a directory");
    let other = dir.path().join("other");
    keygen(&["-q", "-t", "ed25519", "-N", "", "-f", other.to_str().expect("UTF-8")]);
    let pinned = std::fs::read_to_string(other.with_extension("pub")).expect("a key");
    let refused = workshop.start(Wish::closed("true"), sshd.port, pinned.trim()).await.err();
    let shown = keygen(&["-l", "-f", sshd.dir().join("host_key.pub").to_str().expect("UTF-8")]);
    match refused {
        Some(TargetError::HostKey { shown: got, .. }) => assert!(shown.contains(&got), "{got}: {shown}"),
        other => panic!("{other:?}"),
    }
    assert!(workshop.certifier.signed.lock().expect("list").is_empty());
    assert!(!sshd.log().contains("Accepted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_trust_us_is_said_to_refuse() {
    let (ours, theirs) = (Workshop::new(Deadlines::default()), Workshop::new(Deadlines::default()));
    let sshd = theirs.sshd();
    let refused = ours.start(Wish::closed("true"), sshd.port, &sshd.host_key()).await.err();
    assert!(matches!(refused, Some(TargetError::Refused { .. })), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_says_exactly_what_was_cleared() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    let wish = Wish::closed("echo once");
    let line = workshop.cleared(wish).await.permit().line().to_owned();
    all(workshop.start(wish, sshd.port, &sshd.host_key()).await.expect("started")).await;
    all(workshop.start(wish, sshd.port, &sshd.host_key()).await.expect("started")).await;
    let signed = workshop.certifier.signed.lock().expect("list").clone();
    let [first, second] = signed.as_slice() else { panic!("{} certificates for two commands", signed.len()) };
    assert_ne!(first.public_key(), second.public_key(), "a new key for each command");
    for certificate in [first, second] {
        let options: Vec<_> =
            certificate.critical_options().iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(options, [("force-command", line.as_str()), ("source-address", "127.0.0.1/32")]);
    }
}

/// The process on the target that a script named on its first line of output.
async fn first_line(running: &mut Running) -> String {
    match running.output.recv().await {
        Some(Output::Stdout(data)) => String::from_utf8_lossy(&data).trim().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(process).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

async fn gone_within(process: &str, limit: Duration) -> bool {
    let begun = Instant::now();
    while alive(process) && begun.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    !alive(process)
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_it_ends_the_program_on_the_target() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    for (script, limit) in [
        ("echo $$; exec sleep 300", 4),
        // Ignores TERM: then KILL, 5 s later.
        ("trap \"\" TERM; echo $$; while :; do sleep 1; done", 10),
        // Is busy writing to somebody who no longer reads.
        ("echo $$; exec yes", 4),
    ] {
        let mut running = workshop.start(Wish::closed(script), sshd.port, &sshd.host_key()).await.expect(script);
        let process = first_line(&mut running).await;
        let process = process.lines().next().expect("a line").to_owned();
        assert!(alive(&process), "{script}");
        drop(running);
        assert!(gone_within(&process, Duration::from_secs(limit)).await, "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_target_ends_it_at_its_deadline_even_if_nobody_else_does() {
    let workshop = Workshop::new(Deadlines::default());
    let sshd = workshop.sshd();
    for stdin in [false, true] {
        let wish = Wish { stdin, timeout: "2s", ..Wish::closed("echo $$; exec sleep 300") };
        let mut running = workshop.start(wish, sshd.port, &sshd.host_key()).await.expect("started");
        let process = first_line(&mut running).await;
        let (_, _, end) = all(running).await;
        assert_eq!(end, "Exit(124)", "stdin = {stdin}");
        assert!(!alive(&process));
    }
}
