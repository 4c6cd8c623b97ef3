//! The control door: the verbs that `ssh bastion VERB …` runs.
//!
//! [`line`] cuts the line, [`verb`] holds the one table of verbs and reads a line by it, [`verbs`] does each through the use
//! cases of `service`, [`console`] is the screen. Decides nothing: who may do what is `service`'s and the core's; here it is
//! put into words. Refuses to know SSH, SQL and files.

pub mod arguments;
pub mod console;
pub mod line;
mod nearest;
pub mod verb;

pub use console::Console;
