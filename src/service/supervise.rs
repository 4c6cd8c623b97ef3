//! Watches over a running command: resolves when it must end.
//!
//! Asks for nothing but time, configuration and store, and always live: what was true when the command began may have been
//! taken away since.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{AccountName, GrantId, RequestId, TargetName, Timestamp};
use crate::grant::{EndReason, State};
use crate::identity::VerifiedUser;
use crate::policy::Permit;

use super::Services;
use super::ending::End;
use super::ports::StoreError;

/// How often to look without being rung.
const LOOK_EVERY: Duration = Duration::from_millis(1500);
/// How long a look at the store may take.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// How long a command may go on while the store does not answer. Longer than a restart of a database, shorter than a
/// revocation may be overlooked.
const STORE_GRACE: Duration = Duration::from_secs(30);

/// What a command stands on. All of it must hold as long as it runs.
#[derive(Clone, Debug)]
pub(super) struct Footing {
    user: VerifiedUser,
    grants: Vec<GrantId>,
    target: TargetName,
    account: AccountName,
    deadline: Timestamp,
}

impl Footing {
    /// What `permit` stands on.
    pub(super) fn of(permit: &Permit, user: &VerifiedUser) -> Self {
        Self {
            user: user.clone(),
            grants: permit.grants().to_vec(),
            target: permit.target().clone(),
            account: permit.account().clone(),
            deadline: permit.deadline(),
        }
    }

    /// Whether all of it holds now; `Some` says what does not.
    ///
    /// # Errors
    /// The store's, or that it did not answer in time: then it is not known.
    pub(super) async fn lost(&self, services: &Services) -> Result<Option<End>, StoreError> {
        for grant in &self.grants {
            let end = tokio::time::timeout(LOOK_WITHIN, self.lost_grant(services, grant))
                .await
                .map_err(|_| StoreError::Unavailable("it does not answer".to_owned()))??;
            if end.is_some() {
                return Ok(end);
            }
        }
        Ok(None)
    }

    async fn lost_grant(&self, services: &Services, id: &GrantId) -> Result<Option<End>, StoreError> {
        let Some(request) = services.store.request(&RequestId::from(id)).await? else {
            return Ok(Some(End::Withdrawn("its grant is gone")));
        };
        let Some(grant) = request.value.active_grant(services.clock.now()) else {
            return Ok(Some(why_over(id, &request.value.state)));
        };
        if *grant.user() != self.user.name || grant.targets().get(&self.target) != Some(&self.account) {
            return Ok(Some(End::Withdrawn("its grant no longer reaches this target")));
        }
        let snapshot = services.snapshot.load();
        let enrolled = snapshot.directory.owner_of(&self.user.fingerprint);
        if enrolled.is_none_or(|owner| owner.name != self.user.name) {
            return Ok(Some(End::Withdrawn("your key is no longer enrolled")));
        }
        if !snapshot.user_may_ask(grant.user(), grant.role()) {
            return Ok(Some(End::Withdrawn("you may no longer ask for its role")));
        }
        let reached = match (snapshot.roles.get(grant.role()), snapshot.inventory.target(&self.target)) {
            (Some(role), Some(target)) => snapshot.account_on(role, target) == Some(&self.account),
            _ => false,
        };
        Ok((!reached).then_some(End::Withdrawn("its role no longer reaches this target")))
    }

    /// How much time is left at `now`.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        now.until(self.deadline)
    }
}

fn why_over(grant: &GrantId, state: &State) -> End {
    match state {
        State::Ended { why: EndReason::GivenBack, .. } => End::GivenBack(grant.clone()),
        State::Ended { why: EndReason::Revoked { by, .. }, .. } => {
            End::Revoked { grant: grant.clone(), by: by.clone() }
        }
        // An active grant whose window is past was not swept yet.
        State::Ended { why: EndReason::Expired, .. } | State::Active { .. } => End::Expired(grant.clone()),
        State::Pending { .. }
        | State::Approved { .. }
        | State::Denied { .. }
        | State::Withdrawn { .. }
        | State::Lapsed { .. } => End::Withdrawn("its grant is gone"),
    }
}

/// Resolves with the reason when the command must end, and never before.
pub(super) async fn supervise(services: &Services, footing: &Footing) -> End {
    tokio::select! {
        end = footing_lost(services, footing) => end,
        end = time_over(services, footing) => end,
        end = drained(services) => end,
    }
}

async fn footing_lost(services: &Services, footing: &Footing) -> End {
    let mut unknown_since: Option<Instant> = None;
    loop {
        // Taken before the look, so that a change during the look is not missed.
        let rung = services.changed.notified();
        match footing.lost(services).await {
            Ok(Some(end)) => return end,
            Ok(None) => unknown_since = None,
            Err(error) => {
                let since = *unknown_since.get_or_insert_with(Instant::now);
                tracing::warn!(%error, "a running command's grant cannot be checked");
                if since.elapsed() >= STORE_GRACE {
                    return End::StoreLost;
                }
            }
        }
        tokio::select! {
            () = rung => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Decision time may run ahead of the timer's, so the clock is asked again at short intervals.
async fn time_over(services: &Services, footing: &Footing) -> End {
    loop {
        let left = footing.left(services.clock.now());
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(left.min(LOOK_EVERY)).await;
    }
    // The deadline is the lesser of the command's own limit and the end of its grants: say which it was.
    match footing.lost(services).await {
        Ok(Some(end)) => end,
        Ok(None) | Err(_) => End::TimeLimit,
    }
}

async fn drained(services: &Services) -> End {
    services.stopping.cancelled().await;
    tokio::time::sleep(services.snapshot.load().settings.drain).await;
    End::Stopping
}
