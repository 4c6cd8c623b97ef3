//! One line: whether a rule can say it at all, and which words of it are fixed.

use std::collections::BTreeMap;
use std::fmt;

use crate::policy::observe::is_plain_path;
use crate::policy::parameter::LONGEST_VALUE;
use crate::policy::pattern::matching::base_name;
use crate::policy::pattern::{LONGEST, MOST_STEPS};
use crate::policy::role::Role;
use crate::policy::words::Words;

use super::{Sample, words_of};

/// Where programs usually are; somebody has to check it.
const USUAL: &str = "/usr/bin";
/// Parts of names whose values are secrets.
const SECRETS: [&str; 8] = ["pass", "secret", "token", "apikey", "api-key", "api_key", "credential", "auth"];

/// Why a line is in no rule.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Left {
    /// It seems to hold a secret, which no role file should.
    Secret,
    /// It holds free text or a script.
    Text,
    /// It cannot be said by a rule of listed words.
    Unsayable,
    /// The program is no plain path or name.
    Program,
    /// With it another line would be ambiguous.
    Clash,
    /// A role has no room for it.
    NoRoom,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "seems to hold a secret: write a rule for it by hand, which takes it from elsewhere",
            Self::Text => "holds free text or a script: write a rule with `text`, or put the script into a file",
            Self::Unsayable => "has a word that is empty, too long, quoted, or outside ASCII, or too many words",
            Self::Program => "the program is no plain path",
            Self::Clash => "was run with sudo and without, or by two paths; one role cannot tell which is meant",
            Self::NoRoom => "there is no room in one role: ask for a shorter time, one user or one target",
        })
    }
}

/// The absolute path of each program that was typed by its name alone.
#[derive(Debug, Default)]
pub(super) struct Paths(BTreeMap<String, (String, u64)>);

impl Paths {
    /// The path under which most lines had the program; else the one that `existing` knows.
    pub(super) fn of(samples: &[Sample], existing: Option<&Role>) -> Self {
        let mut runs: BTreeMap<&str, u64> = BTreeMap::new();
        let known = existing.into_iter().flat_map(Role::rules).filter_map(|rule| rule.run.program());
        runs.extend(known.map(|program| (program, 0)));
        for sample in samples {
            if let Some(program) = sample.vector.first().filter(|program| is_plain_path(program)) {
                *runs.entry(program).or_default() += sample.runs;
            }
        }
        let mut most: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for (path, runs) in runs {
            let known = most.entry(base_name(path).to_owned()).or_insert_with(|| (path.to_owned(), runs));
            if runs > known.1 {
                *known = (path.to_owned(), runs);
            }
        }
        Self(most)
    }
}

/// A line that a rule may say.
#[derive(Clone, Debug)]
pub(super) struct Shaped {
    pub(super) sample: Sample,
    /// The sample's vector, with the program by its absolute path.
    pub(super) vector: Vec<String>,
    /// Whether that path was made up.
    pub(super) guessed: bool,
    /// The line as it was typed.
    pub(super) words: Words,
}

impl Shaped {
    pub(super) fn of(sample: Sample, paths: &Paths) -> Result<Self, (Sample, Left)> {
        let fault = fault_of(&sample);
        let words = words_of(sample.sudo, &sample.vector);
        let (None, Some(words), Some(program)) = (fault, words, sample.vector.first()) else {
            return Err((sample, fault.unwrap_or(Left::Unsayable)));
        };
        let known = paths.0.get(program).map(|(path, _)| path.clone());
        let guessed = !program.starts_with('/') && known.is_none();
        let path = if program.starts_with('/') {
            program.clone()
        } else {
            known.unwrap_or_else(|| format!("{USUAL}/{program}"))
        };
        if !is_plain_path(&path) || base_name(&path).starts_with('-') || base_name(&path) == "sudo" {
            return Err((sample, Left::Program));
        }
        let vector = std::iter::once(path).chain(sample.vector.iter().skip(1).cloned()).collect();
        Ok(Self { vector, guessed, words, sample })
    }
}

fn fault_of(sample: &Sample) -> Option<Left> {
    let arguments = || sample.vector.iter().skip(1);
    let program = sample.vector.first().map_or("", String::as_str);
    let length: usize = sample.vector.iter().map(|word| word.len() + 3).sum();
    let sayable = |word: &String| {
        !word.is_empty()
            && word.len() <= LONGEST_VALUE
            && word.is_ascii()
            && !word.contains('\'')
            && word.chars().all(crate::domain::text::is_printable)
    };
    if program.is_empty() || (program.contains('/') && !is_plain_path(program)) {
        Some(Left::Program)
    } else if arguments().any(|word| holds_secret(word)) {
        Some(Left::Secret)
    } else if arguments().any(|word| word.contains(char::is_whitespace)) {
        Some(Left::Text)
    } else if !sample.vector.iter().all(sayable) || sample.vector.len() > MOST_STEPS || length > LONGEST {
        Some(Left::Unsayable)
    } else {
        None
    }
}

/// Whether `word` names a secret (`--password`, `PGPASSWORD=x`) or holds one (`https://user:word@host`). A hint for the author
/// and no more: a secret that nothing announces is taken for a value.
fn holds_secret(word: &str) -> bool {
    let name = word.split_once('=').map_or(word, |(name, _)| name).to_ascii_lowercase();
    let named = (word.starts_with('-') || word.contains('=')) && SECRETS.iter().any(|part| name.contains(part));
    let in_address = word.split_once("://").is_some_and(|(_, rest)| {
        let host = rest.split('/').next().unwrap_or_default();
        host.split_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    named || in_address
}

/// What is fixed at a place of a line.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Place {
    /// This word: an option, or the word that says what the program shall do.
    Fixed(String),
    /// An option glued to its value, up to the `=`.
    Glued(String),
    /// Any value that stood there.
    Open,
}

/// The places after the program.
pub(super) fn places(vector: &[String]) -> Vec<Place> {
    let place = |(index, word): (usize, &String)| match word.split_once('=') {
        Some((option, _)) if word.starts_with('-') => Place::Glued(option.to_owned()),
        _ if word.starts_with('-') || (index == 0 && is_verb(word)) => Place::Fixed(word.clone()),
        _ => Place::Open,
    };
    vector.iter().skip(1).enumerate().map(place).collect()
}

/// Whether the first word after a program may be what it shall do: `restart`, `list-units`.
fn is_verb(word: &str) -> bool {
    word.len() <= 32
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}
