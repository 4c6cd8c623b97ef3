//! doorward: Just Enough Administration for SSH.
//!
//! This crate is read in the order of a command's way through the bastion:
//!
//! 1. **Connection** ([`ssh`], [`control`]): the front door. It speaks SSH with the client and hands over *who proved what*
//!    and *which line was typed*; it decides nothing.
//! 2. **Identity** ([`identity`], [`ca`]): who is this, and what may be certified for them?
//! 3. **Grant** ([`grant`]): may this person hold this role now? Requests, approvals, activation, end.
//! 4. **Policy** ([`policy`], [`inventory`]): may this command line run under that role on that target? Pure.
//! 5. **Execution** ([`service`], [`target`], [`session`]): the use cases in their fixed order, the connection to the target,
//!    the pump between the two.
//! 6. **Evidence** ([`audit`], [`recording`]): what is written before anything runs, and how it is verified.
//!
//! [`domain`] holds the words all rooms share, [`store`] keeps requests, grants and certificates, [`config`] reads DIR,
//! [`app`] wires adapters to use cases once, [`cli`] and [`demo`] are what the operator types. `tests/architecture.rs` holds
//! the table of who may use whom.

pub mod domain;

pub mod control;
pub mod ssh;

pub mod ca;
pub mod identity;

pub mod grant;

pub mod inventory;
pub mod policy;

pub mod service;
pub mod session;
pub mod target;

pub mod audit;
pub mod recording;

pub mod store;

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
