//! What a role with `observe = true` must say, and what it may not.
//!
//! Such a role gives everything that an account can do, so it is asked for by one group, approved by two, and over within a
//! day. What is not enforced for it is refused by name.

use std::time::Duration;

use toml::de::DeTable;

use crate::domain::Subject;
use crate::domain::time::for_people;
use crate::policy::role::Role;

use super::reader::{Fields, Reader};

/// The keys of such a role.
const KEYS: [&str; 6] = ["observe", "description", "targets", "run_as", "request", "when"];
/// The longest such a grant may live.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How many must approve, at least, and if unsaid.
const APPROVALS: u8 = 2;

/// Holds `role` against what such a role must be, and sets what it leaves unsaid.
pub(super) fn check(reader: &mut Reader, document: &DeTable<'_>, fields: &Fields<'_>, role: &mut Role) {
    for (key, _) in document {
        if !KEYS.contains(&key.get_ref().as_ref()) {
            let message = format!("a role with `observe = true` has no `{}`", key.get_ref());
            let help = "it allows every command line that the account can run; take one of the two out";
            reader.error_with_help(Some(key.span()), message, help);
        }
    }
    let table = fields.value("request").and_then(|value| value.get_ref().as_table());
    let (Some(table), Some(terms)) = (table, role.request.as_mut()) else {
        let help = "write `eligible = [\"group:NAME\"]` (one group) and `approvers` below `[request]`";
        reader.error_with_help(fields.span_of("observe"), "a role with `observe = true` needs `[request]`", help);
        return;
    };
    let place = |key: &str| {
        let known = table.get_key_value(key).map(|(key, _)| key.span());
        known.or_else(|| fields.span_of("observe"))
    };
    if !matches!(terms.eligible.as_slice(), [Subject::Group(_)]) {
        let message = "a role with `observe = true` is for exactly one group";
        reader.error_with_help(place("eligible"), message, "write `eligible = [\"group:NAME\"]`");
    }
    if table.get("approvals").is_none() {
        terms.approvals = APPROVALS;
    }
    if terms.approvals < APPROVALS {
        let message = format!("a role with `observe = true` is approved by at least {APPROVALS}");
        reader.error_with_help(place("approvals"), message, "write `approvals = 2`, or leave it out");
    }
    let only_people = terms.approvers.iter().all(|one| matches!(one, Subject::User(_)));
    if only_people && terms.approvers.len() < usize::from(APPROVALS) {
        let message = format!("a role with `observe = true` takes {APPROVALS} approvals, and fewer people are named");
        reader.error_with_help(place("approvers"), message, "write `approvers = [\"group:NAME\"]`");
    }
    if terms.max_duration > LONGEST {
        let message = format!("a role with `observe = true` is active for at most {}", for_people(LONGEST));
        reader.error_with_help(place("max_duration"), message, "write `max_duration = \"24h\"`");
    }
}
