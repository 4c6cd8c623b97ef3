//! What no file shows alone: names that collide, rules that nobody can use, machines that nothing reaches.
//!
//! Errors are what would make an answer ambiguous; what merely cannot work yet is a warning, because a set is often written
//! in several steps. What depends on a file that could not be read is not told: it would be the same problem a second time.

use std::collections::HashMap;

use crate::domain::Diagnostic;
use crate::policy::Role;
use crate::policy::file::path_of;
use crate::service::Snapshot;

use super::places::Places;
use super::source::Source;
use super::{roles, settings, targets, users};

mod observing;
mod people;
mod reach;

use people::People;

/// The files with what was read from each.
pub(super) struct Files<'a> {
    pub(super) settings: (&'a Source, &'a settings::Read),
    pub(super) users: (&'a Source, &'a users::Read),
    pub(super) targets: (&'a Source, &'a targets::Read),
    pub(super) roles: &'a roles::Read,
}

/// A role with its file.
type Written<'a> = (&'a Role, Places<'a>);

/// Looks across the files. `snapshot` is what they make together.
pub(super) fn check(files: &Files<'_>, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) {
    names(files, snapshot, out);
    let sources: HashMap<&str, &Source> = files.roles.files.iter().map(|file| (&*file.name, file)).collect();
    let written = |role| {
        let source = sources.get(path_of(Role::name(role)).as_str())?;
        Some((role, Places::new(source)))
    };
    let roles: Vec<Written<'_>> = snapshot.roles.values().filter_map(|role| written(&**role)).collect();
    let mut people = People::of(&snapshot.directory);
    people::check(files, &roles, snapshot, &mut people, out);
    reach::check(files, &roles, &mut people, out);
}

/// A login name is a target's or nobody's: it must never be unclear which.
fn names(files: &Files<'_>, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) {
    let settings = &snapshot.settings;
    let suffix = format!(".{}", settings.suffix);
    let (source, read) = files.targets;
    for (target, place) in read.places.iter().filter(|_| files.settings.1.whole) {
        let name = target.as_str();
        if name.ends_with(&suffix) {
            let message = format!("a target's name may not end in `{suffix}`: people type that after the name");
            out.push(source.error_at(place.clone(), message).help("leave it out here"));
        }
        if name == settings.alias || name == settings.name {
            let message = format!("`{name}` is what people type to reach the bastion itself");
            out.push(source.error_at(place.clone(), message).help("give the target another name"));
        }
    }
    let (source, read_users) = files.users;
    for (user, place) in &read_users.places {
        let lower = user.as_str().to_ascii_lowercase();
        let stem = lower.strip_suffix(&suffix).unwrap_or(&lower);
        if stem.parse().is_ok_and(|stem| read.places.contains_key(&stem)) {
            let message =
                format!("{user} is also a target's name, and `ssh {user}@{}` could mean both", settings.alias);
            out.push(source.error_at(place.clone(), message).help("give the user or the target another name"));
        }
    }
}

/// The first names and how many more there are: a sentence must stay one.
fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 5;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.take(SHOWN).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// Every kind of finding here. docs/checking.md has a row for each, which a test compares.
#[cfg(test)]
pub(super) const CODES: &[&str] = &[
    "account/root",
    "account/shared",
    "people/empty-group",
    "people/holds-nothing",
    "people/no-key",
    "people/no-reviewer",
    "people/security-key",
    "people/unknown-user",
    "reach/account-missing",
    "reach/account-unknown",
    "reach/no-account",
    "reach/no-target",
    "reach/target-unreached",
    "request/nobody-may-ask",
    "request/none",
    "request/out-of-reach",
    "request/requester-alone",
    "role/observe",
    "set/file-ignored",
    "set/no-role",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// Each code of a warning of ours has a row in the document, each row a code, and the code is given somewhere.
    #[test]
    fn every_code_is_documented() {
        let document = include_str!("../../docs/checking.md");
        let rows = document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        let rows: BTreeSet<&str> = rows.map(|(code, _)| code).filter(|code| code.contains('/')).collect();
        assert_eq!(rows, super::CODES.iter().copied().collect());
        let sources = [
            include_str!("consistency/observing.rs"),
            include_str!("consistency/people.rs"),
            include_str!("consistency/reach.rs"),
            include_str!("roles.rs"),
            include_str!("targets.rs"),
            include_str!("users.rs"),
        ]
        .concat();
        for code in super::CODES {
            assert!(sources.contains(&format!("code(\"{code}\")")), "{code} is never given");
        }
        let given = sources.split(".code(\"").skip(1).filter_map(|rest| rest.split('"').next());
        assert!(
            given.clone().count() >= super::CODES.len() && given.into_iter().all(|code| super::CODES.contains(&code))
        );
    }
}
