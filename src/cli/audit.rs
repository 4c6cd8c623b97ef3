//! `doorward audit verify`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CliError, Screen, hooks};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Prove that nothing in the log was changed, dropped or reordered; needs the files and the public key alone
    Verify(Verify),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// A bastion's DIR, its audit directory, or a copy of the log's files
    #[arg(value_name = "DIR|FILE", required = true)]
    files: Vec<PathBuf>,
    /// The log's public key: the file certs/log_key.pub or its text. Take it from where the bastion cannot change it
    #[arg(long, value_name = "FILE|KEY")]
    key: Option<String>,
}

impl Audit {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let Self::Verify(verify) = self;
        hooks::audit_verify(&verify.files, verify.key.as_deref(), screen)
    }
}
