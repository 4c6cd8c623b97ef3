//! A denied command in words for the user: why, and what would have been allowed.

use crate::domain::TargetName;
use crate::policy::{Denial, HeldRole, explain};

/// One sentence on why `denial` was the answer for `target`, given what was `held`.
#[must_use]
pub fn in_words(denial: &Denial, held: &[HeldRole<'_>], target: &TargetName) -> String {
    match denial {
        Denial::NoGrant => format!("nothing that is active now reaches {target}"),
        Denial::Narrowed { role } => {
            format!("{role} was narrowed since it was approved, and does not allow this any more")
        }
        Denial::Widened { role } => {
            format!("{role} allows this now, but did not when it was approved; ask for it again")
        }
        Denial::Ambiguous { roles } => match roles.as_slice() {
            [role] => format!("several rules of {role} allow it and would run different things; tell the operator"),
            _ => {
                let choices: Vec<String> = roles.iter().map(|role| format!("{role}+{target}@…")).collect();
                format!("several roles allow it and differ; choose one: ssh {}", choices.join(", or ssh "))
            }
        },
        Denial::NotInRole { nearest: Some(nearest) } => {
            let role = held.iter().find(|held| *held.grant.role() == nearest.role);
            let rule = role.and_then(|held| held.approved.rules().get(nearest.rule.checked_sub(1)?));
            let missed = rule.map(|rule| explain::miss(rule, &nearest.miss)).unwrap_or_default();
            format!("{} does not allow it; {missed}", nearest.role)
        }
        Denial::NotInRole { nearest: None } => "what is active has no commands".to_owned(),
        Denial::TooLong => "the line for the target would be longer than one can be".to_owned(),
    }
}
