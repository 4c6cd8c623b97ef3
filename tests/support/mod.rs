//! What several integration tests need. Each test file takes `mod support;` and uses a part of it.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "every test file uses another part")]
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

pub mod bastion;
pub mod certificates;
pub mod client;
pub mod master;
pub mod policy;
pub mod sshd;
