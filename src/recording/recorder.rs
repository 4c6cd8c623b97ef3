//! Recordings as files: one a command, one thread a file, bounded queues, a quota.
//!
//! `open` returns when the header is on the disk; what passes is written while it streams; `finish` syncs and gives the
//! file's digest for the audit log. A recorder that is dropped leaves what was written so far. The quota and the space kept
//! free make sure that users who fill recordings cannot keep the audit log from being written; a share for each user, that one
//! who fills theirs does not stop the others.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use nix::sys::statvfs::statvfs;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::asciicast::{Encoder, Header, Origin, Track};
use crate::domain::{Digest, UserName};
use crate::service::ports::{RecordError, Recorder, RecorderHeader, Recorders, Stream};

mod quota;
mod streams;

pub use quota::RecordingLimits;
use quota::Room;
use streams::Streams;

/// Chunks that wait for the disk; then `write` waits.
const QUEUE: usize = 16;
/// Free space is looked at again after this many bytes of a recording.
const LOOK_AGAIN: u64 = 256 * 1024;

/// The folder of recordings.
pub struct RecordingFolder {
    shared: Arc<Shared>,
}

struct Shared {
    dir: PathBuf,
    limits: RecordingLimits,
    room: Room,
}

impl RecordingFolder {
    /// The recordings in `dir`, which is made if it is not there. Counts what is in it; blocks.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn open(dir: &Path, limits: RecordingLimits) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let room = Room::of(dir, limits)?;
        Ok(Self { shared: Arc::new(Shared { dir: dir.to_owned(), limits, room }) })
    }

    /// Bytes that all recordings take.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.shared.room.used()
    }
}

impl Shared {
    fn check_free(&self) -> io::Result<()> {
        let disk = statvfs(&self.dir)?;
        let free = disk.blocks_available().saturating_mul(disk.fragment_size());
        let keep = self.limits.keep_free;
        if free < keep {
            return Err(io::Error::other(format!(
                "{free} bytes are free on the disk, and recordings leave {keep} free"
            )));
        }
        Ok(())
    }

    /// Makes a folder below ours, and its name durable.
    fn day(&self, name: &str) -> io::Result<PathBuf> {
        let day = self.dir.join(name);
        match DirBuilder::new().mode(0o700).create(&day) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Err(_) => {}
            Ok(()) => File::open(&self.dir)?.sync_all()?,
        }
        Ok(day)
    }
}

/// A file that grows within the limits, and the digest of what is in it.
struct Growing {
    shared: Arc<Shared>,
    file: File,
    hash: Sha256,
    /// Whose it is.
    user: UserName,
    /// Bytes until it is as long as one may be.
    left: u64,
    /// Bytes until free space is looked at again.
    look: u64,
}

impl Growing {
    fn create(shared: Arc<Shared>, user: UserName, day: &str, name: &str) -> io::Result<Self> {
        shared.check_free()?;
        let day = shared.day(day)?;
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(day.join(name))?;
        File::open(day)?.sync_all()?;
        let left = shared.limits.one();
        Ok(Self { shared, file, hash: Sha256::new(), user, left, look: LOOK_AGAIN })
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let bytes = text.len() as u64;
        self.look = match self.look.checked_sub(bytes) {
            Some(left) => left,
            None => {
                self.shared.check_free()?;
                LOOK_AGAIN
            }
        };
        self.left = self.left.checked_sub(bytes).ok_or_else(|| {
            let most = self.shared.limits.one();
            io::Error::other(format!("it would be longer than {most} bytes, the most that one recording may take"))
        })?;
        self.shared.room.take(&self.user, bytes)?;
        self.file.write_all(text.as_bytes())?;
        self.hash.update(text.as_bytes());
        Ok(())
    }

    fn finish(mut self, text: &str) -> io::Result<Digest> {
        self.write(text)?;
        self.file.sync_all()?;
        let digest: [u8; 32] = self.hash.finalize().into();
        Ok(Digest::from_bytes(digest))
    }
}

enum Step {
    Passed(Duration, Track, Bytes),
    Digests(oneshot::Sender<[Option<Digest>; 3]>),
    Finish(Duration, u8, oneshot::Sender<Result<Digest, RecordError>>),
}

#[async_trait]
impl Recorders for RecordingFolder {
    async fn open(&self, header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        let shared = Arc::clone(&self.shared);
        let day = header.started.to_string().chars().take_while(|&c| c != 'T').collect::<String>();
        let name = format!("{}.cast", header.command);
        let file_name = format!("{day}/{name}");
        let fault = Arc::new(OnceLock::new());
        let (steps, mut waiting) = mpsc::channel(QUEUE);
        let (ready, opened) = oneshot::channel();
        let theirs = Arc::clone(&fault);
        let work = move || {
            let begun = begin(shared, &day, &name, &header);
            let (growing, encoder) = match begun {
                Ok(begun) => begun,
                Err(error) => return drop(ready.send(Err(error))),
            };
            if ready.send(Ok(())).is_err() {
                return;
            }
            // The fault is known before the queue closes, so that whoever finds it closed can say why.
            if let Err(error) = record(growing, encoder, &mut waiting) {
                tracing::error!(%error, recording = name, "a recording cannot be written");
                let _ = theirs.set(error.to_string());
            }
        };
        // A thread of its own: it lives as long as the command, and the runtime's blocking threads are few.
        let failed = |reason: String| RecordError { reason };
        std::thread::Builder::new()
            .name("recording".to_owned())
            .spawn(work)
            .map_err(|error| failed(error.to_string()))?;
        match opened.await {
            Ok(Ok(())) => {
                Ok(Box::new(CommandRecorder { file_name, steps, fault, started: Instant::now() }) as Box<dyn Recorder>)
            }
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("its thread stopped".to_owned())),
        }
    }
}

/// Creates the file and syncs its header.
fn begin(shared: Arc<Shared>, day: &str, name: &str, header: &RecorderHeader) -> io::Result<(Growing, Encoder)> {
    let (encoder, first) = Encoder::new(&Header {
        width: 80,
        height: 24,
        timestamp: header.started.secs(),
        title: header.line.clone(),
        doorward: Origin {
            session: header.session.to_string(),
            command: header.command.to_string(),
            user: header.user.to_string(),
            target: header.target.to_string(),
            terminal: false,
        },
    });
    let mut growing = Growing::create(shared, header.user.clone(), day, name)?;
    growing.write(&first)?;
    growing.file.sync_all()?;
    Ok((growing, encoder))
}

/// Writes what comes until the end, a fault, or nobody is there any more.
fn record(mut growing: Growing, mut encoder: Encoder, steps: &mut mpsc::Receiver<Step>) -> io::Result<()> {
    let mut text = String::new();
    let mut streams = Streams::new(growing.shared.limits.kept);
    while let Some(step) = steps.blocking_recv() {
        text.clear();
        match step {
            Step::Passed(elapsed, track, bytes) => {
                let recorded = streams.passed(track, &bytes);
                if !recorded.is_empty() {
                    encoder.passed(elapsed, track, recorded, &mut text);
                    growing.write(&text)?;
                }
            }
            Step::Digests(answer) => {
                let digests = Track::ALL.map(|track| streams.cut(track).map(|(_, digest)| digest));
                let _ = answer.send(digests);
            }
            Step::Finish(elapsed, exit, done) => {
                for track in Track::ALL {
                    if let Some((bytes, digest)) = streams.cut(track) {
                        encoder.whole(track, bytes, digest, &mut text);
                    }
                }
                encoder.finish(elapsed, exit, &mut text);
                let finished = growing.finish(&text).map_err(|error| RecordError { reason: error.to_string() });
                // The command may have been dropped meanwhile; the file is whole all the same.
                let _ = done.send(finished);
                return Ok(());
            }
        }
    }
    growing.file.sync_all()
}

/// The way to the thread that writes one recording.
struct CommandRecorder {
    file_name: String,
    steps: mpsc::Sender<Step>,
    /// Why the thread stopped, if it did.
    fault: Arc<OnceLock<String>>,
    started: Instant,
}

impl CommandRecorder {
    fn fault(&self) -> RecordError {
        let reason = self.fault.get().cloned().unwrap_or_else(|| "its thread stopped".to_owned());
        RecordError { reason }
    }
}

#[async_trait]
impl Recorder for CommandRecorder {
    fn file_name(&self) -> &str {
        &self.file_name
    }

    async fn write(&mut self, stream: Stream, data: Bytes) -> Result<(), RecordError> {
        let track = match stream {
            Stream::Input => Track::Input,
            Stream::Output => Track::Output,
            Stream::Error => Track::Error,
        };
        self.steps.send(Step::Passed(self.started.elapsed(), track, data)).await.map_err(|_| self.fault())
    }

    async fn digests(&mut self) -> [Option<Digest>; 3] {
        let (answer, digests) = oneshot::channel();
        if self.steps.send(Step::Digests(answer)).await.is_err() {
            return [None; 3];
        }
        digests.await.unwrap_or_default()
    }

    async fn finish(self: Box<Self>, exit: u8) -> Result<Digest, RecordError> {
        let (done, digest) = oneshot::channel();
        let step = Step::Finish(self.started.elapsed(), exit, done);
        self.steps.send(step).await.map_err(|_| self.fault())?;
        digest.await.map_err(|_| self.fault())?
    }
}
