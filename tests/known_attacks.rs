//! The failures of other gateways, tried on ours. Each test is named after what happened elsewhere, plays the attacker's part
//! with the stock tools (or a russh client where they refuse to misbehave), and would fail if doorward failed alike.
//! `docs/known-attacks.md` has a row for each.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

#[path = "known_attacks/channels.rs"]
mod channels;
#[path = "known_attacks/decisions.rs"]
mod decisions;
#[path = "known_attacks/evidence.rs"]
mod evidence;
#[path = "known_attacks/identity.rs"]
mod identity;
#[path = "known_attacks/people.rs"]
mod people;
