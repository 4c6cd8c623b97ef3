//! What changed between two configurations: who may ask, approve, reach and run more or less.
//!
//! Puts the comparison of roles together with users, targets and settings. As there, a change is a narrowing only if it gives
//! nobody anything new, structs are taken apart field by field, and what cannot be compared counts as a widening.

use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;
use russh::keys::{HashAlg, PublicKey};

use crate::domain::time::for_people;
use crate::domain::{Person, UserName};
use crate::identity::User;
use crate::inventory::{Reach, SshReach, Target};
use crate::policy::Role;
use crate::policy::compare::{self, Change, Changes, Version, World, names};

use super::{Settings, Snapshot};

/// Everything that changed from `old` to `new`: settings, users, targets, roles, each in the order of its name.
#[must_use]
pub fn snapshots(old: &Snapshot, new: &Snapshot) -> Vec<Change> {
    // The digest says that something changed, and the parts say what.
    let Snapshot { settings: now, directory, inventory, roles, digest: _ } = new;
    let mut found = settings(&old.settings, now, (old, new));
    let before: BTreeSet<&UserName> = old.directory.iter().map(|user| &user.name).collect();
    let after: BTreeSet<&UserName> = directory.iter().map(|user| &user.name).collect();
    for name in before.union(&after) {
        found.extend(user(old.directory.user(name), directory.user(name), (old, new)));
    }
    let before: BTreeSet<_> = old.inventory.iter().map(|target| &target.name).collect();
    let after: BTreeSet<_> = inventory.iter().map(|target| &target.name).collect();
    for name in before.union(&after) {
        found.extend(target(old.inventory.target(name), inventory.target(name)));
    }
    let before: BTreeSet<_> = old.roles.keys().collect();
    let (was, is) = (Setting::of(old), Setting::of(new));
    for name in before.union(&roles.keys().collect()) {
        let (old, new) = (old.roles.get(*name), roles.get(*name));
        found.extend(was.compared(old.map(AsRef::as_ref), &is, new.map(AsRef::as_ref)));
    }
    found
}

/// What changed of one role, with people and targets as they are in the two configurations.
#[must_use]
pub fn role(was_in: &Snapshot, old: Option<&Role>, is_in: &Snapshot, new: Option<&Role>) -> Vec<Change> {
    Setting::of(was_in).compared(old, &Setting::of(is_in), new)
}

/// A configuration, and its people in the form in which all its roles meet them.
struct Setting<'a> {
    snapshot: &'a Snapshot,
    people: Arc<[Person]>,
}

impl<'a> Setting<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, people: snapshot.directory.iter().map(User::person).collect() }
    }

    fn world(&self, role: &Role) -> World {
        World { people: Arc::clone(&self.people), reach: self.snapshot.reach_of(role) }
    }

    fn compared(&self, old: Option<&Role>, is_in: &Setting<'_>, new: Option<&Role>) -> Vec<Change> {
        let (was, now) = (old.map(|role| self.world(role)), new.map(|role| is_in.world(role)));
        let old = old.map(|role| Version { role, world: was.as_ref() });
        let new = new.map(|role| Version { role, world: now.as_ref() });
        match (old, new) {
            (Some(old), Some(new)) => compare::roles(old, new),
            (None, Some(new)) => compare::new_role(new),
            (Some(old), None) => compare::role_gone(old),
            (None, None) => Vec::new(),
        }
    }
}

fn settings(old: &Settings, new: &Settings, (was_in, is_in): (&Snapshot, &Snapshot)) -> Vec<Change> {
    let Settings {
        name,
        alias,
        suffix,
        reviewers,
        require_presented_certificate,
        require_key_inside,
        lapse,
        activate_within,
        pending_per_user,
        drain,
        prepared_connections,
    } = new;
    let mut out = Changes::of("doorward.toml");
    let reviewing = |snapshot: &Snapshot| -> BTreeSet<UserName> {
        let may = |person: &Person| snapshot.is_reviewer(person);
        snapshot.directory.iter().map(User::person).filter(may).map(|person| person.name).collect()
    };
    let (was, now) = (reviewing(was_in), reviewing(is_in));
    if !now.is_subset(&was) {
        out.widened(format!("{} may review sessions and the log now", names(now.difference(&was))));
    }
    if !was.is_subset(&now) {
        out.narrowed(format!("{} may no longer review sessions and the log", names(was.difference(&now))));
    }
    for subject in reviewers.iter().filter(|subject| now.is_subset(&was) && !old.reviewers.contains(subject)) {
        out.widened(format!("`{subject}` may review now (nobody else by that today)"));
    }
    for subject in old.reviewers.iter().filter(|subject| was.is_subset(&now) && !reviewers.contains(subject)) {
        out.narrowed(format!("`{subject}` may no longer review (nobody lost by that today)"));
    }
    let insist = "require_presented_certificate";
    out.condition(insist, old.require_presented_certificate, *require_presented_certificate);
    out.condition("require_key_inside", old.require_key_inside, *require_key_inside);
    out.most("lapse (how long a request waits)", &old.lapse, lapse, |span| for_people(*span));
    let within = "activate_within (how long an approved request waits for its first use)";
    out.most(within, &old.activate_within, activate_within, |span| for_people(*span));
    out.most("pending_per_user", &old.pending_per_user, pending_per_user, ToString::to_string);
    let rest = [
        ("name", old.name != *name),
        ("[names] alias", old.alias != *alias),
        ("[names] suffix", old.suffix != *suffix),
        ("drain", old.drain != *drain),
        ("prepared_connections", old.prepared_connections != *prepared_connections),
    ];
    for (key, _) in rest.into_iter().filter(|(_, differs)| *differs) {
        out.other(format!("`{key}` is another"));
    }
    out.into_found()
}

fn user(old: Option<&User>, new: Option<&User>, (was_in, is_in): (&Snapshot, &Snapshot)) -> Vec<Change> {
    match (old, new) {
        (None, Some(new)) => {
            let mut out = Changes::of(format!("user {}", new.name));
            let keys = new.keys.iter().map(shown);
            out.widened(format!("is enrolled now, with {}; {}", names(keys), holds(is_in, new)));
            out.into_found()
        }
        (Some(old), None) => {
            let mut out = Changes::of(format!("user {}", old.name));
            out.narrowed(format!("is no longer enrolled; {}", holds(was_in, old).replace("may ", "could ")));
            out.into_found()
        }
        (Some(old), Some(new)) => known_user(old, new),
        (None, None) => Vec::new(),
    }
}

/// What somebody may do by the roles of `snapshot`.
fn holds(snapshot: &Snapshot, user: &User) -> String {
    let person = user.person();
    let approves =
        |role: &Role| role.request().is_some_and(|terms| terms.approvers.iter().any(|subject| subject.covers(&person)));
    let those = |may: &dyn Fn(&Role) -> bool| {
        let roles: Vec<&str> =
            snapshot.roles.values().filter(|role| may(role)).map(|role| role.name().as_str()).collect();
        (!roles.is_empty()).then(|| names(roles))
    };
    let said = [
        those(&|role| snapshot.may_ask(&person, role)).map(|roles| format!("may ask for {roles}")),
        those(&approves).map(|roles| format!("may approve {roles}")),
        snapshot.is_reviewer(&person).then(|| "may review".to_owned()),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { "may do nothing with a role".to_owned() } else { said.join("; ") }
}

fn known_user(old: &User, new: &User) -> Vec<Change> {
    let User { name, keys, groups, team, networks } = new;
    let mut out = Changes::of(format!("user {name}"));
    let has = |keys: &[PublicKey], key: &PublicKey| keys.iter().any(|known| known.key_data() == key.key_data());
    for key in keys.iter().filter(|key| !has(&old.keys, key)) {
        out.widened(format!("may come with {} too now", shown(key)));
    }
    for key in old.keys.iter().filter(|key| !has(keys, key)) {
        out.narrowed(format!("may no longer come with {}", shown(key)));
    }
    networks_of(&old.networks, networks, &mut out);
    // What a group gives is said where it gives it: at the roles and at the reviewers.
    if !groups.is_subset(&old.groups) {
        out.other(format!("is in {} now", names(groups.difference(&old.groups))));
    }
    if !old.groups.is_subset(groups) {
        out.other(format!("is no longer in {}", names(old.groups.difference(groups))));
    }
    if team != &old.team {
        out.other("`team` is another");
    }
    out.into_found()
}

fn networks_of(old: &[IpNet], new: &[IpNet], out: &mut Changes) {
    let within = |network: &IpNet, all: &[IpNet]| all.iter().any(|other| other.contains(network));
    match (old, new) {
        ([], []) => {}
        ([], new) => out.narrowed(format!("may come from {} only now, before from anywhere", names(new))),
        (old, []) => out.widened(format!("may come from anywhere now, before from {} only", names(old))),
        (old, new) => {
            for network in new.iter().filter(|network| !within(network, old)) {
                out.widened(format!("may come from {network} too now"));
            }
            for network in old.iter().filter(|network| !within(network, new)) {
                out.narrowed(format!("may no longer come from all of {network}"));
            }
        }
    }
}

fn shown(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn target(old: Option<&Target>, new: Option<&Target>) -> Vec<Change> {
    let (Some(was), Some(now)) = (old, new) else {
        // Which roles reach it is said at the roles.
        let (Some(one), word) = (new.or(old), if new.is_some() { "is new" } else { "is gone" }) else {
            return Vec::new();
        };
        let mut out = Changes::of(format!("target {}", one.name));
        out.other(format!("{word} ({})", address(&one.reach)));
        return out.into_found();
    };
    let Target { name, labels, run_as, reach } = now;
    let mut out = Changes::of(format!("target {name}"));
    match (&was.reach, reach) {
        (Reach::Local, Reach::Local) => {}
        (Reach::Ssh(was), Reach::Ssh(now)) => ssh_reach(was, now, &mut out),
        (was, now) => out.widened(format!("is {} now, was {}: another machine", address(now), address(was))),
    }
    if labels != &was.labels {
        out.other("its labels are others; which roles reach it is said at the roles");
    }
    for (word, account) in run_as {
        match was.run_as.get(word) {
            None => out.other(format!("`{word}` stands for the account {account} here now")),
            Some(before) if before != account => {
                out.widened(format!("`{word}` stands for the account {account} here now, was {before}: not compared"));
            }
            Some(_) => {}
        }
    }
    for word in was.run_as.keys().filter(|word| !run_as.contains_key(*word)) {
        out.other(format!("`{word}` stands for no account here any more"));
    }
    out.into_found()
}

fn ssh_reach(was: &SshReach, now: &SshReach, out: &mut Changes) {
    let SshReach { host, port, identity, from } = now;
    if (host, port) != (&was.host, &was.port) {
        out.widened(format!("is at {host}:{port} now, was at {}:{}: another machine, perhaps", was.host, was.port));
    }
    if identity != &was.identity {
        out.widened(format!("is recognised by {identity} now, was by {}: another machine, perhaps", was.identity));
    }
    if from != &was.from {
        out.widened("`from` is another: its certificates are good from another address");
    }
}

fn address(reach: &Reach) -> String {
    match reach {
        Reach::Local => "this machine itself".to_owned(),
        Reach::Ssh(SshReach { host, port, .. }) => format!("{host}:{port}"),
    }
}
