//! The conditions of roles (`[when]`), as approved and as loaded, held against a person's circumstances.

use std::net::IpAddr;
use std::time::Duration;

use crate::domain::{Timestamp, UserName};
use crate::grant::AccessRequest;
use crate::policy::when::{Circumstances, Unmet};
use crate::policy::{Role, Surroundings};

use super::approved_roles::approved_role;
use super::{Services, Snapshot};

/// The longest that an approval is kept for a role that cannot be used yet, beyond `activate_within`.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What decisions about `user`'s commands have to know now; `source` is where they come from, if that is known.
#[must_use]
pub fn surroundings(services: &Services, user: &UserName, source: Option<IpAddr>) -> Surroundings {
    Surroundings { now: services.clock.now(), source, running: Some(services.running.of(user)) }
}

/// What stands against using `request` at `now` from `source`, by the conditions of its role as approved or as loaded; how
/// many commands run is left to each command. A role that is gone or cannot be read is another matter.
#[must_use]
pub fn unmet(
    services: &Services,
    snapshot: &Snapshot,
    request: &AccessRequest,
    source: IpAddr,
    now: Timestamp,
) -> Option<Unmet> {
    let circumstances =
        Circumstances { now, source: Some(source), request_source: Some(request.source), running: None };
    let approved = approved_role(services, request).ok();
    let roles = approved.as_deref().into_iter().chain(snapshot.roles.get(&request.role).map(AsRef::as_ref));
    roles.into_iter().find_map(|role: &Role| role.conditions().judge_again(&circumstances).err())
}

/// How long after `now` time is no obstacle to using these roles any more: zero if it is none now or always will be one.
#[must_use]
pub(super) fn until_open<'r>(roles: impl Iterator<Item = &'r Role>, now: Timestamp) -> Duration {
    let waits = roles.filter_map(|role| role.conditions().opens(now)).map(|opens| now.until(opens));
    waits.max().unwrap_or_default().min(LONGEST_WAIT)
}
