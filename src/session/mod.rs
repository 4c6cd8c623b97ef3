//! What waits between a client and its command: the queue that keeps the client's side drained.
//!
//! The task that serves a client's channel must take every message at once, or russh stops the whole connection. What the
//! target has not taken yet waits here, in memory to a mark, then in unlinked temporary files, under caps. Refuses to know
//! SSH and targets: bytes go in, the same bytes come out.

mod budget;
mod spool;

pub use budget::{Budget, Budgets, InputLimits, Share};
pub use spool::{SpoolLimits, SpoolReader, SpoolWriter, spool};
