//! Logs written by hand, quickly and of any kind: what a bastion writes, or what an attacker with its key would.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use doorward::audit::entry::{self, Body};
use doorward::audit::event::{AuditEvent, What};
use doorward::audit::merkle::{Tree, hash_leaf};
use doorward::audit::note::{Checkpoint, VerifierKey, sign};
use doorward::domain::Timestamp;
use ed25519_dalek::SigningKey;

pub(crate) const ORIGIN: &str = "bastion.example.com/audit";

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn verifier(seed: u8) -> VerifierKey {
    VerifierKey::new(ORIGIN, key(seed).verifying_key()).unwrap()
}

/// The line of entry `number` with this text.
pub(crate) fn line(number: u64, text: &str) -> String {
    let event = AuditEvent::of(What::Error { message: format!("{text} {number}") });
    let time = Timestamp::from_secs(1_790_000_000 + i64::try_from(number).unwrap());
    entry::line(number, time, &Body::of(&event).unwrap())
}

/// A log of `size` entries in `dir`, with the text that `text` gives for each, signed by the key of that seed.
pub(crate) fn write_log(dir: &Path, seed: u8, size: u64, text: impl Fn(u64) -> &'static str) {
    fs::create_dir_all(dir).unwrap();
    let mut tree = Tree::default();
    let mut segment = std::io::BufWriter::new(fs::File::create(dir.join("00000000000000000000.jsonl")).unwrap());
    let mut leaves = std::io::BufWriter::new(fs::File::create(dir.join("leaves")).unwrap());
    for number in 0..size {
        let line = line(number, text(number));
        let leaf = hash_leaf(line.as_bytes());
        tree.push(leaf);
        leaves.write_all(leaf.as_bytes()).unwrap();
        writeln!(segment, "{line}").unwrap();
    }
    fs::write(dir.join("checkpoint"), signed(seed, &tree)).unwrap();
    fs::write(dir.join("reserve"), b"").unwrap();
}

fn signed(seed: u8, tree: &Tree) -> String {
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() };
    sign(&checkpoint, &key(seed)).unwrap()
}

/// The checkpoint that such a log had when it was `size` entries long.
pub(crate) fn kept(seed: u8, size: u64, text: impl Fn(u64) -> &'static str) -> String {
    let mut tree = Tree::default();
    (0..size).for_each(|number| tree.push(hash_leaf(line(number, text(number)).as_bytes())));
    signed(seed, &tree)
}

pub(crate) fn checkpoint_of(dir: &Path) -> String {
    fs::read_to_string(dir.join("checkpoint")).unwrap()
}

pub(crate) fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// How many bytes this thread has read from files so far, as the kernel counts.
pub(crate) fn bytes_read() -> u64 {
    let counted = fs::read_to_string("/proc/thread-self/io").unwrap();
    counted.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

/// The public keys of the log and of another.
pub(crate) fn put_key(home: &Path) {
    fs::write(home.join("log_key.pub"), format!("{}\n", verifier(1))).unwrap();
    fs::write(home.join("other.pub"), format!("{}\n", verifier(2))).unwrap();
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What `doorward WORDS…` answers in `home`.
pub(crate) fn tool(home: &Path, words: &str) -> Answer {
    let ran = Command::new(env!("CARGO_BIN_EXE_doorward")).args(words.split(' ')).current_dir(home).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { code: ran.status.code().unwrap(), out: text(ran.stdout), err: text(ran.stderr) }
}
