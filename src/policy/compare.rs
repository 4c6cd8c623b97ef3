//! What changed between two versions of a role, in words, and whether it gives more or less.
//!
//! One rule above all: a change is called a narrowing only when it certainly gives nothing new. What cannot be compared counts as
//! a widening and says so. Structs are taken apart field by field, so that a new key of the role language does not compile
//! until somebody says here what its change means.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::text::excerpt;
use crate::domain::time::for_people;
use crate::domain::wording::series;
use crate::domain::{AccountName, Person, Subject, TargetName, UserName};

use super::role::{RequestTerms, Role, Rule};
use super::selector::TargetSelector;
use super::transfer::{FileRule, ForwardRule};

mod conditions;
mod rules;

/// So much is shown of a text of the role, in characters.
const SHOWN: usize = 200;

/// Which way a change goes.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Direction {
    /// Somebody may do more, or what it is cannot be told.
    Widened,
    /// Somebody may do less, and nobody more.
    Narrowed,
    /// Nobody may do more or less.
    Other,
}

/// One change. Both texts are printable, and shown as they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Which way it goes.
    pub direction: Direction,
    /// What it is about: `role web-restart`, `user alice`, `target web-1`, `doorward.toml`.
    pub about: String,
    /// What changed, in words.
    pub text: String,
}

/// Changes as they are found, all about one thing.
#[derive(Debug)]
pub struct Changes {
    about: String,
    found: Vec<Change>,
}

impl Changes {
    /// No changes yet of `about`.
    #[must_use]
    pub fn of(about: impl Into<String>) -> Self {
        Self { about: about.into(), found: Vec::new() }
    }

    /// Adds one.
    pub fn push(&mut self, direction: Direction, text: impl Into<String>) {
        self.found.push(Change { direction, about: self.about.clone(), text: text.into() });
    }

    /// More is given.
    pub fn widened(&mut self, text: impl Into<String>) {
        self.push(Direction::Widened, text);
    }

    /// Less is given.
    pub fn narrowed(&mut self, text: impl Into<String>) {
        self.push(Direction::Narrowed, text);
    }

    /// Something else.
    pub fn other(&mut self, text: impl Into<String>) {
        self.push(Direction::Other, text);
    }

    /// Less if `narrower`, else more.
    pub fn either(&mut self, narrower: bool, text: impl Into<String>) {
        self.push(if narrower { Direction::Narrowed } else { Direction::Widened }, text);
    }

    /// A number of which more gives more. `shown` writes it.
    pub fn most<T: PartialOrd>(&mut self, what: &str, old: &T, new: &T, shown: impl Fn(&T) -> String) {
        let text = || format!("{what} is {} now, was {}", shown(new), shown(old));
        if new > old {
            self.widened(text());
        } else if new < old {
            self.narrowed(text());
        }
    }

    /// A condition that takes something away while it is set.
    pub fn condition(&mut self, what: &str, old: bool, new: bool) {
        match (old, new) {
            (true, false) => self.widened(format!("{what} is false now, was true")),
            (false, true) => self.narrowed(format!("{what} is true now, was false")),
            _ => {}
        }
    }

    /// All of them.
    #[must_use]
    pub fn into_found(self) -> Vec<Change> {
        self.found
    }
}

/// What a role meets: who there is, and which targets and accounts it reaches among those there are.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// Everybody enrolled.
    pub people: Vec<Person>,
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
    match (was.observes(), observe.is_some()) {
        (false, true) => out.widened(format!("it is a role to {}", super::observe::IN_WORDS)),
        (true, false) => out.narrowed("it observes no more: only its rules hold"),
        _ => {}
    }
    match (&was.request, request) {
        (None, None) => {}
        (Some(_), None) => out.narrowed("nobody may ask for it any more: `[request]` is gone"),
        (None, Some(terms)) => {
            let who = names(eligible(terms, new.world));
            out.widened(format!("it may be asked for now, by {who}: `[request]` is new"));
        }
        (Some(before), Some(now)) => request_terms((before, old.world), (now, new.world), &mut out),
    }
    match (&was.observe, observe) {
        (None, Some(_)) => out.widened("it observes now: every command line that the account can run"),
        (Some(_), None) => out.narrowed("it no longer observes every command line, but has rules"),
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

fn decided_by(terms: &RequestTerms) -> String {
    match terms.approvals {
        0 => "nobody has to approve".to_owned(),
        count => format!("approvals needed: {count}, from {}", names(&terms.approvers)),
    }
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

fn request_terms(
    (old, was_in): (&RequestTerms, Option<&World>),
    (new, is_in): (&RequestTerms, Option<&World>),
    out: &mut Changes,
) {
    let RequestTerms { eligible, approvers, approvals, max_duration, default_duration, reason_required, ticket } = new;
    let worlds = was_in.zip(is_in);
    who(&old.eligible, eligible, worlds, "ask for it", out);
    who(&old.approvers, approvers, worlds, "approve it", out);
    let (was, now) = (old.approvals, *approvals);
    match now {
        0 if was > 0 => out.widened(format!("it is self-service now: it needed approvals: {was}")),
        _ if now < was => out.widened(format!("approvals needed: {now} now, {was} before")),
        _ if now > was => out.narrowed(format!("approvals needed: {now} now, {was} before")),
        _ => {}
    }
    let span = |span: &Duration| for_people(*span);
    out.most("max_duration", &old.max_duration, max_duration, span);
    out.most("default_duration", &old.default_duration, default_duration, span);
    out.condition("whether a reason is required", old.reason_required, *reason_required);
    // Without what the reader of the role put around it.
    let bare = |text: &str| text.strip_prefix(r"\A(?:").and_then(|rest| rest.strip_suffix(r")\z")).map(str::to_owned);
    let written = |ticket: &regex::Regex| excerpt(&bare(ticket.as_str()).unwrap_or_default(), SHOWN);
    match (&old.ticket, ticket) {
        (Some(_), None) => out.widened("no ticket is needed any more"),
        (None, Some(ticket)) => out.narrowed(format!("a ticket is needed now, like {}", written(ticket))),
        (Some(old), Some(new)) if old.as_str() != new.as_str() => {
            out.widened(format!("a ticket is like {} now, was like {}: not compared", written(new), written(old)));
        }
        _ => {}
    }
}

/// Who may, resolved to people where they are known; entries that cover nobody new are named as they are written.
fn who(old: &[Subject], new: &[Subject], worlds: Option<(&World, &World)>, may: &str, out: &mut Changes) {
    let (mut gained, mut lost) = (BTreeSet::new(), BTreeSet::new());
    if let Some((was, now)) = worlds {
        let (was, now) = (covered(old, was), covered(new, now));
        gained = now.difference(&was).cloned().collect();
        lost = was.difference(&now).cloned().collect();
    }
    if !gained.is_empty() {
        out.widened(format!("{} may {may} now", names(&gained)));
    }
    if !lost.is_empty() {
        out.narrowed(format!("{} may no longer {may}", names(&lost)));
    }
    let today = if worlds.is_some() { " (nobody else by that today)" } else { "" };
    for subject in new.iter().filter(|subject| gained.is_empty() && !old.contains(subject)) {
        out.widened(format!("`{subject}` may {may} now{today}"));
    }
    let today = if worlds.is_some() { " (nobody lost by that today)" } else { "" };
    for subject in old.iter().filter(|subject| lost.is_empty() && !new.contains(subject)) {
        out.narrowed(format!("`{subject}` may no longer {may}{today}"));
    }
}

fn covered(subjects: &[Subject], world: &World) -> BTreeSet<UserName> {
    let may = |person: &&Person| subjects.iter().any(|subject| subject.covers(person));
    world.people.iter().filter(may).map(|person| person.name.clone()).collect()
}

fn eligible(terms: &RequestTerms, world: Option<&World>) -> Vec<String> {
    match world {
        Some(world) => covered(&terms.eligible, world).iter().map(ToString::to_string).collect(),
        None => terms.eligible.iter().map(ToString::to_string).collect(),
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
