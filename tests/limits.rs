//! What bounds the front door: every limit of `[limits]`, and what a crowd of strangers can do.
//!
//! | key | test |
//! |---|---|
//! | all | `table::every_limit_is_documented_bounded_and_needs_a_restart` |
//! | `handshake_deadline` | `proof::who_does_not_prove_anything_in_time_is_cut_and_who_did_stays` |
//! | `unread_deadline` | `cut::a_client_that_reads_nothing_loses_its_connection` |
//! | `max_unproven`, `max_unproven_per_source` | `room::a_newcomer_replaces_who_got_no_further_for_the_longest` |
//! | `max_sessions`, `max_sessions_per_user` | `room::strangers_take_no_sessions_and_users_take_no_more_than_theirs` |
//! | `max_channels` | `closing_a_channel_at_once_makes_no_room_for_more_than_the_cap` (tests/hostile_clients.rs) |
//! | `max_auth_attempts`, `max_key_probes`, `max_login_bytes` | `proof::…` |
//! | `max_line_bytes`, `max_request_bytes`, `channel_queue` | `sizes::…`, and `the_limits_reach_russh` (src/ssh/mod.rs) |
//! | `input_…` | `sizes::input_that_waits_is_bounded_for_a_command_a_user_and_all` |
//! | `auth_failures_logged` | `proof::failures_beyond_the_rate_are_counted_and_not_written` |
//! | `recordings_mib`, `keep_free_mib` | tests/recording.rs, tests/fail_closed.rs |
//! | `[requests] pending_per_user` | `sizes::one_user_has_so_many_requests_waiting` |
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod support;

#[path = "limits/client.rs"]
mod client;
#[path = "limits/cut.rs"]
mod cut;
#[path = "limits/floods.rs"]
mod floods;
#[path = "limits/proof.rs"]
mod proof;
#[path = "limits/proxied.rs"]
mod proxied;
#[path = "limits/room.rs"]
mod room;
#[path = "limits/sizes.rs"]
mod sizes;
#[path = "limits/table.rs"]
mod table;
