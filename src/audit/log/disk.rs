//! The steps that the writer makes on the disk, small enough that a test can let each of them fail.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// An open file that grows.
pub(super) trait Handle: Send {
    /// Appends all of `bytes`.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns when what was written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// The log's folder. Names are those of files in it.
pub(super) trait Disk: Send {
    /// Makes a file that must not be there yet.
    fn create(&self, name: &str) -> io::Result<Box<dyn Handle>>;
    /// Opens a file to go on at its end.
    fn append(&self, name: &str) -> io::Result<Box<dyn Handle>>;
    /// Cuts a file, through a descriptor of its own, and syncs it.
    fn truncate(&self, name: &str, length: u64) -> io::Result<()>;
    /// Puts one file in the place of another, or gives it a new name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Returns when the names are on the disk.
    fn sync_names(&self) -> io::Result<()>;
}

/// Removes a file that may not be there.
pub(super) fn remove_if_there(disk: &dyn Disk, name: &str) -> io::Result<()> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// A real folder.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    fn open(&self, name: &str, options: &mut OpenOptions) -> io::Result<Box<dyn Handle>> {
        Ok(Box::new(options.mode(0o600).open(self.0.join(name))?))
    }
}

impl Disk for Folder {
    fn create(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        self.open(name, OpenOptions::new().append(true).create_new(true))
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        self.open(name, OpenOptions::new().append(true))
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.0.join(name))?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name))
    }

    fn sync_names(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

impl Handle for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
