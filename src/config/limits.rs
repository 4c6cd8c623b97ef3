//! `[limits]` of `doorward.toml`: every number with its range, and no two that contradict each other.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::domain::{Diagnostic, limits};
use crate::recording::recorder::RecordingLimits;
use crate::session::InputLimits;
use crate::ssh::Limits;

use super::source::Source;
use super::table::Table;

/// What the section says.
#[derive(Clone, Debug, Default)]
pub struct LimitSettings {
    /// What bounds connections.
    pub door: Limits,
    /// What bounds input that waits for a target.
    pub input: InputLimits,
    /// What bounds the recordings.
    pub recordings: RecordingLimits,
}

impl LimitSettings {
    /// The keys whose values differ in `other`. What follows from another key is not named beside it.
    pub(super) fn changed_in(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let (door, now, input, wait) = (&self.door, &other.door, &self.input, &other.input);
        let (unproven, sessions) = (door.unproven == now.unproven, door.sessions == now.sessions);
        let (all, user) = (input.in_all == wait.in_all, input.per_user == wait.per_user);
        let compared = [
            ("[limits] handshake_deadline", door.grace == now.grace),
            ("[limits] unread_deadline", door.unread == now.unread),
            ("[limits] max_unproven", unproven),
            ("[limits] max_unproven_per_source", !unproven || door.unproven_per_source == now.unproven_per_source),
            ("[limits] max_sessions", sessions),
            ("[limits] max_sessions_per_user", !sessions || door.sessions_per_user == now.sessions_per_user),
            ("[limits] max_channels", door.channels == now.channels),
            ("[limits] max_channels_in_all", door.channels_in_all == now.channels_in_all),
            ("[limits] max_auth_attempts", door.attempts == now.attempts),
            ("[limits] max_key_probes", door.probes == now.probes),
            ("[limits] max_login_bytes", door.login == now.login),
            ("[limits] max_line_bytes", door.line == now.line),
            ("[limits] max_request_bytes", door.request == now.request),
            ("[limits] channel_queue", door.queue == now.queue),
            ("[limits] auth_failures_logged", door.failures_logged == now.failures_logged),
            ("[limits] input_memory_kib", input.memory == wait.memory),
            ("[limits] input_mib", all),
            ("[limits] input_per_user_mib", !all || user),
            ("[limits] input_per_command_mib", !all || !user || input.per_command == wait.per_command),
            ("[limits] recordings_mib", self.recordings.quota == other.recordings.quota),
            ("[limits] recorded_mib", self.recordings.kept == other.recordings.kept),
            ("[limits] keep_free_mib", self.recordings.keep_free == other.recordings.keep_free),
        ];
        compared.into_iter().filter(|(_, same)| !same).map(|(key, _)| key)
    }
}

/// One key that must not be above another one.
struct Pair<'k> {
    low: (&'static str, u64),
    high: (&'k str, u64),
}

/// Reads the section; what is not said has its default, no higher than what contains it.
pub(super) fn read(mut table: Table<'_, '_>, source: &Source, out: &mut Vec<Diagnostic>) -> LimitSettings {
    let mut read = LimitSettings::default();
    let mut pairs = Vec::new();
    let before = out.len();
    read_door(&mut table, &mut read.door, &mut pairs, out);
    read_input(&mut table, &mut read.input, &mut pairs, out);
    let recordings = &mut read.recordings;
    recordings.quota = mebibytes(&mut table, "recordings_mib", out).unwrap_or(recordings.quota);
    recordings.kept = mebibytes(&mut table, "recorded_mib", out).unwrap_or(recordings.kept);
    recordings.keep_free = mebibytes(&mut table, "keep_free_mib", out).unwrap_or(recordings.keep_free);
    if out.len() == before {
        for pair in pairs {
            not_above(&mut table, source, &pair, out);
        }
    }
    table.finish(out);
    read
}

fn read_door(table: &mut Table<'_, '_>, door: &mut Limits, pairs: &mut Vec<Pair<'_>>, out: &mut Vec<Diagnostic>) {
    const MINUTE: Duration = Duration::from_secs(60);
    let seconds = Duration::from_secs;
    let spans: [(_, RangeInclusive<Duration>, &mut Duration); 2] = [
        ("handshake_deadline", seconds(2)..=10 * MINUTE, &mut door.grace),
        ("unread_deadline", seconds(5)..=60 * MINUTE, &mut door.unread),
    ];
    for (key, range, slot) in spans {
        *slot = table.duration(key, range, out).unwrap_or(*slot);
    }
    let numbers: [(_, RangeInclusive<usize>, &mut usize); 11] = [
        ("max_unproven", 1..=4096, &mut door.unproven),
        ("max_sessions", 1..=65_536, &mut door.sessions),
        ("max_channels", 1..=64, &mut door.channels),
        ("max_channels_in_all", 64..=1_048_576, &mut door.channels_in_all),
        ("max_auth_attempts", 2..=100, &mut door.attempts),
        ("max_key_probes", 1..=1000, &mut door.probes),
        ("max_login_bytes", 64..=65_536, &mut door.login),
        ("max_line_bytes", 256..=limits::LINE, &mut door.line),
        ("max_request_bytes", 64..=65_536, &mut door.request),
        ("channel_queue", 1..=1000, &mut door.queue),
        ("auth_failures_logged", 1..=10_000, &mut door.failures_logged),
    ];
    for (key, range, slot) in numbers {
        *slot = table.number(key, range, out).unwrap_or(*slot);
    }
    let per_source = table.number("max_unproven_per_source", 1..=4096, out);
    door.unproven_per_source = per_source.unwrap_or(door.unproven_per_source.min(door.unproven));
    let per_user = table.number("max_sessions_per_user", 1..=65_536, out);
    door.sessions_per_user = per_user.unwrap_or(door.sessions.div_ceil(2));
    let wide = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    pairs.push(Pair {
        low: ("max_unproven_per_source", wide(door.unproven_per_source)),
        high: ("max_unproven", wide(door.unproven)),
    });
    pairs.push(Pair {
        low: ("max_sessions_per_user", wide(door.sessions_per_user)),
        high: ("max_sessions", wide(door.sessions)),
    });
}

fn read_input(
    table: &mut Table<'_, '_>,
    input: &mut InputLimits,
    pairs: &mut Vec<Pair<'_>>,
    out: &mut Vec<Diagnostic>,
) {
    let memory = table.number("input_memory_kib", 1..=65_536, out);
    input.memory = memory.map_or(input.memory, |kib| kib << 10);
    input.in_all = mebibytes(table, "input_mib", out).unwrap_or(input.in_all);
    let per_user = mebibytes(table, "input_per_user_mib", out);
    input.per_user = per_user.unwrap_or(input.per_user.min(input.in_all));
    let per_command = mebibytes(table, "input_per_command_mib", out);
    input.per_command = per_command.unwrap_or(input.per_command.min(input.per_user));
    let (all, user, command) = (input.in_all >> 20, input.per_user >> 20, input.per_command >> 20);
    pairs.push(Pair { low: ("input_per_user_mib", user), high: ("input_mib", all) });
    pairs.push(Pair { low: ("input_per_command_mib", command), high: ("input_per_user_mib", user) });
}

fn mebibytes(table: &mut Table<'_, '_>, key: &'static str, out: &mut Vec<Diagnostic>) -> Option<u64> {
    let number = table.number(key, 1..=1 << 30, out)?;
    u64::try_from(number).ok().map(|number| number << 20)
}

/// A part that is larger than the whole would never be reached: somebody believes in a bound that is not there.
fn not_above(table: &mut Table<'_, '_>, source: &Source, pair: &Pair<'_>, out: &mut Vec<Diagnostic>) {
    let (Pair { low: (low, part), high: (high, whole) }, Some(value)) = (pair, table.get(pair.low.0)) else { return };
    if part > whole {
        let message = format!("`{low}` ({part}) is more than `{high}` ({whole}), so it would bound nothing");
        let help = format!("write at most {whole}, or raise `{high}`");
        out.push(source.error_at(value.span(), message).help(help));
    }
}
