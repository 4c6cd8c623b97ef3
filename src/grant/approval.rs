//! Yes and no: separation of duties, quorum, narrowing. Pure.
//!
//! An approval stands for what the approver saw and for everything narrower. So when a later approver narrows a request, the
//! earlier approvals of the wider scope still count, and nobody is asked twice; but whoever has not decided yet sees a new
//! digest and has to look again. Nothing here ever widens.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::time::for_people;
use crate::domain::wording::series;
use crate::domain::{Person, RequestId, Subject, TargetName, Timestamp, UserName};

use super::activation::WrongState;
use super::request::{AccessRequest, Approval, Scope};
use super::state::State;

/// The fewest hexadecimal digits of a digest that an approver types.
pub const DIGITS: usize = 4;

/// What an approver takes away from the scope while saying yes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Narrowing {
    /// The targets that stay; empty: all.
    pub targets: Vec<TargetName>,
    /// The new duration; `None`: as it is.
    pub duration: Option<Duration>,
}

/// One approver's yes, as typed.
#[derive(Clone, Copy, Debug)]
pub struct Yes<'a> {
    /// Who says it.
    pub by: &'a Person,
    /// Who may, according to the role.
    pub approvers: &'a [Subject],
    /// Who of those that said yes before may still approve. A yes of anybody else is dropped: it counts no longer.
    pub standing: &'a [UserName],
    /// How many must; never lowers what the request needs already.
    pub needed: u8,
    /// The first digits of the digest they saw.
    pub seen: &'a str,
    /// What they take away.
    pub narrowing: &'a Narrowing,
}

/// What a yes did.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Approved {
    /// It counts; this is the request with it.
    Counted(Box<AccessRequest>),
    /// The same person had said it before: nothing changes.
    Repeated,
}

/// Why a yes or no does not count. `Display` is shown to somebody who may see the request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ApprovalError {
    /// The requester never counts.
    #[error("you cannot decide on {id}, which is your own request; {}", who_can(.others))]
    Own {
        /// The request.
        id: RequestId,
        /// Who can, if known.
        others: Vec<UserName>,
    },
    /// Somebody who may look and not decide.
    #[error("you are not an approver of {id}; {}", who_can(.others))]
    NotApprover {
        /// The request.
        id: RequestId,
        /// Who can, if known.
        others: Vec<UserName>,
    },
    /// They saw something else, or nothing.
    #[error("{id} is not what you looked at: read it again in `pending`, and approve it with the digest shown there")]
    Digest {
        /// The request.
        id: RequestId,
    },
    /// Longer than what was asked for.
    #[error("{id} is for {most}, and an approval can only shorten that: `--for` at most {most}", most = for_people(*.most))]
    Longer {
        /// The request.
        id: RequestId,
        /// What it is for.
        most: Duration,
    },
    /// Zero, or with a fraction of a second.
    #[error("a duration is whole seconds and more than none, as in `--for 30m`; to give nothing, `deny`")]
    DurationNotWhole,
    /// A target that was not asked for.
    #[error("{id} does not ask for {target}, and an approval can only leave targets out")]
    Wider {
        /// The request.
        id: RequestId,
        /// As typed.
        target: TargetName,
    },
    /// A second yes by the same person that would narrow further.
    #[error(
        "you have approved {id} already, and that stands; to give less, `deny` or `revoke` it and let them ask again"
    )]
    Already {
        /// The request.
        id: RequestId,
    },
    /// Its state does not allow it.
    #[error(transparent)]
    State(#[from] WrongState),
}

impl ApprovalError {
    /// The same, naming the people who can decide instead.
    #[must_use]
    pub fn naming(self, others: Vec<UserName>) -> Self {
        match self {
            Self::Own { id, .. } => Self::Own { id, others },
            Self::NotApprover { id, .. } => Self::NotApprover { id, others },
            other => other,
        }
    }
}

/// `bob, dan or eve`; at most five names, then how many more.
#[must_use]
pub fn any_of(names: &[UserName]) -> String {
    const MOST: usize = 5;
    let mut words: Vec<String> = names.iter().take(MOST).map(ToString::to_string).collect();
    if names.len() > MOST {
        words.push(format!("{} others", names.len().saturating_sub(MOST)));
    }
    if words.is_empty() { "nobody".to_owned() } else { series(words, "or") }
}

fn who_can(others: &[UserName]) -> String {
    if others.is_empty() { "nobody else can at the moment".to_owned() } else { format!("{} can", any_of(others)) }
}

impl AccessRequest {
    /// `Pending -> Pending | Approved`: counts the yes of one person, once, beside those that still stand,
    /// and narrows the scope.
    ///
    /// # Errors
    /// [`ApprovalError`], the first check that fails: own request, no approver, state, digest, scope.
    pub fn approve(&self, yes: &Yes<'_>, now: Timestamp, activate_within: Duration) -> Result<Approved, ApprovalError> {
        self.separate(yes.by, yes.approvers)?;
        let earlier = self.approvals.iter().find(|approval| approval.by == yes.by.name);
        let known = earlier.is_some_and(|approval| begins(&approval.digest.to_string(), yes.seen));
        let state = self.now_in(now).state;
        match state {
            State::Pending { .. } => {}
            State::Approved { .. } | State::Active { .. } if earlier.is_some() => {}
            state => return Err(self.wrong("approved", state).into()),
        }
        if !known && !begins(&self.digest().to_string(), yes.seen) {
            return Err(ApprovalError::Digest { id: self.id.clone() });
        }
        let scope = self.narrowed(yes.narrowing)?;
        if earlier.is_some() {
            let same = scope == self.scope;
            return if same { Ok(Approved::Repeated) } else { Err(ApprovalError::Already { id: self.id.clone() }) };
        }
        let mut next = Self { scope, ..self.clone() };
        next.approvals.retain(|approval| yes.standing.contains(&approval.by));
        next.approvals.push(Approval { by: yes.by.name.clone(), at: now, digest: self.digest() });
        next.approvals_needed = self.approvals_needed.max(yes.needed).max(1);
        if next.approvals.len() >= usize::from(next.approvals_needed) {
            next.state = State::Approved { at: now, activate_by: now.after(activate_within) };
        }
        Ok(Approved::Counted(Box::new(next)))
    }

    /// `Pending -> Denied`: one no is enough.
    ///
    /// # Errors
    /// [`ApprovalError`]: own request, no approver, state.
    pub fn deny(&self, by: &Person, approvers: &[Subject], text: &str, now: Timestamp) -> Result<Self, ApprovalError> {
        self.separate(by, approvers)?;
        match self.now_in(now).state {
            State::Pending { .. } => {
                Ok(self.with(State::Denied { by: by.name.clone(), at: now, text: text.to_owned() }))
            }
            state => Err(self.wrong("denied", state).into()),
        }
    }

    /// Separation of duties: the requester never counts, and of the others only approvers do.
    fn separate(&self, by: &Person, approvers: &[Subject]) -> Result<(), ApprovalError> {
        if by.name == self.user {
            return Err(ApprovalError::Own { id: self.id.clone(), others: Vec::new() });
        }
        if !is_approver(by, approvers) {
            return Err(ApprovalError::NotApprover { id: self.id.clone(), others: Vec::new() });
        }
        Ok(())
    }

    fn narrowed(&self, narrowing: &Narrowing) -> Result<Scope, ApprovalError> {
        let duration = narrowing.duration.unwrap_or(self.scope.duration);
        if duration.is_zero() || duration.subsec_nanos() != 0 {
            return Err(ApprovalError::DurationNotWhole);
        }
        if duration > self.scope.duration {
            return Err(ApprovalError::Longer { id: self.id.clone(), most: self.scope.duration });
        }
        if let Some(target) = narrowing.targets.iter().find(|target| !self.scope.targets.contains_key(*target)) {
            return Err(ApprovalError::Wider { id: self.id.clone(), target: target.clone() });
        }
        let stay: BTreeSet<&TargetName> = narrowing.targets.iter().collect();
        let mut targets = self.scope.targets.clone();
        targets.retain(|target, _| stay.is_empty() || stay.contains(target));
        Ok(Scope { targets, duration })
    }
}

/// Whether `person` is among the approvers.
#[must_use]
pub fn is_approver(person: &Person, approvers: &[Subject]) -> bool {
    approvers.iter().any(|subject| subject.covers(person))
}

/// Whether `digest` begins with what was typed, and enough of it was.
fn begins(digest: &str, typed: &str) -> bool {
    typed.len() >= DIGITS && digest.starts_with(&typed.to_ascii_lowercase())
}
