//! `roles/*.toml`: finds the files; the role language itself is `policy::file`'s.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Diagnostic, RoleName};
use crate::policy::Role;
use crate::policy::file::SharedParameters;

use super::source::{self, Source};

/// The most roles that are read.
const MOST: usize = 500;

/// The roles that could be read, and the files they came from.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) roles: BTreeMap<RoleName, Arc<Role>>,
    pub(super) files: Vec<Source>,
}

/// Reads every role under `dir`. Every problem goes to `out`.
/// `shared` is `parameters.toml`, if there is one.
pub(super) fn read(dir: &Path, shared: Option<&Source>, out: &mut Vec<Diagnostic>) -> Read {
    let mut read = Read::default();
    let (definitions, findings) =
        shared.map(|file| SharedParameters::parse(&file.name, &file.text)).unwrap_or_default();
    out.extend(findings);
    for name in files_of(dir, "roles", out) {
        let Some(stem) = name.strip_suffix(".toml") else {
            if name != "README.md" {
                let unread = Source::unread(&format!("roles/{name}"));
                let message = "this file is not read: a role is a file whose name ends in `.toml`";
                out.push(unread.error(message).warning().help("rename it, or move it elsewhere"));
            }
            continue;
        };
        if read.files.len() == MOST {
            let message = format!("there are more than {MOST} roles here, and this file was reached too late");
            out.push(Source::unread(&format!("roles/{name}")).error(message));
            break;
        }
        read_role(dir, &name, stem, &definitions, &mut read, out);
    }
    if let Some(file) = shared {
        let used = read.files.iter().flat_map(|role| definitions.used_by(&role.text)).collect();
        out.extend(definitions.unused(&used, &file.name, &file.text));
    }
    if read.files.is_empty() {
        let message = "there is no role here, so nobody can ask for anything";
        out.push(Source::unread("roles/").error(message).warning().help("write one; see docs/configuration.md"));
    }
    read
}

fn read_role(
    dir: &Path,
    name: &str,
    stem: &str,
    shared: &SharedParameters,
    read: &mut Read,
    out: &mut Vec<Diagnostic>,
) {
    let file = match source::read(&dir.join(name), &format!("roles/{name}")) {
        Ok(file) => file,
        Err(finding) => return out.push(finding),
    };
    match stem.parse::<RoleName>() {
        Err(error) => out.push(file.error(format!("the file's name is the role's: {error}")).help("rename the file")),
        Ok(role) => match Role::parse_sharing(role.clone(), &file.name, &file.text, shared) {
            Ok((parsed, warnings)) => {
                out.extend(warnings);
                read.roles.insert(role, Arc::new(parsed));
            }
            Err(findings) => out.extend(findings),
        },
    }
    read.files.push(file);
}

/// The names of the plain entries of a directory of DIR, sorted, hidden ones left out.
pub(super) fn files_of(dir: &Path, shown: &str, out: &mut Vec<Diagnostic>) -> Vec<String> {
    let unread = Source::unread(&format!("{shown}/"));
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) => {
            out.push(unread.error(format!("this directory cannot be read: {error}")));
            return Vec::new();
        }
    };
    if let Ok(metadata) = dir.metadata() {
        out.extend(source::written_by_others(dir, &metadata, &unread));
    }
    let mut names = Vec::new();
    for entry in entries {
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
