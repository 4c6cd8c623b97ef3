//! People and rules: who may ask, who could say yes, who holds nothing.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use crate::config::source::Source;
use crate::config::table::nearest;
use crate::domain::{Diagnostic, GroupName, Subject, UserName};
use crate::identity::{Directory, User};
use crate::policy::RequestTerms;
use crate::service::Snapshot;

use super::{Files, Places, Written, listed};

/// Numbers of people, in order, each once.
pub(super) type Members = Rc<Vec<usize>>;

/// The people of users.toml, by number, so that thousands of roles are looked through in time.
pub(super) struct People {
    names: Vec<UserName>,
    numbers: HashMap<UserName, usize>,
    groups: HashMap<GroupName, Vec<usize>>,
    /// What lists of subjects came to; equal ones are one value.
    known: HashMap<Vec<Subject>, Members>,
    sets: HashSet<Members>,
}

impl People {
    pub(super) fn of(directory: &Directory) -> Self {
        let mut groups: HashMap<GroupName, Vec<usize>> = HashMap::new();
        for (number, user) in directory.iter().enumerate() {
            for group in user.groups.iter().collect::<BTreeSet<_>>() {
                groups.entry(group.clone()).or_default().push(number);
            }
        }
        let names: Vec<UserName> = directory.iter().map(|user: &User| user.name.clone()).collect();
        let numbers = names.iter().cloned().zip(0..).collect();
        Self { names, numbers, groups, known: HashMap::new(), sets: HashSet::new() }
    }

    /// Who is meant by one of `subjects`. The same people are the same value ([`Rc::ptr_eq`]), however they are written.
    pub(super) fn members(&mut self, subjects: &[Subject]) -> Members {
        if let Some(known) = self.known.get(subjects) {
            return Rc::clone(known);
        }
        let all: BTreeSet<usize> = subjects.iter().flat_map(|subject| self.of_subject(subject)).copied().collect();
        let all: Members = Rc::new(all.into_iter().collect());
        let kept = Rc::clone(self.sets.get(&all).unwrap_or(&all));
        self.sets.insert(Rc::clone(&kept));
        self.known.insert(subjects.to_vec(), Rc::clone(&kept));
        kept
    }

    fn of_subject(&self, subject: &Subject) -> &[usize] {
        match subject {
            Subject::User(name) => self.numbers.get(name).map(std::slice::from_ref).unwrap_or_default(),
            Subject::Group(name) => self.groups.get(name).map(Vec::as_slice).unwrap_or_default(),
        }
    }

    pub(super) fn name(&self, number: usize) -> &str {
        self.names.get(number).map_or("", UserName::as_str)
    }

    /// A subject that names nobody, as a finding at `place`.
    fn nobody(&self, subject: &Subject, source: &Source, place: Option<Range<usize>>) -> Option<Diagnostic> {
        if !self.of_subject(subject).is_empty() {
            return None;
        }
        Some(match subject {
            Subject::User(name) => {
                let known: Vec<&str> = self.names.iter().map(UserName::as_str).collect();
                let help = match nearest(name.as_str(), &known) {
                    Some(near) => format!("did you mean user:{near}?"),
                    None => format!("add them: doorward user add DIR {name} --key FILE"),
                };
                let message = format!("there is no user {name} in users.toml");
                source.warning_at(place, message).code("people/unknown-user").help(help)
            }
            Subject::Group(name) => {
                let known: Vec<&str> = self.groups.keys().map(GroupName::as_str).collect();
                let help = match nearest(name.as_str(), &known) {
                    Some(near) => format!("did you mean group:{near}?"),
                    None => format!("write groups = [\"{name}\"] at a user of users.toml"),
                };
                let message = format!("nobody in users.toml is in the group {name}");
                source.warning_at(place, message).code("people/empty-group").help(help)
            }
        })
    }
}

pub(super) fn check(
    files: &Files<'_>,
    roles: &[Written<'_>],
    snapshot: &Snapshot,
    people: &mut People,
    out: &mut Vec<Diagnostic>,
) {
    let known = files.users.1.whole;
    reviewers(files, snapshot, people, out);
    let mut holding: BTreeSet<usize> = people.members(&snapshot.settings.reviewers).iter().copied().collect();
    for written @ (role, places) in roles {
        let Some(terms) = role.request() else {
            let message = "the role has no [request], so nobody can ask for it";
            // What is missing has no place; the key that it usually follows is where people write it.
            let finding = places.source().warning_at(places.key(&["run_as"]), message).code("request/none");
            out.push(finding.help("write [request] with `eligible` and `approvers` below this"));
            continue;
        };
        if known {
            out.extend(super::observing::warning(written, terms, people));
            let (askers, approvers) = request(places, terms, people, out);
            holding.extend(askers.iter().chain(approvers.iter()));
        }
    }
    // Whether somebody holds nothing is known only when everything is.
    if known && files.settings.1.whole && files.roles.whole && !roles.is_empty() {
        idle(files, people, &holding, out);
    }
}

fn reviewers(files: &Files<'_>, snapshot: &Snapshot, people: &People, out: &mut Vec<Diagnostic>) {
    let (source, read) = files.settings;
    if !read.whole {
        return;
    }
    let reviewers = &snapshot.settings.reviewers;
    if reviewers.is_empty() {
        let message = "there is no reviewer, so nobody can read the log through the bastion";
        let finding = source.warning_at(read.reviewers_span.clone(), message).code("people/no-reviewer");
        out.push(finding.help("write [rights] reviewers = [\"group:security\"]"));
    }
    if files.users.1.whole {
        let places = Places::new(source);
        for subject in reviewers {
            let place = places.entry(&["rights", "reviewers"], &subject.to_string());
            out.extend(people.nobody(subject, source, place));
        }
    }
}

/// Findings of `[request]`; who may ask, and who could approve.
fn request(
    places: &Places<'_>,
    terms: &RequestTerms,
    people: &mut People,
    out: &mut Vec<Diagnostic>,
) -> (Members, Members) {
    for (key, subjects) in [("eligible", &terms.eligible), ("approvers", &terms.approvers)] {
        for subject in subjects.iter().filter(|subject| people.of_subject(subject).is_empty()) {
            let place = places.entry(&["request", key], &subject.to_string());
            out.extend(people.nobody(subject, places.source(), place));
        }
    }
    let (askers, approvers) = (people.members(&terms.eligible), people.members(&terms.approvers));
    if askers.is_empty() {
        let message = "nobody in users.toml may ask for this role";
        let finding = places.source().warning_at(places.key(&["request", "eligible"]), message);
        out.push(finding.code("request/nobody-may-ask").help("put a user into one of these groups"));
    }
    approvals(places, terms, people, (&askers, &approvers), out);
    (askers, approvers)
}

/// Nobody approves their own request, so an asker needs enough approvers besides themselves.
fn approvals(
    places: &Places<'_>,
    terms: &RequestTerms,
    people: &People,
    (askers, approvers): (&Members, &Members),
    out: &mut Vec<Diagnostic>,
) {
    let needed = usize::from(terms.approvals);
    if approvers.len() > needed {
        return;
    }
    let own = |asker: &usize| usize::from(approvers.binary_search(asker).is_ok());
    let stuck: Vec<usize> = askers.iter().copied().filter(|asker| approvers.len() - own(asker) < needed).collect();
    let Some(first) = stuck.first() else { return };
    let named = |numbers: &[usize]| {
        let names: Vec<&str> = numbers.iter().map(|&number| people.name(number)).collect();
        listed(names.into_iter())
    };
    let who = match stuck.len() == askers.len() {
        true => "nobody's request".to_owned(),
        false => format!("no request of {}", named(&stuck)),
    };
    let needs = if needed == 1 { "1 approval is".to_owned() } else { format!("{needed} approvals are") };
    let may = if approvers.is_empty() { "nobody".to_owned() } else { named(approvers) };
    let message = format!("{who} can be approved: {needs} needed, nobody counts for their own, and {may} may approve");
    // Of a self-service role `approvers` may be missing; of another the key is there or its absence is an error.
    let place = places.key(&["request", "approvers"]).or_else(|| places.key(&["request"]));
    let finding = places.source().warning_at(place, message);
    out.push(if approvers[..] == [*first] {
        finding.code("request/requester-alone").help("name somebody else too, who can say yes to them")
    } else {
        finding.code("request/out-of-reach").help("add approvers, or users to their groups")
    });
}

/// Who is enrolled and may do nothing: most often a group was forgotten, or somebody who left.
fn idle(files: &Files<'_>, people: &People, holding: &BTreeSet<usize>, out: &mut Vec<Diagnostic>) {
    let (source, read) = files.users;
    for (name, place) in &read.places {
        if people.numbers.get(name).is_some_and(|number| !holding.contains(number)) {
            let message = format!("{name} may ask for no role, approves none and is no reviewer");
            let finding = source.warning_at(Some(place.clone()), message).code("people/holds-nothing");
            out.push(finding.help("put them into a group that a role names, or take them out"));
        }
    }
}
