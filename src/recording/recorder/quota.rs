//! The room for recordings: a quota for all, a share for each user, a bound for each recording.
//!
//! Counts bytes and knows whose they are; refuses to know what is in them. The folder is the truth: it is counted at the start,
//! and again before somebody is refused.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::asciicast::Reader;
use crate::domain::UserName;

/// How often the folder is counted again at most.
const RECOUNT: Duration = Duration::from_secs(60);
/// So much is read of a recording at once to learn whose it is.
const HEADER: usize = 1024;

/// Bounds that hold for all recordings together, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct RecordingLimits {
    /// The most that recordings may take.
    pub quota: u64,
    /// Space that recordings leave free on their disk, for the audit log and the database.
    pub keep_free: u64,
    /// How much of each stream of a command is recorded. Of what is longer the beginning is, and the digest of all.
    pub kept: u64,
}

impl Default for RecordingLimits {
    fn default() -> Self {
        const MIB: u64 = 1024 * 1024;
        Self { quota: 10 * 1024 * MIB, keep_free: 256 * MIB, kept: 64 * MIB }
    }
}

impl RecordingLimits {
    /// The most that the recordings of one user may take: nobody can use up the room of the others.
    #[must_use]
    pub fn share(&self) -> u64 {
        self.quota / 4
    }

    /// The most that one recording may take: nobody uses up their own share by one command.
    #[must_use]
    pub fn one(&self) -> u64 {
        self.quota / 8
    }
}

/// What recordings take, in bytes.
#[derive(Default)]
struct Tally {
    all: u64,
    by_user: BTreeMap<UserName, u64>,
}

impl Tally {
    fn of(&self, user: &UserName) -> u64 {
        self.by_user.get(user).copied().unwrap_or_default()
    }

    fn add(&mut self, user: Option<&UserName>, bytes: u64) {
        self.all = self.all.saturating_add(bytes);
        if let Some(user) = user {
            let theirs = self.by_user.entry(user.clone()).or_default();
            *theirs = theirs.saturating_add(bytes);
        }
    }

    /// Counts what is in the folder `dir`. A file that does not say whose it is counts for the whole alone.
    fn count(dir: &Path) -> io::Result<Self> {
        let mut tally = Self::default();
        for day in std::fs::read_dir(dir)? {
            let day = day?;
            if !day.file_type()?.is_dir() {
                continue;
            }
            // Somebody may be deleting recordings at this moment.
            let files = match std::fs::read_dir(day.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                files => files?,
            };
            for file in files {
                let file = file?;
                let metadata = match file.metadata() {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    metadata => metadata?,
                };
                let owner = metadata.is_file().then(|| owner_of(&file.path())).flatten();
                tally.add(owner.as_ref(), metadata.len());
            }
        }
        Ok(tally)
    }
}

/// Whose recording that file is, by its header.
fn owner_of(path: &Path) -> Option<UserName> {
    let file = BufReader::with_capacity(HEADER, File::open(path).ok()?);
    let (header, _) = Reader::open(file).ok()?;
    header.doorward.user.parse().ok()
}

/// The tally in force.
#[derive(Default)]
struct Usage {
    tally: Tally,
    /// What was taken while the folder is being counted again; the count may or may not have seen it.
    meanwhile: Option<Tally>,
}

/// What may still be written.
pub(super) struct Room {
    dir: PathBuf,
    limits: RecordingLimits,
    usage: Mutex<Usage>,
    /// When the folder was last counted again. Locked for as long as that takes, so that one thread does it for all.
    recounted: Mutex<Option<Instant>>,
}

impl Room {
    /// Counts the folder `dir`; blocks.
    pub(super) fn of(dir: &Path, limits: RecordingLimits) -> io::Result<Self> {
        let usage = Mutex::new(Usage { tally: Tally::count(dir)?, meanwhile: None });
        Ok(Self { dir: dir.to_owned(), limits, usage, recounted: Mutex::new(None) })
    }

    /// Bytes that all recordings take.
    pub(super) fn used(&self) -> u64 {
        self.usage().tally.all
    }

    /// The lock guards plain numbers, which a panic elsewhere cannot leave half-changed.
    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts `bytes` more of `user`, or says which bound is reached. Before it says so it counts the folder again, at most
    /// once in [`RECOUNT`]: recordings may have been deleted. Blocks.
    pub(super) fn take(&self, user: &UserName, bytes: u64) -> io::Result<()> {
        match self.try_take(user, bytes) {
            Err(_) if self.recount()? => self.try_take(user, bytes),
            taken => taken,
        }
    }

    fn try_take(&self, user: &UserName, bytes: u64) -> io::Result<()> {
        let (quota, share) = (self.limits.quota, self.limits.share());
        let fits = |used: u64, most: u64| used.checked_add(bytes).is_some_and(|used| used <= most);
        let mut usage = self.usage();
        if !fits(usage.tally.all, quota) {
            return Err(io::Error::other(format!("recordings have used up their quota of {quota} bytes")));
        }
        if !fits(usage.tally.of(user), share) {
            let message = format!("the recordings of {user} have used up a user's share of {share} bytes");
            return Err(io::Error::other(message));
        }
        usage.tally.add(Some(user), bytes);
        if let Some(meanwhile) = &mut usage.meanwhile {
            meanwhile.add(Some(user), bytes);
        }
        Ok(())
    }

    /// Counts the folder again, if that is due; says whether somebody has counted since the caller was refused.
    fn recount(&self) -> io::Result<bool> {
        let asked = Instant::now();
        let mut recounted = self.recounted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = *recounted {
            // Another thread has done it while this one waited for the lock.
            if last >= asked {
                return Ok(true);
            }
            if last.elapsed() < RECOUNT {
                return Ok(false);
            }
        }
        self.usage().meanwhile = Some(Tally::default());
        let counted = Tally::count(&self.dir);
        *recounted = Some(Instant::now());
        let mut usage = self.usage();
        let meanwhile = usage.meanwhile.take().unwrap_or_default();
        let mut tally = counted?;
        for (user, bytes) in &meanwhile.by_user {
            tally.add(Some(user), *bytes);
        }
        usage.tally = tally;
        Ok(true)
    }
}
