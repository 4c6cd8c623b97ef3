//! Just in time: may this person hold this role now?
//!
//! Owns the life of an access request: `Pending -> Approved -> Active -> Ended`, or `Denied`, `Withdrawn`, `Lapsed`. Every
//! transition is a pure function from one [`AccessRequest`] to the next, with the time as an argument; the store keeps what
//! comes out, the use cases in `service` say who may ask for a transition.

pub mod activation;
pub mod approval;
pub mod eligibility;
pub mod request;
pub mod state;

#[cfg(test)]
mod tests;

pub use approval::Narrowing;
pub use request::{AccessRequest, ActiveGrant, Approval, Filing, Scope};
pub use state::{EndReason, State};
