//! What the use cases need from outside, one trait a file. Adapters implement these; `app` picks them.

mod audit_log;
mod audit_reader;
mod client;
mod host_authority;
mod recorder;
mod session_authority;
mod store;
mod targets;

pub use audit_log::{AuditError, AuditLog, Committed};
pub use audit_reader::{AuditProofError, AuditQuery, AuditReadError, AuditReader, FoundEntry, Verdict};
pub use client::ClientSide;
pub use host_authority::HostAuthority;
pub use recorder::{RecordError, Recorder, RecorderHeader, Recorders, Stream};
pub use session_authority::{AuthorityError, SessionAuthority, SessionCertificateRequest};
pub use store::{CertificateRecord, OpenLimit, OwedEntry, RequestQuery, Store, StoreError, Stored};
pub use targets::{Cleared, Output, Preparation, Running, TargetError, Targets};

/// Random bits.
pub trait Random: Send + Sync {
    /// 64 unpredictable bits.
    fn bits(&self) -> u64;
}
