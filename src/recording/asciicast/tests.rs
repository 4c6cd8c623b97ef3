use proptest::prelude::*;

use super::*;

fn header(terminal: bool) -> Header {
    Header {
        width: 80,
        height: 24,
        timestamp: 1_790_000_000,
        title: "echo \u{202e}ü".to_owned(),
        doorward: Origin {
            session: "s-7K2Q4M9D".to_owned(),
            command: "c-7K2Q4M9D".to_owned(),
            user: "alice".to_owned(),
            target: "web-1".to_owned(),
            terminal,
        },
    }
}

type Passed = Vec<(Track, Vec<u8>)>;

fn recorded(terminal: bool, chunks: &[(Track, Vec<u8>)]) -> String {
    let (mut encoder, mut file) = Encoder::new(&header(terminal));
    for (step, (track, bytes)) in chunks.iter().enumerate() {
        encoder.passed(Duration::from_millis(step as u64 * 7), *track, bytes, &mut file);
    }
    encoder.finish(Duration::from_secs(9), 3, &mut file);
    file
}

fn joined(events: &[(Track, Vec<u8>)], wanted: Track) -> Vec<u8> {
    events.iter().filter(|(track, _)| *track == wanted).flat_map(|(_, bytes)| bytes.clone()).collect()
}

fn read(file: &str) -> (Header, Passed, Option<u8>) {
    let (header, reader) = Reader::open(file.as_bytes()).unwrap();
    let (mut passed, mut exit) = (Vec::new(), None);
    for event in reader {
        match event.unwrap().what {
            Happened::Passed(track, bytes) => passed.push((track, bytes)),
            Happened::Exit(code) => exit = Some(code),
            Happened::Whole(..) => panic!("nothing here is recorded in part"),
        }
    }
    (header, passed, exit)
}

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        any::<Vec<u8>>(),
        ".*".prop_map(String::into_bytes),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(vec![0xe4, 0xb8]),
        Just(vec![0xad]),
        Just(vec![0xf0, 0x9f, 0x98]),
        Just(vec![0x80]),
    ];
    prop::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_read_is_what_passed_on_every_track(
        terminal: bool,
        chunks in prop::collection::vec(
            (prop_oneof![Just(Track::Input), Just(Track::Output), Just(Track::Error)], some_bytes()), 0..12)
    ) {
        let file = recorded(terminal, &chunks);
        prop_assert!(file.lines().all(|line| line.chars().all(text::is_printable)));
        let (read_header, passed, exit) = read(&file);
        prop_assert_eq!(read_header, header(terminal));
        prop_assert_eq!(exit, Some(3));
        for track in [Track::Input, Track::Output, Track::Error] {
            prop_assert_eq!(joined(&passed, track), joined(&chunks, track));
        }
    }

    #[test]
    fn the_reader_survives_any_file(bytes: Vec<u8>, lines in prop::collection::vec(".*", 0..8)) {
        let good = recorded(false, &[(Track::Error, b"x\xff".to_vec())]);
        for tail in [bytes, lines.join("\n").into_bytes()] {
            let file = [good.as_bytes(), &tail].concat();
            if let Ok((_, reader)) = Reader::open(&file[..]) {
                prop_assert!(reader.count() >= 2);
            }
            if let Ok((_, reader)) = Reader::open(&tail[..]) {
                let _ = reader.count();
            }
        }
    }
}

#[test]
fn a_recording_is_the_lines_that_the_documentation_shows() {
    let chunks = [
        (Track::Output, "zwei\nZeilen \u{e4}".as_bytes().to_vec()),
        (Track::Error, b"oh\n".to_vec()),
        (Track::Output, b"\xff\n".to_vec()),
        (Track::Input, b"y\n".to_vec()),
    ];
    let file = recorded(false, &chunks);
    let lines: Vec<&str> = file.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "[0.000000, \"o\", \"zwei\\r\\nZeilen ä\"]",
            "[0.007000, \"d\", \"error\"]",
            "[0.007000, \"o\", \"oh\\r\\n\"]",
            "[0.014000, \"d\", \"bytes /wo=\"]",
            "[0.014000, \"o\", \"\u{fffd}\\r\\n\"]",
            "[0.021000, \"i\", \"y\\n\"]",
            "[9.000000, \"d\", \"exit 3\"]",
        ]
    );
}

#[test]
fn a_character_split_over_two_writes_is_shown_whole() {
    let file = recorded(true, &[(Track::Output, vec![b'a', 0xe4, 0xb8]), (Track::Output, vec![0xad, b'b'])]);
    assert!(file.contains("\"a\"]") && file.contains("\"中b\"]"), "{file}");
    assert!(!file.contains("bytes"), "{file}");
}

#[test]
fn a_prefix_is_a_recording_too_and_hostile_lines_end_the_reading() {
    let file = recorded(true, &[(Track::Output, b"one".to_vec()), (Track::Output, b"two".to_vec())]);
    let cut = &file[..file.find("two").unwrap()];
    let (_, passed, exit) = read(cut);
    assert_eq!((passed, exit), (vec![(Track::Output, b"one".to_vec())], None));
    let head = file.lines().next().unwrap();
    let hostile = [
        format!("{head}\n[-1.0, \"o\", \"x\"]\n"),
        format!("{head}\n[1e300, \"o\", \"x\"]\n"),
        format!("{head}\n[0, \"o\", {}\n", "[".repeat(100_000)),
        format!("{head}\n[0, \"o\", \"{}\"]\n", "x".repeat(2_000_000)),
        format!("{head}\n[0, \"d\", \"bytes ???\"]\n"),
        format!("{head}\n{{}}\n"),
    ];
    for file in hostile {
        let (_, mut reader) = Reader::open(file.as_bytes()).unwrap();
        assert!(matches!(reader.next(), Some(Err(CastError::Malformed { line: 2, .. }))));
        assert!(reader.next().is_none(), "nothing is believed after a fault");
    }
    assert!(Reader::open(head.replace("\"version\":2", "\"version\":3").as_bytes()).is_err());
}
