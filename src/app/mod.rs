//! The wiring: picks the adapters, hands them to the use cases, starts the front door, stops it in order.
//!
//! The only place that knows every room. [`mod@start`] opens everything and refuses on the first thing that is wrong; [`run`]
//! serves until a signal, reloads, renews, and drains.

pub mod clock;
pub mod run;
pub mod start;
pub mod target_test;

mod certifier;
mod descriptors;
mod host_keys;
mod reader;
mod tiles;

pub use run::serve;
pub use start::{Bastion, StartError, start};
pub use target_test::target_test;
