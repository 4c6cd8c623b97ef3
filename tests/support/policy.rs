//! A policy of any size, as files: many roles with several rules each, many targets, users in groups. Deterministic.
#![allow(unreachable_pub, reason = "test files take it in as a module of their own")]

use std::fs;
use std::path::Path;

/// How large it is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Files in `roles/`, of three rules each.
    pub roles: usize,
    /// Targets, in `tiers` tiers.
    pub targets: usize,
    /// Users, each in one of `tiers` groups of admins and every tenth in `leads`.
    pub users: usize,
    /// Tiers: what roles select targets by, and whom they are for.
    pub tiers: usize,
}

/// What one role says. Nothing of it is worth a warning.
pub fn role(number: usize, size: Size) -> String {
    let tier = number % size.tiers;
    format!(
        r#"description = "Role {number}: restart and inspect"
targets     = ["web-{tier}-*", "label:tier=t{tier},env=prod"]
run_as      = "ops{tier}"

[request]
eligible     = ["group:admins-{tier}"]
approvers    = ["group:leads"]
approvals    = 1
max_duration = "1h"
reason       = "required"
ticket       = '(INC|CHG)-\d+'

[[command]]
run  = "/usr/bin/systemctl restart {{unit}}"
sudo = true
where.unit = {{ one_of = ["nginx", "php-fpm", "unit-{number}"] }}
help = "Restart a unit"

[[command]]
run = "/usr/bin/journalctl --no-pager -u {{unit}} [-n {{lines}}] [--since {{when}}]"
where.unit  = {{ one_of = ["nginx", "php-fpm", "unit-{number}"] }}
where.lines = {{ int = [1, 10000] }}
where.when  = {{ pattern = '\d{{4}}-\d\d-\d\d|today|yesterday' }}

[[command]]
run = "/usr/bin/wc -l {{file}}"
where.file = {{ path = "/var/log/unit-{number}/*.log" }}

[examples]
allow = ["systemctl restart nginx", "journalctl --no-pager -u unit-{number} -n 100"]
deny  = ["systemctl restart sshd", "wc -l /var/log/unit-{number}/../auth.log"]
"#
    )
}

/// Puts roles, targets and users into a DIR that `init` made for alice, bob and carol. `keys`: one line of a public key for each
/// user.
pub fn write(dir: &Path, size: Size, keys: impl Fn(usize) -> String) {
    let roles = dir.join("roles");
    for entry in fs::read_dir(&roles).expect("roles").flatten() {
        fs::remove_file(entry.path()).expect("a role of init");
    }
    for number in 0..size.roles {
        fs::write(roles.join(format!("role-{number:05}.toml")), role(number, size)).expect("a role");
    }
    let host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJQS+J/3te3wEVNra/+7ZTkFZa/mKiI6YLZMEAxS8N2J";
    let targets: String = (0..size.targets)
        .map(|number| {
            let tier = number % size.tiers;
            format!(
                "[web-{tier}-{number}]\naddress = \"10.{}.{}.{}\"\nlabels = {{ tier = \"t{tier}\", env = \"prod\" }}\n\
                 host_key = \"{host_key}\"\nrun_as = {{ ops{tier} = \"ops\" }}\n\n",
                number >> 16,
                number >> 8 & 255,
                number & 255
            )
        })
        .collect();
    fs::write(dir.join("targets.toml"), targets).expect("targets.toml");
    let mut users = fs::read_to_string(dir.join("users.toml")).expect("users.toml");
    for number in 0..size.users {
        let lead = if number % 10 == 0 { ", \"leads\"" } else { "" };
        let (tier, key) = (number % size.tiers, keys(number));
        users.push_str(&format!("\n[user-{number}]\nkeys = [\"{key}\"]\ngroups = [\"admins-{tier}\"{lead}]\n"));
    }
    fs::write(dir.join("users.toml"), users).expect("users.toml");
}
