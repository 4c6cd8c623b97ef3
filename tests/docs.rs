//! What the documents name exists: paths, commands of the program, tests. A document that points nowhere is worse than none.

// The allowances for tests in clippy.toml do not reach functions beside the tests.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, end));
        } else if path.extension().is_some_and(|found| found == end) {
            found.push(path);
        }
    }
    found
}

/// (name, text) of each document.
fn documents() -> Vec<(String, String)> {
    let mut paths = files_below(&root().join("docs"), "md");
    paths.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name)));
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path.strip_prefix(root()).unwrap().display().to_string(), text)
    };
    paths.into_iter().map(read).collect()
}

/// Everything that stands as code in a Markdown text: `` `…` `` and the lines of blocks.
fn code(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.starts_with("    ") {
            found.push(line.trim().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// The targets of `[text](target)` that are files of ours.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let ours =
        targets.filter(|target| !target.contains("://") && !target.starts_with('#') && !target.starts_with("mailto:"));
    ours.map(|target| target.split('#').next().unwrap_or_default().to_owned()).collect()
}

/// Words of code that are paths in this repository: under one of its folders, or one of its files at the top.
fn paths(text: &str) -> BTreeSet<String> {
    let folders = ["src/", "tests/", "docs/", "scripts/", "certs/", ".ci/", "fuzz/", "packaging/"];
    let top = |word: &str| {
        let (stem, end) = word.split_once('.').unwrap_or_default();
        !stem.is_empty() && stem.chars().all(|c| c.is_ascii_uppercase()) && end == "md"
    };
    let words = code(text).into_iter().flat_map(|piece| {
        let words = piece.split(|c: char| c.is_whitespace() || "\"',;()|".contains(c));
        words.map(|word| word.trim_end_matches([':', '.']).to_owned()).collect::<Vec<_>>()
    });
    // A pattern or a placeholder stands for files; its folder must be there.
    let solid = |word: String| match word.find(['*', '{', '<', '…']) {
        Some(at) => word[..at].rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default(),
        None => word,
    };
    let named =
        |word: &String| folders.iter().any(|folder| word.starts_with(folder)) || top(word) || word == "deny.toml";
    // A bastion's public keys are in its own DIR; this repository ships certificate profiles only.
    let of_a_bastion = |word: &String| word.starts_with("certs/") && word.ends_with(".pub");
    // Its scenarios are too: this repository's tests are programs.
    let scenarios = |word: &String| {
        let file = word.strip_prefix("tests/").and_then(|rest| rest.split_once(".toml")).map(|(stem, _)| stem);
        file.is_some_and(|stem| !stem.contains('/'))
    };
    let ours = |word: &String| !word.is_empty() && !of_a_bastion(word) && !scenarios(word);
    words.filter(named).map(solid).filter(ours).collect()
}

/// `doorward WORD…` in code: the words in lower case that follow, at most two.
fn commands(text: &str) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for piece in code(text) {
        // What the program is called by, at the beginning or after `--` of cargo.
        let piece = piece.trim_start_matches(['$', '#', ' ']).trim_start_matches("sudo ").to_owned();
        let rest = if let Some(rest) = piece.strip_prefix("doorward ") {
            rest
        } else if let Some((before, rest)) = piece.split_once(" -- ")
            && before.starts_with("cargo run")
        {
            rest
        } else {
            continue;
        };
        let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-');
        let words: Vec<String> = rest.split_whitespace().take_while(is_name).take(2).map(str::to_owned).collect();
        if !words.is_empty() {
            found.insert(words);
        }
    }
    found
}

/// What `doorward WORDS --help` prints, if it knows the words.
fn help(words: &[String]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_doorward")).args(words).arg("--help").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && text.contains(&format!("Usage: doorward {}", words.join(" ")))).then_some(text)
}

#[test]
fn every_path_exists() {
    let mut seen = 0;
    let mut missing = Vec::new();
    for (name, text) in documents() {
        let beside = Path::new(&name).parent().unwrap().to_owned();
        let linked = links(&text).into_iter().map(|link| beside.join(link));
        for path in paths(&text).into_iter().map(PathBuf::from).chain(linked) {
            if !root().join(&path).exists() {
                missing.push(format!("{name}: {}", path.display()));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "what these documents name does not exist: {missing:#?}");
    assert!(seen > 20, "only {seen} paths were found in the documents");
}

#[test]
fn every_command_of_the_program_exists() {
    let mut seen = 0;
    let mut missing = Vec::new();
    for (name, text) in documents() {
        for words in commands(&text) {
            let first = help(&words[..1]);
            let nested = words.len() > 1 && first.as_ref().is_some_and(|text| text.contains("Commands:"));
            if first.is_none() || (nested && help(&words).is_none()) {
                missing.push(format!("{name}: doorward {}", words.join(" ")));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "what these documents name does not exist: {missing:#?}");
    assert!(seen > 2, "only {seen} commands were found in the documents");
}

/// The tests in the last column of each table of that document: the rows, and which of them do not exist.
fn tests_named_in(document: &str) -> (usize, Vec<String>) {
    let sources: Vec<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| files_below(&root().join(folder), "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let text = fs::read_to_string(root().join(document)).unwrap();
    let mut rows = 0;
    let mut missing = Vec::new();
    let (mut before, mut named) = ("", false);
    for line in text.lines() {
        let above = std::mem::replace(&mut before, line);
        if !line.starts_with("| ") {
            continue;
        }
        let cell = line.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        // A table whose last column is another one is prose.
        if !above.starts_with('|') {
            named = cell == "Test";
            continue;
        }
        if !named {
            continue;
        }
        rows += 1;
        let tests: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty() || cell.starts_with("to come with "), "no test and no reason: {line}");
        let exists = |test: &&str| {
            // The store's suite is stamped by a macro from names in a list.
            sources.iter().any(|source| source.contains(&format!("fn {test}")))
        };
        missing.extend(tests.into_iter().filter(|test| !exists(test)).map(str::to_owned));
    }
    (rows, missing)
}

#[test]
fn every_test_of_the_known_attacks_exists() {
    let (rows, missing) = tests_named_in("docs/known-attacks.md");
    let text = fs::read_to_string(root().join("docs/known-attacks.md")).unwrap();
    assert!(missing.is_empty(), "docs/known-attacks.md names tests that do not exist: {missing:#?}");
    assert!(rows > 20, "only {rows} rows");
    // And back: each attack that is tried has its row.
    let tried = files_below(&root().join("tests/known_attacks"), "rs");
    let tried = tried.iter().map(|path| fs::read_to_string(path).unwrap()).collect::<String>();
    let lines: Vec<&str> = tried.lines().collect();
    let marked = lines.windows(2).filter(|pair| pair[0].starts_with("#[test]") || pair[0].starts_with("#[tokio::test"));
    let names: Vec<&str> = marked.filter_map(|pair| pair[1].split_once("fn ")?.1.split('(').next()).collect();
    assert!(names.len() >= 25, "only {names:?}");
    let untold: Vec<&&str> = names.iter().filter(|name| !text.contains(&format!("`{name}`"))).collect();
    assert!(untold.is_empty(), "docs/known-attacks.md has no row for {untold:#?}");
}

#[test]
fn every_test_of_the_degraded_mode_exists() {
    let (rows, missing) = tests_named_in("docs/degraded-mode.md");
    assert!(missing.is_empty(), "docs/degraded-mode.md names tests that do not exist: {missing:#?}");
    assert!(rows > 40, "only {rows} rows");
}

#[test]
fn the_reader_finds_paths_commands_and_links() {
    let text = "See `docs/x.md`, `src/{a,b}.rs`, [y](z.md#part), [far](https://x/y) and `TODO.md`.\n\n\
        ```\ndoorward target enroll web-1\nsudo doorward init DIR --name x\n```\n\n    cargo run --locked -- demo --tour\n\n`doorward.toml`";
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(text).into_iter().collect::<Vec<_>>(), ["TODO.md", "docs/x.md", "src"]);
    assert_eq!(links(text), ["z.md"]);
    assert_eq!(commands(text), [owned(&["target", "enroll"]), owned(&["init"]), owned(&["demo"])].into());
}

/// What our sources and tests say, without the way it is broken into lines there.
fn everything_said() -> String {
    let mut paths = files_below(&root().join("src"), "rs");
    paths.extend(files_below(&root().join("tests"), "rs"));
    let said = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    let joined = |text: String| {
        let lines: Vec<&str> = text.split("\\\n").map(str::trim_start).collect();
        lines.concat().replace("\\\"", "\"")
    };
    said.map(joined).collect()
}

/// Each line of `docs/messages.md` that somebody may look for is one that is said: by us, or by a stock client in a test.
#[test]
fn every_message_in_the_page_of_messages_is_one_that_is_said() {
    let said = everything_said();
    let page = fs::read_to_string(root().join("docs/messages.md")).unwrap();
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|line| line.split_once("` |"));
    let quoted: Vec<&str> = cells.map(|(message, _)| message).collect();
    assert!(quoted.len() > 50, "only {} messages were found", quoted.len());
    let parts = |message: &str| {
        message.split('…').map(|part| part.trim_start_matches("denied: ").trim().to_owned()).collect::<Vec<_>>()
    };
    // A prefix of its own: `denied: …`, `ended: …`, `not run: …`.
    let is_said = |part: &str| {
        said.contains(part)
            || ["ended: ", "not run: "]
                .iter()
                .any(|head| part.strip_prefix(head).is_some_and(|rest| said.contains(rest)))
    };
    let unsaid: Vec<&str> =
        quoted.into_iter().filter(|message| !parts(message).iter().all(|part| is_said(part))).collect();
    assert!(unsaid.is_empty(), "nobody says: {unsaid:#?}");
}
