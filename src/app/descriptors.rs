//! File descriptors: the process takes as many as it may have, and says when that is too few for its limits.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

use crate::ssh::Limits;

/// What the process needs besides connections: log, database, listeners, reading the configuration again.
const BASE: u64 = 128;
/// What one running command needs besides its client's connection: the connection to the target (a `local` one has three
/// pipes instead), the recording, a file for input that waits.
const PER_COMMAND: u64 = 5;

/// How many descriptors `limits` could need when everything they allow is used at once.
fn needed(limits: &Limits) -> u64 {
    let each = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let connection = each(limits.channels).saturating_mul(PER_COMMAND).saturating_add(1);
    each(limits.connections).saturating_mul(connection).saturating_add(BASE)
}

/// Raises the soft limit of the process to the hard one. A soft limit of 1024, as is usual, is for programs that use
/// `select`; without descriptors nobody could connect, and nothing could be recorded.
pub(super) fn raise(limits: &Limits) {
    let (had, most) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(found) => found,
        Err(error) => return warn!(%error, "how many files may be open cannot be read"),
    };
    let have = match setrlimit(Resource::RLIMIT_NOFILE, most, most) {
        Ok(()) => most,
        Err(error) => {
            warn!(%error, "how many files may be open cannot be raised");
            had
        }
    };
    if let Some(line) = too_few(have, limits) {
        warn!("{line}");
    }
}

/// What to tell the operator when `have` descriptors are too few.
fn too_few(have: u64, limits: &Limits) -> Option<String> {
    let needed = needed(limits);
    (have < needed).then(|| {
        format!(
            "{have} files may be open, and {needed} could be needed with these limits: set LimitNOFILE={needed} in the unit \
             (or `ulimit -Hn`), or lower max_sessions or max_channels in doorward.toml"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_to_set_when_the_limits_could_need_more() {
        let limits = Limits { connections: 256, channels: 8, ..Limits::default() };
        assert_eq!(too_few(10_624, &limits), None);
        let said = too_few(10_623, &limits).unwrap();
        assert!(said.starts_with("10623 files") && said.contains("LimitNOFILE=10624"), "{said}");
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise(&Limits::default());
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
