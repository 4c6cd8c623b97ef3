//! Two implementations that we did not write take our checkpoints, tiles and proofs, and refuse what was tampered with:
//! Cloudflare's `tlog_tiles` and `signed_note` (Rust), and `aics-tlog` (Python, installed by scripts/verifiers).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use doorward::audit::proof::{ConsistencyProof, InclusionProof};
use doorward::audit::prove::{prove_entry, prove_growth};
use doorward::audit::tiles::Keeper;
use signed_note::{Note, StandardVerifier, VerifierList};
use tlog_tiles::{checkpoint::Checkpoint, tile, tlog};

use crate::logs::{checkpoint_of, flip, line, put_key, verifier, write_log};

const SIZE: u64 = 600;
const OLD: u64 = 300;

/// A log of [`SIZE`] entries with its tiles in `log`, its checkpoint of [`OLD`] in `kept`, its key in `log_key.pub`, and the
/// same rewritten by somebody with its key in `forged`.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let (log, forged) = (home.path().join("log"), home.path().join("forged"));
    write_log(&log, 1, OLD, |_| "text");
    fs::copy(log.join("checkpoint"), home.path().join("kept")).unwrap();
    write_log(&log, 1, SIZE, |_| "text");
    write_log(&forged, 1, SIZE, |at| if at == 7 { "nothing happened" } else { "text" });
    for dir in [log, forged] {
        Keeper::new(dir, verifier(1)).update().unwrap();
    }
    put_key(home.path());
    home
}

fn inclusion(home: &Path, index: u64) -> InclusionProof {
    let proved = prove_entry(&home.join("log"), &verifier(1), index).unwrap();
    assert!(!proved.derived_is_wrong);
    proved.proof
}

fn consistency(home: &Path) -> ConsistencyProof {
    prove_growth(&home.join("log"), &verifier(1), OLD, None).unwrap().proof
}

/// What the Rust implementation makes of a signed checkpoint.
fn opened(note: &str) -> Option<Checkpoint> {
    let note = Note::from_bytes(note.as_bytes()).ok()?;
    let key = StandardVerifier::new(&verifier(1).to_string()).unwrap();
    note.verify(&VerifierList::new(vec![Box::new(key)])).ok()?;
    Checkpoint::from_bytes(note.text()).ok()
}

/// Index, hashes and checkpoint of one of our files, taken apart by its published description and nothing of ours.
fn apart(text: &str) -> (u64, Vec<tlog::Hash>, &str) {
    let (head, checkpoint) = text.split_once("\n\n").unwrap();
    let number = |line: &str| line.strip_prefix("index ").or(line.strip_prefix("old "))?.parse().ok();
    let number = head.lines().find_map(number).unwrap();
    let hashes = head.lines().filter(|line| line.len() == 44 && line.ends_with('='));
    (number, hashes.map(|line| tlog::Hash::parse_hash(line).unwrap()).collect(), checkpoint)
}

#[test]
fn a_rust_implementation_takes_our_proofs_and_refuses_them_tampered() {
    let home = home();
    for index in [0, 1, 255, 256, 511, 599] {
        let text = inclusion(home.path(), index).to_string();
        let (number, hashes, checkpoint) = apart(&text);
        let (leaf, at) = (tlog::record_hash(line(index, "text").as_bytes()), opened(checkpoint).unwrap());
        assert_eq!((number, at.size()), (index, SIZE));
        tlog::check_record(&hashes, at.size(), *at.hash(), number, leaf).unwrap();
        let other = tlog::record_hash(line(index, "forged").as_bytes());
        assert!(tlog::check_record(&hashes, at.size(), *at.hash(), number, other).is_err());
        assert!(tlog::check_record(&hashes, at.size(), *at.hash(), number ^ 1, leaf).is_err());
        let mut bad = hashes.clone();
        bad[3].0[0] ^= 1;
        assert!(tlog::check_record(&bad, at.size(), *at.hash(), number, leaf).is_err());
        assert!(opened(&checkpoint.replace("\n600\n", "\n601\n")).is_none());
    }
    let text = consistency(home.path()).to_string();
    let (old, hashes, checkpoint) = apart(&text);
    let (at, kept) =
        (opened(checkpoint).unwrap(), opened(&fs::read_to_string(home.path().join("kept")).unwrap()).unwrap());
    assert_eq!((old, kept.size()), (OLD, OLD));
    tlog::check_tree(&hashes, at.size(), *at.hash(), old, *kept.hash()).unwrap();
    let forged = opened(&checkpoint_of(&home.path().join("forged"))).unwrap();
    assert!(tlog::check_tree(&hashes, forged.size(), *forged.hash(), old, *kept.hash()).is_err());
}

/// Our tile files, for the Rust implementation.
struct Files(PathBuf);

impl tile::TileReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tile::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let path = |tile: &tile::Tile| self.0.join(tile.path().replacen("tile/8/", "tile/", 1));
        Ok(tiles.iter().map(|tile| fs::read(path(tile)).unwrap()).collect())
    }

    fn save_tiles(&self, _tiles: &[tile::Tile], _data: &[Vec<u8>]) {}
}

#[test]
fn a_rust_implementation_makes_the_same_proofs_from_our_tiles_and_none_from_a_wrong_one() {
    let home = home();
    let (dir, at) = (home.path().join("log"), opened(&checkpoint_of(&home.path().join("log"))).unwrap());
    let files = Files(dir.clone());
    let prove = |index| tlog::prove_record(SIZE, index, &tile::TileHashReader::new(SIZE, *at.hash(), &files));
    for index in [0, 300, 599] {
        assert_eq!(prove(index).unwrap(), apart(&inclusion(home.path(), index).to_string()).1);
    }
    flip(&dir.join("tile/0/001"), 7);
    // Its reader may pass over a wrong tile in a small tree; then the proof does not hold.
    let leaf = tlog::record_hash(line(300, "text").as_bytes());
    assert!(!prove(300).is_ok_and(|proof| tlog::check_record(&proof, SIZE, *at.hash(), 300, leaf).is_ok()));
}

/// Whether `aics-tlog WORDS…` in `home` says yes; anything but a clear yes or no is a failed test.
fn says_yes(home: &Path, words: &str) -> bool {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("verifiers");
    assert!(folder.join("aics_tlog").is_dir(), "no verifier in {}: run scripts/verifiers", folder.display());
    let ran = Command::new("python3")
        .args(["-m", "aics_tlog"])
        .args(words.split(' '))
        .env("PYTHONPATH", folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(home)
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(!said.contains("Traceback") && !said.contains("usage:"), "{words}\n{said}");
    match ran.status.code() {
        Some(0) => true,
        Some(1) => false,
        other => panic!("{words}: {other:?}\n{said}"),
    }
}

#[test]
fn a_python_implementation_takes_our_checkpoint_tiles_and_proofs_and_refuses_them_tampered() {
    let home = home();
    let (path, put) = (home.path(), |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap());
    let yes = |words: &str| says_yes(path, words);
    let key = "--vkey-file log_key.pub";
    let checkpoint = checkpoint_of(&path.join("log"));
    put("forged-size", &checkpoint.replace("\n600\n", "\n601\n"));
    assert!(yes(&format!("verify-checkpoint --note log/checkpoint {key}")));
    assert!(!yes(&format!("verify-checkpoint --note forged-size {key}")));
    assert!(!yes("verify-checkpoint --note log/checkpoint --vkey-file other.pub"));

    // The hashes of our files alone.
    let root = checkpoint.lines().nth(2).unwrap();
    let hashes = |text: &str| -> String {
        let head = text.split_once("\n\n").unwrap().0;
        head.lines().filter(|line| line.len() == 44).map(|line| format!("{line}\n")).collect()
    };
    let proof = hashes(&inclusion(path, 300).to_string());
    put("proof", &proof);
    let mut lines: Vec<&str> = proof.lines().collect();
    lines.swap(0, 1);
    put("bad-proof", &lines.join("\n"));
    put("leaf", &line(300, "text"));
    put("bad-leaf", &line(300, "forged"));
    let inclusion = |leaf, proof, index: u64| {
        yes(&format!("verify-inclusion --leaf {leaf} --index {index} --size 600 --root {root} --proof {proof}"))
    };
    assert!(inclusion("leaf", "proof", 300));
    assert!(!inclusion("bad-leaf", "proof", 300));
    assert!(!inclusion("leaf", "bad-proof", 300));
    assert!(!inclusion("leaf", "proof", 301));

    let kept = fs::read_to_string(path.join("kept")).unwrap();
    let forged = checkpoint_of(&path.join("forged"));
    put("growth", &hashes(&consistency(path).to_string()));
    let consistency = |new: &str| {
        let (old, new) = (kept.lines().nth(2).unwrap(), new.lines().nth(2).unwrap());
        let sizes = "--old-size 300 --new-size 600";
        yes(&format!("verify-consistency {sizes} --old-root {old} --new-root {new} --proof growth"))
    };
    assert!(consistency(&checkpoint));
    assert!(!consistency(&forged), "a rewritten log is not one that grew");

    // Straight from our folder.
    let growth = |dir| yes(&format!("verify-consistency --tiles {dir} --old-checkpoint kept {key}"));
    assert!(growth("log"));
    assert!(!growth("forged"), "whole, well signed, and another log");
    let in_tiles = |leaf| yes(&format!("verify-inclusion --tiles log --index 300 --leaf {leaf} {key}"));
    assert!(in_tiles("leaf"));
    assert!(!in_tiles("bad-leaf"));
    flip(&path.join("log/tile/0/001"), 7);
    assert!(!in_tiles("leaf"), "a wrong tile");
}
