//! The yes, as a value: exactly what runs, where, as whom, until when. Only [`super::decide()`] makes one.

use std::fmt;
use std::time::Duration;

use crate::domain::{AccountName, Digest, GrantId, RoleName, TargetName, Timestamp};

use super::render::{Rendered, joined};
use super::secret::{Guard, Hidden, SecretKey, line_of, veiled};
use super::words::Words;

/// The terms under which a command runs: of several that allow it, the strictest of each.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terms {
    /// Whether the client's standard input reaches the program; else it reads end-of-file.
    pub stdin: bool,
    /// How long it may run, before the grant's end is considered.
    pub timeout: Duration,
    /// How many bytes of output and error it may write in all.
    pub max_output: u64,
    /// How many bytes of input it may be sent; [`u64::MAX`] for no bound.
    pub max_stdin: u64,
}

impl Terms {
    /// What both allow.
    pub(super) fn strictest(self, other: Self) -> Self {
        Self {
            stdin: self.stdin && other.stdin,
            timeout: self.timeout.min(other.timeout),
            max_output: self.max_output.min(other.max_output),
            max_stdin: self.max_stdin.min(other.max_stdin),
        }
    }
}

/// Proof that [`decide`](super::decide()) allowed exactly this command. What the log says, what `force-command` carries and what runs are
/// this one value. Fields of this room, one constructor, not `Clone`: it cannot run anything else, or run twice.
pub struct Permit {
    pub(super) target: TargetName,
    pub(super) account: AccountName,
    pub(super) grants: Vec<GrantId>,
    pub(super) role: RoleName,
    pub(super) rule: usize,
    pub(super) observed: bool,
    pub(super) rendered: Box<Rendered>,
    pub(super) terms: Terms,
    pub(super) deadline: Timestamp,
    /// `None`: no rule that allows it has a secret.
    pub(super) hidden: Option<Box<Hidden>>,
}

/// A [`Permit`] as it may be written down. Where nothing is secret it is the permit's own value, word for word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Written {
    /// The line as typed, if a word of it is withheld: the words as they would be typed, each in quotes where it needs them.
    pub typed: Option<String>,
    /// [`Permit::argv`], with placeholders.
    pub argv: Vec<String>,
    /// Digest of the line for a shell that `argv` makes: [`Permit::digest`] if nothing is withheld.
    pub digest: Digest,
    /// Which words of `argv`, from 0, hold a placeholder.
    pub withheld: Vec<usize>,
}

/// Without what runs: it may hold a secret.
impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Permit");
        shown.field("target", &self.target).field("account", &self.account).field("grants", &self.grants);
        shown.field("role", &self.role).field("rule", &self.rule).field("observed", &self.observed);
        shown.field("terms", &self.terms).field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Permit {
    /// As it may be written down, with `words` as typed. Of an observed line that `guard` recognises only literal words of
    /// the rules stay.
    #[must_use]
    pub fn written(&self, words: &Words, guard: &Guard, key: &SecretKey) -> Written {
        let typed = line_of(&words.iter().map(str::to_owned).collect::<Vec<_>>());
        let argv = self.argv();
        if self.observed && guard.touches(&typed) {
            let kept = argv.len().saturating_sub(self.command().len());
            let veil = |(at, word): (usize, &String)| if at < kept { word.clone() } else { guard.veil_own(word, key) };
            let shown = argv.iter().enumerate().map(veil).collect();
            return self.written_as(guard.veil(&typed, key, |_| false), shown, &argv);
        }
        let Some(hidden) = &self.hidden else {
            return Written { typed: None, argv, digest: self.digest(), withheld: Vec::new() };
        };
        let own = argv.len().saturating_sub(hidden.vector.len());
        let mask = std::iter::repeat_n(None, own).chain(hidden.vector.iter().copied()).collect();
        let secret = hidden.typed.iter().any(Option::is_some);
        let typed = secret.then(|| line_of(&veiled(words.iter(), &hidden.typed, key)));
        self.written_as(typed, veiled(argv.iter().map(String::as_str), &mask, key), &argv)
    }

    /// With `shown` in place of the words of `argv`.
    fn written_as(&self, typed: Option<String>, shown: Vec<String>, argv: &[String]) -> Written {
        let differs = shown.iter().zip(argv).enumerate().filter(|(_, (shown, word))| shown != word);
        let withheld: Vec<usize> = differs.map(|(at, _)| at).collect();
        let digest = if withheld.is_empty() { self.digest() } else { Digest::of(joined(&shown).as_bytes()) };
        Written { typed, digest, argv: shown, withheld }
    }

    /// Where it runs.
    #[must_use]
    pub fn target(&self) -> &TargetName {
        &self.target
    }

    /// As which account of the target.
    #[must_use]
    pub fn account(&self) -> &AccountName {
        &self.account
    }

    /// The grants that allow it, at least one; when any of them ends, it ends.
    #[must_use]
    pub fn grants(&self) -> &[GrantId] {
        &self.grants
    }

    /// The role of the first of them.
    #[must_use]
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// Whether no rule allows it and an observe grant does.
    #[must_use]
    pub fn observed(&self) -> bool {
        self.observed
    }

    /// The rule of that role, from 1 in file order; 0 if it is [`Self::observed`].
    #[must_use]
    pub fn rule(&self) -> usize {
        self.rule
    }

    /// The program and its arguments (with `sudo -n` before them where the rule says so): for people.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        self.rendered.command()
    }

    /// The whole vector that is executed: fixed environment, the command's own end, then [`Self::command`].
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        self.rendered.argv()
    }

    /// [`Self::argv`] as a line for a POSIX shell, `exec` first and every word single-quoted: the value of `force-command`.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.rendered.line
    }

    /// Digest of [`Self::line`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.rendered.digest
    }

    /// Its terms.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// When it is over at the latest: the lesser of its timeout and the end of its grants.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.deadline
    }
}
