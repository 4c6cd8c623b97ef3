//! Default deny, roles never merge, nothing hostile gets through: the decision as an outsider would attack it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use doorward::domain::{AccountName, RequestId, Timestamp, Window};
use doorward::grant::{AccessRequest, ActiveGrant};
use doorward::policy::{Choice, CommandRequest, Decision, HeldRole, Permit, Role, Words, decide};

#[path = "role_policy/hostile.rs"]
mod hostile;
#[path = "role_policy/properties.rs"]
mod properties;
#[path = "role_policy/tricks.rs"]
mod tricks;

fn role(name: &str, rules: &str) -> Role {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n{rules}");
    Role::parse(name.parse().unwrap(), "roles/x.toml", &text).unwrap_or_else(|found| panic!("{}", found[0])).0
}

fn grant(bits: u64, role: &Role) -> ActiveGrant {
    let at = Timestamp::from_secs;
    let targets = BTreeMap::from([("web-1".parse().unwrap(), "ops".parse().unwrap())]);
    let as_approved = (role.name().clone(), role.digest());
    let (user, source) = ("alice".parse().unwrap(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let window = Window { start: at(0), end: at(10_000) };
    let request = AccessRequest::supposed(RequestId::from_bits(bits), user, as_approved, targets, source, window);
    request.active_grant(at(1)).unwrap()
}

/// Decides `line` for someone who holds these roles on web-1; `None` when the line is not even words.
fn decide_for(line: &[u8], roles: &[Role]) -> Option<Decision> {
    let words = Words::split(line).ok()?;
    let grants: Vec<ActiveGrant> = roles.iter().zip(1..).map(|(role, bits)| grant(bits, role)).collect();
    let account: AccountName = "ops".parse().unwrap();
    let held: Vec<HeldRole<'_>> = roles
        .iter()
        .zip(&grants)
        .map(|(role, grant)| HeldRole {
            grant,
            approved: role,
            loaded: Some(role),
            account: Some(&account),
            eligible: true,
        })
        .collect();
    let target = "web-1".parse().unwrap();
    let request = CommandRequest { target: &target, words: &words, choice: &Choice::Any };
    Some(decide(&request, &held, Timestamp::from_secs(100)))
}

fn permit(line: &str, roles: &[Role]) -> Option<Permit> {
    match decide_for(line.as_bytes(), roles) {
        Some(Decision::Allow(permit)) => Some(permit),
        _ => None,
    }
}

/// A role with one parameter of each kind, as an author in good faith would write it.
fn generous() -> Role {
    role(
        "generous",
        r#"
[[command]]
run = "/usr/bin/systemctl restart {unit}"
sudo = true
where.unit = { one_of = ["nginx", "php-fpm"] }
[[command]]
run = "/usr/bin/tail [-n {n}] {file}"
where.n = { int = [1, 100] }
where.file = { path = "/var/log/**" }
[[command]]
run = "/usr/bin/id {user}"
where.user = { pattern = '[a-z]+' }
[[command]]
run = "/usr/bin/logger {message}"
where.message = { text = 100 }
[[command]]
run = "/usr/bin/uptime"
"#,
    )
}
