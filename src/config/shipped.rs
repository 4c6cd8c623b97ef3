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
        for dir in ["roles", "certs"] {
            for entry in std::fs::read_dir(root.join(dir)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".toml") {
                    lying.push(format!("{dir}/{name}"));
                }
            }
        }
        lying.sort();
        let mut shipped: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        shipped.sort_unstable();
        assert_eq!(shipped, lying);
    }
}
