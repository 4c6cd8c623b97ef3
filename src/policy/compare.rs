//! What changed between two versions of a role, in words, and whether it gives more or less.
//!
//! One rule above all: a change is called a narrowing only when it certainly gives nothing new. What cannot be compared counts as
//! a widening and says so. Structs are taken apart field by field, so that a new key of the role language does not compile
//! until somebody says here what its change means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::text::excerpt;
use crate::domain::wording::series;
use crate::domain::{AccountName, Person, TargetName};

use super::role::Role;
use super::rule::Rule;
use super::selector::TargetSelector;
use super::transfer::{FileRule, ForwardRule};

mod change;
mod conditions;
mod request;
mod rules;

pub use change::{Change, Changes, Direction};
use request::{decided_by, eligible};

/// So much is shown of a text of the role, in characters.
const SHOWN: usize = 200;

/// What a role meets: who there is, and which targets and accounts it reaches among those there are.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Everybody enrolled, shared by all roles of the world.
    pub people: Arc<[Person]>,
    /// The targets that the role reaches, and as which account.
    pub reach: BTreeMap<TargetName, AccountName>,
}

/// One version of a role, and the world it is in if there is one: without, names of groups and targets stand for themselves.
#[derive(Clone, Copy, Debug)]
pub struct Version<'a> {
    /// The role.
    pub role: &'a Role,
    /// Its world.
    pub world: Option<&'a World>,
}

/// What changed from `old` to `new`, the same role in two versions.
#[must_use]
pub fn roles(old: Version<'_>, new: Version<'_>) -> Vec<Change> {
    // Neither `text` nor `digest` says anything that the parts do not.
    let Role {
        name,
        text: _,
        digest: _,
        description,
        targets,
        run_as,
        request,
        rules,
        when,
        files,
        forwards,
        observe,
        index: _,
        secret: _,
    } = new.role;
    let was = old.role;
    let mut out = Changes::of(format!("role {name}"));
    if description != &was.description {
        out.other("the description is another");
    }
    reached(&was.targets, targets, old.world.zip(new.world), &mut out);
    if run_as != &was.run_as {
        out.widened(format!("its commands run as {run_as} now, were as {}: another account, not compared", was.run_as));
    }
    match (&was.request, request) {
        (None, None) => {}
        (Some(_), None) => out.narrowed("nobody may ask for it any more: `[request]` is gone"),
        (None, Some(terms)) => {
            let who = names(eligible(terms, new.world));
            out.widened(format!("it may be asked for now, by {who}: `[request]` is new"));
        }
        (Some(before), Some(now)) => request::compare((before, old.world), (now, new.world), &mut out),
    }
    match (&was.observe, observe) {
        (None, Some(_)) => out.widened(format!("it is a role to {}", super::observe::IN_WORDS)),
        (Some(_), None) => out.narrowed("it observes no more: only its rules hold"),
        _ => {}
    }
    conditions::compare(&was.when, when, &mut out);
    rules::compare(&was.rules, rules, &mut out);
    let listed = |files: &[FileRule], forwards: &[ForwardRule]| -> BTreeSet<String> {
        files.iter().map(ToString::to_string).chain(forwards.iter().map(ToString::to_string)).collect()
    };
    let (before, now) = (listed(&was.files, &was.forwards), listed(files, forwards));
    now.difference(&before).for_each(|one| out.widened(format!("allows besides: {}", excerpt(one, SHOWN))));
    before.difference(&now).for_each(|one| out.narrowed(format!("no longer allows: {}", excerpt(one, SHOWN))));
    out.into_found()
}

/// A role that was not there before.
#[must_use]
pub fn new_role(new: Version<'_>) -> Vec<Change> {
    let role = new.role;
    let mut out = Changes::of(format!("role {}", role.name));
    let mut rules: Vec<String> = role.rules.iter().map(|rule| format!("`{}`", excerpt(rule.usage(), SHOWN))).collect();
    rules.extend(role.observes().then(|| super::observe::IN_WORDS.to_owned()));
    out.widened(format!("new role, as {}: {}", role.run_as, names(&rules)));
    match (&role.request, new.world) {
        (None, _) => out.other("nobody may ask for it: it has no `[request]`"),
        (Some(terms), world) => {
            out.widened(format!("may be asked for by {}; {}", names(eligible(terms, world)), decided_by(terms)));
        }
    }
    match new.world {
        Some(world) => out.widened(format!("reaches {}", names(reach_of(&world.reach)))),
        None => out.widened(format!("is for {}", names(role.targets.entries()))),
    }
    out.into_found()
}

/// A role that is gone.
#[must_use]
pub fn role_gone(old: Version<'_>) -> Vec<Change> {
    let mut out = Changes::of(format!("role {}", old.role.name));
    let who = old.role.request.as_ref().map(|terms| names(eligible(terms, old.world)));
    let who = who.map_or_else(|| "nobody could ask for it".to_owned(), |who| format!("{who} could ask for it"));
    out.narrowed(format!("the role is gone, and grants of it give nothing; {who}"));
    out.into_found()
}

fn reach_of(reach: &BTreeMap<TargetName, AccountName>) -> Vec<String> {
    reach.iter().map(|(target, account)| format!("{target} as {account}")).collect()
}

/// By what it reaches where that is known, and by what is written where nothing shows there.
fn reached(old: &TargetSelector, new: &TargetSelector, worlds: Option<(&World, &World)>, out: &mut Changes) {
    let before = out.found.len();
    if let Some((was, now)) = worlds {
        let (was, now) = (&was.reach, &now.reach);
        for (target, account) in now {
            match was.get(target) {
                None => out.widened(format!("reaches {target} too now, as {account}")),
                Some(other) if other != account => {
                    out.widened(format!("on {target} it runs as {account} now, was as {other}: another account"));
                }
                Some(_) => {}
            }
        }
        for target in was.keys().filter(|target| !now.contains_key(*target)) {
            out.narrowed(format!("no longer reaches {target}"));
        }
    }
    let shown = |direction| out.found.iter().skip(before).any(|change| change.direction == direction);
    let (wider, narrower) = (shown(Direction::Widened), shown(Direction::Narrowed));
    let today = if worlds.is_some() { " (the same targets today)" } else { "" };
    let (old, new) = (old.entries(), new.entries());
    for entry in new.iter().filter(|entry| !wider && !old.contains(entry)) {
        out.widened(format!("`targets` has `{}` too{today}", excerpt(entry, SHOWN)));
    }
    for entry in old.iter().filter(|entry| !narrower && !new.contains(entry)) {
        out.narrowed(format!("`targets` no longer has `{}`{today}", excerpt(entry, SHOWN)));
    }
}

/// `a, b and c`, or `nothing and nobody`.
pub(crate) fn names<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<T> = names.into_iter().collect();
    if names.is_empty() { "nothing and nobody".to_owned() } else { series(names, "and") }
}

/// Whether every line that `role` allows, `other` allows as well, as the same thing to run and on no stricter terms; `false`
/// where that cannot be told.
#[must_use]
pub fn keeps_all(role: &Role, other: &Role) -> bool {
    let kept = |rule: &Rule| other.rules.iter().any(|now| rules::gives_no_more(rule, now));
    (role.observe.is_none() || other.observe.is_some()) && role.rules.iter().all(kept)
}

#[cfg(test)]
mod tests;
