//! Verbs whose work is done by rooms that are wired together elsewhere.

use std::path::Path;

use super::{CliError, Screen};
use crate::config::Loaded;
use crate::domain::TargetName;

fn not_wired(verb: &str) -> CliError {
    CliError::failed(format!("`{verb}` is not wired yet"))
}

/// Proves that a target holds what enrolment promised.
pub(super) fn target_test(
    _dir: &Path,
    _loaded: &Loaded,
    _target: &TargetName,
    _screen: &mut Screen,
) -> Result<(), CliError> {
    Err(not_wired("target test"))
}
