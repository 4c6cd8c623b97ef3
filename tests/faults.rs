//! One thing broken at a time under a serving bastion, as `docs/degraded-mode.md` says what then happens: disks that report
//! errors or take their time, a database that is locked or damaged, keys that cannot be read, a clock that was wrong. And in
//! the end a hostile client and a hostile target at once.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

#[path = "faults/database.rs"]
mod database;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/hostile.rs"]
mod hostile;
