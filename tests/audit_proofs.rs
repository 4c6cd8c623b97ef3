//! What a reviewer can show and find out without believing the bastion: that an entry is in the log, that the log only grew.
//! And that the tiles from which this is quick are derived: wrong or missing ones change no answer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails so")]

#[path = "audit_proofs/elsewhere.rs"]
mod elsewhere;
#[path = "audit_proofs/logs.rs"]
mod logs;

use std::fs;
use std::path::Path;

use doorward::audit::note;
use doorward::audit::proof::{ConsistencyProof, Proof, ProofError};
use doorward::audit::prove::{ProveError, prove_entry, prove_growth};
use doorward::audit::tiles::{Keeper, TileState};
use doorward::audit::verify::{Problem, verify};

use logs::{ORIGIN, bytes_read, checkpoint_of, kept, line, put_key, tool, verifier, write_log};

fn keep(dir: &Path) {
    Keeper::new(dir.to_owned(), verifier(1)).update().unwrap();
}

#[test]
fn every_entry_of_a_log_can_be_proven_from_its_tiles_with_the_public_key_alone() {
    for size in [1, 2, 255, 256, 257, 600] {
        let dir = tempfile::tempdir().unwrap();
        write_log(dir.path(), 1, size, |_| "text");
        keep(dir.path());
        assert_eq!(verify(dir.path(), &verifier(1)).unwrap().tiles, TileState::Right { missing: 0 }, "{size}");
        for index in (0..size).step_by(7).chain([size - 1]) {
            let proved = prove_entry(dir.path(), &verifier(1), index).unwrap();
            assert!(!proved.derived_is_wrong, "{index} of {size}");
            assert_eq!(proved.proof.entry.as_deref(), Some(line(index, "text").as_bytes()));
            let Ok(Proof::Inclusion(read)) = Proof::parse(proved.proof.to_string().as_bytes()) else { panic!() };
            assert_eq!(read.check(&verifier(1)).unwrap().size, size);
            assert!(read.check(&verifier(2)).is_err());
        }
        let outside = prove_entry(dir.path(), &verifier(1), size).unwrap_err();
        assert!(outside.to_string().contains("is not among"), "{outside}");
    }
}

#[test]
fn tiles_follow_the_log_and_lag_behind_it_without_harm() {
    let dir = tempfile::tempdir().unwrap();
    let mut keeper = Keeper::new(dir.path().to_owned(), verifier(1));
    for size in [3, 3, 256, 300, 511, 512, 700] {
        write_log(dir.path(), 1, size, |_| "text");
        // Not yet in the tiles: taken from the file of leaf hashes.
        for index in [0, size - 1] {
            assert!(!prove_entry(dir.path(), &verifier(1), index).unwrap().derived_is_wrong, "{index} of {size}");
        }
        assert!(!matches!(verify(dir.path(), &verifier(1)).unwrap().tiles, TileState::Wrong { .. }), "{size}");
        keeper.update().unwrap();
        assert_eq!(verify(dir.path(), &verifier(1)).unwrap().tiles, TileState::Right { missing: 0 }, "{size}");
    }
    let mut files: Vec<String> = Vec::new();
    let mut folders = vec![dir.path().join("tile")];
    while let Some(folder) = folders.pop() {
        for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            match file.is_dir() {
                true => folders.push(file),
                false => files.push(file.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    files.sort();
    assert_eq!(files, ["tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"], "no partial tile is left");
}

#[test]
fn wrong_tiles_are_named_change_no_answer_and_are_made_anew() {
    // What, how, and whether a proof runs into it: a tile that is no tile at all is passed over for the leaf hashes.
    type Damage = (&'static str, fn(&Path), bool);
    let damages: [Damage; 5] = [
        ("a full tile is changed", |dir| logs::flip(&dir.join("tile/0/000"), 100), true),
        ("a partial tile is changed", |dir| logs::flip(&dir.join("tile/0/002.p/88"), 10), true),
        ("an upper tile is changed", |dir| logs::flip(&dir.join("tile/1/000.p/2"), 10), true),
        ("a tile is cut", |dir| fs::write(dir.join("tile/0/001"), [7; 100]).unwrap(), false),
        (
            "a tile is a folder",
            |dir| {
                fs::remove_file(dir.join("tile/0/001")).unwrap();
                fs::create_dir(dir.join("tile/0/001")).unwrap();
            },
            true,
        ),
    ];
    for (what, damage, met) in damages {
        let dir = tempfile::tempdir().unwrap();
        write_log(dir.path(), 1, 600, |_| "text");
        keep(dir.path());
        damage(dir.path());
        let report = verify(dir.path(), &verifier(1)).unwrap();
        let TileState::Wrong { path } = report.tiles else { panic!("{what}: {:?}", report.tiles) };
        assert!(dir.path().join(&path).exists(), "{what}: {path}");
        for index in [0, 300, 599] {
            let proof = prove_entry(dir.path(), &verifier(1), index).unwrap().proof;
            assert_eq!(proof.check(&verifier(1)).unwrap().size, 600, "{what}");
        }
        let old = kept(1, 257, |_| "text");
        let proof = prove_growth(dir.path(), &verifier(1), 257, None).unwrap().proof;
        proof.check(old.as_bytes(), &verifier(1)).unwrap();
        let some_used_it = [0, 300, 599].map(|index| prove_entry(dir.path(), &verifier(1), index).unwrap());
        assert_eq!(some_used_it.iter().any(|proved| proved.derived_is_wrong), met, "{what}");
        if dir.path().join("tile/0/001").is_dir() {
            fs::remove_dir(dir.path().join("tile/0/001")).unwrap();
        }
        Keeper::new(dir.path().to_owned(), verifier(1)).rebuild().unwrap();
        assert_eq!(verify(dir.path(), &verifier(1)).unwrap().tiles, TileState::Right { missing: 0 }, "{what}");
    }
}

#[test]
fn tiles_are_never_trusted_over_the_log() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_log(dir.path(), 1, 600, |_| "text");
    // The tiles and leaf hashes of another log, whole and fitting each other, of the same length.
    write_log(other.path(), 1, 600, |at| if at == 300 { "forged" } else { "text" });
    keep(other.path());
    fs::rename(other.path().join("tile"), dir.path().join("tile")).unwrap();
    fs::copy(other.path().join("leaves"), dir.path().join("leaves")).unwrap();
    let proved = prove_entry(dir.path(), &verifier(1), 5).unwrap();
    assert!(proved.derived_is_wrong);
    proved.proof.check(&verifier(1)).unwrap();
    assert!(matches!(verify(dir.path(), &verifier(1)).unwrap().tiles, TileState::Wrong { .. }));
    // The keeper reads the log where the leaf hashes do not fit.
    keep(dir.path());
    assert_eq!(verify(dir.path(), &verifier(1)).unwrap().tiles, TileState::Right { missing: 0 });
    // And the other way round: right tiles hide no changed entry, neither in what verify says nor in a proof.
    let segment = dir.path().join("00000000000000000000.jsonl");
    let text = fs::read_to_string(&segment).unwrap().replace(&line(5, "text"), &line(5, "TEXT"));
    fs::write(&segment, text).unwrap();
    assert!(verify(dir.path(), &verifier(1)).is_err());
    let refused = prove_entry(dir.path(), &verifier(1), 5).unwrap_err();
    assert!(
        matches!(refused, ProveError::Log(Problem::Changed { .. } | Problem::ChangedSomewhere { .. })),
        "{refused}"
    );
}

#[test]
fn a_full_disk_leaves_the_tiles_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), 1, 300, |_| "text");
    fs::remove_file(dir.path().join("reserve")).unwrap();
    keep(dir.path());
    assert!(!dir.path().join("tile").exists(), "the last space is for endings");
    fs::write(dir.path().join("reserve"), b"").unwrap();
    // A folder that cannot be made is an error of the tiles and of nothing else.
    fs::write(dir.path().join("tile"), b"a file").unwrap();
    Keeper::new(dir.path().to_owned(), verifier(1)).update().unwrap_err();
    assert_eq!(verify(dir.path(), &verifier(1)).unwrap().entries, 300);
    assert!(!prove_entry(dir.path(), &verifier(1), 299).unwrap().derived_is_wrong);
}

#[test]
fn the_proof_of_an_entry_touches_few_bytes_however_long_the_log_is() {
    // A debug build hashes slowly.
    let sizes: [u64; 2] = if cfg!(debug_assertions) { [3_000, 20_000] } else { [3_000, 100_000] };
    for size in sizes {
        let dir = tempfile::tempdir().unwrap();
        write_log(dir.path(), 1, size, |_| "text");
        keep(dir.path());
        for index in [0, 1, size / 3, size - 2, size - 1] {
            let before = bytes_read();
            let proved = prove_entry(dir.path(), &verifier(1), index).unwrap();
            let touched = bytes_read() - before;
            assert!(!proved.derived_is_wrong);
            // One line found by halving, and a tile for each node of the path; the log has 15 MB.
            assert!(touched < 400_000, "{touched} bytes for entry {index} of {size}");
            assert!(proved.proof.to_string().len() < 2_500, "the size of a proof is the logarithm of the log's");
        }
    }
}

#[test]
fn a_log_that_was_rolled_back_or_rewritten_by_somebody_with_its_key_does_not_fit_a_checkpoint_kept_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    write_log(dir.path(), 1, 40, |_| "text");
    keep(dir.path());
    let old = fs::read_to_string(dir.path().join("checkpoint")).unwrap();
    let kept = note::open(old.as_bytes(), &verifier(1)).unwrap();
    // It grew honestly.
    write_log(dir.path(), 1, 60, |_| "text");
    let honest = prove_growth(dir.path(), &verifier(1), 40, Some(&kept.root)).unwrap().proof;
    let (_, now) = honest.check(old.as_bytes(), &verifier(1)).unwrap();
    assert_eq!(now.size, 60);

    // The attacker has the log's key: writes history anew, signs it, makes all that is derived. By itself it is perfect.
    let forged = tempfile::tempdir().unwrap();
    write_log(forged.path(), 1, 70, |at| if at == 7 { "nothing happened" } else { "text" });
    keep(forged.path());
    let report = verify(forged.path(), &verifier(1)).unwrap();
    assert_eq!((report.entries, report.tiles), (70, TileState::Right { missing: 0 }));
    assert_eq!(prove_growth(forged.path(), &verifier(1), 40, Some(&kept.root)), Err(ProveError::Rewritten { old: 40 }));
    // Nor does a proof that the forger's own bastion hands out hold against what was kept.
    let lie = prove_growth(forged.path(), &verifier(1), 40, None).unwrap().proof;
    let told = lie.check(old.as_bytes(), &verifier(1)).unwrap_err();
    assert!(matches!(told, ProofError::Consistency { old: 40, .. }), "{told}");
    // Nor one that is put together from both logs.
    let mixed = ConsistencyProof { checkpoint: checkpoint_of(forged.path()), ..honest };
    assert!(matches!(mixed.check(old.as_bytes(), &verifier(1)), Err(ProofError::Consistency { .. })));

    // Rolled back, log and checkpoint alike.
    write_log(forged.path(), 1, 30, |_| "text");
    let told = prove_growth(forged.path(), &verifier(1), 40, Some(&kept.root)).unwrap_err();
    assert!(told.to_string().contains("rolled back"), "{told}");
    assert_eq!(verify(forged.path(), &verifier(1)).unwrap().entries, 30, "from the files alone nobody can tell");
}

#[test]
fn the_operators_verbs_print_proofs_and_check_them_and_say_what_is_wrong() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("log");
    write_log(&dir, 1, 300, |_| "text \u{202e}");
    put_key(home.path());
    fs::copy(dir.join("checkpoint"), home.path().join("kept")).unwrap();
    write_log(&dir, 1, 400, |_| "text \u{202e}");
    let ran = |words: &str| tool(home.path(), words);

    let rebuilt = ran("audit rebuild-tiles log --key log_key.pub");
    assert_eq!((rebuilt.code, rebuilt.out.as_str()), (0, "the tiles of 400 entries are made anew\n"), "{rebuilt:?}");
    let proof = ran("audit prove log 123 --key log_key.pub");
    assert!(proof.code == 0 && proof.err.is_empty() && proof.out.starts_with("c2sp.org/tlog-proof@v1\n"), "{proof:?}");
    fs::write(home.path().join("123.tlog-proof"), &proof.out).unwrap();
    let json = ran("audit prove log 123 --key log_key.pub --json");
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&json["entry"], json["proof"].as_str()), (&123.into(), Some(proof.out.as_str())));
    let grown = ran("audit consistency log kept --key log_key.pub");
    assert!(grown.code == 0 && grown.out.starts_with("old 300\n") && grown.err.contains("all 300 entries of kept"));
    fs::write(home.path().join("grown"), &grown.out).unwrap();

    // From here on there is no log any more.
    fs::rename(&dir, home.path().join("gone")).unwrap();
    let holds = ran("audit check-proof 123.tlog-proof --key log_key.pub");
    assert_eq!(holds.code, 0, "{holds:?}");
    assert!(holds.out.starts_with("{\"v\":1,\"seq\":123,") && holds.out.ends_with("}\n"), "{holds:?}");
    assert!(holds.err.contains("entry 123 of bastion.example.com/audit") && !holds.out.contains('\u{202e}'));
    let holds = ran("audit check-proof grown --old kept --key log_key.pub");
    assert_eq!(
        (holds.code, holds.out.as_str()),
        (0, "the proof holds: bastion.example.com/audit has 400 entries and begins with the 300 that were there\n")
    );

    for (words, code, said) in [
        ("audit check-proof grown --key log_key.pub", 2, "--old is needed"),
        ("audit check-proof 123.tlog-proof --old kept --key log_key.pub", 2, "--old belongs to"),
        ("audit check-proof grown --old grown --key log_key.pub", 1, "the checkpoint that was kept cannot be believed"),
        ("audit check-proof kept --key log_key.pub", 1, "kept: line 1: a proof begins with"),
        ("audit check-proof nowhere --key log_key.pub", 1, "nowhere: No such file"),
        ("audit check-proof 123.tlog-proof --key other.pub", 1, "is not signed by the key of"),
        ("audit prove gone 400 --key log_key.pub", 1, "entry 400 is not among the 400"),
        ("audit prove gone x --key log_key.pub", 2, "invalid value"),
        ("audit prove gone 1", 2, "say its public key with --key"),
        ("audit consistency gone 123.tlog-proof --key log_key.pub", 1, "123.tlog-proof cannot be believed"),
    ] {
        let answer = ran(words);
        assert!(answer.code == code && answer.err.contains(said) && answer.out.is_empty(), "{words}: {answer:?}");
    }

    // A tile that does not fit is said, with what to type; the answer stays the same.
    logs::flip(&home.path().join("gone/tile/0/000"), 5);
    let verified = ran("audit verify gone --key log_key.pub");
    assert_eq!(verified.code, 0, "{verified:?}");
    assert!(verified.err.contains("tile/0/000 does not fit it") && verified.err.contains("audit rebuild-tiles gone"));
    let again = ran("audit prove gone 123 --key log_key.pub");
    assert!(again.out == proof.out && again.err.contains("audit rebuild-tiles gone"), "{again:?}");
    // An entry that was changed is an error, and named.
    logs::flip(&home.path().join("gone/00000000000000000000.jsonl"), 100);
    let broken = ran("audit prove gone 0 --key log_key.pub");
    assert!(broken.code == 1 && broken.out.is_empty() && broken.err.contains("entry 0 was changed"), "{broken:?}");
    assert_eq!(verifier(1).name(), ORIGIN);
}
