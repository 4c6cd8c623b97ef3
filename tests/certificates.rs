//! Certificates: every refusal, made by the real `ssh-keygen` where it can make it and by hand where it cannot; what stock
//! `ssh-keygen` and `sshd` make of ours.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a helper that fails fails its test")]

mod support;

#[path = "certificates/refusals.rs"]
mod refusals;
#[path = "certificates/stock_tools.rs"]
mod stock_tools;
#[path = "certificates/targets.rs"]
mod targets;
