//! Opening: check the whole log, put aside what no checkpoint covers, note what a crash left open.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use nix::fcntl::{Flock, FlockArg};

use super::disk::{Disk, Handle, remove_if_there};
use super::queue::{Item, Queue};
use super::recovery::side_file;
use super::writer::{CHECKPOINT_NEXT, Growing, Setting, Writer, make_reserve, put_checkpoint};
use super::{Log, LogOptions, OpenError, Opened};
use crate::audit::entry;
use crate::audit::event::{AuditEvent, What};
use crate::audit::merkle::{Tree, hash_leaf};
use crate::audit::note::{Checkpoint, VerifierKey};
use crate::audit::segments::{self, CHECKPOINT, LEAF, LEAVES, Lines, Piece, RESERVE};
use crate::audit::verify::{self, Problem, Scan, Watch};
use crate::domain::{Clock, CommandId, Timestamp};

/// Held while the log is open.
const LOCK: &str = "lock";
/// What the line of an entry about a command contains.
const KINDS: [&str; 2] = [r#""kind":"command-"#, r#""kind":"observed""#];

pub(super) fn open(
    dir: &Path,
    origin: &str,
    key: SigningKey,
    clock: Arc<dyn Clock>,
    options: LogOptions,
    disk: Box<dyn Disk>,
) -> Result<(Arc<Log>, Opened), OpenError> {
    let verifier = VerifierKey::new(origin, key.verifying_key())?;
    let lock = lock(dir)?;
    let refused = |problem| OpenError::Refused { dir: dir.display().to_string(), problem };
    let checkpoint = first_checkpoint(dir, disk.as_ref(), &verifier, &key)?;
    let mut open_ends = OpenEnds::default();
    let scan = verify::scan(dir, &checkpoint, &mut open_ends).map_err(refused)?;
    if let Some(problem) = open_ends.fault.take() {
        return Err(refused(problem));
    }
    let aside =
        put_aside(dir, disk.as_ref(), &scan).map_err(failed("what no checkpoint covers cannot be put aside"))?;
    let opened = Opened {
        entries: scan.tree.size(),
        last_time: scan.last,
        unfinished: open_ends.allowed.keys().cloned().collect(),
        moved_aside: aside.iter().map(|(name, _)| name.clone()).collect(),
    };
    let queue = Arc::new(Queue::new(opened.entries, options.later_bytes));
    let repaired = aside.into_iter().map(|(moved_to, bytes)| AuditEvent::of(What::LogRepaired { moved_to, bytes }));
    for event in repaired.chain(open_ends.allowed.into_values()) {
        Item::later(&event).into_iter().for_each(|item| queue.push(item));
    }
    let set = Setting {
        queue: Arc::clone(&queue),
        disk,
        dir: dir.to_owned(),
        key,
        verifier: verifier.clone(),
        clock,
        options,
        _lock: lock,
    };
    let writer = writer(set, scan).map_err(failed("the last segment cannot be opened"))?;
    let end = LastWord(Arc::clone(&queue));
    let writing = move || {
        let _end = end;
        writer.run();
    };
    let thread = std::thread::Builder::new().name("audit-log".to_owned()).spawn(writing);
    let thread = thread.map_err(failed("the writer of the audit log cannot be started"))?;
    Ok((Arc::new(Log { queue, verifier, writer: Mutex::new(Some(thread)) }), opened))
}

/// Should the writer ever panic, everybody is refused at once and from then on, instead of waiting for a thread that is gone.
struct LastWord(Arc<Queue>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.closed("its writer failed; only a restart helps"));
        }
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io { what: what.to_owned(), source }
}

/// Makes the folder and takes its lock.
fn lock(dir: &Path) -> Result<Flock<File>, OpenError> {
    let cannot = failed("the folder of the audit log cannot be opened");
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(&cannot)?;
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
    let file = options.open(dir.join(LOCK)).map_err(&cannot)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| OpenError::Locked(dir.display().to_string()))
}

/// The checkpoint of the log; for a folder without any log, that of an empty one, put there first.
///
/// So a log with entries always has a checkpoint, and one without was robbed of it.
fn first_checkpoint(
    dir: &Path,
    disk: &dyn Disk,
    verifier: &VerifierKey,
    key: &SigningKey,
) -> Result<Checkpoint, OpenError> {
    let cannot = failed("the first checkpoint cannot be written");
    remove_if_there(disk, CHECKPOINT_NEXT).map_err(&cannot)?;
    let is_new = !dir.join(CHECKPOINT).exists() && segments::list(dir).map_err(&cannot)?.is_empty();
    if is_new {
        let empty = Checkpoint { origin: verifier.name().to_owned(), size: 0, root: Tree::default().root() };
        remove_if_there(disk, LEAVES).map_err(&cannot)?;
        put_checkpoint(disk, &empty, key).map_err(&cannot)?;
    }
    verify::checkpoint(dir, verifier).map_err(|problem| OpenError::Refused { dir: dir.display().to_string(), problem })
}

/// Commands that were allowed and of whose end nothing is known, with the entry to write about each.
#[derive(Default)]
struct OpenEnds {
    allowed: BTreeMap<CommandId, AuditEvent>,
    fault: Option<Problem>,
}

impl Watch for OpenEnds {
    fn line(&mut self, number: u64, line: &[u8]) {
        // Only lines about commands are parsed; inside a string the quotes would be escaped.
        if !std::str::from_utf8(line).is_ok_and(|text| KINDS.iter().any(|kind| text.contains(kind))) {
            return;
        }
        let event = match entry::parse(line) {
            Ok(entry) => entry.event,
            Err(why) => {
                self.fault.get_or_insert(Problem::BadEntry { number, why });
                return;
            }
        };
        match &event.what {
            What::CommandAllowed(allowed) | What::Observed(allowed) => {
                let command = allowed.command.clone();
                let what = What::CommandOutcomeUnknown { command: command.clone() };
                self.allowed.insert(command, AuditEvent { what, ..event });
            }
            What::CommandFinished(finished) => drop(self.allowed.remove(&finished.command)),
            What::CommandFailed { command, .. } | What::CommandOutcomeUnknown { command } => {
                self.allowed.remove(command);
            }
            _ => {}
        }
    }
}

/// Moves every byte behind the checkpoint into `torn-…` files and gives their names and lengths.
///
/// Whole lines are moved too: no caller was ever told of them, so nobody acted on them, and adopting them would sign what
/// anybody could have appended while the bastion was down.
fn put_aside(dir: &Path, disk: &dyn Disk, scan: &Scan) -> io::Result<Vec<(String, u64)>> {
    let mut aside = Vec::new();
    let tail = scan.end.iter().map(|(segment, end)| (segment, *end));
    for (segment, end) in tail.chain(scan.beyond.iter().map(|segment| (segment, 0))) {
        let name = segments::segment_name(segment.first);
        let mut file = File::open(&segment.path)?;
        let bytes = file.metadata()?.len().saturating_sub(end);
        if bytes > 0 {
            let torn = free_name(dir, segment.first)?;
            file.seek(SeekFrom::Start(end))?;
            copy(&mut file, disk.create(&torn)?.as_mut())?;
            // Its name too is on the disk before the bytes go where they were.
            disk.sync_names()?;
            aside.push((torn, bytes));
        }
        if end == 0 {
            disk.remove(&name)?;
        } else if bytes > 0 {
            disk.truncate(&name, end)?;
        }
    }
    disk.sync_names()?;
    Ok(aside)
}

fn free_name(dir: &Path, first: u64) -> io::Result<String> {
    let name = |count: u32| format!("torn-{first:020}-{count}.jsonl");
    let free = (0..u32::MAX).map(name).find(|name| !dir.join(name).exists());
    free.ok_or_else(|| io::Error::other("too many torn files"))
}

fn copy(from: &mut File, to: &mut dyn Handle) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        match buffer.get(..read) {
            Some(bytes) if read > 0 => to.write(bytes)?,
            _ => return to.sync(),
        }
    }
}

fn writer(set: Setting, scan: Scan) -> io::Result<Writer> {
    let disk = set.disk.as_ref();
    let leaves = mend_side_file(&set.dir, disk, &scan).ok();
    let bytes = set.options.reserve_bytes;
    let there = std::fs::metadata(set.dir.join(RESERVE)).is_ok_and(|data| data.len() == bytes as u64);
    let reserve = there || make_reserve(disk, bytes).is_ok();
    let segment = match scan.end {
        Some((segment, length)) if length < set.options.segment_bytes => {
            let handle = Some(disk.append(&segments::segment_name(segment.first))?);
            Some(Growing { first: segment.first, before: scan.before_segment, length, handle })
        }
        _ => None,
    };
    let last = scan.last.unwrap_or(Timestamp::from_micros(0));
    Ok(Writer { set, tree: scan.tree, last, segment, leaves, reserve, failed: None, tried: None, told: false })
}

/// Makes the side file fit the log, which was just checked against its checkpoint.
fn mend_side_file(dir: &Path, disk: &dyn Disk, scan: &Scan) -> io::Result<Box<dyn Handle>> {
    let (good, size) = (scan.good_leaves, scan.tree.size());
    if !dir.join(LEAVES).exists() {
        disk.create(LEAVES)?;
    }
    let mut file = side_file(dir, disk, good)?;
    if good == size {
        return Ok(file);
    }
    let mut lines = Lines::open(dir)?;
    let mut number = 0;
    let mut hashes = Vec::with_capacity(64 * 1024);
    while let Some(Piece::Line(line)) = lines.next()? {
        if number >= good {
            hashes.extend_from_slice(hash_leaf(line).as_bytes());
        }
        number += 1;
        if hashes.len() as u64 >= 2048 * LEAF {
            file.write(&hashes)?;
            hashes.clear();
        }
    }
    file.write(&hashes)?;
    Ok(file)
}
