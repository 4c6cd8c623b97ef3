//! The jump door with the stock `ssh`: `ssh -J bastion web-1 COMMAND` is answered by the bastion in the target's name.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

#[path = "jump_door/commands.rs"]
mod commands;
