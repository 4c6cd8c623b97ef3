//! Recordings as files: played by the real asciinema, bounded by quota and free space, and no command without one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails so")]

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use doorward::domain::{Digest, Timestamp};
use doorward::recording::asciicast::{Happened, Reader, Track};
use doorward::recording::recorder::{RecordingFolder, RecordingLimits};
use doorward::service::ports::{Recorder, RecorderHeader, Recorders as _, Stream};

fn header(number: u64) -> RecorderHeader {
    RecorderHeader {
        session: "s-7K2Q4M9D".parse().unwrap(),
        command: doorward::domain::CommandId::from_bits(number),
        user: "alice".parse().unwrap(),
        target: "web-1".parse().unwrap(),
        line: "journalctl -u nginx".to_owned(),
        started: Timestamp::from_secs(1_790_000_000),
    }
}

fn no_limits() -> RecordingLimits {
    RecordingLimits { quota: u64::MAX, keep_free: 0 }
}

fn folder(dir: &Path, limits: RecordingLimits) -> RecordingFolder {
    RecordingFolder::open(&dir.join("recordings"), limits).unwrap()
}

async fn put(recorder: &mut Box<dyn Recorder>, stream: Stream, text: &'static [u8]) {
    recorder.write(stream, Bytes::from_static(text)).await.unwrap();
}

#[tokio::test]
async fn a_recording_is_on_disk_before_anything_runs_and_whole_with_its_digest_after() {
    let dir = tempfile::tempdir().unwrap();
    let recorders = folder(dir.path(), no_limits());
    let mut recorder = recorders.open(header(1)).await.unwrap();
    assert_eq!(recorder.file_name(), "2026-09-21/c-00000001.cast");
    let path = dir.path().join("recordings").join(recorder.file_name());
    let head = std::fs::read_to_string(&path).unwrap();
    assert!(head.ends_with('\n') && head.contains("\"version\":2") && head.contains("c-00000001"), "{head}");
    put(&mut recorder, Stream::Input, b"q\n").await;
    put(&mut recorder, Stream::Output, b"line\nhalf \xc3").await;
    put(&mut recorder, Stream::Output, b"\xa9\n\xff").await;
    put(&mut recorder, Stream::Error, b"oh\n").await;
    let digest = recorder.finish(3).await.unwrap();
    let file = std::fs::read(&path).unwrap();
    assert_eq!(digest, Digest::of(&file));
    assert_eq!(recorders.used(), file.len() as u64);
    let (found, events) = Reader::open(&file[..]).unwrap();
    assert_eq!((found.title.as_str(), found.doorward.user.as_str()), ("journalctl -u nginx", "alice"));
    let events: Vec<_> = events.map(|event| event.unwrap().what).collect();
    let of = |wanted: Track| -> Vec<u8> {
        let bytes = |event: &Happened| match event {
            Happened::Passed(track, bytes) if *track == wanted => bytes.clone(),
            _ => Vec::new(),
        };
        events.iter().flat_map(bytes).collect()
    };
    assert_eq!(of(Track::Input), b"q\n");
    assert_eq!(of(Track::Output), b"line\nhalf \xc3\xa9\n\xff");
    assert_eq!(of(Track::Error), b"oh\n");
    assert_eq!(events.last(), Some(&Happened::Exit(3)));
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // Never over another recording.
    assert!(recorders.open(header(1)).await.is_err());
    assert_eq!(std::fs::read(&path).unwrap(), file);
}

#[tokio::test]
async fn asciinema_plays_output_and_errors_and_passes_over_our_own_events() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = folder(dir.path(), no_limits()).open(header(2)).await.unwrap();
    let path = dir.path().join("recordings").join(recorder.file_name());
    put(&mut recorder, Stream::Input, b"typed\n").await;
    put(&mut recorder, Stream::Output, "Größe 中\nraw \u{1b}[1mbold\n".as_bytes()).await;
    put(&mut recorder, Stream::Error, b"warning\n").await;
    put(&mut recorder, Stream::Output, b"bad \xff byte\n").await;
    recorder.finish(0).await.unwrap();
    // It insists on a terminal.
    let line = format!("asciinema cat {}", path.display());
    let played = Command::new("script").args(["-qec", &line, "/dev/null"]).env("LC_ALL", "C.UTF-8").output().unwrap();
    let shown = String::from_utf8(played.stdout).unwrap();
    assert!(played.status.success(), "{shown}");
    let shown = shown.replace("\r\r\n", "\r\n");
    assert_eq!(shown, "Größe 中\r\nraw \u{1b}[1mbold\r\nwarning\r\nbad \u{fffd} byte\r\n");
}

#[tokio::test]
async fn a_recorder_that_is_dropped_leaves_a_valid_prefix() {
    let dir = tempfile::tempdir().unwrap();
    let recorders = folder(dir.path(), no_limits());
    let mut recorder = recorders.open(header(3)).await.unwrap();
    let path = dir.path().join("recordings").join(recorder.file_name());
    put(&mut recorder, Stream::Output, b"so far\n").await;
    drop(recorder);
    for _ in 0..200 {
        let file = std::fs::read(&path).unwrap();
        let (_, events) = Reader::open(&file[..]).unwrap();
        let events: Vec<_> = events.map(|event| event.unwrap().what).collect();
        if events == [Happened::Passed(Track::Output, b"so far\n".to_vec())] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("what was written before the drop never reached the file");
}

/// Writes until it fails; gives the reason.
async fn fill(recorder: &mut Box<dyn Recorder>) -> String {
    for _ in 0..100_000 {
        if let Err(error) = recorder.write(Stream::Output, Bytes::from(vec![b'x'; 4096])).await {
            return error.to_string();
        }
    }
    panic!("it never failed");
}

#[tokio::test]
async fn beyond_the_quota_no_recording_begins_and_none_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let limits = RecordingLimits { quota: 100_000, keep_free: 0 };
    let recorders = folder(dir.path(), limits);
    let mut recorder = recorders.open(header(4)).await.unwrap();
    let path = dir.path().join("recordings").join(recorder.file_name());
    let reason = fill(&mut recorder).await;
    assert!(reason.contains("quota of 100000 bytes"), "{reason}");
    assert!(recorder.finish(0).await.unwrap_err().to_string().contains("quota"));
    assert!(path.metadata().unwrap().len() <= 100_000);
    // The header of another one may still fit; more does not, and after a restart the same is counted.
    let full = RecordingLimits { quota: recorders.used(), keep_free: 0 };
    let again = folder(dir.path(), full);
    assert_eq!(again.used(), recorders.used());
    let refusal = again.open(header(5)).await.err().expect("no recording, no command");
    assert!(refusal.to_string().contains("quota"), "{refusal}");
}

#[tokio::test]
async fn recordings_leave_the_space_that_the_audit_log_needs() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = folder(dir.path(), RecordingLimits { quota: u64::MAX, keep_free: u64::MAX }).open(header(6)).await;
    let refusal = refusal.err().expect("no recording, no command").to_string();
    assert!(refusal.contains("free on the disk"), "{refusal}");
    // A folder that cannot be written.
    let recorders = folder(dir.path(), no_limits());
    std::fs::remove_dir_all(dir.path().join("recordings")).unwrap();
    std::fs::write(dir.path().join("recordings"), "in the way").unwrap();
    assert!(recorders.open(header(7)).await.is_err());
}
