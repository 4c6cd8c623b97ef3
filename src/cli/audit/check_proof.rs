//! `doorward audit check-proof`: with the public key alone, away from the log and the bastion.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{LONGEST_CHECKPOINT, named_key, read_bounded};
use crate::audit::entry;
use crate::audit::note::VerifierKey;
use crate::audit::proof::{ConsistencyProof, InclusionProof, LONGEST_PROOF, Proof};
use crate::cli::{CliError, Screen};
use crate::domain::text::escape;

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckProof {
    /// The proof; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The log's public key: the file log_key.pub or its text
    #[arg(long, value_name = "FILE|KEY")]
    key: String,
    /// For a proof of consistency: the checkpoint that was kept
    #[arg(long, value_name = "CHECKPOINT")]
    old: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl CheckProof {
    pub(in crate::cli) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let key = named_key(&self.key)?;
        let proof = Proof::parse(&read_bounded(&self.file, LONGEST_PROOF)?);
        let shown = escape(&self.file.to_string_lossy()).into_owned();
        match (proof.map_err(|error| CliError::failed(format!("{shown}: {error}")))?, &self.old) {
            (Proof::Inclusion(proof), None) => self.inclusion(&proof, &key, screen),
            (Proof::Consistency(proof), Some(old)) => {
                self.consistency(&proof, &read_bounded(old, LONGEST_CHECKPOINT)?, &key, screen)
            }
            (Proof::Inclusion(_), Some(_)) => Err(CliError::Usage(
                "--old belongs to a proof of consistency, and this one is about an entry".to_owned(),
            )),
            (Proof::Consistency(_), None) => Err(CliError::Usage(
                "--old is needed: the checkpoint that was kept, which this proof begins at".to_owned(),
            )),
        }
    }

    fn inclusion(&self, proof: &InclusionProof, key: &VerifierKey, screen: &mut Screen) -> Result<(), CliError> {
        let checkpoint = proof.check(key).map_err(|error| failed(&error))?;
        let line = proof.entry.as_deref().unwrap_or_default();
        // The log signed it; that it is an entry, with this number, is one more thing.
        let stamp = entry::stamp(line).map_err(|error| failed(&error))?;
        if stamp.sequence != proof.index {
            let (index, claimed) = (proof.index, stamp.sequence);
            return Err(CliError::failed(format!(
                "the proof holds, but entry {index} calls itself {claimed}: the log itself is not in order"
            )));
        }
        let (index, size, origin) = (proof.index, checkpoint.size, &checkpoint.origin);
        let line = String::from_utf8_lossy(line);
        if self.json {
            let root = checkpoint.root.to_string();
            screen.say(
                json!({"holds": true, "entry": index, "line": line, "log": origin, "entries": size, "root": root}),
            );
        } else {
            screen.say(escape(&line));
            screen.note(format_args!(
                "doorward: the proof holds: this is entry {index} of {}, under its signed checkpoint of {size} entries",
                escape(origin)
            ));
        }
        Ok(())
    }

    fn consistency(
        &self,
        proof: &ConsistencyProof,
        old: &[u8],
        key: &VerifierKey,
        screen: &mut Screen,
    ) -> Result<(), CliError> {
        let (old, now) = proof.check(old, key).map_err(|error| failed(&error))?;
        if self.json {
            let (root, origin) = (now.root.to_string(), now.origin);
            screen.say(json!({"holds": true, "old": old.size, "log": origin, "entries": now.size, "root": root}));
        } else {
            screen.say(format_args!(
                "the proof holds: {} has {} entries and begins with the {} that were there",
                escape(&now.origin),
                now.size,
                old.size
            ));
        }
        Ok(())
    }
}

fn failed(error: &dyn std::error::Error) -> CliError {
    CliError::failed(escape(&error.to_string()).into_owned())
}
