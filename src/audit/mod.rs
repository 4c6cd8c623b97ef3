//! The audit log: what happened, in an order nobody can change unnoticed.
//!
//! [`event`] says what is written, [`merkle`] and [`note`] are the pure mathematics (RFC 6962 tree, C2SP signed note and
//! checkpoint), [`log`] appends and syncs before anything acts, [`verify`] checks offline with the files and the public key.

pub mod event;
pub mod log;
pub mod merkle;
pub mod note;
pub mod verify;
