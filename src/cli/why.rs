//! `doorward why DIR USER TARGET COMMAND…`: what the files say of a command line, without asking the running bastion.

use clap::Args;

use crate::config::load;
use crate::domain::{TargetName, UserName};
use crate::policy::Words;

use super::{CliError, Dir, Screen};

#[derive(Debug, Args)]
pub(super) struct Why {
    #[command(flatten)]
    dir: Dir,
    /// Who
    user: UserName,
    /// Where
    target: TargetName,
    /// The command line, as they would type it after `ssh TARGET@bastion`
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Why {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        let loaded = load(&self.dir.dir).map_err(CliError::Findings)?;
        let snapshot = &loaded.snapshot;
        let Some(person) = snapshot.person(&self.user) else {
            return Err(CliError::failed(format!("there is no user {} in users.toml", self.user)));
        };
        let Some(target) = snapshot.inventory.target(&self.target) else {
            return Err(CliError::failed(format!("there is no target {} in targets.toml", self.target)));
        };
        // ssh joins its words with blanks in the same way.
        let line = self.command.join(" ");
        let words = Words::split(line.as_bytes()).map_err(|error| CliError::failed(error.lines().join("\n  ")))?;
        let mut allowed = false;
        for role in snapshot.roles.values() {
            let (may_ask, account) = (snapshot.may_ask(&person, role), snapshot.account_on(role, target));
            let verdict = match (role.allows_on(&target.name, &words), account, may_ask) {
                (false, ..) => "no: none of its rules allows this line there".to_owned(),
                (true, None, _) => format!("no: it allows the line, but does not reach {}", target.name),
                (true, Some(_), false) => format!("no: it allows the line there, but {} may not ask for it", self.user),
                (true, Some(account), true) => {
                    allowed = true;
                    let alias = &snapshot.settings.alias;
                    format!("yes, as {account}: ssh {alias} request {} --on {}", role.name(), target.name)
                }
            };
            screen.say(format_args!("{:<24} {verdict}", role.name()));
        }
        if allowed { Ok(()) } else { Err(CliError::Reported) }
    }
}
