//! A role that observes: every command line that the account can run, asked for, decided, logged and recorded like any other.
//!
//! It stands in no `[[command]]`; what is here is the little that it refuses. The words after the program are its own
//! business: a shell among the programs, or one under sudo, is what whoever approves gives away. Owns the program alone,
//! because that word stands where `timeout` and `sudo` would read an option or an assignment.

use super::file::command::{DEFAULT_OUTPUT, DEFAULT_TIMEOUT};
use super::pattern::Pattern;
use super::pattern::matching::base_name;
use super::permit::Terms;
use super::rule::{Reading, Rule, Vector, after_sudo};
use super::words::Words;

/// What stands in a description of such a role where another has its commands.
pub const IN_WORDS: &str = "observe: every command line that the account can run, logged as `observed` and recorded";

/// The number that a rule of such a role has in the log.
pub const NO_RULE: usize = 0;

/// The terms of a role that observes, as rules: one for the account itself and one for root through sudo.
#[derive(Clone, Debug)]
pub(super) struct Observe {
    plain: Rule,
    sudo: Rule,
}

impl Observe {
    /// The usual terms: no standard input, no environment, the default time and output. `None` never happens.
    pub(super) fn new() -> Option<Self> {
        let run = Pattern::parse("/").ok()?;
        let plain = Rule {
            run,
            parameters: Vec::new(),
            alias: None,
            sudo: false,
            stdin: false,
            timeout: DEFAULT_TIMEOUT,
            max_output: DEFAULT_OUTPUT,
            max_stdin: 0,
            targets: None,
            env: Vec::new(),
            help: String::new(),
            usage: String::new(),
            accept_escape: None,
        };
        Some(Self { sudo: Rule { sudo: true, ..plain.clone() }, plain })
    }

    /// The terms of every line of it.
    pub(super) fn terms(&self) -> Terms {
        self.plain.terms()
    }

    /// What `words` stand for: themselves, under `sudo -n` if they begin with `sudo`.
    ///
    /// # Errors
    /// Why they cannot be run so, and what to type instead.
    pub(super) fn read<'a>(&'a self, words: &'a Words) -> Result<Reading<'a>, String> {
        let (sudo, rest) = after_sudo(words.as_slice());
        let Some((program, arguments)) = rest.split_first() else {
            return Err("a program stands after `sudo`".to_owned());
        };
        fault_of(program.text())?;
        let vector = Vector::Typed { program: program.text(), arguments };
        Ok(Reading { number: NO_RULE, rule: if sudo { &self.sudo } else { &self.plain }, vector })
    }
}

/// Why `program` cannot be the program of an observed line.
fn fault_of(program: &str) -> Result<(), String> {
    let name = program.strip_prefix('/').map_or(program, |_| base_name(program));
    if program.is_empty() {
        Err("the program is an empty word".to_owned())
    } else if program.starts_with('-') || name.starts_with('-') {
        Err("a program's name does not begin with `-`; of sudo's options only `-n` can be typed".to_owned())
    } else if program.contains('=') {
        Err("a program's name holds no `=`, and the environment of a command is fixed".to_owned())
    } else if name == "sudo" {
        Err("type `sudo` and the program, without a path and without options".to_owned())
    } else if (program.contains('/') && !is_plain_path(program)) || !program.chars().all(is_plain) {
        Err("type the program by its name, or by its absolute path without `//`, `.`, `..` and blanks".to_owned())
    } else {
        Ok(())
    }
}

/// Whether `program` is an absolute path that needs no quoting and names one file in one way.
pub(super) fn is_plain_path(program: &str) -> bool {
    program.starts_with('/')
        && !program.split('/').skip(1).any(|part| matches!(part, "" | "." | ".."))
        && program.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_./+@:".contains(c)
}

#[cfg(test)]
mod tests;
