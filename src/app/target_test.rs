//! `target test`: the target CA and DIR behind the probe of the target room.
//!
//! Reads DIR and writes nothing, so it may run beside `serve`: no lock, no database, no audit log. The evidence is the report
//! and the target's own log, where its logins have a key ID that is no user's.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use russh::keys::{Certificate, PublicKey};

use crate::ca::profile::TestFacts;
use crate::ca::signer::{KeyFileSigner, TargetCa};
use crate::config::{self, Paths};
use crate::domain::text::escape;
use crate::domain::{AccountName, Clock, Serial, TargetName};
use crate::inventory::{Reach, Target};
use crate::policy::Rule;
use crate::service::Snapshot;
use crate::target::Deadlines;
use crate::target::probe::{Finding, Probe, TestCertifier, TestWish};

use super::clock::WallClock;
use super::run::runtime;
use super::start::StartError;

/// Half of all serial numbers, which the database never gives: it counts in `i64`. Of these the test takes random ones, so
/// that none is given twice although nothing is written.
const NOT_OF_THE_DATABASE: u64 = 1 << 63;

/// Runs every check on the target `name` of DIR, one line each to `out`. Answers whether all was well.
///
/// # Errors
/// [`StartError`] when nothing could be tested: DIR is wrong, or there is no such OpenSSH target with accounts.
pub fn target_test(dir: &Path, name: &TargetName, out: &mut dyn Write) -> Result<bool, StartError> {
    let loaded = config::load(dir).map_err(StartError::Configuration)?;
    let other = |reason: String| StartError::Other(reason);
    let inventory = &loaded.snapshot.inventory;
    let target = inventory.target(name).ok_or_else(|| other(format!("there is no target {name} in targets.toml")))?;
    let Reach::Ssh(reach) = &target.reach else {
        return Err(other(format!("{name} is a local target: there is no sshd to test")));
    };
    // As `target enroll`: what it set up is tested, whether a role uses it by now or not.
    let mut accounts: Vec<AccountName> = target.run_as.values().cloned().collect();
    accounts.sort();
    accounts.dedup();
    if accounts.is_empty() {
        return Err(other(format!("{name} has no account: write run_as = {{ ops = \"ops\" }} there in targets.toml")));
    }
    let others: Vec<TargetName> = inventory.iter().map(|target| target.name.clone()).filter(|it| it != name).collect();
    let keys: Vec<PublicKey> = loaded.snapshot.directory.iter().flat_map(|user| user.keys.iter().cloned()).collect();
    let signer = KeyFileSigner::open(&Paths::new(dir).target_ca())?;
    let clock = Arc::new(WallClock::default());
    let certifier = TestAuthority {
        authority: TargetCa::new(Box::new(signer), loaded.profiles.target.clone()),
        bastion: &loaded.snapshot.settings.name,
        clock: Arc::clone(&clock),
    };
    let enroll = format!("doorward target enroll {} {name}", escape(&dir.to_string_lossy()));
    let probe = Probe {
        target: name,
        reach,
        accounts: &accounts,
        others: &others,
        keys: &keys,
        enroll: &enroll,
        certifier: &certifier,
        deadlines: Deadlines::default(),
        clock: clock as Arc<dyn Clock>,
    };
    let runtime = runtime().map_err(|error| other(error.to_string()))?;
    let mut written = Ok(());
    let mut say = |finding: &Finding| {
        // Each at once: some take seconds.
        written = std::mem::replace(&mut written, Ok(()))
            .and_then(|()| writeln!(out, "{finding}"))
            .and_then(|()| out.flush());
    };
    let sound = runtime.block_on(probe.run(&mut say));
    let untried = not_tried(&loaded.snapshot, target);
    written
        .and_then(|()| untried.iter().try_for_each(|line| writeln!(out, "{line}")))
        .map_err(|error| other(format!("the report could not be written: {error}")))?;
    Ok(sound)
}

/// What the roles need of the target and no check shows: trying sudo would mean running what it may run.
fn not_tried(snapshot: &Snapshot, target: &Target) -> Vec<String> {
    let mut accounts: BTreeMap<&AccountName, Vec<&str>> = BTreeMap::new();
    for role in snapshot.roles.values().filter(|role| role.rules().iter().any(Rule::sudo)) {
        if let Some(account) = snapshot.account_on(role, target).filter(|account| account.as_str() != "root") {
            accounts.entry(account).or_default().push(role.name().as_str());
        }
    }
    let line = |(account, roles): (&AccountName, Vec<&str>)| {
        let roles = roles.join(", ");
        format!("untried {account}: sudo, which {roles} use; what it allows, on that machine: `sudo -l -U {account}`")
    };
    accounts.into_iter().map(line).collect()
}

/// The target CA for the test's certificates.
struct TestAuthority<'a> {
    authority: TargetCa,
    bastion: &'a str,
    clock: Arc<WallClock>,
}

impl TestCertifier for TestAuthority<'_> {
    fn certify(&self, wish: &TestWish<'_>, key: &PublicKey) -> Result<Certificate, String> {
        let number = rand::random::<u64>() | NOT_OF_THE_DATABASE;
        let now = self.clock.now();
        let minute = std::time::Duration::from_secs(60);
        let facts = TestFacts {
            bastion: self.bastion,
            serial: Serial::new(number).ok_or("no serial number")?,
            target: wish.target,
            account: wish.account,
            key,
            force_command: wish.line,
            source_address: wish.source,
            at: if wish.expired { now.before(self.authority.validity() + minute) } else { now },
            forwarding: wish.forwarding,
        };
        self.authority.issue_test(&facts).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Digest;
    use crate::identity::Directory;
    use crate::inventory::Inventory;
    use crate::policy::Role;
    use crate::service::Settings;

    #[test]
    fn what_was_not_tried_is_said_where_a_role_needs_it() {
        let role = |name: &str, account: &str, sudo: bool| {
            let text = format!(
                "description = \"x\"\ntargets = [\"web-*\"]\nrun_as = \"{account}\"\n[[command]]\nrun = \"/usr/bin/id -un\"\nsudo = {sudo}\n"
            );
            let (role, _) = Role::parse(name.parse().unwrap(), "role.toml", &text).unwrap();
            (name.parse().unwrap(), Arc::new(role))
        };
        let account = |role: &str, here: &str| (role.parse().unwrap(), here.parse().unwrap());
        let target = |name: &str, run_as: Vec<(AccountName, AccountName)>| Target {
            name: name.parse().unwrap(),
            labels: BTreeMap::new(),
            run_as: run_as.into_iter().collect(),
            reach: Reach::Local,
        };
        let all = vec![account("ops", "ops"), account("plain", "plain"), account("all", "root")];
        let (here, there) = (target("web-1", all.clone()), target("db-1", all));
        let roles = [
            role("restart", "ops", true),
            role("look", "plain", false),
            role("rescue", "ops", true),
            role("do", "all", true),
        ];
        let snapshot = Snapshot {
            settings: Settings::default(),
            directory: Directory::new([]),
            inventory: Inventory::new([here.clone(), there.clone()]),
            roles: roles.into_iter().collect(),
            digest: Digest::of(b""),
        };
        let said = "untried ops: sudo, which rescue, restart use; what it allows, on that machine: `sudo -l -U ops`";
        assert_eq!(not_tried(&snapshot, &here), [said]);
        assert!(not_tried(&snapshot, &there).is_empty());
    }
}
