//! File descriptors: the process takes as many as it may have, keeps some for what users do, and says when that is too few for
//! its limits.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::session::{InputLimits, SpoolLimits};
use crate::ssh::Limits;

/// What the process needs besides connections: log, database, listeners, reading the configuration again, connections that
/// are about to close.
const BASE: u64 = 160;
/// What one running command needs besides its client's connection and input that waits: the connection to the target (a `local`
/// one has three pipes instead) and the recording.
const PER_COMMAND: u64 = 4;
/// Files of one stream of input that waits, besides those that are full: the one that is read, partly empty by now, and the one
/// that is written.
const PER_STREAM: u64 = 2;
/// Below this it does not start: a session and its command would not be sure of theirs.
const LEAST: u64 = BASE + 64;

/// What decides how many descriptors there could be.
pub(super) struct Load<'a> {
    /// What bounds connections and their channels.
    pub(super) limits: &'a Limits,
    /// What bounds input that waits.
    pub(super) input: &'a InputLimits,
    /// How many connections to targets may be ready with nobody's command on them.
    pub(super) prepared: usize,
}

impl Load<'_> {
    /// How many descriptors could be needed when everything that is allowed is used at once.
    fn needed(&self) -> u64 {
        let channels = wide(self.limits.sessions).saturating_mul(wide(self.limits.channels));
        let commands = channels.saturating_mul(PER_COMMAND);
        // A connection inside another one is a stream of input, too, and so are the commands inside it.
        let streams = channels.saturating_mul(2).saturating_mul(PER_STREAM);
        let full = self.input.in_all.div_ceil(SpoolLimits::SEGMENT);
        let parts = [sockets(self.limits), commands, streams, full, wide(self.prepared), BASE];
        parts.into_iter().fold(0, u64::saturating_add)
    }
}

/// How many of them are connections.
fn sockets(limits: &Limits) -> u64 {
    wide(limits.unproven).saturating_add(wide(limits.sessions))
}

fn wide(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Raises the soft limit of the process to the hard one, and gives `limits` as far as it reaches. A soft limit of 1024, as is
/// usual, is for programs that use `select`; without descriptors nobody could connect, and nothing could be recorded.
///
/// # Errors
/// A message for the operator, when there are too few for anything.
pub(super) fn provide(load: &Load<'_>) -> Result<Limits, String> {
    let (had, most) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|error| format!("how many files may be open cannot be read: {error}"))?;
    let have = match setrlimit(Resource::RLIMIT_NOFILE, most, most) {
        Ok(()) => most,
        Err(error) => {
            warn!(%error, "how many files may be open cannot be raised");
            had
        }
    };
    if have < LEAST {
        return Err(format!(
            "only {have} files may be open, and at least {LEAST} are needed: set LimitNOFILE={} in the unit (or `ulimit -Hn`)",
            load.needed()
        ));
    }
    if let Some(line) = too_few(have, load) {
        warn!("{line}");
    }
    Ok(within(have, load.limits))
}

/// `limits`, with the numbers of connections lowered so far that half of the `have` descriptors are left to what users do:
/// strangers who hold connections must not keep a command from its recording.
fn within(have: u64, limits: &Limits) -> Limits {
    let most = have.saturating_sub(BASE) / 2;
    let wanted = sockets(limits);
    if wanted <= most {
        return limits.clone();
    }
    let part = |number: usize| {
        let part = u128::from(wide(number)) * u128::from(most) / u128::from(wanted.max(1));
        usize::try_from(part).unwrap_or(number).max(1)
    };
    let (unproven, sessions) = (part(limits.unproven), part(limits.sessions));
    warn!("no more than {unproven} unproven connections and {sessions} sessions for lack of descriptors");
    Limits {
        unproven,
        unproven_per_source: limits.unproven_per_source.min(unproven),
        sessions,
        sessions_per_user: limits.sessions_per_user.min(sessions.div_ceil(2)),
        ..limits.clone()
    }
}

/// What to tell the operator when `have` descriptors are too few.
fn too_few(have: u64, load: &Load<'_>) -> Option<String> {
    let needed = load.needed();
    (have < needed).then(|| {
        format!(
            "{have} files may be open, and {needed} could be needed with these limits: set LimitNOFILE={needed} in the unit \
             (or `ulimit -Hn`), or lower max_sessions, max_channels or input_mib in doorward.toml"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_to_set_when_the_limits_could_need_more() {
        let (limits, input) = (Limits::default(), InputLimits::default());
        // 256 sessions and 100 strangers; 2048 commands; 4096 streams of input, and 4 GiB of it in files of 16 MiB; 20 targets.
        let load = Load { limits: &limits, input: &input, prepared: 40 };
        assert_eq!(load.needed(), 356 + 2048 * 4 + 4096 * 2 + 256 + 40 + 160);
        assert_eq!(too_few(17_196, &load), None);
        let said = too_few(17_195, &load).unwrap();
        assert!(said.starts_with("17195 files") && said.contains("LimitNOFILE=17196"), "{said}");
    }

    #[test]
    fn half_of_too_few_descriptors_is_left_to_what_users_do() {
        let limits = Limits::default();
        assert_eq!(within(10_756, &limits), limits);
        assert_eq!(within(BASE + 2 * 356, &limits), limits);
        for have in [LEAST, 256, 300, 512, 800] {
            let less = within(have, &limits);
            assert!(sockets(&less) <= (have - BASE) / 2 && less.unproven > 0 && less.sessions > 0, "{have}: {less:?}");
            assert!(less.unproven_per_source <= less.unproven && less.sessions_per_user <= less.sessions, "{less:?}");
        }
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let (limits, input) = (Limits::default(), InputLimits::default());
        provide(&Load { limits: &limits, input: &input, prepared: 0 }).unwrap();
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
