//! The jump door: `ssh -J bastion web-1 COMMAND` is answered by the bastion in the target's name.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

#[path = "jump_door/commands.rs"]
mod commands;
#[path = "jump_door/endings.rs"]
mod endings;
#[path = "jump_door/forwards.rs"]
mod forwards;
#[path = "jump_door/inside.rs"]
mod inside;
#[path = "jump_door/names.rs"]
mod names;
#[path = "jump_door/refusals.rs"]
mod refusals;
#[path = "jump_door/selection.rs"]
mod selection;
