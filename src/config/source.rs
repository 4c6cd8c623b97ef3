//! Reading one file of DIR, distrustfully: only a regular file, of ours, that nobody else may write, of a sane size, in UTF-8.
//!
//! Ownership and modes are taken from the open file, not from its name, so that what was checked is what is read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Diagnostic, limits};

/// A file's name, as the operator would write it, and its text.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Relative to DIR.
    pub(super) name: Arc<str>,
    /// All of it; empty when it could not be read.
    pub(super) text: Arc<str>,
    /// Whether `text` is the file's; else what is missing in it is not worth a finding.
    pub(super) was_read: bool,
}

impl Source {
    /// A file as it would be with this text.
    pub(super) fn of(name: &str, text: &str) -> Self {
        Self { name: Arc::from(name), text: Arc::from(text), was_read: true }
    }

    /// A file of which only the name is known.
    pub(super) fn unread(name: &str) -> Self {
        Self { name: Arc::from(name), text: Arc::from(""), was_read: false }
    }

    /// Reads `path`; if that fails the finding goes to `out`.
    pub(super) fn read_or_note(path: &Path, name: &str, out: &mut Vec<Diagnostic>) -> Self {
        read(path, name).unwrap_or_else(|finding| {
            out.push(finding);
            Self::unread(name)
        })
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
pub(super) fn read(path: &Path, name: &str) -> Result<Source, Diagnostic> {
    let unread = Source::unread(name);
    let bytes = read_bytes(path, &unread)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { name: unread.name, text: Arc::from(text), was_read: true }),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).unwrap_or_default();
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let column = before.rsplit(|&byte| byte == b'\n').next().map_or(0, <[u8]>::len) + 1;
            let message = format!("this file is not UTF-8: line {line}, byte {column} of that line");
            Err(unread.error(message).help("save it as UTF-8"))
        }
    }
}

fn read_bytes(path: &Path, source: &Source) -> Result<Vec<u8>, Diagnostic> {
    let (file, metadata) = open(path).map_err(|error| cannot_read(source, &error))?;
    if !metadata.is_file() {
        return Err(source.error("this is not a regular file").help("put a plain file, or a link to one, here"));
    }
    if let Some(finding) = written_by_others(path, &metadata, source) {
        return Err(finding);
    }
    if metadata.len() > limits::CONFIG_FILE {
        return Err(too_long(source));
    }
    let mut bytes = Vec::new();
    file.take(limits::CONFIG_FILE + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(source, &error))?;
    if bytes.len() as u64 > limits::CONFIG_FILE { Err(too_long(source)) } else { Ok(bytes) }
}

/// Opens without waiting: a named pipe under one of our names must not hang `check` or a reload.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn too_long(source: &Source) -> Diagnostic {
    source.error(format!("this file is longer than {} KiB", limits::CONFIG_FILE / 1024))
}

fn cannot_read(source: &Source, error: &io::Error) -> Diagnostic {
    let finding = source.error(format!("this file cannot be read: {error}"));
    match error.kind() {
        io::ErrorKind::NotFound => {
            source.error("this file does not exist").help("`doorward init` writes a complete set")
        }
        io::ErrorKind::PermissionDenied => finding.help("run doorward as the owner of DIR"),
        _ => finding,
    }
}

/// What is wrong with the owner or the mode of something only the operator may change, if anything is.
pub(super) fn written_by_others(path: &Path, metadata: &Metadata, source: &Source) -> Option<Diagnostic> {
    let us = nix::unistd::geteuid().as_raw();
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
