//! What the writer does when a commit failed: believe the checkpoint on the disk, cut the rest, go on in a new segment.

use std::io;
use std::path::Path;
use std::time::Instant;

use super::disk::{Disk, Handle, remove_if_there};
use super::queue::Item;
use super::writer::{CHECKPOINT_NEXT, Failed, Growing, Writer, is_full};
use crate::audit::event::{AuditEvent, What};
use crate::audit::merkle::{Tree, hash_leaf};
use crate::audit::segments::{LEAF, LEAVES, Lines, Piece, RESERVE, Segment, segment_name};
use crate::audit::verify;

impl Writer {
    /// Answers the group that was not written, and tries to mend the log at once if nothing was tried just before.
    pub(super) fn fail(&mut self, error: &io::Error, batch: Vec<Item>, tree: Tree, bytes: usize) {
        let reason = error.to_string();
        tracing::error!(%reason, "the audit log cannot be written");
        let mut kept = Vec::new();
        for item in batch {
            match item.waiter {
                Some(waiter) => waiter.refuse(&reason),
                None => kept.push(item),
            }
        }
        self.set.queue.still_in_flight(kept.len());
        let length = self.segment.as_ref().map_or(0, |segment| segment.length) + bytes as u64;
        if let Some(segment) = &mut self.segment {
            segment.handle = None;
        }
        self.leaves = None;
        if is_full(error) && self.reserve {
            self.reserve = false;
            if let Err(error) = remove_if_there(self.set.disk.as_ref(), RESERVE) {
                tracing::error!(%error, "the reserve of the audit log cannot be given up");
            }
        }
        self.failed = Some(Failed { reason, tree, length, kept });
        self.set.queue.set(self.condition(), self.tree.size());
        if self.is_due() {
            self.recover();
        }
    }

    /// Tries to go on after a failure. The entries that nobody waited for come first.
    pub(super) fn recover(&mut self) {
        self.tried = Some(Instant::now());
        let Some(mut failed) = self.failed.take() else { return };
        match self.mend(&failed) {
            Ok(was_committed) => {
                let mut first = failed.kept;
                if was_committed {
                    // The failure came after the new checkpoint was in its place, so they are in the log.
                    for durable in first.drain(..).filter_map(|item| item.durable) {
                        let _ = durable.send(());
                    }
                    self.tree = failed.tree;
                }
                if !std::mem::replace(&mut self.told, true) {
                    let message = format!("the audit log could not be written ({}); it goes on here", failed.reason);
                    // Written with the endings: the log shows its own gap before anything else.
                    first.extend(Item::later(&AuditEvent::of(What::Error { message })).map(Item::into_ending));
                }
                self.set.queue.push_back_to_front(first);
            }
            Err(reason) => {
                tracing::error!(%reason, "the audit log cannot be mended yet");
                failed.reason = reason;
                self.failed = Some(failed);
            }
        }
        self.set.queue.set(self.condition(), self.tree.size());
    }

    /// Makes the files what the checkpoint on the disk says; tells whether that is the one of the failed commit.
    ///
    /// Cutting is sound: what is cut was never under a visible checkpoint, so nobody acted on it. It goes through a new
    /// descriptor and is synced, which writes the last page of what stays once more.
    fn mend(&mut self, failed: &Failed) -> Result<bool, String> {
        let found = verify::checkpoint(&self.set.dir, &self.set.verifier).map_err(|problem| problem.to_string())?;
        let is_of = |tree: &Tree| found.size == tree.size() && found.root == tree.root();
        let was_committed = is_of(&failed.tree);
        if !was_committed && !is_of(&self.tree) {
            return Err("the checkpoint on the disk is not the one that was written".to_owned());
        }
        let (tree, length) = match &self.segment {
            Some(_) if was_committed => (&failed.tree, failed.length),
            Some(segment) => (&self.tree, segment.length),
            None => (&self.tree, 0),
        };
        self.cut(tree, length).map_err(|error| error.to_string())?;
        self.leaves = side_file(&self.set.dir, self.set.disk.as_ref(), tree.size()).ok();
        self.segment = None;
        Ok(was_committed)
    }

    fn cut(&self, tree: &Tree, length: u64) -> io::Result<()> {
        let disk = self.set.disk.as_ref();
        remove_if_there(disk, CHECKPOINT_NEXT)?;
        if let Some(segment) = &self.segment {
            let name = segment_name(segment.first);
            if length == 0 {
                remove_if_there(disk, &name)?;
            } else {
                disk.truncate(&name, length)?;
                self.read_back(segment, tree, length)?;
            }
        }
        disk.sync_names()
    }

    /// A cut that did not leave exactly what the checkpoint covers must not be built upon.
    fn read_back(&self, segment: &Growing, tree: &Tree, length: u64) -> io::Result<()> {
        let path = self.set.dir.join(segment_name(segment.first));
        let mut lines = Lines::of(vec![Segment { first: segment.first, path }], segment.first);
        let mut found = segment.before.clone();
        while let Some(piece) = lines.next()? {
            let Piece::Line(line) = piece else { break };
            found.push(hash_leaf(line));
        }
        if found != *tree || lines.position().is_none_or(|(_, end)| end != length) {
            return Err(io::Error::other("the last segment is not what its checkpoint says"));
        }
        Ok(())
    }
}

/// Opens the side file to go on after `size` leaves. It must hold them.
pub(super) fn side_file(dir: &Path, disk: &dyn Disk, size: u64) -> io::Result<Box<dyn Handle>> {
    let length = size.saturating_mul(LEAF);
    if std::fs::metadata(dir.join(LEAVES))?.len() < length {
        return Err(io::Error::other("the side file is too short"));
    }
    disk.truncate(LEAVES, length)?;
    disk.append(LEAVES)
}
