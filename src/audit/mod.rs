//! The audit log: what happened, in an order nobody can change unnoticed.
//!
//! [`event`] says what is written, [`entry`] how a line looks, [`merkle`] and [`note`] are the pure mathematics (RFC 6962
//! tree, C2SP signed note and checkpoint), [`proof`] what can be shown to somebody who has neither the log nor the bastion.
//! [`log`] appends and syncs before anything acts, [`verify`] checks offline with the files and the public key, [`search`]
//! reads, [`history`] puts the commands of the past together, [`prove`] makes proofs, from the [`tiles`] that are derived
//! beside the log. All read the files through [`segments`].

pub mod entry;
pub mod event;
pub mod history;
pub mod log;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod prove;
pub mod search;
mod segments;
pub mod tile;
pub mod tiles;
pub mod verify;
