//! `doorward user add|key add|list`.

use clap::{Args, Subcommand};
use russh::keys::HashAlg;

use crate::config::{Paths, edit, load};
use crate::domain::{GroupName, UserName};

use super::input::{key_line, read_key};
use super::{CliError, Dir, Screen};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user to users.toml
    Add(Add),
    /// Work with the keys of a user
    #[command(subcommand)]
    Key(Key),
    /// List the users with their groups and fingerprints
    List(Dir),
}

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Add a key to a user
    Add(AddKey),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    dir: Dir,
    /// The user's name
    name: UserName,
    /// Public key: a file, `-` for standard input, or the line itself
    #[arg(long, value_name = "FILE|-|LINE", required = true)]
    key: Vec<String>,
    /// A group to be in
    #[arg(long, value_name = "GROUP")]
    group: Vec<GroupName>,
}

#[derive(Debug, Args)]
pub(super) struct AddKey {
    #[command(flatten)]
    dir: Dir,
    /// The user's name
    name: UserName,
    /// Public key: a file, `-` for standard input, or the line itself
    #[arg(value_name = "FILE|-|LINE")]
    key: String,
}

const TAKES_EFFECT: &str = "it takes effect with `doorward reload DIR`";

impl User {
    pub(super) fn run(&self, screen: &mut Screen) -> Result<(), CliError> {
        match self {
            Self::Add(add) => {
                let keys = add.key.iter().map(|key| read_key(key)).collect::<Result<Vec<_>, _>>()?;
                let lines = keys.iter().map(key_line).collect::<Result<Vec<_>, _>>()?;
                edit::add_user(&Paths::new(&add.dir.dir), &add.name, &lines, &add.group)?;
                for key in &keys {
                    screen.say(format_args!("{}: {}", add.name, key.fingerprint(HashAlg::Sha256)));
                }
                screen.say(format_args!("added {} to users.toml; {TAKES_EFFECT}", add.name));
                Ok(())
            }
            Self::Key(Key::Add(add)) => {
                let key = read_key(&add.key)?;
                edit::add_key(&Paths::new(&add.dir.dir), &add.name, &key_line(&key)?)?;
                screen.say(format_args!("{}: {}", add.name, key.fingerprint(HashAlg::Sha256)));
                screen.say(format_args!("added a key of {} to users.toml; {TAKES_EFFECT}", add.name));
                Ok(())
            }
            Self::List(dir) => {
                let loaded = load(&dir.dir).map_err(CliError::Findings)?;
                for user in loaded.snapshot.directory.iter() {
                    let groups = user.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().join(",");
                    screen.say(format_args!("{:<16} {groups}", user.name));
                    for key in &user.keys {
                        let fingerprint = key.fingerprint(HashAlg::Sha256);
                        screen.say(format_args!("                 {fingerprint} {}", key.algorithm()));
                    }
                }
                Ok(())
            }
        }
    }
}
