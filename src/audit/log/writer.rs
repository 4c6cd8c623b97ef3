//! The thread that writes: one group after the other.

use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ed25519_dalek::SigningKey;
use nix::fcntl::Flock;

use super::disk::{Disk, Handle, remove_if_there};
use super::queue::{Item, Queue};
use super::{Condition, LogOptions};
use crate::audit::entry;
use crate::audit::merkle::{Tree, hash_leaf};
use crate::audit::note::{self, Checkpoint, VerifierKey};
use crate::audit::segments::{CHECKPOINT, RESERVE, segment_name};
use crate::domain::{Clock, Timestamp};
use crate::service::ports::Committed;

/// Where the next checkpoint is written before it takes its place.
pub(super) const CHECKPOINT_NEXT: &str = "checkpoint.next";
/// What callers are told while only endings are written.
const FULL: &str = "the disk is full; until there is space again only endings are written";

/// What a writer is given.
pub(super) struct Setting {
    pub(super) queue: Arc<Queue>,
    pub(super) disk: Box<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) key: SigningKey,
    pub(super) verifier: VerifierKey,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) options: LogOptions,
    /// Held as long as the writer lives.
    pub(super) _lock: Flock<std::fs::File>,
}

/// The segment being written.
pub(super) struct Growing {
    /// Number of its first entry.
    pub(super) first: u64,
    /// The tree before that entry.
    pub(super) before: Tree,
    /// How many of its bytes are under the checkpoint.
    pub(super) length: u64,
    /// `None` after a failure: it is not written again.
    pub(super) handle: Option<Box<dyn Handle>>,
}

/// A commit that failed, and what it would have made of the log.
pub(super) struct Failed {
    pub(super) reason: String,
    pub(super) tree: Tree,
    pub(super) length: u64,
    /// Its entries that nobody waits for.
    pub(super) kept: Vec<Item>,
}

/// The log as it stands on the disk.
pub(super) struct Writer {
    pub(super) set: Setting,
    /// What is under the checkpoint.
    pub(super) tree: Tree,
    /// Time of the last entry.
    pub(super) last: Timestamp,
    /// `None` when the next commit begins a new one.
    pub(super) segment: Option<Growing>,
    /// The side file; `None` when it could not be written, and then the next start rebuilds it.
    pub(super) leaves: Option<Box<dyn Handle>>,
    /// Whether the reserve is on the disk.
    pub(super) reserve: bool,
    pub(super) failed: Option<Failed>,
    /// When something was last tried against a failure.
    pub(super) tried: Option<Instant>,
    /// Whether an entry about the failure is on its way.
    pub(super) told: bool,
}

impl Writer {
    /// Writes until the log is closed.
    pub(super) fn run(mut self) {
        // A disk that stays full can be mended and fail again for ever: whoever stops the bastion must not wait for that.
        let mut last_attempts = 2_u8;
        loop {
            let closing = self.pause();
            if self.failed.is_some() && (closing || self.is_due()) {
                self.recover();
            }
            if let Some(failed) = &self.failed {
                self.set.queue.refuse_all(&failed.reason);
                if closing {
                    break;
                }
                continue;
            }
            let batch = self.batch(closing);
            if batch.is_empty() {
                if closing {
                    break;
                }
                continue;
            }
            let before = self.tree.size();
            self.commit(batch);
            if closing && self.tree.size() == before {
                last_attempts -= 1;
                if last_attempts == 0 {
                    break;
                }
            }
        }
        let kept = self.failed.take().map(|failed| failed.kept).unwrap_or_default();
        for item in kept.into_iter().chain(self.set.queue.closed("it is closed")) {
            tracing::error!(entry = item.body.as_str(), "the audit log was closed before this entry could be written");
        }
    }

    fn pause(&self) -> bool {
        let retry = self.set.options.retry;
        match (&self.failed, self.reserve) {
            (Some(_), _) => self.set.queue.wait_for_news(retry, false),
            (None, false) => self.set.queue.wait_for_news(retry, true),
            (None, true) => self.set.queue.wait(),
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.tried.is_none_or(|tried| tried.elapsed() >= self.set.options.retry)
    }

    /// What to write next. While the reserve is gone, the space it gave is for endings alone: whatever else is kept waits until
    /// there is space again, or at the end of the log takes what the endings left.
    fn batch(&mut self, closing: bool) -> Vec<Item> {
        if self.reserve {
            return self.set.queue.take(false);
        }
        self.set.queue.refuse_all(FULL);
        let mut endings = self.set.queue.take(true);
        if endings.is_empty() && closing {
            endings = self.set.queue.take(false);
        }
        // Only when none is left: taking the space back first would leave none for them.
        if endings.is_empty() && self.is_due() {
            self.tried = Some(Instant::now());
            self.reserve = make_reserve(self.set.disk.as_ref(), self.set.options.reserve_bytes).is_ok();
            self.set.queue.set(self.condition(), self.tree.size());
        }
        endings
    }

    pub(super) fn condition(&self) -> Condition {
        match (&self.failed, self.reserve) {
            (Some(failed), _) => Condition::Failing(failed.reason.clone()),
            (None, false) => Condition::EndingsOnly,
            (None, true) => Condition::Working,
        }
    }

    /// Writes a group and lets those who wait for it go on, or tells them that it was not written.
    fn commit(&mut self, batch: Vec<Item>) {
        let (mut tree, mut text, mut leaves) = (self.tree.clone(), String::new(), Vec::new());
        let mut last = self.last;
        for item in &batch {
            last = last.max(self.set.clock.now());
            let line = entry::line(tree.size(), last, &item.body);
            let leaf = hash_leaf(line.as_bytes());
            tree.push(leaf);
            leaves.extend_from_slice(leaf.as_bytes());
            text.push_str(&line);
            text.push('\n');
        }
        if let Err(error) = self.write_out(text.as_bytes(), &leaves, &tree) {
            return self.fail(&error, batch, tree, text.len());
        }
        let numbers = self.tree.size()..;
        (self.tree, self.last, self.told) = (tree, last, false);
        self.set.queue.set(self.condition(), self.tree.size());
        self.set.queue.still_in_flight(0);
        for (number, item) in numbers.zip(batch) {
            if let Some(waiter) = item.waiter {
                // Who gave up waiting finds the entry in the log all the same.
                let _ = waiter.answer.send(Ok(Committed::at(number)));
            }
            if let Some(durable) = item.durable {
                let _ = durable.send(());
            }
        }
    }

    /// The order of these steps is the promise of the log: entries on the disk, then the checkpoint that covers them.
    fn write_out(&mut self, text: &[u8], leaves: &[u8], tree: &Tree) -> io::Result<()> {
        let full = self.set.options.segment_bytes;
        let mut segment = match self.segment.take() {
            Some(segment) if segment.length < full => segment,
            _ => self.next_segment()?,
        };
        let written = append(&mut segment, text);
        let segment = self.segment.insert(segment);
        written?;
        // Derived and not synced: losing it loses no evidence, so its failure stops nothing.
        if self.leaves.as_mut().is_some_and(|file| file.write(leaves).is_err()) {
            self.leaves = None;
        }
        let checkpoint =
            Checkpoint { origin: self.set.verifier.name().to_owned(), size: tree.size(), root: tree.root() };
        put_checkpoint(self.set.disk.as_ref(), &checkpoint, &self.set.key)?;
        segment.length += text.len() as u64;
        Ok(())
    }

    fn next_segment(&self) -> io::Result<Growing> {
        let first = self.tree.size();
        let handle = self.set.disk.create(&segment_name(first))?;
        // Before the checkpoint is: after a power failure one without the segment it speaks of would be a log cut short.
        self.set.disk.sync_names()?;
        Ok(Growing { first, before: self.tree.clone(), length: 0, handle: Some(handle) })
    }
}

fn append(segment: &mut Growing, text: &[u8]) -> io::Result<()> {
    let handle = segment.handle.as_mut().ok_or_else(|| io::Error::other("the segment failed before"))?;
    handle.write(text)?;
    handle.sync()
}

/// Puts a signed checkpoint in its place: whole and on the disk, or not at all.
pub(super) fn put_checkpoint(disk: &dyn Disk, checkpoint: &Checkpoint, key: &SigningKey) -> io::Result<()> {
    let note = note::sign(checkpoint, key).map_err(io::Error::other)?;
    let mut next = disk.create(CHECKPOINT_NEXT)?;
    next.write(note.as_bytes())?;
    next.sync()?;
    disk.rename(CHECKPOINT_NEXT, CHECKPOINT)?;
    disk.sync_names()
}

/// Takes space on the disk for the day it is full.
pub(super) fn make_reserve(disk: &dyn Disk, bytes: usize) -> io::Result<()> {
    remove_if_there(disk, RESERVE)?;
    let mut file = disk.create(RESERVE)?;
    let filled = file.write(&vec![0; bytes]).and_then(|()| file.sync());
    if filled.is_err() {
        // Half a reserve would keep the space that it was to free.
        remove_if_there(disk, RESERVE)?;
    }
    filled
}

/// Whether `error` says that there is no space.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}
