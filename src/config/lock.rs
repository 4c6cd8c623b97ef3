//! One `serve` a DIR: the lock file, which also says whom to ask for a reload.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use nix::unistd::Pid;

use super::paths::Paths;

/// Held while this process serves DIR; let go when dropped, also by a crash.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process serves this DIR.
    #[error("another doorward{} serves this directory already", .pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held {
        /// That process, where the file says so.
        pid: Option<Pid>,
    },
    /// The file cannot be used.
    #[error("the lock file state/lock cannot be used: {0}")]
    Unusable(#[from] io::Error),
}

impl DirLock {
    /// Takes the lock of `paths` and writes our process number into it.
    ///
    /// # Errors
    /// [`LockError::Held`] while another process has it.
    pub fn take(paths: &Paths) -> Result<Self, LockError> {
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).mode(0o600).open(paths.lock())?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        file.sync_all()?;
        Ok(Self { _file: file })
    }

    /// The process that serves DIR now, if one does. A number left behind by a dead one is not believed.
    ///
    /// # Errors
    /// When the file exists and cannot be read, or is held by somebody who did not write a number.
    pub fn holder(paths: &Paths) -> io::Result<Option<Pid>> {
        let mut file = match File::open(paths.lock()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => match read_pid(&mut file) {
                Some(pid) => Ok(Some(pid)),
                None => Err(io::Error::other("it is held, but holds no process number")),
            },
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn read_pid(file: &mut File) -> Option<Pid> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 1).map(Pid::from_raw)
}
