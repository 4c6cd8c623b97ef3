//! `doorward audit verify`: needs the log's files and its public key, and nothing else of a bastion.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::audit::note::VerifierKey;
use crate::audit::verify;
use crate::config::Paths;
use crate::domain::text::escape;

use super::{CliError, Screen};

/// Longest file that is taken for a public key, in bytes.
const LONGEST_KEY: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Prove that nothing in the log was changed, dropped or reordered; needs the files and the public key alone
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A bastion's DIR, or a copy of its folder state/audit
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The log's public key: the file certs/log_key.pub or its text. Take it from where the bastion cannot change it
    #[arg(long, value_name = "FILE|KEY")]
    key: Option<String>,
}

impl Audit {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let Self::Verify(asked) = self;
        let whole = asked.dir.join("doorward.toml").is_file();
        let paths = Paths::new(&asked.dir);
        let log = if whole { paths.audit() } else { asked.dir.clone() };
        let key = match &asked.key {
            Some(key) => named_key(key)?,
            None if whole => {
                screen.note("doorward: the public key is DIR's own; --key with a copy kept elsewhere proves more");
                key_in(&paths.public_key("log_key"))?
            }
            None => {
                return Err(CliError::Usage("--key is needed: the log's public key, a file or its text".to_owned()));
            }
        };
        match verify::verify(&log, &key) {
            Ok(report) => {
                screen.say(format_args!("{} entries of {} verify", report.entries, escape(&report.origin)));
                if let (Some(first), Some(last)) = (report.first, report.last) {
                    screen.say(format_args!("from {first} to {last}"));
                }
                screen.say(format_args!("root {}", report.root));
                if report.uncovered > 0 {
                    screen.note(format_args!(
                        "doorward: {} bytes after them are under no checkpoint: a running bastion is about to sign them, or \
                         they are the remains of a crash",
                        report.uncovered
                    ));
                }
                Ok(())
            }
            Err(problem) => Err(CliError::failed(format!("the log does not verify: {}", escape(&problem.to_string())))),
        }
    }
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
