//! `certs/*.toml`: what each kind of certificate carries. The meaning is `ca::profile`'s.

use std::path::Path;

use crate::ca::profile::{Kind, Profile};
use crate::domain::Diagnostic;

use super::roles::files_of;
use super::source::{Source, Trust};

/// The certificate profiles in force.
#[derive(Clone, Debug)]
pub struct Profiles {
    /// Of `certs/session.toml`.
    pub session: Profile,
    /// Of `certs/target.toml`.
    pub target: Profile,
    /// Of `certs/host.toml`.
    pub host: Profile,
}

const FILES: [&str; 3] = ["session.toml", "target.toml", "host.toml"];

/// Reads the profiles under `dir` and returns their files too. Every problem goes to `out`.
pub(super) fn read(dir: &Path, trust: Trust, out: &mut Vec<Diagnostic>) -> (Option<Profiles>, Vec<Source>) {
    for name in files_of(dir, "certs", trust, out) {
        if name.ends_with(".toml") && !FILES.contains(&name.as_str()) {
            let unread = Source::unread(&format!("certs/{name}"));
            let message = format!("there is no such certificate profile; the profiles are {}", FILES.join(", "));
            out.push(unread.error(message).help("rename the file or take it away"));
        }
    }
    let mut files = Vec::new();
    let mut profile = |name: &str, kind: Kind| {
        let file = Source::read_or_note(&dir.join(name), &format!("certs/{name}"), trust, out);
        let parsed = if file.was_read { Profile::parse(kind, &file.name, &file.text) } else { Err(Vec::new()) };
        files.push(file);
        parsed.map_err(|findings| out.extend(findings)).ok()
    };
    let (session, target, host) = (
        profile("session.toml", Kind::Session),
        profile("target.toml", Kind::Target),
        profile("host.toml", Kind::Host),
    );
    let profiles = match (session, target, host) {
        (Some(session), Some(target), Some(host)) => Some(Profiles { session, target, host }),
        _ => None,
    };
    (profiles, files)
}
