//! `recording::asciicast`: what is written of a command's streams, and the reader for files from anywhere.

use std::time::Duration;

use doorward::domain::text::is_printable;
use doorward::recording::asciicast::{Encoder, Happened, Header, Origin, Reader, Track};
use serde_json::Value;

use super::shown_safely;

const TRACKS: [Track; 3] = [Track::Input, Track::Output, Track::Error];

/// The first byte says whether there is a terminal; then follow pieces: a byte for track and time, one for the length, bytes.
///
/// Every line is JSON that can be shown, time never runs back, and the reader gives back every byte of every track.
pub(super) fn recording_writer(data: &[u8]) -> bool {
    let Some((first, mut rest)) = data.split_first() else { return false };
    let terminal = first & 1 != 0;
    let header = header(terminal, &String::from_utf8_lossy(data.get(..40).unwrap_or(data)));
    let (mut encoder, mut file) = Encoder::new(&header);
    let mut passed: [Vec<u8>; 3] = Default::default();
    let mut elapsed = Duration::ZERO;
    while let [how, length, more @ ..] = rest {
        let (bytes, after) = more.split_at(usize::from(*length).min(more.len()));
        // Not even a clock that goes back may make time run back.
        elapsed = (elapsed + Duration::from_millis(u64::from(how >> 4)))
            .saturating_sub(Duration::from_millis(u64::from(how >> 2 & 3)));
        // Now and then more than fits into one event.
        let bytes = if how & 0xC == 0xC && file.len() < 512 * 1024 { bytes.repeat(300) } else { bytes.to_vec() };
        let track = usize::from(how & 3) % 3;
        encoder.passed(elapsed, TRACKS[track], &bytes, &mut file);
        passed[track].extend_from_slice(&bytes);
        rest = after;
    }
    encoder.finish(elapsed, *first, &mut file);

    assert!(file.ends_with('\n'));
    for line in file.lines() {
        assert!(line.chars().all(is_printable), "{line:?}");
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert!(value.is_object() || value.as_array().is_some_and(|event| event.len() == 3));
    }
    let (read, events) = Reader::open(file.as_bytes()).expect("a recording of ours");
    assert_eq!(read, header);
    let (mut back, mut last, mut exit): ([Vec<u8>; 3], Duration, Option<u8>) = Default::default();
    for event in events {
        let event = event.expect("an event of ours");
        assert!(exit.is_none() && event.time >= last, "{event:?}");
        last = event.time;
        match event.what {
            Happened::Passed(track, bytes) => {
                back[TRACKS.iter().position(|known| *known == track).expect("a track")].extend(bytes);
            }
            Happened::Whole(track, ..) => panic!("nobody said that only the beginning of {track:?} is here"),
            Happened::Exit(code) => exit = Some(code),
        }
    }
    assert_eq!((&back, exit), (&passed, Some(*first)));
    back.iter().any(|track| !track.is_empty())
}

fn header(terminal: bool, title: &str) -> Header {
    let doorward = Origin {
        session: "s-7K2Q4M9D".to_owned(),
        command: "c-7K2Q4M9D".to_owned(),
        user: "alice".to_owned(),
        target: "web-1".to_owned(),
        terminal,
    };
    Header { width: 80, height: 24, timestamp: 1_800_000_000, title: title.to_owned(), doorward }
}

/// Any file: the reader ends, holds no more events than there are lines, and says nothing after it said that it cannot go on.
pub(super) fn recording_reader(data: &[u8]) -> bool {
    match Reader::open(data) {
        Ok((_, mut events)) => {
            let lines = data.iter().filter(|byte| **byte == b'\n').count();
            let mut count = 0;
            while let Some(event) = events.next() {
                count += 1;
                assert!(count <= lines, "more events than lines");
                if let Err(error) = event {
                    shown_safely(&error.to_string(), 2000);
                    assert!(events.next().is_none());
                    return false;
                }
            }
            count > 0
        }
        Err(error) => {
            shown_safely(&error.to_string(), 2000);
            false
        }
    }
}
