//! The roles and certificate profiles that come with doorward, as `init` writes them. The repository's own `roles/` and
//! `certs/` are the originals; a test compares the table with the directories.

/// Name below DIR, and text.
pub const FILES: &[(&str, &str)] = &[
    ("roles/host-status.toml", include_str!("../../roles/host-status.toml")),
    ("roles/service-status.toml", include_str!("../../roles/service-status.toml")),
    ("roles/disk-space.toml", include_str!("../../roles/disk-space.toml")),
    ("roles/read-logs.toml", include_str!("../../roles/read-logs.toml")),
    ("roles/web-restart.toml", include_str!("../../roles/web-restart.toml")),
    ("certs/session.toml", include_str!("../../certs/session.toml")),
    ("certs/target.toml", include_str!("../../certs/target.toml")),
    ("certs/host.toml", include_str!("../../certs/host.toml")),
];

/// The roles of docs/roles-cookbook.md that `init` writes on demand (`--with NAME`): name, and text.
pub const COOKBOOK: &[(&str, &str)] = &[
    ("backup", include_str!("../../roles/cookbook/backup.toml")),
    ("containers", include_str!("../../roles/cookbook/containers.toml")),
    ("deploy", include_str!("../../roles/cookbook/deploy.toml")),
    ("dns-reload", include_str!("../../roles/cookbook/dns-reload.toml")),
    ("firewall-view", include_str!("../../roles/cookbook/firewall-view.toml")),
    ("grow-volume", include_str!("../../roles/cookbook/grow-volume.toml")),
    ("hardware-health", include_str!("../../roles/cookbook/hardware-health.toml")),
    ("kernel-messages", include_str!("../../roles/cookbook/kernel-messages.toml")),
    ("kubernetes-look", include_str!("../../roles/cookbook/kubernetes-look.toml")),
    ("mail-queue", include_str!("../../roles/cookbook/mail-queue.toml")),
    ("mariadb", include_str!("../../roles/cookbook/mariadb.toml")),
    ("network-check", include_str!("../../roles/cookbook/network-check.toml")),
    ("packages", include_str!("../../roles/cookbook/packages.toml")),
    ("postgresql", include_str!("../../roles/cookbook/postgresql.toml")),
    ("processes", include_str!("../../roles/cookbook/processes.toml")),
    ("reboot", include_str!("../../roles/cookbook/reboot.toml")),
    ("renew-certificate", include_str!("../../roles/cookbook/renew-certificate.toml")),
    ("security-updates", include_str!("../../roles/cookbook/security-updates.toml")),
    ("time-sync", include_str!("../../roles/cookbook/time-sync.toml")),
    ("timers", include_str!("../../roles/cookbook/timers.toml")),
    ("unlock-account", include_str!("../../roles/cookbook/unlock-account.toml")),
    ("web-config", include_str!("../../roles/cookbook/web-config.toml")),
];

/// Scenarios that hold for the shipped roles, whoever the users and whichever the targets are: for `doorward test`.
pub const SCENARIOS: (&str, &str) = ("tests/shipped-roles.toml", include_str!("shipped/scenarios.toml"));

/// The group whose members the shipped roles let ask.
pub const ADMINS: &str = "admins";
/// The group whose members the shipped roles let approve.
pub const APPROVERS: &str = "approvers";
/// The group of the reviewers.
pub const REVIEWERS: &str = "security";
/// The account that the shipped roles use.
pub const ACCOUNT: &str = "ops";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_what_lies_in_the_repository() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut lying = Vec::new();
        for dir in ["roles", "roles/cookbook", "certs"] {
            for entry in std::fs::read_dir(root.join(dir)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".toml") {
                    lying.push(format!("{dir}/{name}"));
                }
            }
        }
        lying.sort();
        let cookbook = COOKBOOK.iter().map(|(name, _)| format!("roles/cookbook/{name}.toml"));
        let mut shipped: Vec<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).chain(cookbook).collect();
        shipped.sort_unstable();
        assert_eq!(shipped, lying);
    }
}
