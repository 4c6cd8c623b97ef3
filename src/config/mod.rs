//! DIR: reads every file of it into one [`Snapshot`], or says everything that is wrong with it.
//!
//! All or nothing: there is no half-read configuration. Findings carry file, line and column; [`load`] does not stop at the
//! first. Refuses to know what the settings are for. Only [`edit`] changes a file of the set.
//! [`enroll`] is the other direction: what a target is to hold, as text.

use std::path::PathBuf;

use crate::domain::{Diagnostic, Digest, Severity};
use crate::service::Snapshot;

mod address;
mod certs;
mod consistency;
pub mod edit;
pub mod enroll;
pub mod keys;
mod limits;
pub mod lock;
pub mod paths;
mod private_keys;
mod restart;
mod roles;
mod settings;
pub mod shipped;
mod source;
mod table;
mod targets;
mod users;

pub use address::Address;
pub use certs::Profiles;
pub use limits::LimitSettings;
pub use lock::{DirLock, LockError};
pub use paths::Paths;
pub use restart::RestartOnly;
pub use settings::{ListenSettings, host_name};

use source::Source;

/// The most findings that one run reports, errors before warnings.
pub const MOST_FINDINGS: usize = 100;

/// A configuration without errors.
#[derive(Debug)]
pub struct Loaded {
    /// What the use cases need.
    pub snapshot: Snapshot,
    /// What the listener needs.
    pub listen: ListenSettings,
    /// What bounds connections, input and recordings.
    pub limits: LimitSettings,
    /// What certificates carry.
    pub profiles: Profiles,
    /// Whether this is a demo's DIR (`demo = true`): `serve` says so loudly.
    pub demo: bool,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

/// Reads all of DIR.
///
/// # Errors
/// Every finding, errors first, if there is at least one error; warnings are among them.
pub fn load(dir: impl Into<PathBuf>) -> Result<Loaded, Vec<Diagnostic>> {
    load_edited(&Paths::new(dir), None)
}

/// As [`load`], with `edited` in the place of the file of that name: what would hold if it were written.
fn load_edited(paths: &Paths, edited: Option<&Source>) -> Result<Loaded, Vec<Diagnostic>> {
    let mut out = Vec::new();
    check_dir(paths, &mut out);
    private_keys::check(paths, &mut out);
    let read = |path: PathBuf, name: &str, out: &mut Vec<Diagnostic>| match edited {
        Some(edited) if *edited.name == *name => edited.clone(),
        _ => Source::read_or_note(&path, name, out),
    };

    let settings_file = read(paths.settings(), "doorward.toml", &mut out);
    let users_file = read(paths.users(), "users.toml", &mut out);
    let targets_file = read(paths.targets(), "targets.toml", &mut out);

    let read_settings = settings::read(&settings_file, &mut out);
    let read_users = users::read(&users_file, &mut out);
    let read_targets = targets::read(&targets_file, read_settings.demo, &mut out);
    let read_roles = roles::read(&paths.roles(), &mut out);
    let (profiles, profile_files) = certs::read(&paths.certs(), &mut out);

    let mut files = vec![&settings_file, &users_file, &targets_file];
    files.extend(read_roles.files.iter().chain(&profile_files));
    let snapshot = Snapshot {
        settings: read_settings.settings.clone(),
        directory: read_users.directory.clone(),
        inventory: read_targets.inventory.clone(),
        roles: read_roles.roles.clone(),
        digest: digest(&files),
    };
    let files = consistency::Files {
        settings: (&settings_file, &read_settings),
        users: (&users_file, &read_users),
        targets: (&targets_file, &read_targets),
        roles: &read_roles.files,
    };
    consistency::check(&files, &snapshot, &mut out);

    out.sort_by_key(|finding| finding.severity);
    // Each is shown with its line: without an end, one hostile file would keep a reload busy for hours.
    out.truncate(MOST_FINDINGS);
    match profiles {
        Some(profiles) if out.iter().all(|finding| finding.severity != Severity::Error) => {
            let settings::Read { listen, limits, demo, .. } = read_settings;
            Ok(Loaded { snapshot, listen, limits, profiles, demo, warnings: out })
        }
        _ => Err(out),
    }
}

/// The name of the audit log of the bastion `name`: the origin of its checkpoints (C2SP tlog-checkpoint), and the name in its
/// verifier key.
#[must_use]
pub fn log_origin(name: &str) -> String {
    format!("{name}/log")
}

/// DIR itself: whoever may write it can replace every file in it.
fn check_dir(paths: &Paths, out: &mut Vec<Diagnostic>) {
    let unread = Source::unread("DIR");
    match std::fs::metadata(paths.dir()) {
        Ok(metadata) if metadata.is_dir() => out.extend(source::written_by_others(paths.dir(), &metadata, &unread)),
        Ok(_) => out.push(unread.error("this is not a directory").help("`doorward init DIR` writes a new one")),
        Err(error) => {
            let finding = unread.error(format!("this directory cannot be read: {error}"));
            out.push(finding.help("`doorward init DIR` writes a new one"));
        }
    }
}

/// One digest over names and texts, each with its length before it so that nothing can move from one file to another.
fn digest(files: &[&Source]) -> Digest {
    let mut sorted: Vec<&Source> = files.to_vec();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut bytes = b"doorward configuration 1\n".to_vec();
    for file in sorted {
        bytes.extend_from_slice(format!("{} {}\n", file.name, file.text.len()).as_bytes());
        bytes.extend_from_slice(file.text.as_bytes());
    }
    Digest::of(&bytes)
}
