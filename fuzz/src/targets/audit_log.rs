//! `audit::verify` and `audit::search`: the files of a log, as somebody may have left them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use doorward::audit::event::{AuditEvent, What};
use doorward::audit::log::{self, LogOptions};
use doorward::audit::note::VerifierKey;
use doorward::audit::search::search;
use doorward::audit::verify::{Report, verify};
use doorward::domain::{Clock, Timestamp};
use doorward::service::ports::{AuditLog as _, AuditQuery};
use ed25519_dalek::SigningKey;

use super::shown_safely;

const ORIGIN: &str = "bastion.test/log";
const ENTRIES: usize = 6;

type Files = BTreeMap<String, Vec<u8>>;

struct Known {
    files: Files,
    /// The names in the order in which edits count them.
    names: Vec<String>,
    key: VerifierKey,
    report: Report,
}

/// A second passes between readings, so that the log is the same each time it is made.
struct Steps(AtomicI64);

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = LogOptions { segment_bytes: 256, reserve_bytes: 512, ..LogOptions::default() };
    let clock = Arc::new(Steps(AtomicI64::new(1_800_000_000)));
    let (log, _) = log::open(dir.path(), ORIGIN, SigningKey::from_bytes(&[7; 32]), clock, options).expect("a log");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for number in 0..ENTRIES {
        let what = What::Refused { what: format!("thing {number}") };
        let event = AuditEvent { user: Some("alice".parse().expect("a name")), ..AuditEvent::of(what) };
        let _committed = runtime.block_on(log.append(event)).expect("an entry");
    }
    let key = log.verifier_key().clone();
    log.close();
    let files = read(dir.path());
    let report = verify(dir.path(), &key).expect("a whole log");
    assert!(report.entries == 6 && segments(&files).len() > 1, "{report:?} {:?}", files.keys());
    Known { names: files.keys().cloned().collect(), files, key, report }
});

/// The files that say something.
fn read(dir: &Path) -> Files {
    let mut files = Files::new();
    for file in fs::read_dir(dir).expect("the folder") {
        let name = file.expect("a file").file_name().into_string().expect("a name");
        if name.ends_with(".jsonl") || name == "checkpoint" || name == "leaves" {
            let bytes = fs::read(dir.join(&name)).expect("the file");
            files.insert(name, bytes);
        }
    }
    files
}

fn segments(files: &Files) -> Vec<&Vec<u8>> {
    files.iter().filter(|(name, _)| name.ends_with(".jsonl")).map(|(_, bytes)| bytes).collect()
}

/// The lines that the checkpoint covers, in order.
fn covered(files: &Files) -> Vec<Vec<u8>> {
    let all: Vec<u8> = segments(files).into_iter().flatten().copied().collect();
    all.split_inclusive(|byte| *byte == b'\n').take(ENTRIES).map(<[u8]>::to_vec).collect()
}

/// Each line is an edit of the files of a good log. Whatever is done, a log that is called whole holds exactly the entries
/// that were written, in their order, and what no checkpoint covers is counted.
pub(super) fn audit_log(data: &[u8]) -> bool {
    let Ok(script) = std::str::from_utf8(data) else { return false };
    let mut files = KNOWN.files.clone();
    for line in script.split('\n').take(32) {
        edit(&mut files, line);
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    for (name, bytes) in &files {
        fs::write(dir.path().join(name), bytes).expect("the file is written");
    }
    let verdict = verify(dir.path(), &KNOWN.key);
    match &verdict {
        Ok(report) => {
            assert_eq!(covered(&files), covered(&KNOWN.files), "changed, and called whole");
            assert_eq!(Report { uncovered: 0, ..report.clone() }, KNOWN.report);
            let all: usize = segments(&files).iter().map(|bytes| bytes.len()).sum();
            let under: usize = covered(&files).iter().map(Vec::len).sum();
            assert_eq!(report.uncovered, (all - under) as u64);
        }
        Err(problem) => {
            let text = problem.to_string().replace(&dir.path().display().to_string(), "DIR");
            shown_safely(&text, 2000);
            let harmless = |files: &Files| {
                files
                    .iter()
                    .filter(|(name, _)| *name != "leaves")
                    .map(|(n, b)| (n.clone(), b.clone()))
                    .collect::<Files>()
            };
            assert_ne!(harmless(&files), harmless(&KNOWN.files), "a whole log is refused: {text}");
        }
    }
    // A reader of a spoilt log says so or not, but comes back, with entries in their order.
    if let Ok(found) = search(dir.path(), &KNOWN.key, &AuditQuery::default()) {
        assert!(found.len() <= ENTRIES);
    }
    verdict.is_ok()
}

/// `set FILE AT BYTE`, `cut FILE AT LENGTH`, `put FILE AT TEXT`, `swap FILE LINE LINE`, `copy FILE FILE`, `drop FILE`,
/// `name FILE NUMBER`; files are numbered by name. What makes no sense is passed over.
fn edit(files: &mut Files, line: &str) {
    let mut words = line.splitn(4, ' ');
    let (what, file) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let Some(name) = file.parse::<usize>().ok().and_then(|at| KNOWN.names.get(at)).cloned() else { return };
    let (one, other) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let number = |text: &str| text.parse::<usize>().unwrap_or(0);
    match what {
        "drop" => {
            files.remove(&name);
        }
        "copy" => {
            let copied = KNOWN.names.get(number(one)).and_then(|from| files.get(from)).cloned();
            files.extend(copied.map(|bytes| (name, bytes)));
        }
        "name" => {
            let bytes = files.remove(&name);
            files.extend(bytes.map(|bytes| (format!("{:020}.jsonl", number(one)), bytes)));
        }
        _ => {
            let Some(bytes) = files.get_mut(&name) else { return };
            inside(bytes, what, number(one), (number(other), other));
        }
    }
}

fn inside(bytes: &mut Vec<u8>, what: &str, one: usize, (other, text): (usize, &str)) {
    let at = one.min(bytes.len());
    match what {
        "set" if at < bytes.len() => bytes[at] = u8::try_from(other).unwrap_or(0),
        "cut" => drop(bytes.drain(at..(at.saturating_add(other)).min(bytes.len()))),
        "put" => drop(bytes.splice(at..at, text.replace("\\n", "\n").into_bytes())),
        "swap" => {
            let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if one < lines.len() && other < lines.len() {
                lines.swap(one, other);
                *bytes = lines.concat();
            }
        }
        _ => {}
    }
}
