//! `can --table`: a row for each rule on each target, for `grep`, `sort` and people who compare.

use crate::control::console::Table;
use crate::domain::AccountName;
use crate::domain::text::excerpt;
use crate::policy::Rule;
use crate::policy::observe::IN_WORDS;
use crate::service::capability::Capability;

/// How much of what parameters may be is shown.
const VALUES: usize = 200;

/// Everything that is given, by target, then role, then rule. A role that reaches no target has no row.
pub(super) fn render(found: &[Capability]) -> String {
    let mut rows: Vec<(&str, [String; 8])> = Vec::new();
    for capability in found {
        for (target, account) in &capability.targets {
            let rules = (1..).zip(capability.role.rules()).filter(|(_, rule)| rule.is_for(target));
            let row = |rule: Option<(usize, &Rule)>| (target.as_str(), row(target.as_str(), account, capability, rule));
            if capability.role.observes() {
                rows.push(row(None));
            }
            rows.extend(rules.map(|rule| row(Some(rule))));
        }
    }
    // Stable: the roles and their rules stay in their order.
    rows.sort_by_key(|(target, _)| *target);
    let mut table = Table::new(&["TARGET", "AS", "ROLE", "RULE", "APPROVAL", "WHEN", "COMMAND", "VALUES"]);
    rows.into_iter().for_each(|(_, cells)| table.row(cells));
    table.render()
}

fn row(target: &str, account: &AccountName, capability: &Capability, rule: Option<(usize, &Rule)>) -> [String; 8] {
    let role = &capability.role;
    let (number, command, values, sudo) = match rule {
        None => ("-".to_owned(), IN_WORDS.to_owned(), String::new(), false),
        Some((number, rule)) => {
            let values: Vec<String> =
                rule.parameters().iter().map(|(name, meaning)| format!("{{{name}}}: {meaning}")).collect();
            (number.to_string(), rule.usage().to_owned(), values.join("; "), rule.sudo())
        }
    };
    // Never an empty cell: what stands behind it would seem to stand in it.
    let said = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    [
        target.to_owned(),
        format!("{account}{}", if sudo { ", root by sudo" } else { "" }),
        role.name().to_string(),
        number,
        capability.quorum.to_string(),
        said(role.conditions().in_words().join("; ")),
        command,
        said(excerpt(&values, VALUES)),
    ]
}

#[cfg(test)]
mod tests;
