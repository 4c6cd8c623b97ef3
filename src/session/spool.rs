//! A queue of bytes that takes everything at once: in memory up to a mark, then in unlinked temporary files, under caps.
//!
//! The files are segments of a bounded size and are dropped one by one as they are read, so that a reader that stays a little
//! behind for hours does not fill the disk. They have no name: nothing is left behind however the bastion ends.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use nix::sys::statvfs::statvfs;
use tokio::sync::Notify;
use tokio::task::spawn_blocking;

use super::budget::{Budget, InputLimits, Share};

/// The most that is read from a file at once.
const PIECE: usize = 64 * 1024;

/// How much may wait, and where.
#[derive(Clone, Debug)]
pub struct SpoolLimits {
    /// Bytes kept in memory before files are used.
    pub memory: usize,
    /// Bytes that may wait in all, memory and files.
    pub waiting: u64,
    /// Size at which a new file is begun.
    pub segment: u64,
    /// Folder of the temporary files.
    pub folder: PathBuf,
    /// Bytes that the files leave free on their disk: the audit log and the database are on it too.
    pub keep_free: u64,
    /// Caps shared with other commands, in which everything that waits here counts too.
    pub budget: Arc<Budget>,
}

impl SpoolLimits {
    /// Bytes of a file in which input waits, before the next one is begun.
    pub const SEGMENT: u64 = 16 * 1024 * 1024;

    /// What `limits` allow one command, with files in `folder` as long as they leave `keep_free` bytes of its disk.
    #[must_use]
    pub fn of(limits: &InputLimits, folder: PathBuf, keep_free: u64, budget: Arc<Budget>) -> Self {
        let InputLimits { memory, per_command: waiting, .. } = *limits;
        Self { memory, waiting, segment: Self::SEGMENT, folder, keep_free, budget }
    }

    /// Whether more may be written. Asked before each piece: what many write at once is more than one look would see.
    fn free(&self) -> impl FnOnce() -> io::Result<()> + Send + 'static {
        let (folder, keep) = (self.folder.clone(), self.keep_free);
        move || {
            let disk = statvfs(&folder)?;
            let free = disk.blocks_available().saturating_mul(disk.fragment_size());
            let message = || format!("{free} bytes are free on the disk, and waiting input leaves {keep} free");
            if free < keep { Err(io::Error::other(message())) } else { Ok(()) }
        }
    }
}

/// Makes a queue.
#[must_use]
pub fn spool(limits: SpoolLimits) -> (SpoolWriter, SpoolReader) {
    let queue = Queue {
        pieces: VecDeque::new(),
        in_memory: 0,
        share: Share::new(Arc::clone(&limits.budget), limits.waiting),
        ended: false,
        closed: false,
        overflow: None,
    };
    let shared = Arc::new(Shared { queue: Mutex::new(queue), filled: Notify::new() });
    (SpoolWriter { shared: Arc::clone(&shared), limits }, SpoolReader { shared })
}

/// Where the client's task puts input. Dropping it ends the input as [`Self::finish`] does.
#[derive(Debug)]
pub struct SpoolWriter {
    shared: Arc<Shared>,
    limits: SpoolLimits,
}

/// Where the pump takes input from.
#[derive(Debug)]
pub struct SpoolReader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Notify,
}

#[derive(Debug)]
struct Queue {
    pieces: VecDeque<Waiting>,
    in_memory: usize,
    share: Share,
    ended: bool,
    /// The reader takes nothing any more.
    closed: bool,
    overflow: Option<String>,
}

/// A stretch of the queue. Once there is a file, everything goes to files until they are read empty: that keeps the order.
#[derive(Debug)]
enum Waiting {
    Memory(Bytes),
    File { file: Arc<File>, read: u64, written: u64 },
}

/// Where the next piece goes.
enum Place {
    Memory,
    File(Arc<File>, u64),
    NewFile,
}

impl Shared {
    /// The queue. A panic while it was held cannot leave it half changed: every change is one assignment after the last
    /// thing that may fail.
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpoolWriter {
    /// Takes `data`. Waits for the disk at most, never for the reader. What is over a cap, or cannot be written, is dropped with
    /// everything after it, and [`SpoolReader::overflow`] says why. Must be awaited to its end.
    pub async fn push(&mut self, data: Bytes) {
        let Some(place) = self.reserve(&data) else {
            return;
        };
        let stored = match place {
            Place::Memory => Ok(()),
            Place::File(file, at) => self.append(file, at, data).await,
            Place::NewFile => self.begin(data).await,
        };
        if let Err(error) = stored {
            self.shared.lock().overflow = Some(format!("waiting input cannot be kept: {error}"));
        }
        self.shared.filled.notify_one();
    }

    /// Ends the input: the reader gets what waits, then the end. Later pieces are dropped.
    pub fn finish(&mut self) {
        self.shared.lock().ended = true;
        self.shared.filled.notify_one();
    }

    /// Why input was lost, if any was.
    #[must_use]
    pub fn overflow(&self) -> Option<String> {
        self.shared.lock().overflow.clone()
    }

    /// Counts `data` against the caps and, when memory has room, keeps it there. `None`: not taken.
    fn reserve(&self, data: &Bytes) -> Option<Place> {
        let mut queue = self.shared.lock();
        if data.is_empty() || queue.ended || queue.overflow.is_some() {
            return None;
        }
        if !queue.share.take(length(data)) {
            queue.overflow = Some("more input is waiting than is allowed".to_owned());
            self.shared.filled.notify_one();
            return None;
        }
        Some(match queue.pieces.back() {
            Some(Waiting::File { file, written, .. }) if *written < self.limits.segment => {
                Place::File(Arc::clone(file), *written)
            }
            Some(Waiting::File { .. }) => Place::NewFile,
            _ if queue.in_memory.saturating_add(data.len()) <= self.limits.memory => {
                queue.in_memory += data.len();
                queue.pieces.push_back(Waiting::Memory(data.clone()));
                Place::Memory
            }
            _ => Place::NewFile,
        })
    }

    async fn append(&self, file: Arc<File>, at: u64, data: Bytes) -> io::Result<()> {
        let bytes = length(&data);
        let (writing, free) = (Arc::clone(&file), self.limits.free());
        blocking(move || free().and_then(|()| writing.write_all_at(&data, at))).await?;
        let mut queue = self.shared.lock();
        if queue.closed {
            return Ok(());
        }
        match queue.pieces.back_mut() {
            Some(Waiting::File { file: last, written, .. }) if Arc::ptr_eq(last, &file) => *written += bytes,
            // The reader emptied and dropped that file meanwhile; only this handle still has the new bytes.
            _ => queue.pieces.push_back(Waiting::File { file, read: at, written: at + bytes }),
        }
        Ok(())
    }

    async fn begin(&self, data: Bytes) -> io::Result<()> {
        let (folder, free, bytes) = (self.limits.folder.clone(), self.limits.free(), length(&data));
        let file = blocking(move || {
            free()?;
            let file = tempfile::tempfile_in(folder)?;
            file.write_all_at(&data, 0)?;
            Ok(file)
        })
        .await?;
        let mut queue = self.shared.lock();
        if !queue.closed {
            queue.pieces.push_back(Waiting::File { file: Arc::new(file), read: 0, written: bytes });
        }
        Ok(())
    }
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        self.finish();
    }
}

impl SpoolReader {
    /// Takes no more: what waits is dropped with its room, and what comes is not kept. So does dropping it.
    pub fn close(&mut self) {
        let mut queue = self.shared.lock();
        (queue.ended, queue.closed) = (true, true);
        queue.pieces.clear();
        queue.in_memory = 0;
        queue.share.give_all_back();
    }

    /// The next piece in order; `None` when the writer is gone and everything was read, or after an overflow. Cancel-safe.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            let front = self.shared.lock().front();
            let (file, at, count) = match front {
                Front::Ready(piece) => return Some(piece),
                Front::OnDisk { file, at, count } => (file, at, count),
                Front::End => return None,
                // `notify_one` keeps a permit, so a piece that arrives between the lock and the wait is not missed.
                Front::Empty => {
                    self.shared.filled.notified().await;
                    continue;
                }
            };
            let piece = blocking(move || {
                let mut piece = vec![0; count];
                file.read_exact_at(&mut piece, at)?;
                Ok(piece)
            });
            // Nothing changed yet: cancelled here, the same piece is read again.
            match piece.await {
                Ok(piece) => {
                    self.shared.lock().took_from_file(piece.len());
                    return Some(piece.into());
                }
                Err(error) => self.shared.lock().overflow = Some(format!("waiting input cannot be read: {error}")),
            }
        }
    }

    /// Whether input was lost: it was over a cap, or the disk failed.
    #[must_use]
    pub fn overflowed(&self) -> bool {
        self.shared.lock().overflow.is_some()
    }

    /// Why input was lost, if any was.
    #[must_use]
    pub fn overflow(&self) -> Option<String> {
        self.shared.lock().overflow.clone()
    }
}

impl Drop for SpoolReader {
    fn drop(&mut self) {
        self.close();
    }
}

enum Front {
    Ready(Bytes),
    OnDisk { file: Arc<File>, at: u64, count: usize },
    Empty,
    End,
}

impl Queue {
    /// What the reader finds; a piece in memory is taken out. After an overflow there is nothing more to give: the stream has
    /// a hole, and no program may see the bytes behind it.
    fn front(&mut self) -> Front {
        if self.overflow.is_some() {
            self.pieces.clear();
            return Front::End;
        }
        match self.pieces.front() {
            Some(Waiting::File { file, read, written }) => {
                let count = usize::try_from(written - read).unwrap_or(PIECE).min(PIECE);
                Front::OnDisk { file: Arc::clone(file), at: *read, count }
            }
            Some(Waiting::Memory(_)) => match self.pieces.pop_front() {
                Some(Waiting::Memory(piece)) => {
                    self.in_memory -= piece.len();
                    self.share.give_back(length(&piece));
                    Front::Ready(piece)
                }
                _ => Front::Empty,
            },
            None if self.ended => Front::End,
            None => Front::Empty,
        }
    }

    fn took_from_file(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.share.give_back(bytes);
        if let Some(Waiting::File { read, written, .. }) = self.pieces.front_mut() {
            *read += bytes;
            if read >= written {
                self.pieces.pop_front();
            }
        }
    }
}

fn length(data: &Bytes) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

/// Runs file work where it may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
