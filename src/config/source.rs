//! Reading one file of DIR, distrustfully: only a regular file, of ours, that nobody else may write, of a sane size, in UTF-8,
//! the same at the end of the reading as at its beginning.
//!
//! Ownership and modes are taken from the open file, not from its name, so that what was checked is what is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Diagnostic, limits};

use super::encoding;

/// Whose word the files are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trust {
    /// They are a bastion's own: nobody else may be able to change them.
    Host,
    /// They are somebody's working copy, to be looked at and not used: owners and modes say nothing.
    Copy,
}

/// A file's name, as the operator would write it, and its text.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Relative to DIR.
    pub(super) name: Arc<str>,
    /// All of it; empty when it could not be read.
    pub(super) text: Arc<str>,
    /// Whether `text` is the file's; else what is missing in it is not worth a finding.
    pub(super) was_read: bool,
    /// Which file it was, and in which state.
    stamp: Option<(PathBuf, Stamp)>,
}

/// What differs when a file was written or replaced.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

fn stamp(metadata: &Metadata) -> Stamp {
    let modified = (metadata.mtime(), metadata.mtime_nsec());
    (metadata.dev(), metadata.ino(), metadata.len(), modified, (metadata.ctime(), metadata.ctime_nsec()))
}

impl Source {
    /// A file as it would be with this text.
    pub(super) fn of(name: &str, text: &str) -> Self {
        Self { name: Arc::from(name), text: Arc::from(text), was_read: true, stamp: None }
    }

    /// A file of which only the name is known.
    pub(super) fn unread(name: &str) -> Self {
        Self { name: Arc::from(name), text: Arc::from(""), was_read: false, stamp: None }
    }

    /// Reads `path`; if that fails the finding goes to `out`.
    pub(super) fn read_or_note(path: &Path, name: &str, trust: Trust, out: &mut Vec<Diagnostic>) -> Self {
        read(path, name, trust).unwrap_or_else(|finding| {
            out.push(*finding);
            Self::unread(name)
        })
    }

    /// A finding if the file is no longer the one that was read: a set is what its files were at one moment.
    pub(super) fn changed(&self) -> Option<Diagnostic> {
        let (path, before) = self.stamp.as_ref()?;
        if path.metadata().is_ok_and(|now| stamp(&now) == *before) {
            return None;
        }
        let message = "this file changed while the set was being read, so what was read may be half of it";
        Some(self.error(message).help("try again when nobody writes to it"))
    }

    /// An error about the whole file.
    pub(super) fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(&self.name, &self.text, message)
    }

    /// An error at a place of the file.
    pub(super) fn error_at(&self, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        self.error(message).at(span)
    }

    /// A warning at a place of the file, or about all of it.
    pub(super) fn warning_at(&self, span: Option<Range<usize>>, message: impl Into<String>) -> Diagnostic {
        let mut finding = self.error(message).warning();
        finding.span = span;
        finding
    }
}

/// Reads `path`, called `name` in messages.
///
/// # Errors
/// One finding that says what is wrong with the file as a whole.
pub(super) fn read(path: &Path, name: &str, trust: Trust) -> Result<Source, Box<Diagnostic>> {
    let unread = Source::unread(name);
    let (bytes, stamp) = read_bytes(path, &unread, trust)?;
    match encoding::text_of(bytes) {
        Ok(text) => {
            Ok(Source { name: unread.name, text: Arc::from(text), was_read: true, stamp: Some((path.into(), stamp)) })
        }
        Err(problem) => Err(Box::new(problem.finding(&unread.name))),
    }
}

/// As [`read`], for a file that holds a secret: no finding carries a byte of it.
///
/// # Errors
/// As of [`read`], without the place.
pub(super) fn read_secret(path: &Path, name: &str) -> Result<Arc<str>, Box<Diagnostic>> {
    let unread = Source::unread(name);
    let (bytes, _) = read_bytes(path, &unread, Trust::Host)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Arc::from(text)),
        Err(_) => Err(Box::new(unread.error("this file is not UTF-8"))),
    }
}

fn read_bytes(path: &Path, source: &Source, trust: Trust) -> Result<(Vec<u8>, Stamp), Box<Diagnostic>> {
    // Looked at before it is opened: to open a device or a socket is to use it.
    let found = path.metadata().map_err(|error| cannot_read(path, source, &error))?;
    regular(&found, source)?;
    let (mut file, metadata) = open(path).map_err(|error| cannot_read(path, source, &error))?;
    regular(&metadata, source)?;
    if trust == Trust::Host
        && let Some(finding) = written_by_others(path, &metadata, source).or_else(|| leads_astray(path, source))
    {
        return Err(Box::new(finding));
    }
    if metadata.len() > limits::CONFIG_FILE {
        return Err(too_long(source));
    }
    let mut bytes = Vec::new();
    let mut bounded = (&mut file).take(limits::CONFIG_FILE + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| cannot_read(path, source, &error))?;
    if bytes.len() as u64 > limits::CONFIG_FILE { Err(too_long(source)) } else { Ok((bytes, stamp(&metadata))) }
}

/// Opens without waiting: a named pipe under one of our names must not hang `check` or a reload.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn regular(metadata: &Metadata, source: &Source) -> Result<(), Box<Diagnostic>> {
    let kind = metadata.file_type();
    let what = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a directory",
        _ if kind.is_fifo() => "a named pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    let message = format!("this is {what}, not a regular file");
    Err(Box::new(source.error(message).help("put a plain file, or a link to one, here")))
}

/// A link is as good as the directory that it leads to: who may write there decides what we read.
fn leads_astray(path: &Path, source: &Source) -> Option<Diagnostic> {
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        return None;
    }
    let end = path.canonicalize().ok()?;
    let directory = end.parent()?;
    let metadata = directory.metadata().ok()?;
    // In a sticky directory nobody can replace what is another's.
    if metadata.mode() & 0o1000 != 0 {
        return None;
    }
    let mut finding = written_by_others(directory, &metadata, source)?;
    let shown = crate::domain::text::escape(&end.to_string_lossy()).into_owned();
    finding.message = format!("this link leads to {shown}, and of the directory there: {}", finding.message);
    Some(finding)
}

fn too_long(source: &Source) -> Box<Diagnostic> {
    let message = format!("this file is longer than {} KiB", limits::CONFIG_FILE / 1024);
    Box::new(source.error(message).help("split it, or take comments out"))
}

fn cannot_read(path: &Path, source: &Source, error: &io::Error) -> Box<Diagnostic> {
    let finding = source.error(format!("this file cannot be read: {error}"));
    Box::new(match error.kind() {
        io::ErrorKind::NotFound => match path.read_link() {
            Ok(end) => {
                let shown = crate::domain::text::escape(&end.to_string_lossy()).into_owned();
                let message = format!("this link leads to {shown}, which does not exist");
                source.error(message).help("mend the link, or take it away")
            }
            Err(_) => source.error("this file does not exist").help(if is_of_every_set(&source.name) {
                "`doorward init` writes a complete set"
            } else {
                "look at the name, and at the directory you are in"
            }),
        },
        io::ErrorKind::PermissionDenied => finding.help("run doorward as the owner of DIR"),
        _ if error.raw_os_error() == Some(nix::errno::Errno::ELOOP as i32) => {
            source.error("this file cannot be read: the link leads in a circle").help("mend the link, or take it away")
        }
        _ => finding,
    })
}

/// Whether no set is whole without a file of that name; what else is read was named by somebody.
fn is_of_every_set(name: &str) -> bool {
    ["doorward.toml", "users.toml", "targets.toml"].contains(&name) || name.starts_with("certs/")
}

/// The user who runs this.
pub(super) fn us() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// DIR belongs to neither `us` nor root: then each file in it most likely does, and it is not the files that are to be changed.
pub(super) fn of_somebody_else(owner: u32, us: u32, dir: &Source) -> Option<Diagnostic> {
    let message = format!("this directory belongs to user number {owner}, and doorward runs as user number {us}");
    let help = format!(
        "run it as the owner: setpriv --reuid {owner} --clear-groups doorward …; or give DIR and all that is in it to the user \
         who runs doorward"
    );
    (owner != us && owner != 0).then(|| dir.error(message).help(help))
}

/// What is wrong with the owner or the mode of something only the operator may change, if anything is.
pub(super) fn written_by_others(path: &Path, metadata: &Metadata, source: &Source) -> Option<Diagnostic> {
    let us = us();
    let shown = crate::domain::text::escape(&path.to_string_lossy()).into_owned();
    if metadata.uid() != us && metadata.uid() != 0 {
        let message = format!("this belongs to user number {}, who could change the policy", metadata.uid());
        return Some(source.error(message).help(format!("chown it to user number {us} or to root: {shown}")));
    }
    if metadata.mode() & 0o022 != 0 {
        let message = format!("others than its owner may write this (mode {:04o})", metadata.mode() & 0o7777);
        return Some(source.error(message).help(format!("chmod go-w {shown}")));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_another_user_is_to_be_read_as_that_user() {
        let dir = Source::unread("/srv/doorward");
        for (owner, us) in [(0, 0), (7, 7), (0, 7)] {
            assert!(of_somebody_else(owner, us, &dir).is_none(), "{owner} {us}");
        }
        for (owner, us) in [(7, 0), (7, 8)] {
            let shown = of_somebody_else(owner, us, &dir).unwrap().to_string();
            let wanted =
                [format!("user number {owner}, and doorward runs as user number {us}"), format!("--reuid {owner} ")];
            assert!(wanted.iter().all(|part| shown.contains(part)), "{shown}");
        }
    }

    /// A file that is replaced, or written in place to the same length, is noticed.
    #[test]
    fn a_file_that_changes_after_it_was_read_is_noticed() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 4] = [
            ("replaced", |path| {
                std::fs::write(path.with_extension("new"), "a = 2").unwrap();
                std::fs::rename(path.with_extension("new"), path).unwrap();
            }),
            ("longer", |path| std::fs::write(path, "a = 1\nb").unwrap()),
            ("as long", |path| {
                std::thread::sleep(std::time::Duration::from_millis(20));
                std::fs::write(path, "a = 2").unwrap();
            }),
            ("gone", |path| std::fs::remove_file(path).unwrap()),
        ];
        for (what, change) in changes {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.toml");
            std::fs::write(&path, "a = 1").unwrap();
            let file = read(&path, "x.toml", Trust::Copy).unwrap();
            assert!(file.changed().is_none(), "{what}");
            change(&path);
            assert!(file.changed().unwrap().message.contains("changed while"), "{what}");
        }
    }
}
