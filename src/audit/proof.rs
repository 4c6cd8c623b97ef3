//! Proofs as files that travel: that an entry is in the log, and that the log only grew.
//!
//! Owns their text and their judgement: with the log's public key alone, away from the bastion and from the log. Everything
//! in such a file may be forged; nothing of it is believed before it leads to a signed root. Refuses to know files, and what
//! an entry says. The formats are C2SP's, so that tools we did not write take them: an inclusion proof is a
//! [tlog-proof](https://c2sp.org/tlog-proof) with the entry in its `extra` line, a consistency proof is the body that a
//! [witness](https://c2sp.org/tlog-witness) takes as `add-checkpoint`.

use std::fmt;
use std::str::{FromStr, Split};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::hash_leaf;
use super::merkle::path::{self, LONGEST, PathError};
use super::note::{self, Checkpoint, NoteError, VerifierKey};
use crate::domain::Digest;

/// The first line of an inclusion proof.
const INCLUSION: &str = "c2sp.org/tlog-proof@v1";
/// Longest file that is read as a proof, in bytes: the longest entry in base64, and room for the rest.
pub const LONGEST_PROOF: usize = 2 * 1024 * 1024;

/// Why a text is no proof.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct FormatError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// The checkpoint inside it is not one of the log by its key.
    #[error("the checkpoint in the proof cannot be believed: {0}")]
    Checkpoint(#[source] NoteError),
    /// The checkpoint that was kept is not one of the log by its key.
    #[error("the checkpoint that was kept cannot be believed: {0}")]
    Kept(#[source] NoteError),
    /// There is no entry in it.
    #[error("the proof holds no entry: its `extra` line is missing")]
    NoEntry,
    /// Entry, number and hashes do not lead to the signed root.
    #[error("entry {index} is not shown to be in the log: {why}")]
    Inclusion {
        /// The number it claims.
        index: u64,
        /// What does not fit.
        #[source]
        why: PathError,
    },
    /// It starts at another size than the checkpoint that was kept.
    #[error("the proof is about a checkpoint of {found} entries, and the one that was kept covers {kept}")]
    OtherStart {
        /// What the proof speaks of.
        found: u64,
        /// What was kept.
        kept: u64,
    },
    /// The later log does not begin with the earlier one.
    #[error("the log is not shown to begin with the {old} entries of the checkpoint that was kept: {why}")]
    Consistency {
        /// Entries that were covered.
        old: u64,
        /// What does not fit.
        #[source]
        why: PathError,
    },
}

/// That one entry is in the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InclusionProof {
    /// The entry's number, from 0.
    pub index: u64,
    /// Its line, without the newline; not authenticated before [`check`](Self::check). `None` if others made the proof and
    /// hand over the entry in another way.
    pub entry: Option<Vec<u8>>,
    /// From the leaf's neighbour upwards.
    pub hashes: Vec<Digest>,
    /// The signed checkpoint, as the log wrote it.
    pub checkpoint: String,
}

impl InclusionProof {
    /// Checks it with the log's public key, and gives the checkpoint that it leads to.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, key: &VerifierKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = note::open(self.checkpoint.as_bytes(), key).map_err(ProofError::Checkpoint)?;
        let leaf = hash_leaf(self.entry.as_ref().ok_or(ProofError::NoEntry)?);
        path::check_inclusion(&leaf, self.index, checkpoint.size, &self.hashes, &checkpoint.root)
            .map_err(|why| ProofError::Inclusion { index: self.index, why })?;
        Ok(checkpoint)
    }
}

impl fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{INCLUSION}")?;
        if let Some(entry) = &self.entry {
            writeln!(f, "extra {}", STANDARD.encode(entry))?;
        }
        writeln!(f, "index {}", self.index)?;
        write_end(f, &self.hashes, &self.checkpoint)
    }
}

/// That the log with this checkpoint begins with all that an earlier one covered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsistencyProof {
    /// How many entries the earlier checkpoint covers.
    pub old: u64,
    /// As RFC 6962 orders them.
    pub hashes: Vec<Digest>,
    /// The later signed checkpoint, as the log wrote it.
    pub checkpoint: String,
}

impl ConsistencyProof {
    /// Checks it against `kept`, the earlier signed checkpoint as somebody kept it, and gives both: earlier, later.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, kept: &[u8], key: &VerifierKey) -> Result<(Checkpoint, Checkpoint), ProofError> {
        let kept = note::open(kept, key).map_err(ProofError::Kept)?;
        let now = note::open(self.checkpoint.as_bytes(), key).map_err(ProofError::Checkpoint)?;
        if self.old != kept.size {
            return Err(ProofError::OtherStart { found: self.old, kept: kept.size });
        }
        path::check_consistency(kept.size, &kept.root, now.size, &now.root, &self.hashes)
            .map_err(|why| ProofError::Consistency { old: kept.size, why })?;
        Ok((kept, now))
    }
}

impl fmt::Display for ConsistencyProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        write_end(f, &self.hashes, &self.checkpoint)
    }
}

fn write_end(f: &mut fmt::Formatter<'_>, hashes: &[Digest], checkpoint: &str) -> fmt::Result {
    hashes.iter().try_for_each(|hash| writeln!(f, "{}", STANDARD.encode(hash.as_bytes())))?;
    write!(f, "\n{checkpoint}")
}

/// Either kind, as its first line says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proof {
    /// An entry is in the log.
    Inclusion(InclusionProof),
    /// The log only grew.
    Consistency(ConsistencyProof),
}

impl Proof {
    /// Reads bytes from anywhere.
    ///
    /// # Errors
    /// [`FormatError`] with the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormatError> {
        if bytes.len() > LONGEST_PROOF {
            return Err(FormatError { line: 1, what: "it is too long for a proof" });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| FormatError { line: 1, what: "it is not UTF-8 text" })?;
        text.parse()
    }
}

impl FromStr for Proof {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let mut lines = Reader { lines: text.split('\n'), number: 0 };
        let first = lines.next()?;
        if let Some(old) = first.strip_prefix("old ") {
            let old = number(old).ok_or_else(|| lines.wrong("the number after `old` is not written plainly"))?;
            let hashes = lines.hashes()?;
            return Ok(Self::Consistency(ConsistencyProof { old, hashes, checkpoint: lines.rest() }));
        }
        if first != INCLUSION {
            return Err(lines.wrong("a proof begins with `c2sp.org/tlog-proof@v1` or with `old` and a number"));
        }
        let (mut line, mut entry) = (lines.next()?, None);
        if let Some(extra) = line.strip_prefix("extra ") {
            entry = Some(STANDARD.decode(extra).map_err(|_| lines.wrong("what follows `extra` is not base64"))?);
            line = lines.next()?;
        }
        let index = line.strip_prefix("index ").and_then(number);
        let index = index.ok_or_else(|| lines.wrong("here belongs `index` and the number of the entry"))?;
        let hashes = lines.hashes()?;
        Ok(Self::Inclusion(InclusionProof { index, entry, hashes, checkpoint: lines.rest() }))
    }
}

/// A decimal number in its only spelling.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

struct Reader<'a> {
    lines: Split<'a, char>,
    number: usize,
}

impl<'a> Reader<'a> {
    fn wrong(&self, what: &'static str) -> FormatError {
        FormatError { line: self.number, what }
    }

    fn next(&mut self) -> Result<&'a str, FormatError> {
        self.number += 1;
        self.lines.next().ok_or_else(|| self.wrong("it ends too early"))
    }

    /// One a line, to the empty line.
    fn hashes(&mut self) -> Result<Vec<Digest>, FormatError> {
        let mut hashes = Vec::new();
        loop {
            let line = self.next()?;
            if line.is_empty() {
                return Ok(hashes);
            }
            if hashes.len() == LONGEST {
                return Err(self.wrong("no proof has so many hashes"));
            }
            let hash = STANDARD.decode(line).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            hashes.push(Digest::from_bytes(hash.ok_or_else(|| self.wrong("this is not a SHA-256 in base64"))?));
        }
    }

    /// Whatever follows: the checkpoint is judged with its signature.
    fn rest(self) -> String {
        self.lines.collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests;
