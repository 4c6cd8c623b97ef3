//! Bulk data: byte-exact at any size, over key re-exchanges, at any speed, in bounded memory; many commands at once and many
//! in a row over one connection.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

#[path = "bulk/multiplexed.rs"]
mod multiplexed;
#[path = "bulk/recorded.rs"]
mod recorded;
#[path = "bulk/rekey.rs"]
mod rekey;
#[path = "bulk/soak.rs"]
mod soak;
#[path = "bulk/transfer.rs"]
mod transfer;
