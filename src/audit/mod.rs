//! The audit log: what happened, in an order nobody can change unnoticed.
//!
//! [`event`] says what is written, [`entry`] how a line looks, [`merkle`] and [`note`] are the pure mathematics (RFC 6962
//! tree, C2SP signed note and checkpoint). [`log`] appends and syncs before anything acts, [`verify`] checks offline with
//! the files and the public key, [`search`] reads. All three read the files through [`segments`].

pub mod entry;
pub mod event;
pub mod log;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod search;
mod segments;
pub mod verify;
