//! `config`: the other files of DIR, each as part of a set that is whole.

use std::fs;

use doorward::cli::{Screen, run_on};
use doorward::config::keys::public_key;
use doorward::config::{Address, Loaded, MOST_FINDINGS, load};
use doorward::domain::{Diagnostic, Severity};
use doorward::inventory::Reach;

use russh::keys::HashAlg;

use super::good_finding;

const FILES: &[&str] =
    &["doorward.toml", "users.toml", "targets.toml", "certs/session.toml", "certs/target.toml", "certs/host.toml"];
const ALICE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBl0MjPvRLLUsS9uR2udbHTKsol6GvoIXRcz+KWRH0JS alice\n";

thread_local! {
    /// A set as `init` makes it.
    static SET: tempfile::TempDir = made();
}

fn made() -> tempfile::TempDir {
    let set = tempfile::tempdir().expect("a temporary directory");
    let key = set.path().join("alice.pub");
    fs::write(&key, ALICE).expect("the key is written");
    let (screen, said) = Screen::collecting();
    let (dir, user) = (set.path().join("dir").display().to_string(), format!("alice={}", key.display()));
    let words = ["doorward", "init", dir.as_str(), "--name", "bastion.test", "--user", user.as_str()];
    assert_eq!(run_on(words.iter().map(Into::into), screen), 0, "{}", said.text());
    set
}

/// The first line names the file, the rest is its text.
///
/// A set is used whole or refused whole, the same way each time; every finding can be shown and has its place; what is used
/// has owners for all keys, no local target outside a demo, and another digest than before.
pub(super) fn config_files(data: &[u8]) -> bool {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return false };
    let Some(name) = FILES.iter().find(|name| name.as_bytes() == &data[..end]) else { return false };
    SET.with(|set| {
        let dir = set.path().join("dir");
        let file = dir.join(name);
        let before = fs::read(&file).expect("the file");
        fs::write(&file, &data[end + 1..]).expect("the file is written");
        let (read, again) = (load(&dir), load(&dir));
        fs::write(&file, &before).expect("the file is written");
        match (read, again) {
            (Ok(loaded), Ok(again)) => {
                assert_eq!(loaded.snapshot.digest, again.snapshot.digest);
                let original = load(&dir).expect("the set of init");
                let same = before == data[end + 1..];
                assert_eq!(original.snapshot.digest == loaded.snapshot.digest, same, "the digest does not tell");
                assert!(loaded.warnings.iter().all(|finding| finding.severity != Severity::Error));
                loaded.warnings.iter().for_each(good_finding);
                sound(&loaded);
                true
            }
            (Err(found), Err(again)) => {
                assert!(found.len() <= MOST_FINDINGS);
                assert!(found.iter().any(|finding| finding.severity == Severity::Error));
                found.iter().for_each(good_finding);
                let messages = |found: &[Diagnostic]| found.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
                assert_eq!(messages(&found), messages(&again));
                false
            }
            (one, other) => panic!("read differently: {} then {}", one.is_ok(), other.is_ok()),
        }
    })
}

/// What holds for every set that is used.
fn sound(loaded: &Loaded) {
    let snapshot = &loaded.snapshot;
    for user in snapshot.directory.iter() {
        for key in &user.keys {
            let fingerprint = key.fingerprint(HashAlg::Sha256);
            let owner = snapshot.directory.owner_of(&fingerprint).map(|owner| &owner.name);
            assert_eq!(owner, Some(&user.name), "a key of somebody else");
            let line = key.to_openssh().expect("a key has a line");
            assert!(public_key(&line).is_ok_and(|read| read.key_data() == key.key_data()), "{line}");
        }
        for network in &user.networks {
            assert!(user.may_come_from(network.addr()) && network.trunc() == *network, "{network}");
        }
        let other = snapshot.directory.iter().find(|other| other.name != user.name);
        assert!(other.is_none_or(|other| !other.name.as_str().eq_ignore_ascii_case(user.name.as_str())));
    }
    for target in snapshot.inventory.iter() {
        match &target.reach {
            Reach::Local => assert!(loaded.demo, "a local target outside a demo"),
            Reach::Ssh(reach) => {
                let address = Address { host: reach.host.clone(), port: reach.port };
                assert!(!reach.host.starts_with('-') && reach.port > 0);
                assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
