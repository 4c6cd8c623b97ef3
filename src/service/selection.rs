//! Which of the held roles the login name of a jump connection means.
//!
//! The inner `ssh` sends a login name that is the account its user wants, or just the name they have on their own machine. It
//! narrows what they hold where it is a name they know here, and means nothing else.

use crate::domain::{AccountName, RoleName, TargetName, UserName};
use crate::policy::Choice;

use super::Services;
use super::held::active_grants;
use super::ports::StoreError;

/// What `login` selects for `user` on `target`: a role that they hold or may ask for; else an account of `target` that one of
/// their active grants is for; else nothing, which leaves them all they hold. Roles and accounts of others select nothing, so
/// that no answer differs with whether those exist.
///
/// # Errors
/// The store's.
pub async fn choice_by_login(
    services: &Services,
    user: &UserName,
    target: &TargetName,
    login: &str,
) -> Result<Choice, StoreError> {
    let grants = active_grants(services, user).await?;
    if let Ok(role) = login.parse::<RoleName>() {
        let known = services.snapshot.load().user_may_ask(user, &role);
        if known || grants.iter().any(|grant| *grant.role() == role) {
            return Ok(Choice::Role(role));
        }
    }
    if let Ok(account) = login.parse::<AccountName>()
        && grants.iter().any(|grant| grant.targets().get(target) == Some(&account))
    {
        return Ok(Choice::Account(account));
    }
    Ok(Choice::Any)
}

#[cfg(test)]
mod tests {
    use super::super::activate_grant::activate;
    use super::super::rehearsal::{HERE, Rehearsal, name};
    use super::*;

    #[tokio::test]
    async fn a_login_name_selects_a_role_of_theirs_or_an_account_of_their_grants_and_else_nothing() {
        let stage = Rehearsal::new();
        let request = stage.filed("web-look").await;
        activate(&stage.services, &request.id, HERE).await.unwrap();
        let (target, account) = request.scope.targets.iter().next().unwrap();
        let select = async |who: &str, target: &TargetName, login: &str| {
            choice_by_login(&stage.services, &name(who), target, login).await.unwrap()
        };
        let role = |text: &str| Choice::Role(text.parse().unwrap());
        let (alice, other) = ("alice", "web-2".parse().unwrap());
        assert_eq!(select(alice, target, "web-look").await, role("web-look"));
        assert_eq!(select(alice, target, "web-restart").await, role("web-restart"), "one that they may ask for");
        assert_eq!(select(alice, target, account.as_str()).await, Choice::Account(account.clone()));
        // An account of another target, a role of others, and what is no name at all.
        assert_eq!(select(alice, &other, account.as_str()).await, Choice::Any);
        for login in ["db-look", "no-such-role", "root", "alice", "", "a b", "web-look+web-1", "\u{1b}[2J"] {
            assert_eq!(select(alice, target, login).await, Choice::Any, "{login:?}");
        }
        // What alice holds is no name for others.
        assert_eq!(select("dora", target, "web-look").await, Choice::Any);
        assert_eq!(select("dora", target, account.as_str()).await, Choice::Any);
        // A role that alice may no longer ask for stays her choice as long as she holds it.
        stage.reload(|now| drop(now.roles.remove(&request.role)));
        assert_eq!(select(alice, target, "web-look").await, role("web-look"));
    }
}
