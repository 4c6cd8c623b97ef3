//! What `check` says of a role that observes: whom it lets do anything as an account, and who would have to agree.
//!
//! Such a role loads; nobody shall find out only by `pending` that there is one.

use std::ops::Range;

use crate::domain::{Diagnostic, Person, Subject};
use crate::policy::Role;

use super::source::Source;

/// The warning about `role`, if it observes; `place` is where it says so.
pub(super) fn warning(
    source: &Source,
    place: Option<Range<usize>>,
    role: &Role,
    people: &[Person],
) -> Option<Diagnostic> {
    let terms = role.request().filter(|_| role.observes())?;
    let (askers, approvers) = (names(&terms.eligible, people), names(&terms.approvers, people));
    let message = format!(
        "role/observe: any command line that the account `{}` can run may run under this role; {askers} could ask for it, \
         and {} of {approvers} must approve",
        role.run_as(),
        terms.approvals
    );
    let help = "take the file away when `doorward learn` has seen enough; a role of rules takes its place";
    Some(source.warning_at(place, message).help(help))
}

/// `alice, bob`, or `nobody`.
fn names(subjects: &[Subject], people: &[Person]) -> String {
    let meant = people.iter().filter(|person| subjects.iter().any(|subject| subject.covers(person)));
    let names: Vec<&str> = meant.map(|person| person.name.as_str()).collect();
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}
