//! (to be written)

use std::sync::Arc;

use crate::domain::{Diagnostic, RoleName};

use super::role::Role;

impl Role {
    /// Reads a role.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(
        _name: &RoleName,
        _file: &Arc<str>,
        _text: &Arc<str>,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        todo!()
    }
}
