//! `doorward audit …`: needs the log's files and its public key, and nothing else of a bastion; to check a proof, not even the
//! files.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::audit::note::VerifierKey;
use crate::audit::verify::{Problem, Report, verify as verify_log};
use crate::config::Paths;
use crate::domain::text::escape;

use super::input::is_there;
use super::{CliError, Screen};

mod check_proof;
mod prove;
mod rebuild_tiles;
mod verify;

/// Longest file that is taken for a public key, in bytes.
const LONGEST_KEY: u64 = 4096;
/// Longest file that is taken for a checkpoint, in bytes.
const LONGEST_CHECKPOINT: usize = 128 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Prove that nothing in the log was changed, dropped or reordered; needs the files and the public key alone
    Verify(verify::Verify),
    /// Print the proof that one entry is in the log, for somebody who has only the public key
    Prove(prove::Prove),
    /// Print the proof that the log still begins with all that a checkpoint kept earlier covers
    Consistency(prove::Consistency),
    /// Check a proof that `prove` or `consistency` printed; needs the public key alone, no log and no bastion
    CheckProof(check_proof::CheckProof),
    /// Make the tiles anew, which are derived from the log; needed only where `verify` says so
    RebuildTiles(rebuild_tiles::RebuildTiles),
}

impl Audit {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        match self {
            Self::Verify(asked) => asked.run(screen),
            Self::Prove(asked) => asked.run(screen),
            Self::Consistency(asked) => asked.run(screen),
            Self::CheckProof(asked) => asked.run(screen),
            Self::RebuildTiles(asked) => asked.run(screen),
        }
    }
}

/// A log on the disk, and the key it must be signed by.
#[derive(Debug, Args)]
pub(super) struct LogFiles {
    /// A bastion's DIR, or a copy of its folder state/audit
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    #[command(flatten)]
    key: LogKey,
}

/// The key that a log must be signed by.
#[derive(Debug, Args)]
pub(super) struct LogKey {
    /// The log's public key: the file certs/log_key.pub or its text. Take it from where the bastion cannot change it
    #[arg(long, value_name = "FILE|KEY")]
    key: Option<String>,
}

impl LogFiles {
    /// The folder with the segments, and the key.
    fn open(&self, screen: &mut Screen) -> Result<(PathBuf, VerifierKey), CliError> {
        is_there(&self.dir)?;
        self.key.open(&self.dir, screen)
    }

    /// What to type against derived files that are wrong.
    fn remedy(&self) -> String {
        format!("`doorward audit rebuild-tiles {}` makes them anew", escape(&self.dir.to_string_lossy()))
    }
}

impl LogKey {
    /// The folder with the segments of the log of `dir`, and the key.
    pub(super) fn open(&self, dir: &Path, screen: &mut Screen) -> Result<(PathBuf, VerifierKey), CliError> {
        let whole = dir.join("doorward.toml").is_file();
        let paths = Paths::new(dir);
        let key = match &self.key {
            Some(key) => named_key(key)?,
            None if whole => {
                screen.note("doorward: the public key is DIR's own; --key with a copy kept elsewhere proves more");
                key_in(&paths.public_key("log_key"))?
            }
            None => {
                let shown = escape(&dir.to_string_lossy()).into_owned();
                let usage = format!(
                    "{shown} has no doorward.toml, so it is taken for a copy of a log alone: say its public key with \
                     --key, a file or its text"
                );
                return Err(CliError::Usage(usage));
            }
        };
        Ok((if whole { paths.audit() } else { dir.to_owned() }, key))
    }
}

/// What the whole log in `log` is; else what to tell the operator.
///
/// # Errors
/// It does not verify, or nothing was logged yet.
pub(super) fn verified(log: &Path, key: &VerifierKey) -> Result<Report, CliError> {
    verify_log(log, key).map_err(|problem| {
        let shown = escape(&log.to_string_lossy()).into_owned();
        CliError::failed(match problem {
            // A log that somebody took away looks the same, so nobody is told that all is well.
            Problem::NoCheckpoint if fs::read_dir(log).is_ok_and(|mut files| files.next().is_none()) => format!(
                "nothing was logged yet in {shown}: it is empty. The log begins when `doorward serve` first runs; if it \
                 did run here, somebody took the log away"
            ),
            problem => unverified(&problem),
        })
    })
}

/// What is said of a log that does not verify.
pub(super) fn unverified(problem: &dyn std::fmt::Display) -> String {
    format!("the log does not verify: {}", escape(&problem.to_string()))
}

/// A file of at most `longest` bytes; `-` is standard input.
fn read_bounded(path: &Path, longest: usize) -> Result<Vec<u8>, CliError> {
    let shown = escape(&path.to_string_lossy()).into_owned();
    let cannot = |why: String| CliError::failed(format!("{shown}: {why}"));
    let mut bytes = Vec::new();
    let most = longest as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| cannot(error.to_string()))?;
    if bytes.len() > longest {
        return Err(cannot(format!("it is longer than {longest} bytes")));
    }
    Ok(bytes)
}

/// The key of `--key`: a verifier key as text, or a file that holds one.
fn named_key(text: &str) -> Result<VerifierKey, CliError> {
    text.parse().or_else(|_| key_in(Path::new(text)))
}

fn key_in(path: &Path) -> Result<VerifierKey, CliError> {
    let shown = escape(&path.to_string_lossy()).into_owned();
    let cannot = |why: String| CliError::failed(format!("{shown}: {why}"));
    let size = fs::metadata(path).map_err(|error| cannot(error.to_string()))?.len();
    if size > LONGEST_KEY {
        return Err(cannot("too long for a public key".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| cannot(error.to_string()))?;
    text.trim_end().parse().map_err(|error: crate::audit::note::KeyError| cannot(error.to_string()))
}
