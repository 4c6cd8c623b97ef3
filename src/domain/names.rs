//! Names of people, groups, roles, targets and accounts, each its own type.
//!
//! One narrow alphabet for all of them, because a name is written into certificates, log lines, `sshd` configuration, file
//! names and prompts, and none of those may need to quote it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("a {kind} cannot be empty")]
    Empty {
        /// What kind of name was wanted.
        kind: &'static str,
    },
    /// The text is longer than `longest` bytes.
    #[error("a {kind} has at most {longest} characters, and this one has {length}")]
    TooLong {
        /// What kind of name was wanted.
        kind: &'static str,
        /// Length of the text in bytes.
        length: usize,
        /// The most that is allowed, in bytes.
        longest: usize,
    },
    /// A character outside the alphabet.
    #[error("a {kind} has {alphabet}; {found:?} at position {column} is none of these", column = at + 1)]
    BadCharacter {
        /// What kind of name was wanted.
        kind: &'static str,
        /// The alphabet in words.
        alphabet: &'static str,
        /// Byte offset of the character.
        at: usize,
        /// The character.
        found: char,
    },
    /// A text without a lower-case letter, where one must be.
    #[error(
        "a {kind} has at least one lower-case letter: sudoers reads `ALL`, `ADMINS` or `0` as something else than a name"
    )]
    NoLowerCase {
        /// What kind of name was wanted.
        kind: &'static str,
    },
}

/// Which texts are names of a kind.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Shape {
    /// No capitals.
    Lower,
    /// Capitals too.
    Mixed,
    /// Capitals too, with one lower-case letter at least: `ALL` is everybody in sudoers(5), other words of capitals and digits
    /// are aliases there, and numbers are taken for user IDs by some programs.
    Account,
}

const MIXED: &str = "letters, digits, `_`, and after the first character `.` and `-`";
const LOWER: &str = "lower-case letters, digits, `_`, and after the first character `.` and `-`";

fn check(text: &str, kind: &'static str, longest: usize, shape: Shape) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text.len() > longest {
        return Err(NameError::TooLong { kind, length: text.len(), longest });
    }
    let upper = shape != Shape::Lower;
    let allowed = |(at, c): (usize, char)| {
        c.is_ascii_lowercase()
            || c.is_ascii_digit()
            || (upper && c.is_ascii_uppercase())
            || c == '_'
            || (at > 0 && (c == '.' || c == '-'))
    };
    match text.char_indices().find(|&found| !allowed(found)) {
        Some((at, found)) => {
            let alphabet = if upper { MIXED } else { LOWER };
            Err(NameError::BadCharacter { kind, alphabet, at, found })
        }
        None if shape == Shape::Account && !text.contains(|c: char| c.is_ascii_lowercase()) => {
            Err(NameError::NoLowerCase { kind })
        }
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $longest:literal, $shape:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The longest name of this kind, in bytes.
            pub const MAX_LEN: usize = $longest;

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text, $kind, Self::MAX_LEN, Shape::$shape)?;
                Ok(Self(text.into()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0.as_ref().into()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name!(
    /// A person (or robot) that users.toml knows.
    UserName, "user name", 32, Mixed
);
name!(
    /// A group of users.
    GroupName, "group name", 64, Mixed
);
name!(
    /// A role; the base name of its file in `roles/`.
    RoleName, "role name", 64, Mixed
);
name!(
    /// A machine we reach for the user. Lower case only, because `ssh` folds the host names people type.
    TargetName, "target name", 63, Lower
);
name!(
    /// A Unix account: on a target, or the role's own word for one (`run_as`).
    AccountName, "account name", 32, Account
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_options_hidden_files_or_quoting_are_refused() {
        for text in ["", "-rf", ".ssh", "a b", "a\nb", "a'b", "a+b", "a/b", "ä", "a@b", "a,b", "*"] {
            assert!(text.parse::<UserName>().is_err(), "{text:?}");
            assert!(text.parse::<TargetName>().is_err(), "{text:?}");
        }
        assert!("a".repeat(33).parse::<UserName>().is_err());
        assert!("Web-1".parse::<TargetName>().is_err());
        for text in ["ALL", "ADMINS", "WEB_OPS1", "0", "4294967295", "_", "1-2"] {
            assert!(text.parse::<AccountName>().is_err(), "{text:?}");
        }
        for text in ["ops", "Ops", "web_ops-1", "_apt", "1a"] {
            assert!(text.parse::<AccountName>().is_ok(), "{text:?}");
        }
        for text in ["alice", "Erin.B", "svc_backup-2", "_x"] {
            assert_eq!(text.parse::<UserName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
    }
}
