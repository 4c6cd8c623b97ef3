//! What `check` says of a role that observes: whom it lets do anything as an account, and who would have to agree.
//!
//! Such a role loads; nobody shall find out only by `pending` that there is one.

use crate::domain::Diagnostic;
use crate::policy::RequestTerms;

use super::people::People;
use super::{Written, listed};

/// The warning about a role, if it observes.
pub(super) fn warning((role, places): &Written<'_>, terms: &RequestTerms, people: &mut People) -> Option<Diagnostic> {
    if !role.observes() {
        return None;
    }
    let (askers, approvers) = (names(people, &terms.eligible), names(people, &terms.approvers));
    let message = format!(
        "any command line that the account `{}` can run may run under this role; {askers} could ask for it, \
         and {} of {approvers} must approve",
        role.run_as(),
        terms.approvals
    );
    let help = "take the file away when `doorward learn` has seen enough; a role of rules takes its place";
    Some(places.source().warning_at(places.key(&["observe"]), message).code("role/observe").help(help))
}

/// `alice, bob`, or `nobody`.
fn names(people: &mut People, subjects: &[crate::domain::Subject]) -> String {
    let members = people.members(subjects);
    let names: Vec<&str> = members.iter().map(|number| people.name(*number)).collect();
    if names.is_empty() { "nobody".to_owned() } else { listed(names.into_iter()) }
}
