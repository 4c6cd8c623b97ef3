//! Just enough: may this command line run under this role? Pure.
//!
//! A line goes [`words`] -> [`mod@decide`] -> [`render`]: split, decided as an argument vector, rendered with every word quoted.
//! Owns the role language ([`mod@file`], [`role`], [`rule`], [`pattern`], [`parameter`], [`when`], [`observe`], [`transfer`]), which
//! words of a line are written nowhere ([`secret`]), and what is said about roles to those who write, ask for and approve them: how a line
//! was taken ([`trace`], [`explain`]), what a rule gives without seeming to ([`lint`]), what a change gives ([`compare`]), what sudo
//! is told ([`sudoers`]), the least role for what was run ([`learn`]). Reads no clock, file, environment or database; the same
//! arguments always give the same answer.

pub mod compare;
pub mod decide;
pub mod denial;
pub mod explain;
pub mod file;
mod index;
pub mod learn;
pub mod lint;
pub mod observe;
pub mod parameter;
pub mod pattern;
pub mod permit;
pub mod render;
pub mod role;
pub mod roles;
pub mod rule;
pub mod secret;
pub mod selector;
pub mod sudoers;
pub mod trace;
pub mod transfer;
pub mod when;
pub mod words;

pub use compare::{Change, Direction};
pub use decide::{Choice, CommandRequest, Decision, HeldRole, decide};
pub use denial::{DENIALS, Denial, Nearest};
pub use permit::{Permit, Terms};
pub use role::{RequestTerms, Role};
pub use roles::Roles;
pub use rule::Rule;
pub use secret::{Guard, SecretKey};
pub use selector::TargetSelector;
pub use sudoers::sudoers_lines;
pub use trace::{Trace, TracedWord};
pub use when::{Circumstances, Conditions, Surroundings, Unmet};
pub use words::{Words, WordsError};
