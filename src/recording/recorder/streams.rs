//! What passed on each stream of a command: how much of it is recorded, and the digest of all of it.
//!
//! A gigabyte of somebody's backup is nothing to look at, and recorded whole it would cost more than its transfer. Its
//! beginning, length and SHA-256 show what it was to whoever has it.

use sha2::{Digest as _, Sha256};

use super::Track;
use crate::domain::Digest;

/// The streams of one command.
pub(super) struct Streams {
    kept: u64,
    each: [Passed; 3],
}

#[derive(Default)]
struct Passed {
    bytes: u64,
    hash: Sha256,
}

impl Streams {
    /// Streams of which the first `kept` bytes each are recorded.
    pub(super) fn new(kept: u64) -> Self {
        Self { kept, each: Default::default() }
    }

    /// Counts `bytes`; gives those of them that are to be recorded.
    pub(super) fn passed<'a>(&mut self, track: Track, bytes: &'a [u8]) -> &'a [u8] {
        let kept = self.kept;
        let passed = self.of(track);
        let room = usize::try_from(kept.saturating_sub(passed.bytes)).unwrap_or(usize::MAX);
        passed.bytes = passed.bytes.saturating_add(bytes.len() as u64);
        passed.hash.update(bytes);
        bytes.get(..room).unwrap_or(bytes)
    }

    /// The length and digest of a stream that was recorded in part.
    pub(super) fn cut(&mut self, track: Track) -> Option<(u64, Digest)> {
        let kept = self.kept;
        let passed = self.of(track);
        (passed.bytes > kept).then(|| {
            let digest: [u8; 32] = passed.hash.clone().finalize().into();
            (passed.bytes, Digest::from_bytes(digest))
        })
    }

    fn of(&mut self, track: Track) -> &mut Passed {
        let [input, output, error] = &mut self.each;
        match track {
            Track::Input => input,
            Track::Output => output,
            Track::Error => error,
        }
    }
}
