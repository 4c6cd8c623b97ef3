//! `doorward audit prove` and `doorward audit consistency`: proofs for people who have neither the log nor the bastion.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{LONGEST_CHECKPOINT, LogFiles, read_bounded};
use crate::audit::note;
use crate::audit::prove::{self, ProveError, Proved};
use crate::cli::{CliError, Screen};
use crate::domain::text::escape;

#[derive(Debug, Args)]
pub(in crate::cli) struct Prove {
    #[command(flatten)]
    log: LogFiles,
    /// The entry's number, as in its `seq`
    #[arg(value_name = "ENTRY")]
    entry: u64,
    /// Print one JSON document with the proof in it
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Consistency {
    #[command(flatten)]
    log: LogFiles,
    /// A checkpoint of this log that was kept earlier: a copy of its file `checkpoint`
    #[arg(value_name = "CHECKPOINT")]
    kept: PathBuf,
    /// Print one JSON document with the proof in it
    #[arg(long)]
    json: bool,
}

impl Prove {
    pub(in crate::cli) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let (dir, key) = self.log.open(screen)?;
        let proof = hand_out(prove::prove_entry(&dir, &key, self.entry), &self.log, screen)?;
        let text = proof.to_string();
        if self.json {
            let entry = proof.entry.as_deref().map(String::from_utf8_lossy);
            screen.say(json!({"entry": proof.index, "line": entry, "hashes": proof.hashes.len(), "proof": text}));
        } else {
            screen.say(text.trim_end_matches('\n'));
        }
        Ok(())
    }
}

impl Consistency {
    pub(in crate::cli) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let (dir, key) = self.log.open(screen)?;
        let shown = escape(&self.kept.to_string_lossy()).into_owned();
        let kept = note::open(&read_bounded(&self.kept, LONGEST_CHECKPOINT)?, &key)
            .map_err(|why| CliError::failed(format!("{shown} cannot be believed: {}", escape(&why.to_string()))))?;
        let proof = hand_out(prove::prove_growth(&dir, &key, kept.size, Some(&kept.root)), &self.log, screen)?;
        let text = proof.to_string();
        if self.json {
            screen.say(json!({"old": proof.old, "hashes": proof.hashes.len(), "proof": text}));
        } else {
            screen.say(text.trim_end_matches('\n'));
            screen.note(format_args!("doorward: the log begins with all {} entries of {shown}", kept.size));
        }
        Ok(())
    }
}

/// The proof, with a word about tiles that did not help.
fn hand_out<P>(proved: Result<Proved<P>, ProveError>, log: &LogFiles, screen: &mut Screen) -> Result<P, CliError> {
    let proved = proved.map_err(|error| CliError::failed(escape(&error.to_string()).into_owned()))?;
    if proved.derived_is_wrong {
        screen.note(format_args!(
            "doorward: all of the log was read for this, because its tiles are missing or do not fit it; {}",
            log.remedy()
        ));
    }
    Ok(proved.proof)
}
