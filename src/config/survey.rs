//! Everything that there is to say of a set, for people and machines that look at it: nothing here makes a set usable.

use std::path::PathBuf;

use crate::domain::{Diagnostic, Digest, Severity};

use super::{Checks, InForce, Paths, Trust, is_a_set, is_used, read, roles};

/// The most findings of a survey.
pub const MOST_SURVEYED: usize = 1000;

/// What [`survey`] found.
#[derive(Debug)]
pub struct Survey {
    /// Whether it would be used: no finding is an error.
    pub ok: bool,
    /// At most [`MOST_SURVEYED`]: errors first, then warnings, then what authors have accepted; each in the order of the files
    /// and of the lines in them.
    pub findings: Vec<Diagnostic>,
    /// How many findings there were besides.
    pub left_out: usize,
    /// What the set has, if it would be used; of role files alone nothing.
    pub counts: Option<Counts>,
}

/// What a set has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// Users enrolled.
    pub users: usize,
    /// Targets known.
    pub targets: usize,
    /// Roles.
    pub roles: usize,
    /// Digest of the set, as in the log's entries.
    pub digest: Digest,
}

/// Looks at the DIR of a bastion on its own host: all that `serve` would insist on, and every warning.
#[must_use]
pub fn survey(dir: impl Into<PathBuf>) -> Survey {
    let paths = Paths::new(dir);
    match is_a_set(&paths, Trust::Host).and_then(|()| InForce::read(&paths)) {
        Ok(in_force) => of_dir(&paths, &Checks::Serve(&in_force)),
        Err(finding) => survey_of(vec![*finding], false, None),
    }
}

/// Looks at a working copy of the policy, as in a checkout: private keys, owners and modes are left out, because they are the
/// host's.
#[must_use]
pub fn survey_copy(dir: impl Into<PathBuf>) -> Survey {
    of_dir(&Paths::new(dir), &Checks::Policy)
}

fn of_dir(paths: &Paths, checks: &Checks<'_>) -> Survey {
    if let Err(finding) = is_a_set(paths, checks.trust()) {
        return survey_of(vec![*finding], false, None);
    }
    let (set, findings) = read(paths, None, checks);
    let counts = Counts {
        users: set.snapshot.directory.iter().count(),
        targets: set.snapshot.inventory.iter().count(),
        roles: set.snapshot.roles.len(),
        digest: set.snapshot.digest,
    };
    survey_of(findings, set.profiles.is_some(), Some(counts))
}

/// Looks at role files, each alone: nothing is known of users, targets and other roles. Findings call a file as `files` does.
#[must_use]
pub fn survey_roles(files: &[PathBuf]) -> Survey {
    let (mut findings, mut whole) = (Vec::new(), true);
    for path in files {
        let (role, found) = roles::read_alone(path, &path.to_string_lossy());
        whole &= role.is_some();
        findings.extend(found);
    }
    in_order(&mut findings);
    survey_of(findings, whole, None)
}

/// `findings` are in order.
fn survey_of(mut findings: Vec<Diagnostic>, whole: bool, counts: Option<Counts>) -> Survey {
    let ok = whole && is_used(&findings);
    let left_out = findings.len().saturating_sub(MOST_SURVEYED);
    findings.truncate(MOST_SURVEYED);
    Survey { ok, findings, left_out, counts: counts.filter(|_| ok) }
}

/// Errors first: they are what must be mended, and what is left when not all are shown. Then as people read a set: DIR, the
/// files beside the folders, roles by name, certificates, keys; each from its first line to its last.
pub(super) fn in_order(findings: &mut [Diagnostic]) {
    let rank = |name: &str| match name {
        "DIR" => 0,
        "doorward.toml" => 1,
        "users.toml" => 2,
        "targets.toml" => 3,
        "parameters.toml" => 4,
        _ if name.starts_with("roles/") => 5,
        _ if name.starts_with("certs/") => 6,
        _ => 7,
    };
    let key = |finding: &Diagnostic| -> (Severity, u8, std::sync::Arc<str>, usize) {
        let at = finding.span.as_ref().map_or(0, |span| span.start);
        (finding.severity, rank(&finding.file), std::sync::Arc::clone(&finding.file), at)
    };
    findings.sort_by_cached_key(key);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Source;

    #[test]
    fn findings_stand_in_the_order_in_which_people_read_a_set() {
        let wanted =
            ["DIR", "doorward.toml", "users.toml", "targets.toml", "parameters.toml", "roles/a.toml", "certs/x"];
        let mut findings: Vec<Diagnostic> = wanted.iter().rev().map(|name| Source::unread(name).error("no")).collect();
        in_order(&mut findings);
        assert_eq!(findings.iter().map(|finding| &*finding.file).collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn of_what_is_no_set_one_thing_is_said_with_the_name_that_was_given() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("a-file");
        std::fs::write(&file, "x").unwrap();
        let rows = [
            (root.path().join("nowhere"), "this directory does not exist"),
            (file, "this is not a directory"),
            (root.path().to_owned(), "holds no bastion's files"),
        ];
        for (path, message) in rows {
            for found in [survey(&path), survey_copy(&path)] {
                let [only] = &found.findings[..] else { panic!("{:?}", found.findings) };
                assert!(only.message.contains(message), "{only}");
                assert!(*only.file == *path.to_string_lossy() && only.help.is_some() && !found.ok, "{only}");
            }
        }
        std::fs::write(root.path().join("users.toml"), "").unwrap();
        let found = survey(root.path());
        assert!(found.findings.iter().any(|finding| &*finding.file == "doorward.toml"), "{:?}", found.findings);
    }
}
