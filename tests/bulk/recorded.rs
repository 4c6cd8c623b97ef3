//! What is recorded of bulk data.

use std::fs;
use std::process::Command;

use crate::transfer::{MIB, Noise, PATIENCE, Reader, bastion, round_trip};
use std::io::{Read as _, Write as _};
use std::process::Stdio;

#[test]
fn of_bulk_data_the_recording_holds_the_beginning_and_the_log_the_digest() {
    let bastion = bastion("recorded_mib = 1", "");
    let size = 3 * MIB + 5;
    let mut sum = bastion.ssh("alice", &["web-1@bastion", "sha256sum"]);
    let mut sum = sum.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ssh");
    let mut input = sum.stdin.take().expect("its input");
    std::io::copy(&mut Noise::new(9).take(size), &mut input).expect("written");
    input.flush().expect("flushed");
    drop(input);
    let printed = sum.wait_with_output().expect("ssh");
    let digest = String::from_utf8(printed.stdout).expect("text");
    let digest = digest.split_whitespace().next().expect("a digest");
    round_trip(bastion.ssh("alice", &["web-1@bastion", "cat"]), size, 9, Reader::Fast, PATIENCE)
        .assert_whole(size, "recorded");

    let finished: Vec<_> = bastion.entries("command-finished").into_iter().map(|entry| entry["data"].clone()).collect();
    let digests = |entry: &serde_json::Value| entry["stream_digests"].clone();
    assert_eq!(digests(&finished[0]), serde_json::json!([digest, null, null]));
    assert_eq!(digests(&finished[1]), serde_json::json!([digest, digest, null]));
    assert_eq!(finished[1]["bytes"], serde_json::json!([size, size, 0]));

    let path = bastion.dir().join("state/recordings").join(finished[1]["recording"].as_str().expect("a name"));
    let recording = fs::read_to_string(&path).expect("text, whatever passed");
    assert!((2 * MIB..4 * MIB).contains(&(recording.len() as u64)), "{} bytes", recording.len());
    for stream in ["input", "output"] {
        assert!(recording.contains(&format!("\"whole {stream} {size} {digest}\"")), "{stream}");
    }
    // Players go on showing it.
    let line = format!("asciinema cat {}", path.display());
    let played = Command::new("script").args(["-qec", &line, "/dev/null"]).env("LC_ALL", "C.UTF-8").output();
    let played = played.expect("script");
    assert!(played.status.success() && played.stdout.starts_with("\u{fffd}".as_bytes()), "{:?}", played.status);
    bastion.verify();
}
