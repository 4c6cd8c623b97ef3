//! Watches over a running command: resolves when it must end.
//!
//! Asks for nothing but time, configuration and store, and always live: what was true when the command began may have been
//! taken away since.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::{AccountName, Digest, GrantId, RequestId, TargetName, Timestamp};
use crate::grant::{AccessRequest, ActiveGrant, EndReason, State};
use crate::identity::VerifiedUser;
use crate::policy::decide::still_allows;
use crate::policy::render::{Executed, executed};
use crate::policy::when::{Circumstances, Conditions, Unmet};
use crate::policy::{Choice, CommandRequest, Permit, Words};

use super::approved_roles::approved_role;
use super::ending::End;
use super::held::HeldGrant;
use super::ports::StoreError;
use super::{Services, Session, Snapshot};

/// How often to look without being rung.
const LOOK_EVERY: Duration = Duration::from_millis(1500);
/// How long a look at the store may take.
const LOOK_WITHIN: Duration = Duration::from_secs(5);
/// How long a command may go on while the store does not answer. Longer than a restart of a database, shorter than a
/// revocation may be overlooked.
const STORE_GRACE: Duration = Duration::from_secs(30);

/// Which condition of a role stands against a command now.
type UnmetNow = fn(&Conditions, &Circumstances) -> Option<Unmet>;

/// What a command stands on. All of it must hold as long as it runs.
#[derive(Clone)]
pub(super) struct Footing {
    user: VerifiedUser,
    grants: Vec<GrantId>,
    target: TargetName,
    account: AccountName,
    deadline: Timestamp,
    peer: IpAddr,
    /// What was decided, to decide it again when the configuration is no longer `policy`.
    words: Words,
    choice: Choice,
    policy: Digest,
    /// What runs: the same line may come to mean another thing.
    running: Option<Executed>,
}

impl Footing {
    /// What `permit` stands on, which was given to `session` for `words` (with that `choice`) under the configuration `policy`.
    pub(super) fn of(permit: &Permit, session: &Session, choice: &Choice, words: Words, policy: Digest) -> Self {
        Self {
            user: session.user.clone(),
            peer: session.peer.ip(),
            choice: choice.clone(),
            words,
            policy,
            running: executed(&permit.argv()),
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
        self.look(services, Conditions::lapsed).await
    }

    /// As [`Self::lost`], for a command that has not begun: then every condition must hold, whatever the role says of what
    /// runs already.
    ///
    /// # Errors
    /// As [`Self::lost`].
    pub(super) async fn lost_before_it_began(&self, services: &Services) -> Result<Option<End>, StoreError> {
        self.look(services, |conditions, at| conditions.judge_again(at).err()).await
    }

    async fn look(&self, services: &Services, unmet: UnmetNow) -> Result<Option<End>, StoreError> {
        let mut requests = Vec::new();
        for grant in &self.grants {
            let request = tokio::time::timeout(LOOK_WITHIN, services.store.request(&RequestId::from(grant)))
                .await
                .map_err(|_| StoreError::Unavailable("it does not answer".to_owned()))??;
            let Some(request) = request else { return Ok(Some(End::Withdrawn("its grant is gone"))) };
            requests.push((grant, request.value));
        }
        Ok(self.stands(services, &requests, unmet).err())
    }

    /// Whether everything but the store's answers holds.
    fn stands(&self, services: &Services, requests: &[(&GrantId, AccessRequest)], unmet: UnmetNow) -> Result<(), End> {
        let snapshot = services.snapshot.load_full();
        let now = services.clock.now();
        let mut held = Vec::new();
        for (id, request) in requests {
            let grant = request.active_grant(now).ok_or_else(|| why_over(id, &request.state))?;
            self.reaches(&snapshot, &grant)?;
            let role = approved_role(services, request);
            let role = role.map_err(|_| End::Withdrawn("its role cannot be read any more"))?;
            held.push(HeldGrant { grant, role });
        }
        for held in &held {
            self.in_its_time(&snapshot, held, now, unmet)?;
        }
        if snapshot.digest == self.policy {
            return Ok(());
        }
        self.still_allowed(&snapshot, &held, now)
    }

    /// Whether this grant still reaches the target, for a user who may still come.
    fn reaches(&self, snapshot: &Snapshot, grant: &ActiveGrant) -> Result<(), End> {
        if *grant.user() != self.user.name || grant.targets().get(&self.target) != Some(&self.account) {
            return Err(End::Withdrawn("its grant no longer reaches this target"));
        }
        let enrolled = snapshot.directory.owner_of(&self.user.fingerprint);
        let owner = enrolled.filter(|owner| owner.name == self.user.name);
        let owner = owner.ok_or(End::Withdrawn("your key is no longer enrolled"))?;
        if !owner.may_come_from(self.peer) {
            return Err(End::Withdrawn("you may no longer come from this address"));
        }
        if !snapshot.user_may_ask(grant.user(), grant.role()) {
            return Err(End::Withdrawn("you may no longer ask for its role"));
        }
        let reached = match (snapshot.roles.get(grant.role()), snapshot.inventory.target(&self.target)) {
            (Some(role), Some(target)) => snapshot.account_on(role, target) == Some(&self.account),
            _ => false,
        };
        if reached { Ok(()) } else { Err(End::Withdrawn("its role no longer reaches this target")) }
    }

    /// Whether the conditions hold that this grant's role has, as approved and as loaded.
    fn in_its_time(&self, snapshot: &Snapshot, held: &HeldGrant, now: Timestamp, unmet: UnmetNow) -> Result<(), End> {
        let (source, request_source) = (Some(self.peer), Some(held.grant.source()));
        let circumstances = Circumstances { now, source, request_source, running: None };
        let roles = std::iter::once(&held.role).chain(snapshot.roles.get(held.grant.role()));
        match roles.into_iter().find_map(|role| unmet(role.conditions(), &circumstances)) {
            Some(what) => Err(End::Lapsed { role: held.grant.role().clone(), what: Box::new(what) }),
            None => Ok(()),
        }
    }

    /// Decides once more, under the same grants as the first time.
    fn still_allowed(&self, snapshot: &Snapshot, held: &[HeldGrant], now: Timestamp) -> Result<(), End> {
        let roles: Vec<_> = held.iter().map(|held| held.as_configured(&self.target, snapshot)).collect();
        let request = CommandRequest { target: &self.target, words: &self.words, choice: &self.choice };
        let running = self.running.as_ref().ok_or(End::Narrowed)?;
        still_allows(&request, &roles, now, running).then_some(()).ok_or(End::Narrowed)
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
    // The deadline is the least of the command's own limit, the end of its grants and that of their conditions: say which.
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
