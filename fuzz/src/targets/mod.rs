//! What is fuzzed: one function a parser or writer of outside bytes. Each asserts properties of the public interface; that
//! nothing panics and nothing runs for ever comes with it.
//!
//! Two callers, so that what one finds the other keeps: libFuzzer (`fuzz/fuzz_targets/`) and `tests/fuzz_corpus.rs`, which
//! includes this folder, replays `fuzz/corpus/` and mutates it for a bounded time. A new parser gets a function in a file of
//! its theme, a row in [`TARGETS`], a file in `fuzz_targets/`, a `[[bin]]` in `fuzz/Cargo.toml` and a folder of seeds; the
//! test names what is missing.

// Assertions are what these files are for; they are compiled into tests and fuzzers alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a broken property must stop the fuzzer"
)]

mod audit_log;
mod audit_proof;
mod audit_text;
mod certificate;
mod config_files;
mod control_line;
mod front_door;
mod identifiers;
mod recording;
mod rendering;
mod role_file;
mod sudoers;
mod words;

use doorward::domain::Diagnostic;
use doorward::domain::text::is_printable;

/// One fuzz target: takes any bytes, panics when a property does not hold. The answer is whether the input was accepted, so
/// that the test can tell a corpus that reaches nothing any more.
pub type Target = fn(&[u8]) -> bool;

/// Every target by the name of its binary and of its folder in `fuzz/corpus/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("words", words::words),
    ("rendering", rendering::rendering),
    ("control_line", control_line::control_line),
    ("role_file", role_file::role_file),
    ("sudoers", sudoers::sudoers),
    ("config_files", config_files::config_files),
    ("certificate", certificate::certificate),
    ("front_door", front_door::front_door),
    ("proxy_header", front_door::proxy_header),
    ("identifiers", identifiers::identifiers),
    ("audit_entry", audit_text::audit_entry),
    ("audit_note", audit_text::audit_note),
    ("audit_proof", audit_proof::audit_proof),
    ("audit_log", audit_log::audit_log),
    ("recording_writer", recording::recording_writer),
    ("recording_reader", recording::recording_reader),
];

/// Runs the target of that name.
///
/// # Panics
/// When there is none, or a property does not hold.
pub fn run(name: &str, data: &[u8]) -> bool {
    let target = TARGETS.iter().find(|(known, _)| *known == name).expect("a target of this name").1;
    target(data)
}

/// Messages go to terminals and logs: nothing in them may move a cursor, and none is endless.
fn shown_safely(text: &str, most: usize) {
    assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "unprintable: {text:?}");
    assert!(text.len() <= most, "{} bytes of message: {text:?}", text.len());
}

/// What a finding of a file promises: it can be shown, and it points into the file.
fn good_finding(finding: &Diagnostic) {
    assert!(!finding.message.is_empty());
    if let (Some(span), false) = (&finding.span, finding.source.is_empty()) {
        assert!(finding.source.get(span.clone()).is_some(), "{span:?} is no place: {}", finding.message);
        assert!(finding.line_column().is_some());
    }
    shown_safely(&finding.to_string(), 16 * 1024);
}

/// A file of a role and lines for it: `TEXT`, a line `%%`, then a line each.
fn role_and_lines(data: &[u8]) -> Option<(&str, Vec<&str>)> {
    let all = std::str::from_utf8(data).ok()?;
    match all.split_once("\n%%\n") {
        Some((text, lines)) => Some((text, lines.split('\n').take(16).collect())),
        None => Some((all, Vec::new())),
    }
}
