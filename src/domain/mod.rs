//! Words that every room shares: names, identifiers, time, digests, limits, messages about files, wording.
//!
//! Owns the narrow alphabets. Refuses to know files, clocks, networks, randomness and SSH: whoever needs those passes the
//! values in.

pub mod diagnostic;
pub mod digest;
pub mod ids;
pub mod limits;
pub mod names;
pub mod subject;
pub mod text;
pub mod time;
pub mod toml_text;
pub mod whole;
pub mod wording;

pub use diagnostic::{Diagnostic, Severity};
pub use digest::Digest;
pub use ids::{CertificateId, CommandId, CommandIdentity, GrantId, RequestId, Serial, SessionId};
pub use names::{AccountName, GroupName, RoleName, TargetName, UserName};
pub use subject::{Person, Subject};
pub use time::{Clock, Timestamp, Window};
