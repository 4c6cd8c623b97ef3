//! Names of people, groups, roles, targets and accounts, each its own type.
//!
//! One narrow alphabet for all of them, because a name is written into certificates, log lines, `sshd` configuration, file
//! names and prompts, and none of those may need to quote it.

use std::fmt;
use std::str::FromStr;

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
}

const MIXED: &str = "letters, digits, `_`, and after the first character `.` and `-`";
const LOWER: &str = "lower-case letters, digits, `_`, and after the first character `.` and `-`";

fn check(text: &str, kind: &'static str, longest: usize, upper: bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    if text.len() > longest {
        return Err(NameError::TooLong { kind, length: text.len(), longest });
    }
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
        None => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $longest:literal, $upper:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Box<str>);

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
                check(text, $kind, Self::MAX_LEN, $upper)?;
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
                name.0.into()
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
    UserName, "user name", 32, true
);
name!(
    /// A group of users.
    GroupName, "group name", 64, true
);
name!(
    /// A role; the base name of its file in `roles/`.
    RoleName, "role name", 64, true
);
name!(
    /// A machine we reach for the user. Lower case only, because `ssh` folds the host names people type.
    TargetName, "target name", 63, false
);
name!(
    /// A Unix account: on a target, or the role's own word for one (`run_as`).
    AccountName, "account name", 32, true
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
        for text in ["alice", "Erin.B", "svc_backup-2", "_x"] {
            assert_eq!(text.parse::<UserName>().map(|name| name.to_string()), Ok(text.to_owned()));
        }
    }
}
