//! What changed in `[when]`. A condition more is a narrowing; what cannot be compared is a widening.

use ipnet::IpNet;

use crate::domain::Timestamp;
use crate::policy::when::{Conditions, Hours, Moment, OnLapse};

use super::Changes;

/// What is different between the conditions `was` and `now`.
pub(super) fn compare(was: &Conditions, now: &Conditions, out: &mut Changes) {
    let Conditions { networks, hours, not_before, not_after, max_sessions, same_source, on_lapse } = now;
    if networks != &was.networks {
        let text = format!("may be used from {} now, was from {}", listed(networks), listed(&was.networks));
        out.either(lies_in(networks, &was.networks), text);
    }
    match (was.hours.is_empty(), hours.is_empty()) {
        (true, false) => out.narrowed("may be used at its hours alone now"),
        (false, true) => out.widened("may be used at any hour now"),
        _ if hours != &was.hours => {
            let text = |hours: &[Hours]| hours.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            out.widened(format!("may be used {} now, was {}: not compared, read both", text(hours), text(&was.hours)));
        }
        _ => {}
    }
    let (from, until) = (moments(&was.not_before, not_before), moments(&was.not_after, not_after));
    if from.0 != from.1 {
        out.either(from.1 > from.0, "`not_before` is another moment");
    }
    if until.0 != until.1 {
        // None is for ever.
        let narrower = until.1.is_some() && (until.0.is_none() || until.1 < until.0);
        out.either(narrower, "`not_after` is another moment");
    }
    let most = |sessions: Option<u32>| sessions.unwrap_or(u32::MAX);
    out.most("`max_sessions`", &most(was.max_sessions), &most(*max_sessions), |count| match *count {
        u32::MAX => "unsaid".to_owned(),
        count => count.to_string(),
    });
    out.condition("`same_source`", was.same_source, *same_source);
    if on_lapse != &was.on_lapse {
        out.either(*on_lapse == OnLapse::End, "what a running command does when a condition ends is another");
    }
}

fn moments(was: &Option<Moment>, now: &Option<Moment>) -> (Option<Timestamp>, Option<Timestamp>) {
    (was.as_ref().map(Moment::at), now.as_ref().map(Moment::at))
}

/// Whether every address of `networks` is one of `wider`; none at all means every address.
fn lies_in(networks: &[IpNet], wider: &[IpNet]) -> bool {
    wider.is_empty()
        || (!networks.is_empty() && networks.iter().all(|one| wider.iter().any(|range| range.contains(one))))
}

fn listed(networks: &[IpNet]) -> String {
    let networks: Vec<String> = networks.iter().map(ToString::to_string).collect();
    if networks.is_empty() { "anywhere".to_owned() } else { networks.join(", ") }
}
