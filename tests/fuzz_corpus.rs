//! The fuzz targets of `fuzz/` in every test run: the saved inputs, and as many mutations of them as some seconds allow.
//!
//! libFuzzer itself (`just fuzz`) finds more, because it sees which code an input reaches; what it finds is saved, and from
//! then on is tried here. The mutations are the same each time.

// The allowances for tests in clippy.toml do not reach functions beside the tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

#[path = "fuzz_corpus/hunt.rs"]
mod hunt;
#[path = "../fuzz/src/targets/mod.rs"]
#[allow(unreachable_pub, reason = "what is public there is so for the binaries of fuzz/")]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use doorward::identity::certificate::DECODING_STACK;
use targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// The saved inputs of a target with their names, always in the same order.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(fuzz().join("corpus").join(target))
        .unwrap_or_else(|error| panic!("fuzz/corpus/{target}: {error}"))
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap()))
        .collect();
    found.sort();
    found
}

/// How many mutations of the inputs of a target a test run tries: each target has a second or two in a release build.
fn rounds(target: &str) -> u64 {
    let all = match target {
        "config_files" => 150,
        "audit_log" => 500,
        "certificate" | "role_file" | "sudoers" | "audit_note" => 1_500,
        _ => 10_000,
    };
    // A debug build is many times slower; nobody waits for it in CI.
    let all = if cfg!(debug_assertions) { all / 10 } else { all };
    let times = std::env::var("DOORWARD_FUZZ_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    u64::max(all, 10) * times
}

/// Runs `each` for every target, each in a thread with the stack that certificates need, and gives their complaints.
fn complaints(each: impl Fn(&'static str, targets::Target) -> Vec<String> + Sync) -> Vec<String> {
    let each = &each;
    thread::scope(|scope| {
        let start = |&(name, target): &(&'static str, targets::Target)| {
            let thread = thread::Builder::new().name(name.to_owned()).stack_size(DECODING_STACK);
            thread.spawn_scoped(scope, move || each(name, target)).unwrap()
        };
        let threads: Vec<_> = TARGETS.iter().map(start).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn every_target_has_its_binary_its_row_and_its_seeds() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names.len(), TARGETS.len(), "a name twice");
    let listed = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let manifest: toml::Table = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap().parse().unwrap();
    let bins = manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap().to_owned());
    assert_eq!(bins.collect::<BTreeSet<_>>(), names, "fuzz/Cargo.toml");
    assert_eq!(listed("fuzz_targets"), names, "fuzz/fuzz_targets");
    assert_eq!(listed("corpus"), names, "fuzz/corpus");
    let size: usize = names.iter().flat_map(|name| corpus(name)).map(|(_, bytes)| bytes.len()).sum();
    assert!(size < 1024 * 1024, "the corpus has {size} bytes; minimise it (CONTRIBUTING.md)");
}

#[test]
fn saved_inputs_keep_every_property_and_some_are_accepted_and_some_refused() {
    let found = complaints(|name, target| {
        let mut answers = BTreeSet::new();
        let mut found = Vec::new();
        for (input, bytes) in corpus(name) {
            match hunt::attempt(target, &bytes) {
                Ok(accepted) => drop(answers.insert(accepted)),
                Err(why) => found.push(format!("fuzz/corpus/{name}/{input}: {why}")),
            }
        }
        // Seeds that reach nothing any more would make a test that cannot fail.
        if found.is_empty() && answers.len() < 2 {
            found.push(format!("fuzz/corpus/{name}: all were accepted or all refused: {answers:?}"));
        }
        found
    });
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn mutated_inputs_keep_every_property() {
    let found = complaints(|name, target| {
        let seeds: Vec<Vec<u8>> = corpus(name).into_iter().map(|(_, bytes)| bytes).collect();
        let broken = hunt::hunt(target, &seeds, rounds(name));
        broken.map(|broken| format!("{name}: {}", broken.kept(name))).into_iter().collect()
    });
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// A certificate of each of the three kinds is believed: else only refusals would be tried.
#[test]
fn each_kind_of_certificate_input_has_one_that_is_believed() {
    let believed: BTreeSet<u8> = corpus("certificate")
        .iter()
        .filter(|(_, bytes)| targets::run("certificate", bytes))
        .map(|(_, bytes)| bytes[0])
        .collect();
    assert_eq!(believed, BTreeSet::from(*b"rst"));
}

#[test]
fn the_hunt_finds_what_is_there_and_says_how_to_see_it_again() {
    fn broken(data: &[u8]) -> bool {
        assert!(!data.windows(2).any(|pair| pair == b"''"), "two quotes");
        true
    }
    let seeds = [b"a 'b' c".to_vec(), b"''' '".to_vec()];
    let found = hunt::hunt(broken, &seeds[..1], 5_000).expect("a mutation of the seed has two quotes in a row");
    assert!(found.input.windows(2).any(|pair| pair == b"''") && found.why.contains("two quotes"), "{found:?}");
    assert_eq!(
        hunt::hunt(broken, &seeds[..1], 5_000).map(|again| again.input),
        Some(found.input),
        "the same each time"
    );
    assert_eq!(hunt::attempt(broken, &seeds[1]), Err("two quotes".to_owned()));
    assert!(hunt::hunt(|_| true, &seeds, 100).is_none());
}
