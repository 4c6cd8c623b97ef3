//! `doorward to-sign DIR`: the exact text that the policy's signers sign.

use clap::Args;

use crate::config::signing::{NAMESPACE, listed};
use crate::config::{load, load_policy};

use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct ToSign {
    #[command(flatten)]
    dir: Dir,
}

impl ToSign {
    /// The text is on standard output, byte for byte; everything else on standard error.
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load_policy(&self.dir.dir).map_err(CliError::Findings)?;
        let Some(signers) = &loaded.signers else {
            let why = "doorward.toml has no [policy] with signers, so nobody has to sign; see docs/changing-policy.md";
            return Err(CliError::failed(why));
        };
        screen.out().write_all(loaded.to_sign.as_bytes()).map_err(|error| CliError::failed(error.to_string()))?;
        let dir = crate::domain::text::shell_word(&self.dir.dir.to_string_lossy());
        screen.note(format_args!("needed: {} of {}", signers.needed, listed(&signers.keys)));
        screen.note("read what it is (doorward diff OLD NEW), then each of them:");
        screen.note(format_args!("  doorward to-sign {dir} > policy.txt"));
        screen.note(format_args!("  ssh-keygen -Y sign -n {NAMESPACE} -f ~/.ssh/id_ed25519 policy.txt"));
        screen.note(format_args!("  mv policy.txt.sig {dir}/signatures/YOU.sig"));
        match load(&self.dir.dir) {
            Ok(_) => screen.note("it is signed as it has to be"),
            Err(_) => screen.note(format_args!("`doorward check {dir}` says who has signed")),
        }
        Ok(())
    }
}
