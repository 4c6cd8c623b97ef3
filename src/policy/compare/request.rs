//! What changed of who may ask for a role and who approves it, for how long and on what terms.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Changes, SHOWN, World, names};
use crate::domain::text::excerpt;
use crate::domain::time::for_people;
use crate::domain::whole::as_written;
use crate::domain::{Person, Subject, UserName};
use crate::policy::role::RequestTerms;

pub(super) fn decided_by(terms: &RequestTerms) -> String {
    match terms.approvals {
        0 => "nobody has to approve".to_owned(),
        count => format!("approvals needed: {count}, from {}", names(&terms.approvers)),
    }
}

/// What changed of `[request]`.
pub(super) fn compare(
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
    let written = |ticket: &regex::Regex| excerpt(as_written(ticket.as_str()), SHOWN);
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

pub(super) fn eligible(terms: &RequestTerms, world: Option<&World>) -> Vec<String> {
    match world {
        Some(world) => covered(&terms.eligible, world).iter().map(ToString::to_string).collect(),
        None => terms.eligible.iter().map(ToString::to_string).collect(),
    }
}
