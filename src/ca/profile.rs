//! (to be written)

use std::sync::Arc;

use crate::domain::Diagnostic;

/// Which of our three authorities signs, for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Opens the bastion for a user's key.
    Session,
    /// Runs one command on one target.
    Target,
    /// Shows who the bastion is.
    Host,
}

/// What a kind of certificate carries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Profile {}

impl Profile {
    /// Reads the profile of `kind` from `source`, the text of `file`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(_kind: Kind, _file: &Arc<str>, _source: &Arc<str>) -> Result<Self, Vec<Diagnostic>> {
        Ok(Self {})
    }
}
