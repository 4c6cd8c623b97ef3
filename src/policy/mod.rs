//! Just enough: may this command line run under this role? Pure.
//!
//! A line goes [`words`] -> [`mod@decide`] -> [`render`]: split, decided as an argument vector, rendered with every word quoted.
//! Owns the role language ([`mod@file`], [`role`], [`pattern`], [`parameter`]). Reads no clock, file, environment or database;
//! the same arguments always give the same answer.

pub mod decide;
pub mod explain;
pub mod file;
pub mod parameter;
pub mod pattern;
pub mod render;
pub mod role;
pub mod selector;
pub mod sudoers;
pub mod words;

pub use decide::Nearest;
pub use decide::{Choice, CommandRequest, Decision, Denial, HeldRole, Permit, Terms, decide};
pub use role::{RequestTerms, Role, Rule};
pub use selector::TargetSelector;
pub use sudoers::sudoers_lines;
pub use words::{Words, WordsError};
