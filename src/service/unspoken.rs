//! Lines that may hold a secret although no rule took it for one: what the log is told of a denied line, and of a question.
//!
//! Owns which roles count. What then stays of a line is [`Guard`]'s.

use crate::domain::UserName;
use crate::policy::Guard;

use super::Services;
use super::approved_roles::approved_role;
use super::ports::RequestQuery;

/// What recognises the lines: every role that is loaded, and those that `user` holds or waits for as they were approved. All
/// loaded ones, because a line is mistyped by those too who may not ask, or asked about for somebody else.
///
/// If the database does not work it recognises every line.
pub async fn guard(services: &Services, user: &UserName) -> Guard {
    let snapshot = services.snapshot.load_full();
    let query = RequestQuery { user: Some(user.clone()), open: true, ..RequestQuery::default() };
    let Ok(open) = services.store.requests(&query).await else { return Guard::of_everything() };
    let approved: Vec<_> = open.into_iter().filter_map(|stored| approved_role(services, &stored.value).ok()).collect();
    Guard::of(snapshot.roles.with_secrets().chain(&approved).map(AsRef::as_ref))
}

/// A control line as it may be written down: the verb, its options, and names of targets and roles stay as they are.
pub async fn control_line(services: &Services, user: &UserName, line: String, known: impl Fn(&str) -> bool) -> String {
    let guard = guard(services, user).await;
    let snapshot = services.snapshot.load_full();
    let named = |word: &str| {
        snapshot.inventory.iter().any(|target| target.name.as_str() == word)
            || snapshot.roles.keys().any(|role| role.as_str() == word)
            || snapshot.directory.iter().any(|user| user.name.as_str() == word)
    };
    let keep = |word: &str| known(word) || named(word);
    guard.veil(&line, &services.secrets, keep).unwrap_or(line)
}
