//! DIR: reads every file of it into one [`Snapshot`], or says everything that is wrong with it.
//!
//! All or nothing: there is no half-read configuration. Findings carry file, line and column; [`load`] does not stop at the
//! first, and [`survey()`] has all of them. [`signing`] says whose signatures a set needs, [`scenarios`] reads what a set is tested
//! against. Refuses to know what the settings are for. Only [`edit`] changes a file of the set. [`enroll`] and [`shipped`] are the
//! other direction: what a target is to hold, and what `init` writes, as text.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::domain::{Diagnostic, Digest, Severity};
use crate::service::Snapshot;

mod address;
mod certs;
mod consistency;
pub mod digest_key;
pub mod edit;
mod encoding;
pub mod enroll;
pub mod keys;
mod limits;
pub mod lock;
pub mod paths;
mod places;
mod private_keys;
mod restart;
mod roles;
pub mod scenarios;
mod settings;
pub mod shipped;
pub mod signing;
mod source;
mod survey;
mod table;
mod targets;
mod users;

pub use address::Address;
pub use certs::Profiles;
pub use limits::LimitSettings;
pub use lock::{DirLock, LockError};
pub use paths::Paths;
pub use restart::RestartOnly;
pub use roles::role_of;
pub use settings::{ListenSettings, host_name};
pub use signing::{InForce, Signers};
pub use survey::{Counts, MOST_SURVEYED, Survey, survey, survey_copy, survey_roles};

use source::{Source, Trust};

/// The most findings that a start, a reload or a change reports, errors before warnings.
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
    /// Who has to sign, if anybody.
    pub signers: Option<Signers>,
    /// The exact text that they sign.
    pub to_sign: String,
    /// What somebody should look at.
    pub warnings: Vec<Diagnostic>,
}

/// Reads all of DIR, signed as those in force for it want it (`state/policy.json`).
///
/// # Errors
/// Every finding, errors first, if there is at least one error; warnings are among them.
pub fn load(dir: impl Into<PathBuf>) -> Result<Loaded, Vec<Diagnostic>> {
    let paths = Paths::new(dir);
    let in_force =
        is_a_set(&paths, Trust::Host).and_then(|()| InForce::read(&paths)).map_err(|finding| vec![*finding])?;
    load_checked(&paths, None, &Checks::Serve(&in_force))
}

/// As [`load`], for a bastion that runs and knows who is in force, whatever `state/` says by now.
///
/// # Errors
/// As [`load`].
pub fn load_under(dir: impl Into<PathBuf>, in_force: &InForce) -> Result<Loaded, Vec<Diagnostic>> {
    load_checked(&Paths::new(dir), None, &Checks::Serve(in_force))
}

/// As [`load`], without asking for signatures and private keys: what the files say, for those who compare, try or sign them.
/// Never for serving.
///
/// # Errors
/// As [`load`].
pub fn load_policy(dir: impl Into<PathBuf>) -> Result<Loaded, Vec<Diagnostic>> {
    load_checked(&Paths::new(dir), None, &Checks::Policy)
}

/// As [`load`], with `edited` in the place of the file of that name: what would hold if it were written. Nobody has signed that.
fn load_edited(paths: &Paths, edited: Option<&Source>) -> Result<Loaded, Vec<Diagnostic>> {
    load_checked(paths, edited, &Checks::Edit)
}

/// What is asked of a set besides its own sense.
enum Checks<'a> {
    /// The private keys, and the signatures that these want.
    Serve(&'a InForce),
    /// The private keys.
    Edit,
    /// Nothing: owners, modes and keys are the host's, and this is a copy.
    Policy,
}

impl Checks<'_> {
    fn trust(&self) -> Trust {
        match self {
            Self::Serve(_) | Self::Edit => Trust::Host,
            Self::Policy => Trust::Copy,
        }
    }
}

fn load_checked(paths: &Paths, edited: Option<&Source>, checks: &Checks<'_>) -> Result<Loaded, Vec<Diagnostic>> {
    is_a_set(paths, checks.trust()).map_err(|finding| vec![*finding])?;
    let (set, mut out) = read(paths, edited, checks);
    // Each is shown with its line: without an end, one hostile file would keep a reload busy for hours.
    out.truncate(MOST_FINDINGS);
    match (set.profiles, is_used(&out)) {
        (Some(profiles), true) => {
            let settings::Read { listen, limits, demo, signers, .. } = set.settings;
            let (snapshot, to_sign) = (set.snapshot, set.to_sign);
            Ok(Loaded { snapshot, listen, limits, profiles, demo, signers, to_sign, warnings: out })
        }
        _ => Err(out),
    }
}

/// Whether a set with these findings, errors first, would be used.
fn is_used(findings: &[Diagnostic]) -> bool {
    findings.iter().all(|finding| finding.severity != Severity::Error)
}

/// What could be read of a set.
struct Set {
    settings: settings::Read,
    snapshot: Snapshot,
    profiles: Option<Profiles>,
    /// See [`Loaded::to_sign`].
    to_sign: String,
}

/// Reads all of DIR, with everything there is to say of it: errors first, then as [`survey::in_order`] has it.
fn read(paths: &Paths, edited: Option<&Source>, checks: &Checks<'_>) -> (Set, Vec<Diagnostic>) {
    let trust = checks.trust();
    let mut out = Vec::new();
    if trust == Trust::Host {
        check_dir(paths, &mut out);
        private_keys::check(paths, &mut out);
    }
    let read = |path: PathBuf, name: &str, out: &mut Vec<Diagnostic>| match edited {
        Some(edited) if *edited.name == *name => edited.clone(),
        _ => Source::read_or_note(&path, name, trust, out),
    };

    let settings_file = read(paths.settings(), "doorward.toml", &mut out);
    let users_file = read(paths.users(), "users.toml", &mut out);
    let targets_file = read(paths.targets(), "targets.toml", &mut out);

    let read_settings = settings::read(&settings_file, &mut out);
    let read_users = users::read(&users_file, &mut out);
    let read_targets = targets::read(&targets_file, read_settings.demo, &mut out);
    // One that is not there shares nothing; anything else under that name is read, or is an error.
    let is_there = paths.parameters().symlink_metadata().is_ok();
    let shared_file = is_there.then(|| read(paths.parameters(), "parameters.toml", &mut out));
    let read_roles = roles::read(&paths.roles(), shared_file.as_ref(), trust, &mut out);
    let (profiles, profile_files) = certs::read(&paths.certs(), trust, &mut out);

    let mut files = vec![&settings_file, &users_file, &targets_file];
    files.extend(shared_file.as_ref());
    files.extend(read_roles.files.iter().chain(&profile_files));
    out.extend(files.iter().filter_map(|file| file.changed()));
    let set = digest(&files);
    let (name, signers) = (&read_settings.settings.name, read_settings.signers.as_ref());
    let to_sign = signing::to_sign(name, signers, set, &files);
    if let Checks::Serve(in_force) = checks {
        let candidate = signing::Candidate { settings: &settings_file, signers, text: &to_sign, set };
        signing::check(paths, &candidate, in_force, &mut out);
    }
    let snapshot = Snapshot {
        settings: read_settings.settings.clone(),
        directory: read_users.directory.clone(),
        inventory: read_targets.inventory.clone(),
        roles: read_roles.roles.clone(),
        digest: set,
    };
    let files = consistency::Files {
        settings: (&settings_file, &read_settings),
        users: (&users_file, &read_users),
        targets: (&targets_file, &read_targets),
        roles: &read_roles,
    };
    consistency::check(&files, &snapshot, &mut out);
    survey::in_order(&mut out);
    (Set { settings: read_settings, snapshot, profiles, to_sign }, out)
}

/// The name of the audit log of the bastion `name`: the origin of its checkpoints (C2SP tlog-checkpoint), and the name in its
/// verifier key.
#[must_use]
pub fn log_origin(name: &str) -> String {
    format!("{name}/log")
}

/// Whether there is anything to read: of what is no DIR at all, or is another user's, one thing is said, and not the same of each
/// of its files.
fn is_a_set(paths: &Paths, trust: Trust) -> Result<(), Box<Diagnostic>> {
    let shown = Source::unread(&paths.dir().to_string_lossy());
    let wrong = |message: String| {
        let help = "name the directory with doorward.toml; `doorward init` writes a new one";
        Err(Box::new(shown.error(message).help(help)))
    };
    match std::fs::metadata(paths.dir()) {
        Ok(metadata) if !metadata.is_dir() => wrong("this is not a directory".to_owned()),
        Ok(metadata) => {
            if trust == Trust::Host
                && let Some(finding) = source::of_somebody_else(metadata.uid(), source::us(), &shown)
            {
                return Err(Box::new(finding));
            }
            let parts = [paths.settings(), paths.users(), paths.targets(), paths.roles()];
            match parts.iter().any(|part| part.symlink_metadata().is_ok()) {
                true => Ok(()),
                false => wrong("this directory holds no bastion's files: no doorward.toml and no roles/".to_owned()),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => wrong("this directory does not exist".to_owned()),
        Err(error) => wrong(format!("this directory cannot be read: {error}")),
    }
}

/// DIR itself: whoever may write it can replace every file in it.
fn check_dir(paths: &Paths, out: &mut Vec<Diagnostic>) {
    if let Ok(metadata) = std::fs::metadata(paths.dir()) {
        out.extend(source::written_by_others(paths.dir(), &metadata, &Source::unread("DIR")));
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
