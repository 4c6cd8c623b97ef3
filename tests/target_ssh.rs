//! Commands on real OpenSSH targets, and on targets that mean harm.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

#[path = "target_ssh/host_certificates.rs"]
mod host_certificates;
#[path = "target_ssh/hostile.rs"]
mod hostile;
#[path = "target_ssh/prepared.rs"]
mod prepared;
#[path = "target_ssh/stock.rs"]
mod stock;
#[path = "target_ssh/workshop.rs"]
mod workshop;
