//! A large policy read (l): what a start, `check` and a reload wait for. Files in a real folder, as `serve` reads them; nothing of
//! OpenSSH does this.

use std::fs;
use std::path::Path;
use std::time::Instant;

use doorward::cli::{Screen, run_on};
use doorward::config::load;

use crate::plan::Plan;
use crate::report::{Aim, Report, Row};
use crate::stats::Samples;
use crate::support::policy::{Size, write};
use crate::support::sshd::new_key;
use crate::world::World;

/// (l)
///
/// # Errors
/// When the set cannot be written, or has a finding.
pub fn loaded(world: &World, plan: &Plan, report: &mut Report) -> Result<(), String> {
    let roles = plan.roles;
    let dir = world.home().join("policy");
    let key = world.home().join("policy_key");
    new_key(&key);
    set(&dir, &key)?;
    write(&dir, Size { roles, targets: 1000, users: 0, tiers: 50 }, |_| String::new());
    let groups: Vec<String> = (0..50).map(|tier| format!("\"admins-{tier}\"")).collect();
    let users = fs::read_to_string(dir.join("users.toml")).map_err(|error| error.to_string())?;
    let users = users.replace("\"admins\"", &groups.join(", ")).replace("\"approvers\"", "\"leads\"");
    fs::write(dir.join("users.toml"), users).map_err(|error| error.to_string())?;
    let mut samples = Vec::new();
    for _ in 0..=plan.rounds {
        let begun = Instant::now();
        let read = load(&dir).map_err(|findings| findings.first().map(ToString::to_string).unwrap_or_default())?;
        samples.push(begun.elapsed().as_secs_f64());
        if read.snapshot.roles.len() != roles {
            return Err(format!("{} roles were read", read.snapshot.roles.len()));
        }
    }
    // The first one reads the files from the disk.
    samples.remove(0);
    report.add(Row {
        letter: "l",
        what: format!("{roles} roles loaded"),
        unit: "s",
        ours: Samples(samples),
        theirs: None,
        aim: Some(Aim::AtMost(1.0)),
    });
    Ok(())
}

/// As `init` makes it, for one who asks and one who approves.
fn set(dir: &Path, key: &Path) -> Result<(), String> {
    let (screen, said) = Screen::collecting();
    // One key has one owner.
    let other = key.with_file_name("policy_key_2");
    new_key(&other);
    let person = |name: &str, key: &Path| format!("{name}={}.pub", key.display());
    let (dir, user, approver) = (dir.display().to_string(), person("alice", key), person("bob", &other));
    let words = ["doorward", "init", &dir, "--name", "bastion.test", "--user", &user, "--approver", &approver];
    match run_on(words.iter().map(Into::into), screen) {
        0 => Ok(()),
        _ => Err(said.text()),
    }
}
