//! `roles/*.toml`: finds the files; the role language itself is `policy::file`'s.
//!
//! Reading is one after the other and bounded in all; parsing is on up to eight processors, because there may be thousands of roles.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Diagnostic, RoleName, Severity};
use crate::policy::file::{Patterns, SharedParameters};
use crate::policy::{Role, Roles};

use super::source::{self, Source, Trust};

/// The most roles that are read.
const MOST: usize = 20_000;
/// The most bytes of roles that are read, in all.
const MOST_BYTES: usize = 64 << 20;
/// The most names of a directory that are looked at.
const MOST_NAMES: usize = 2 * MOST;
/// From so many roles on, parsing is worth a thread.
const WORTH_A_THREAD: usize = 64;
/// The most threads that parse.
const MOST_THREADS: usize = 8;

/// The roles that could be read, and the files they came from.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) roles: Roles,
    pub(super) files: Vec<Source>,
    /// Whether every role that is here could be read; else what no role does may be what the missing one does.
    pub(super) whole: bool,
}

/// A role, or what is wrong with its file; warnings with either.
type Parsed = (Option<Role>, Vec<Diagnostic>);

/// Reads every role under `dir`. Every problem goes to `out`.
/// `shared` is `parameters.toml`, if there is one.
pub(super) fn read(dir: &Path, shared: Option<&Source>, trust: Trust, out: &mut Vec<Diagnostic>) -> Read {
    let before = out.len();
    let names = role_files(dir, trust, out);
    // Of a directory that cannot be read nobody knows whether it has none.
    let none = names.is_empty() && out.iter().skip(before).all(|finding| finding.severity != Severity::Error);
    let (files, full) = read_files(dir, &names, trust, out);
    let mut read = Read { whole: out.len() == before && !full, ..Read::default() };
    let (definitions, findings) = definitions(shared);
    out.extend(findings);
    for (role, findings) in parse_all(&files, &definitions) {
        read.whole &= role.is_some();
        out.extend(findings);
        if let Some(role) = role {
            drop(read.roles.insert(role.name().clone(), Arc::new(role)));
        }
    }
    read.files = files;
    if let Some(file) = shared {
        let used = read.files.iter().flat_map(|role| definitions.used_by(&role.text)).collect();
        out.extend(definitions.unused(&used, &file.name, &file.text));
    }
    if none {
        let message = "there is no role here, so nobody can ask for anything";
        let finding = Source::unread("roles/").error(message).warning().code("set/no-role");
        out.push(finding.help("write one; docs/roles.md has the language"));
    }
    read
}

/// Reads one role file alone, as its author has it before them: what it is a part of is not looked at.
pub(super) fn read_alone(path: &Path, name: &str) -> Parsed {
    match source::read(path, name, Trust::Copy) {
        Ok(file) => parse(&file, &definitions(shared_beside(path).as_ref()).0, &Patterns::default()),
        Err(finding) => (None, vec![*finding]),
    }
}

/// The role of one file, for those who compare two: with `parameters.toml` of its set, and whatever the file is called.
///
/// # Errors
/// What is wrong with it.
pub fn role_of(path: &Path, shown: &str) -> Result<Role, Vec<Diagnostic>> {
    let file = source::read(path, shown, Trust::Copy).map_err(|finding| vec![*finding])?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = stem.parse::<RoleName>().or_else(|_| "role".parse());
    let name = name.map_err(|error| vec![file.error(error.to_string())])?;
    let shared = shared_beside(path);
    let (definitions, found) = definitions(shared.as_ref());
    let (role, _) = Role::parse_sharing(name, &file.name, &file.text, &definitions, &Patterns::default()).map_err(
        |mut findings| {
            findings.extend(found);
            findings
        },
    )?;
    Ok(role)
}

/// `parameters.toml` of the set in which a role's file lies, where it lies in one.
fn shared_beside(path: &Path) -> Option<Source> {
    let beside = path.parent().and_then(Path::parent).map(|set| set.join("parameters.toml"));
    beside.and_then(|path| source::read(&path, "parameters.toml", Trust::Copy).ok())
}

fn definitions(shared: Option<&Source>) -> (SharedParameters, Vec<Diagnostic>) {
    shared.map(|file| SharedParameters::parse(&file.name, &file.text)).unwrap_or_default()
}

/// The names that are roles, in order. What else lies there is warned of: it may have been meant as one.
fn role_files(dir: &Path, trust: Trust, out: &mut Vec<Diagnostic>) -> Vec<String> {
    let mut names = files_of(dir, "roles", trust, out);
    names.retain(|name| {
        if !name.ends_with(".toml") && name != "README.md" {
            let unread = Source::unread(&format!("roles/{name}"));
            let message = "this file is not read: a role is a file whose name ends in `.toml`";
            out.push(unread.error(message).warning().code("set/file-ignored").help("rename it, or move it elsewhere"));
        }
        name.ends_with(".toml")
    });
    // On a file system that folds case one would replace the other, and people would take both for one.
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for name in &names {
        if let Some(other) = seen.insert(name.to_ascii_lowercase(), name) {
            let message = format!("this name and `{other}` differ only in upper and lower case");
            out.push(Source::unread(&format!("roles/{name}")).error(message).help("give one of them another name"));
        }
    }
    names
}

/// The files, and whether there was more than is read.
fn read_files(dir: &Path, names: &[String], trust: Trust, out: &mut Vec<Diagnostic>) -> (Vec<Source>, bool) {
    let mut files: Vec<Source> = Vec::new();
    let mut bytes = 0;
    for name in names {
        let shown = format!("roles/{name}");
        if files.len() == MOST || bytes > MOST_BYTES {
            let most = format!("{MOST} roles or {} MiB of them", MOST_BYTES >> 20);
            let message = format!("there are more than {most} here, and this file was reached too late");
            out.push(Source::unread(&shown).error(message).help("put rules that go together into one role"));
            return (files, true);
        }
        match source::read(&dir.join(name), &shown, trust) {
            Ok(file) => {
                bytes += file.text.len();
                files.push(file);
            }
            Err(finding) => out.push(*finding),
        }
    }
    (files, false)
}

/// What came of each file, in their order.
fn parse_all(files: &[Source], shared: &SharedParameters) -> Vec<Parsed> {
    let patterns = Patterns::default();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = files.len().div_ceil(threads).max(WORTH_A_THREAD);
    let parse_share = |share: &[Source], patterns: &Patterns| {
        share.iter().map(|file| parse(file, shared, patterns)).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let mut shares = files.chunks(share);
        let first = shares.next().unwrap_or_default();
        let (patterns, parse_share) = (&patterns, &parse_share);
        let spawn = |share| std::thread::Builder::new().spawn_scoped(scope, move || parse_share(share, patterns));
        let others: Vec<_> = shares.map(|share| (share, spawn(share))).collect();
        let mut all = parse_share(first, patterns);
        for (share, other) in others {
            // Where no thread can be had, or one ended early, this one does its work.
            let done = other.ok().and_then(|thread| thread.join().ok());
            all.extend(done.unwrap_or_else(|| parse_share(share, patterns)));
        }
        all
    })
}

fn parse(file: &Source, shared: &SharedParameters, patterns: &Patterns) -> Parsed {
    let stem = file.name.rsplit('/').next().and_then(|name| name.strip_suffix(".toml")).unwrap_or_default();
    let name = match stem.parse::<RoleName>() {
        Ok(name) => name,
        Err(error) => {
            let finding = file.error(format!("the file's name is the role's: {error}"));
            return (None, vec![finding.help("rename the file")]);
        }
    };
    match Role::parse_sharing(name, &file.name, &file.text, shared, patterns) {
        Ok((role, warnings)) => (Some(role), warnings),
        Err(findings) => (None, findings),
    }
}

/// The names of the plain entries of a directory of DIR, sorted, hidden ones left out.
pub(super) fn files_of(dir: &Path, shown: &str, trust: Trust, out: &mut Vec<Diagnostic>) -> Vec<String> {
    let unread = Source::unread(&format!("{shown}/"));
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            let finding = unread.error(format!("this directory cannot be read: {error}"));
            out.push(match error.kind() {
                std::io::ErrorKind::NotFound => unread.error("this directory does not exist").help("make it"),
                std::io::ErrorKind::NotADirectory => unread
                    .error("this is no directory")
                    .help(format!("move it elsewhere, and make a directory `{shown}` for the files")),
                std::io::ErrorKind::PermissionDenied => finding.help("run doorward as the owner of DIR"),
                _ => finding,
            });
            return Vec::new();
        }
    };
    if let Ok(metadata) = dir.metadata()
        && trust == Trust::Host
    {
        out.extend(source::written_by_others(dir, &metadata, &unread));
    }
    let mut names = Vec::new();
    for entry in entries {
        if names.len() == MOST_NAMES {
            let message = format!("there are more than {MOST_NAMES} files here, and not all were looked at");
            out.push(unread.error(message).help("move what is no role elsewhere"));
            break;
        }
        match entry.map(|entry| entry.file_name().into_string()) {
            Ok(Ok(name)) if name.starts_with('.') => {}
            Ok(Ok(name)) => names.push(name),
            Ok(Err(name)) => {
                let name = crate::domain::text::escape(&name.to_string_lossy()).into_owned();
                out.push(unread.error(format!("the file name `{name}` is not UTF-8")).help("rename it"));
            }
            Err(error) => out.push(unread.error(format!("this directory cannot be read to its end: {error}"))),
        }
    }
    names.sort();
    names
}
