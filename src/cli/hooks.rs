//! Verbs whose work is done by rooms that are wired together elsewhere.

use std::path::{Path, PathBuf};

use super::{CliError, Screen};
use crate::config::Loaded;
use crate::domain::TargetName;

fn not_wired(verb: &str) -> CliError {
    CliError::failed(format!("`{verb}` is not wired yet"))
}

/// Be the bastion of `dir` until a signal says otherwise.
pub(super) fn serve(_dir: &Path, _screen: &mut Screen) -> Result<(), CliError> {
    Err(not_wired("serve"))
}

/// The demo; `tour` walks through it and leaves.
pub(super) fn demo(_tour: bool, _screen: &mut Screen) -> Result<(), CliError> {
    Err(not_wired("demo"))
}

/// Verifies the log in `files` (or of the DIR that is the only one of them) against `key`.
pub(super) fn audit_verify(_files: &[PathBuf], _key: Option<&str>, _screen: &mut Screen) -> Result<(), CliError> {
    Err(not_wired("audit verify"))
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
