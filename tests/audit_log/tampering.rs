//! Every kind of tampering with the files of the log: found, and the first bad entry named.

use super::*;

/// All lines of the log; changed by `edit`; written back as one segment.
fn edit(dir: &Path, edit: impl FnOnce(&mut Vec<String>)) {
    let files = segments(dir);
    let text: String = files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    edit(&mut lines);
    files.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&files[0], lines).unwrap();
}

type Tamper = (&'static str, fn(&mut Vec<String>), Problem, Problem);

/// What was done, and how it is named with the side file, and with that file forged.
const TAMPERED: [Tamper; 12] = [
    (
        "a text is changed",
        |lines| lines[4] = lines[4].replace("text 4", "text X"),
        Problem::Changed { number: 4 },
        Problem::ChangedSomewhere { last: 9 },
    ),
    (
        "the first and the last are changed",
        |lines| [0, 9].into_iter().for_each(|at| lines[at] = lines[at].replace("text", "TEXT")),
        Problem::Changed { number: 0 },
        Problem::ChangedSomewhere { last: 9 },
    ),
    (
        "a line is garbage",
        |lines| lines[5] = "x".to_owned(),
        Problem::Changed { number: 5 },
        Problem::Changed { number: 5 },
    ),
    (
        "a line claims a newer format",
        |lines| lines[5] = lines[5].replace("\"v\":1", "\"v\":9"),
        Problem::Changed { number: 5 },
        Problem::Changed { number: 5 },
    ),
    (
        "one is dropped",
        |lines| drop(lines.remove(3)),
        Problem::Dropped { first: 3, last: 3 },
        Problem::Dropped { first: 3, last: 3 },
    ),
    (
        "the first three are dropped",
        |lines| drop(lines.drain(..3)),
        Problem::Dropped { first: 0, last: 2 },
        Problem::Dropped { first: 0, last: 2 },
    ),
    (
        "two change places",
        |lines| lines.swap(2, 6),
        Problem::Reordered { number: 2, found: 6 },
        Problem::Reordered { number: 2, found: 6 },
    ),
    (
        "a foreign line is put in",
        |lines| lines.insert(7, lines[7].replace("text 7", "forged")),
        Problem::Inserted { number: 7 },
        Problem::Inserted { number: 8 },
    ),
    (
        "a line is there twice",
        |lines| lines.insert(8, lines[2].clone()),
        Problem::Inserted { number: 8 },
        Problem::Inserted { number: 8 },
    ),
    (
        "the end is missing",
        |lines| lines.truncate(8),
        Problem::Truncated { found: 8, expected: 10 },
        Problem::Truncated { found: 8, expected: 10 },
    ),
    (
        "everything is missing",
        Vec::clear,
        Problem::Truncated { found: 0, expected: 10 },
        Problem::Truncated { found: 0, expected: 10 },
    ),
    (
        "one is dropped and the rest renumbered",
        |lines| {
            lines.remove(3);
            (3..9)
                .for_each(|at| lines[at] = lines[at].replace(&format!("\"seq\":{}", at + 1), &format!("\"seq\":{at}")));
        },
        Problem::Changed { number: 3 },
        Problem::Truncated { found: 9, expected: 10 },
    ),
];

#[tokio::test]
async fn every_tampering_is_found_and_the_first_bad_entry_named() {
    for (what, tamper, exact, without) in TAMPERED {
        let dir = ten_entries().await;
        edit(dir.path(), tamper);
        assert_eq!(verify(dir.path(), &verifier(1)), Err(exact.clone()), "{what}");
        // Who can change entries can change the side file too: that hides nothing, the answer is only less exact.
        flip(dir.path(), "leaves", 1);
        assert_eq!(verify(dir.path(), &verifier(1)), Err(without.clone()), "{what}; side file forged");
        std::fs::remove_file(dir.path().join("leaves")).unwrap();
        assert_eq!(verify(dir.path(), &verifier(1)), Err(without), "{what}; side file gone");
        // And the bastion does not start on it.
        let Err(OpenError::Refused { problem, .. }) = open(dir.path(), 1) else { panic!("{what}: opened") };
        assert!(!problem.to_string().is_empty(), "{what}");
    }
}

#[tokio::test]
async fn no_single_bit_of_an_entry_or_checkpoint_can_change() {
    let dir = ten_entries().await;
    for path in segments(dir.path()).into_iter().chain([dir.path().join("checkpoint")]) {
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, bytes).unwrap();
            assert!(verify(dir.path(), &verifier(1)).is_err(), "{} byte {at}", path.display());
        }
        std::fs::write(&path, whole).unwrap();
    }
    assert_eq!(verify(dir.path(), &verifier(1)).unwrap().entries, 10);
}

#[tokio::test]
async fn segments_cannot_be_removed_or_renamed() {
    let dir = ten_entries().await;
    let files = segments(dir.path());
    assert!(files.len() >= 3, "{files:?}");
    let moved = dir.path().join("away");
    let first_of = |path: &Path| path.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap();
    let (second, third) = (first_of(&files[1]), first_of(&files[2]));
    std::fs::rename(&files[1], &moved).unwrap();
    assert_eq!(verify(dir.path(), &verifier(1)), Err(Problem::Dropped { first: second, last: third - 1 }));
    std::fs::rename(&moved, dir.path().join("00000000000000000009.jsonl")).unwrap();
    assert!(verify(dir.path(), &verifier(1)).is_err());
}

#[tokio::test]
async fn a_checkpoint_by_another_is_not_believed() {
    let dir = ten_entries().await;
    let signed_by_another = |problem: &Problem| problem.to_string().contains("signed by the key");
    // The same entries, signed again by somebody else.
    let forged = tempfile::tempdir().unwrap();
    let (log, _) = open(forged.path(), 2).unwrap();
    put(&log, said("forged")).await;
    log.close();
    for file in [forged.path().join("checkpoint")].iter().chain(&segments(forged.path())) {
        std::fs::copy(file, dir.path().join(file.file_name().unwrap())).unwrap();
    }
    assert!(verify(dir.path(), &verifier(1)).is_err_and(|problem| signed_by_another(&problem)));
    assert!(matches!(open(dir.path(), 1), Err(OpenError::Refused { problem, .. }) if signed_by_another(&problem)));
    // The right key, another log.
    let other = VerifierKey::new("elsewhere", key(1).verifying_key()).unwrap();
    let dir = ten_entries().await;
    assert!(verify(dir.path(), &other).is_err());
    // No checkpoint: not a new log, and not an empty one.
    std::fs::remove_file(dir.path().join("checkpoint")).unwrap();
    assert_eq!(verify(dir.path(), &verifier(1)), Err(Problem::NoCheckpoint));
    assert!(matches!(open(dir.path(), 1), Err(OpenError::Refused { problem: Problem::NoCheckpoint, .. })));
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(verify(&nowhere, &verifier(1)), Err(Problem::Unreadable { .. })));
}
