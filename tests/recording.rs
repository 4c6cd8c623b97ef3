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
    RecordingLimits { quota: u64::MAX, keep_free: 0, kept: u64::MAX }
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

/// The header of a recording of `user`.
fn header_of(user: &str, number: u64) -> RecorderHeader {
    RecorderHeader { user: user.parse().unwrap(), ..header(number) }
}

/// Fills recordings of `user` until none begins any more; gives the reason.
async fn fill_all(recorders: &RecordingFolder, user: &str, numbers: std::ops::Range<u64>) -> String {
    for number in numbers {
        match recorders.open(header_of(user, number)).await {
            Ok(mut recorder) => drop(fill(&mut recorder).await),
            Err(error) => return error.to_string(),
        }
    }
    panic!("recordings of {user} always begin");
}

#[tokio::test]
async fn beyond_its_own_bound_no_recording_goes_on_whatever_passes() {
    let dir = tempfile::tempdir().unwrap();
    let recorders = folder(dir.path(), RecordingLimits { quota: 800_000, keep_free: 0, kept: u64::MAX });
    for (number, stream) in [(10, Stream::Input), (11, Stream::Output)] {
        let mut recorder = recorders.open(header(number)).await.unwrap();
        let path = dir.path().join("recordings").join(recorder.file_name());
        let mut refused = None;
        for _ in 0..1000 {
            refused = recorder.write(stream, Bytes::from(vec![b'x'; 4096])).await.err();
            if refused.is_some() {
                break;
            }
        }
        let reason = refused.expect("an end").to_string();
        assert!(reason.contains("100000 bytes, the most that one recording may take"), "{reason}");
        assert!(recorder.finish(0).await.is_err());
        let length = path.metadata().unwrap().len();
        assert!((90_000..=100_000).contains(&length), "{length}");
    }
}

#[tokio::test]
async fn a_user_who_fills_their_share_stops_nobody_else_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let limits = RecordingLimits { quota: 400_000, keep_free: 0, kept: u64::MAX };
    let recorders = folder(dir.path(), limits);
    let reason = fill_all(&recorders, "mallory", 20..60).await;
    assert!(reason.contains("the recordings of mallory have used up a user's share of 100000 bytes"), "{reason}");
    assert!((90_000..=100_000).contains(&recorders.used()), "{}", recorders.used());
    let again = folder(dir.path(), limits);
    for (recorders, number) in [(&recorders, 70), (&again, 71)] {
        let mut recorder = recorders.open(header_of("alice", number)).await.unwrap();
        put(&mut recorder, Stream::Output, b"at work\n").await;
        recorder.finish(0).await.unwrap();
    }
    assert!(fill_all(&again, "mallory", 80..110).await.contains("share of 100000 bytes"));
    assert!(again.used() < 110_000, "{}", again.used());
}

#[tokio::test]
async fn beyond_the_quota_no_recording_begins_and_deleting_some_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let limits = RecordingLimits { quota: 100_000, keep_free: 0, kept: u64::MAX };
    let recorders = folder(dir.path(), limits);
    for (user, number) in [("alice", 100), ("bob", 200), ("carol", 300), ("dave", 400)] {
        fill_all(&recorders, user, number..number + 90).await;
    }
    assert!((90_000..=100_000).contains(&recorders.used()), "{}", recorders.used());
    let full = RecordingLimits { quota: recorders.used(), keep_free: 0, kept: u64::MAX };
    let again = folder(dir.path(), full);
    assert_eq!(again.used(), recorders.used());
    std::fs::remove_dir_all(dir.path().join("recordings/2026-09-21")).unwrap();
    // The first refusal counts again; after that, not before a minute is over.
    again.open(header_of("erin", 5)).await.expect("room again").finish(0).await.unwrap();
    assert!(again.used() < 2_000, "{}", again.used());
    for (user, number) in [("alice", 1100), ("bob", 1200), ("carol", 1300), ("dave", 1400)] {
        fill_all(&again, user, number..number + 90).await;
    }
    let reason = fill_all(&again, "frank", 1500..1590).await;
    assert!(reason.contains(&format!("quota of {} bytes", full.quota)), "{reason}");
    std::fs::remove_dir_all(dir.path().join("recordings/2026-09-21")).unwrap();
    assert!(again.open(header_of("frank", 1600)).await.is_err(), "counted again at every refusal");
}

#[tokio::test]
async fn recordings_leave_the_space_that_the_audit_log_needs() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = folder(dir.path(), RecordingLimits { quota: u64::MAX, keep_free: u64::MAX, kept: u64::MAX })
        .open(header(6))
        .await;
    let refusal = refusal.err().expect("no recording, no command").to_string();
    assert!(refusal.contains("free on the disk"), "{refusal}");
    // A folder that cannot be written.
    let recorders = folder(dir.path(), no_limits());
    std::fs::remove_dir_all(dir.path().join("recordings")).unwrap();
    std::fs::write(dir.path().join("recordings"), "in the way").unwrap();
    assert!(recorders.open(header(7)).await.is_err());
}

#[tokio::test]
async fn of_a_long_stream_the_beginning_is_recorded_and_the_length_and_digest_of_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let recorders = folder(dir.path(), RecordingLimits { quota: u64::MAX, keep_free: 0, kept: 10 });
    let mut recorder = recorders.open(header(8)).await.unwrap();
    let path = dir.path().join("recordings").join(recorder.file_name());
    put(&mut recorder, Stream::Input, b"123456").await;
    put(&mut recorder, Stream::Output, b"exactly 10").await;
    put(&mut recorder, Stream::Input, b"7890abc").await;
    put(&mut recorder, Stream::Error, b"oh").await;
    put(&mut recorder, Stream::Input, b"def").await;
    let whole = Digest::of(b"1234567890abcdef");
    assert_eq!(recorder.digests().await, [Some(whole), None, None]);
    recorder.finish(0).await.unwrap();
    let file = std::fs::read(&path).unwrap();
    let events: Vec<_> = Reader::open(&file[..]).unwrap().1.map(|event| event.unwrap().what).collect();
    let expected = [
        Happened::Passed(Track::Input, b"123456".to_vec()),
        Happened::Passed(Track::Output, b"exactly 10".to_vec()),
        Happened::Passed(Track::Input, b"7890".to_vec()),
        Happened::Passed(Track::Error, b"oh".to_vec()),
        Happened::Whole(Track::Input, 16, whole),
        Happened::Exit(0),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn binary_data_is_exact_and_shows_as_one_character() {
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = folder(dir.path(), no_limits()).open(header(9)).await.unwrap();
    let path = dir.path().join("recordings").join(recorder.file_name());
    let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    recorder.write(Stream::Error, Bytes::from(bytes.clone())).await.unwrap();
    recorder.finish(0).await.unwrap();
    let file = std::fs::read_to_string(&path).unwrap();
    assert!(file.len() < bytes.len() * 3 / 2, "{} bytes for {}", file.len(), bytes.len());
    assert!(file.contains("\"o\", \"\u{fffd}\"]"), "one character for all of it");
    let passed: Vec<u8> = Reader::open(file.as_bytes())
        .unwrap()
        .1
        .flat_map(|event| match event.unwrap().what {
            Happened::Passed(Track::Error, bytes) => bytes,
            _ => Vec::new(),
        })
        .collect();
    assert!(passed == bytes);
}
