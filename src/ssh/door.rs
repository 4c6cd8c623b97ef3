//! Which door a login name opens. The login name says *where*, never *who*.

use std::collections::BTreeSet;

use crate::domain::{RoleName, TargetName, UserName};
use crate::policy::Choice;

/// What a login name at the port leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Door {
    /// The verbs.
    Control,
    /// Commands on a target.
    Target {
        /// Where.
        target: TargetName,
        /// Which of the held roles are meant: the one of `ROLE+TARGET`.
        choice: Choice,
    },
    /// Whichever of the two it is, it cannot be told now.
    Unknown,
}

/// The door of `login` for somebody who may see the `visible` targets: `TARGET`, `TARGET.SUFFIX`, `ROLE+TARGET`.
///
/// Anything else, a target of others included, is the control door: one answer for "unknown" and "not yours".
#[must_use]
pub fn door_of(login: &str, suffix: &str, visible: &BTreeSet<TargetName>) -> Door {
    match named(login, suffix) {
        Some((target, role)) if visible.contains(&target) => Door::Target { target, choice: role.into() },
        _ => Door::Control,
    }
}

/// The target that `login` would mean if there is one of that name, and the role chosen with it.
pub(super) fn named(login: &str, suffix: &str) -> Option<(TargetName, Option<RoleName>)> {
    let (role, name) = match login.split_once('+') {
        Some((role, name)) => (Some(role.parse().ok()?), name),
        None => (None, login),
    };
    Some((target_named(name, suffix)?, role))
}

/// The target that is meant by `NAME` or `NAME.SUFFIX`, whether or not there is one.
pub(super) fn target_named(name: &str, suffix: &str) -> Option<TargetName> {
    let bare = name.strip_suffix(suffix).and_then(|name| name.strip_suffix('.')).unwrap_or(name);
    bare.parse().ok()
}

/// The door of `login` while nobody can say which targets `user` may see.
///
/// A command meant for a target must not be read as a verb, and the answer must not tell which targets there are: only the
/// user's own name, which is no target's, surely means the verbs.
#[must_use]
pub fn door_unknown(login: &str, user: &UserName) -> Door {
    if login == user.as_str() { Door::Control } else { Door::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_targets_cannot_be_looked_up_only_the_users_own_name_means_the_verbs() {
        let alice = "alice".parse().unwrap();
        assert_eq!(door_unknown("alice", &alice), Door::Control);
        for login in ["web-1", "web-1.jea", "ops+web-1", "no-such-target", "bob", "alice.jea", "alice+web-1", ""] {
            assert_eq!(door_unknown(login, &alice), Door::Unknown, "{login:?}");
        }
    }

    #[test]
    fn a_login_name_opens_a_target_only_for_those_who_may_see_it() {
        let visible: BTreeSet<TargetName> = ["web-1", "jea"].into_iter().map(|name| name.parse().unwrap()).collect();
        let target = |name: &str, role: Option<&str>| Door::Target {
            target: name.parse().unwrap(),
            choice: role.map(|role| role.parse().unwrap()).into(),
        };
        for (login, wanted) in [
            ("web-1", target("web-1", None)),
            ("web-1.jea", target("web-1", None)),
            ("web-restart+web-1", target("web-1", Some("web-restart"))),
            ("web-restart+web-1.jea", target("web-1", Some("web-restart"))),
            ("jea", target("jea", None)),
            ("jea.jea", target("jea", None)),
            ("web-2", Door::Control),
            ("web-1jea", Door::Control),
            ("+web-1", Door::Control),
            ("a b+web-1", Door::Control),
            ("", Door::Control),
            ("alice", Door::Control),
            ("web-1.", Door::Control),
        ] {
            assert_eq!(door_of(login, "jea", &visible), wanted, "{login:?}");
        }
    }
}
