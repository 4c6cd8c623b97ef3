//! People as rules see them: a person with groups, and the `user:NAME` / `group:NAME` that rules write.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{GroupName, NameError, UserName};

/// What a rule needs to know of a user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// Their name.
    pub name: UserName,
    /// Every group they are in.
    pub groups: BTreeSet<GroupName>,
}

/// One user or one group, as `eligible`, `approvers` and `reviewers` list them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Subject {
    /// `user:NAME`
    User(UserName),
    /// `group:NAME`
    Group(GroupName),
}

impl Subject {
    /// Whether `person` is this user or in this group.
    #[must_use]
    pub fn covers(&self, person: &Person) -> bool {
        match self {
            Self::User(name) => *name == person.name,
            Self::Group(name) => person.groups.contains(name),
        }
    }
}

/// Why a text is not a subject.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SubjectError {
    /// Neither `user:` nor `group:`.
    #[error("write `user:NAME` or `group:NAME`")]
    NoKind,
    /// The part after the colon is no name.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        match text.split_once(':') {
            Some(("user", name)) => Ok(Self::User(name.parse()?)),
            Some(("group", name)) => Ok(Self::Group(name.parse()?)),
            _ => Err(SubjectError::NoKind),
        }
    }
}

impl TryFrom<String> for Subject {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        text.parse()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.to_string()
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}
