//! What the operator points at on the command line: keys in files, on standard input or in the words themselves.

use std::fs::File;
use std::io::Read;

use russh::keys::PublicKey;

use crate::config::keys::public_key;
use crate::domain::text::excerpt;

use super::CliError;

/// No list of keys that somebody means to enrol is longer.
const LONGEST: u64 = 64 * 1024;

/// Reads one public key from `what`: `-` for standard input, a file, or the line itself.
pub(super) fn read_key(what: &str) -> Result<PublicKey, CliError> {
    let shown = excerpt(what, 80);
    let is_line = what.split_once(' ').is_some_and(|(kind, _)| kind.contains('-') && !kind.contains('/'));
    let (text, from) = if is_line {
        (what.to_owned(), "the key".to_owned())
    } else if what == "-" {
        (read_text(&mut std::io::stdin().lock(), "standard input")?, "standard input".to_owned())
    } else {
        let mut file = File::open(what).map_err(|error| CliError::failed(format!("{shown}: {error}")))?;
        (read_text(&mut file, &shown)?, shown)
    };
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let line = match lines.as_slice() {
        [] => return Err(CliError::failed(format!("{from} holds no key"))),
        [one] => one,
        _ => text.trim(),
    };
    public_key(line).map_err(|problem| CliError::failed(format!("{from}: {}; {}", problem.message, problem.help)))
}

/// Says which of several paths is not there, before the findings about what it should hold.
pub(super) fn is_there(path: &std::path::Path) -> Result<(), CliError> {
    let shown = || excerpt(&path.to_string_lossy(), 200);
    let there = path.metadata().map(|_| ());
    there.map_err(|error| CliError::failed(format!("{} cannot be read: {error}", shown())))
}

fn read_text(from: &mut dyn Read, shown: &str) -> Result<String, CliError> {
    let mut text = String::new();
    let read = from.take(LONGEST).read_to_string(&mut text);
    read.map_err(|error| CliError::failed(format!("{shown} cannot be read: {error}")))?;
    Ok(text)
}

/// The line of a key as our files hold it. A comment comes from outside, so only its printable part is kept.
pub(super) fn key_line(key: &PublicKey) -> Result<String, CliError> {
    let comment: String = key.comment().to_string().chars().filter(|&c| crate::domain::text::is_printable(c)).collect();
    let line = PublicKey::new(key.key_data().clone(), comment.trim()).to_openssh();
    line.map_err(|error| CliError::failed(format!("the key cannot be written: {error}")))
}

/// `KEY=VALUE`, each side a name of its own.
pub(super) fn pair<K, V>(text: &str) -> Result<(K, V), String>
where
    K: std::str::FromStr<Err: std::fmt::Display>,
    V: std::str::FromStr<Err: std::fmt::Display>,
{
    let (key, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((key.parse().map_err(|error| format!("{error}"))?, value.parse().map_err(|error| format!("{error}"))?))
}
