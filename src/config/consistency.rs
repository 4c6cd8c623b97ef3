//! What no file shows alone: names that collide, rules that nobody can use, machines that nothing reaches.
//!
//! Errors are what would make an answer ambiguous; what merely cannot work yet is a warning, because a set is often written
//! in several steps.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::domain::{Diagnostic, Person, Subject};
use crate::policy::{RequestTerms, Role};
use crate::service::Snapshot;

use super::source::Source;
use super::{settings, targets, users};

/// The files with what was read from each.
pub(super) struct Files<'a> {
    pub(super) settings: (&'a Source, &'a settings::Read),
    pub(super) users: (&'a Source, &'a users::Read),
    pub(super) targets: (&'a Source, &'a targets::Read),
    pub(super) roles: &'a [Source],
}

/// Looks across the files. `snapshot` is what they make together.
pub(super) fn check(files: &Files<'_>, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) {
    names(files, snapshot, out);
    let people: Vec<Person> = snapshot.directory.iter().map(crate::identity::User::person).collect();
    reviewers(files, snapshot, &people, out);
    let mut reached = BTreeSet::new();
    for role in snapshot.roles.values() {
        let Some(source) = files.roles.iter().find(|file| *file.name == format!("roles/{}.toml", role.name())) else {
            continue;
        };
        reached.extend(snapshot.reach_of(role).into_keys());
        reach(source, role, snapshot, out);
        request(source, role, &people, out);
    }
    let (source, read) = files.targets;
    for (target, place) in &read.places {
        let readable = snapshot.inventory.target(target).is_some_and(|target| !target.run_as.is_empty());
        if readable && !reached.contains(target) {
            let message = format!("no role reaches {target}, so nobody can use it");
            let help = "a role reaches it by `targets` (its name or labels) and by `run_as` (an account it has)";
            out.push(source.warning_at(Some(place.clone()), message).help(help));
        }
    }
}

/// A login name is a target's or nobody's: it must never be unclear which.
fn names(files: &Files<'_>, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) {
    let settings = &snapshot.settings;
    let (source, read) = files.targets;
    let suffix = format!(".{}", settings.suffix);
    for (target, place) in &read.places {
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
        if read.places.keys().any(|target| target.as_str() == stem) {
            let message =
                format!("{user} is also a target's name, and `ssh {user}@{}` could mean both", settings.alias);
            out.push(source.error_at(place.clone(), message).help("give the user or the target another name"));
        }
    }
}

fn members<'p>(subjects: &[Subject], people: &'p [Person]) -> Vec<&'p Person> {
    people.iter().filter(|person| subjects.iter().any(|subject| subject.covers(person))).collect()
}

fn empty_subjects(source: &Source, subjects: &[Subject], people: &[Person], out: &mut Vec<Diagnostic>) {
    for subject in subjects {
        if people.iter().any(|person| subject.covers(person)) {
            continue;
        }
        let message = match subject {
            Subject::User(name) => format!("there is no user {name} in users.toml"),
            Subject::Group(name) => format!("nobody in users.toml is in the group {name}"),
        };
        out.push(source.warning_at(place_of(source, &subject.to_string()), message));
    }
}

/// Where `word` stands in the file as a whole quoted text.
fn place_of(source: &Source, word: &str) -> Option<Range<usize>> {
    ['"', '\''].into_iter().find_map(|quote| {
        let at = source.text.find(&format!("{quote}{word}{quote}"))?;
        Some(at..at + word.len() + 2)
    })
}

/// Where the line that sets `key` begins.
fn key_of(source: &Source, key: &str) -> Option<Range<usize>> {
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let rest = line.trim_start();
        let start = at + line.len() - rest.len();
        if rest.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with('=') || key.starts_with('[')) {
            return Some(start..start + key.len());
        }
        at += line.len();
    }
    None
}

fn reviewers(files: &Files<'_>, snapshot: &Snapshot, people: &[Person], out: &mut Vec<Diagnostic>) {
    let (source, read) = files.settings;
    let reviewers = &snapshot.settings.reviewers;
    empty_subjects(source, reviewers, people, out);
    if reviewers.is_empty() {
        let message = "there is no reviewer, so nobody can read the log through the bastion";
        let help = "write [rights] reviewers = [\"group:security\"]";
        out.push(source.warning_at(read.reviewers_span.clone(), message).help(help));
    }
}

fn reach(source: &Source, role: &Role, snapshot: &Snapshot, out: &mut Vec<Diagnostic>) {
    let meant: Vec<_> =
        snapshot.inventory.iter().filter(|target| role.targets().matches(&target.name, &target.labels)).collect();
    let place = key_of(source, "targets");
    if meant.is_empty() && snapshot.inventory.iter().next().is_some() {
        let message = "no target has such a name or such labels, so the role can be used nowhere";
        out.push(source.warning_at(place.clone(), message).help("compare with targets.toml"));
    }
    let account = role.run_as();
    let without: Vec<&str> = meant
        .iter()
        .filter(|target| !target.run_as.is_empty() && !target.run_as.contains_key(account))
        .map(|target| target.name.as_str())
        .collect();
    if !without.is_empty() {
        let message = format!("the role is for {}, but there `run_as` has no `{account}`", without.join(", "));
        let help = format!("write run_as = {{ {account} = \"ACCOUNT\" }} there in targets.toml");
        out.push(source.warning_at(key_of(source, "run_as").or(place), message).help(help));
    }
}

fn request(source: &Source, role: &Role, people: &[Person], out: &mut Vec<Diagnostic>) {
    let Some(terms) = role.request() else {
        let message = "the role has no [request], so nobody can ask for it";
        out.push(source.warning_at(None, message).help("write [request] with `eligible` and `approvers`"));
        return;
    };
    empty_subjects(source, &terms.eligible, people, out);
    empty_subjects(source, &terms.approvers, people, out);
    out.extend(super::observing::warning(source, key_of(source, "observe"), role, people));
    let askers = members(&terms.eligible, people);
    if askers.is_empty() {
        let message = "nobody in users.toml may ask for this role";
        out.push(source.warning_at(key_of(source, "eligible"), message).help("put a user into one of these groups"));
    }
    approvals(source, terms, &askers, &members(&terms.approvers, people), out);
}

/// Nobody approves their own request, so an asker needs enough approvers besides themselves.
fn approvals(
    source: &Source,
    terms: &RequestTerms,
    askers: &[&Person],
    approvers: &[&Person],
    out: &mut Vec<Diagnostic>,
) {
    let stuck: Vec<&str> = askers
        .iter()
        .filter(|asker| {
            let others = approvers.iter().filter(|approver| approver.name != asker.name).count();
            others < usize::from(terms.approvals)
        })
        .map(|asker| asker.name.as_str())
        .collect();
    if stuck.is_empty() {
        return;
    }
    let who = if stuck.len() == askers.len() {
        "nobody's request".to_owned()
    } else {
        format!("no request of {}", stuck.join(", "))
    };
    let message = format!(
        "{who} can be approved: {} needed, nobody counts for their own, and {} may approve",
        match terms.approvals {
            1 => "1 approval is".to_owned(),
            several => format!("{several} approvals are"),
        },
        match approvers {
            [] => "nobody".to_owned(),
            some => some.iter().map(|person| person.name.as_str()).collect::<Vec<_>>().join(", "),
        }
    );
    out.push(source.warning_at(key_of(source, "approvers"), message).help("add approvers, or users to their groups"));
}
