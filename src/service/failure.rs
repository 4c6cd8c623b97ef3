//! The two answers that every use case about requests shares.

use super::ports::{AuditError, StoreError};

/// The log or the store does not work. `Display` is for the user and hides the inside; `source()` has it for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The store.
    #[error("the bastion's database does not work now; nothing was changed; try again, or tell its operator")]
    Store(#[from] StoreError),
    /// The audit log, without which nothing is given.
    #[error("the bastion's audit log does not work now, and nothing is granted without it; tell its operator")]
    Log(#[from] AuditError),
}

/// A request or grant that does not exist, or is not theirs to see: one answer for both (design invariant 9).
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there is no {id} that you may see; `status` lists your requests")]
pub struct UnseenRequest {
    /// As typed.
    pub id: String,
}
