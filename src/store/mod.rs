//! Where requests, grants and session certificates are kept: the adapter for the `Store` port.
//!
//! Owns every line of SQL. Decides nothing, and believes nothing it reads back: a row that is not what was written is an error
//! that names the row, never a panic and never a grant. The audit log is not in here; it is evidence about this database too.

mod certificates;
mod failure;
mod open;
mod owed;
mod requests;
mod sqlite;

pub use open::OpenError;
pub use sqlite::SqliteStore;
