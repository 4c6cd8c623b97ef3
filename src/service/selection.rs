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
