//! The only place that makes a line for a shell: quoting, environment, the command's own end.
//!
//! Knows nothing of roles or decisions: it gets words and says how a target executes exactly these.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use crate::domain::Digest;
use crate::domain::digest::DigestStart;
use crate::domain::text::is_printable_ascii;

use super::rule::Vector;

/// Longest line for a target, in bytes: what fits into one certificate and one argument of the target's shell with room to
/// spare.
pub const LONGEST_LINE: usize = 32 * 1024;

/// What every command's environment begins with.
const ENVIRONMENT: [&str; 1] = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/// Unless the rule says another.
const LANG: &str = "LANG=C.UTF-8";

/// The end of a command whose standard input is closed: end-of-file on the channel ends it like its deadline does.
///
/// [tried on Debian 12, OpenSSH 9.2, coreutils 9.1, sudo 1.9.13] `timeout` takes over the shell's process, so `$$` is
/// `timeout`, leader of the process group that `sshd` made; on ALRM it does at once what it does when the time is up (TERM to
/// the group, KILL after the `-k` time, status 124). The watcher is in that group, so the number cannot be given to another process
/// while the watcher lives, and goes with the rest. Should the program have ended and left children that keep the channel
/// open, the group itself gets TERM. The watcher holds neither output nor error, so a finished program closes its channel at once.
/// The words of the user are reached through `"$@"` alone.
const WATCHED: &str = "exec 3<&0 </dev/null; \
    { /bin/cat <&3; kill -ALRM $$ || kill -TERM -$$; } >/dev/null 2>&1 & \
    exec /usr/bin/timeout \"$@\" 3<&-";

/// The end of a command that reads its input: end-of-file is data there, so what ends it is that the process which started it,
/// the `sshd` of this one connection, is gone.
///
/// [tried as above] The watcher looks once a second and holds none of the three streams. `kill -0` may ask after a process of the
/// same account; where that is not allowed from the start, the parent is nothing we know and the watcher ends at once. If
/// the number of the parent is given to another process of the account within that second, the deadline is what is left.
/// Within a second of the program's end the watcher is gone, and with it, as above, what the program left in its group.
const WATCHED_PARENT: &str = "{ if kill -0 $PPID; then \
    while kill -0 $PPID && kill -0 $$; do /bin/sleep 1; done; \
    kill -ALRM $$ || kill -TERM -$$; fi; } </dev/null >/dev/null 2>&1 & \
    exec /usr/bin/timeout \"$@\"";

/// What stands before a program that runs as root.
const SUDO: [&str; 2] = ["/usr/bin/sudo", "-n"];

/// `timeout`'s options for a program of the account itself.
const PATIENCE: [&str; 2] = ["-k", "5s"];

/// `timeout`'s options for a program under sudo, which the account cannot signal. Tried: sudo passes TERM on and would die of
/// a KILL, leaving a program that ignores TERM running as root; ALRM makes sudo itself send HUP, TERM and 2 s later KILL, as
/// root. What the program has started and does not end with it is beyond sudo's reach.
const PATIENCE_SUDO: [&str; 4] = ["-s", "ALRM", "-k", "10s"];

/// What is to be executed.
#[derive(Debug)]
pub(super) struct Execution<'a> {
    /// The program by its absolute path, then its arguments.
    pub(super) vector: &'a Vector<'a>,
    /// Whether as root, through sudo.
    pub(super) sudo: bool,
    /// Fixed values on top of our own.
    pub(super) environment: &'a [(String, String)],
    /// Whether the channel's input is the program's.
    pub(super) stdin: bool,
    /// How long it may run.
    pub(super) longest: Duration,
}

/// The same execution for people, for `execve` and for a shell. Words that are the same for every command are not copied.
pub(super) struct Rendered {
    environment: Vec<(String, String)>,
    sudo: bool,
    stdin: bool,
    /// The words after those of [`fixed_words`], a NUL behind each: none holds one.
    rest: String,
    pub(super) line: String,
    /// Of `line`.
    pub(super) digest: Digest,
}

impl Rendered {
    /// The whole vector.
    pub(super) fn argv(&self) -> Vec<String> {
        let fixed = fixed_words(&self.environment, self.sudo, self.stdin).into_iter().map(Cow::into_owned);
        fixed.chain(self.rest.split_terminator('\0').map(str::to_owned)).collect()
    }

    /// The program and its arguments, with `sudo -n` before them where it runs so.
    pub(super) fn command(&self) -> Vec<String> {
        // The first is the time.
        self.rest.split_terminator('\0').skip(1).map(str::to_owned).collect()
    }
}

/// Why an execution cannot be rendered.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// A word holds a control character; NUL would end it early, a newline is none of our words.
    #[error("a word holds a control character")]
    Control,
    /// The line would be longer than [`LONGEST_LINE`].
    #[error("the line for the target would be longer than {LONGEST_LINE} bytes")]
    TooLong,
}

pub(super) fn render(execution: &Execution<'_>) -> Result<Rendered, RenderError> {
    let Execution { vector, sudo, environment, stdin, longest } = *execution;
    let of_its_own;
    let beginning = if environment.is_empty() {
        Beginning::of_every_command(sudo, stdin)
    } else {
        let fixed = fixed_words(environment, sudo, stdin);
        if fixed.iter().any(|word| holds_control(word)) {
            return Err(RenderError::Control);
        }
        of_its_own = Beginning::of(&fixed);
        &of_its_own
    };
    let time = whole_seconds(longest).to_string() + "s";
    let words = || std::iter::once(time.as_str()).chain(SUDO.into_iter().filter(|_| sudo)).chain(vector.iter());
    let length: usize = words().map(quoted_length).sum();
    let mut line = String::with_capacity(beginning.line.len() + length);
    line.push_str(&beginning.line);
    let mut rest = String::with_capacity(length);
    for word in words() {
        if holds_control(word) {
            return Err(RenderError::Control);
        }
        quote(&mut line, word);
        rest.push_str(word);
        rest.push('\0');
    }
    if line.len() > LONGEST_LINE {
        return Err(RenderError::TooLong);
    }
    let digest = beginning.digest.followed_by(line.as_bytes().get(beginning.line.len()..).unwrap_or_default());
    Ok(Rendered { environment: environment.to_vec(), sudo, stdin, rest, line, digest })
}

/// The words before the time: what is the same for every command of a rule.
fn fixed_words(environment: &[(String, String)], sudo: bool, stdin: bool) -> Vec<Cow<'static, str>> {
    let mut words: Vec<Cow<'static, str>> = ["/usr/bin/env", "-i"].map(Cow::Borrowed).into();
    words.extend(ENVIRONMENT.map(Cow::Borrowed));
    if !environment.iter().any(|(name, _)| name == "LANG") {
        words.push(Cow::Borrowed(LANG));
    }
    words.extend(environment.iter().map(|(name, value)| Cow::Owned(format!("{name}={value}"))));
    let watched = if stdin { WATCHED_PARENT } else { WATCHED };
    words.extend(["/bin/sh", "-c", watched, "doorward"].map(Cow::Borrowed));
    let patience = if sudo { &PATIENCE_SUDO[..] } else { &PATIENCE };
    words.extend(patience.iter().copied().map(Cow::Borrowed));
    words
}

/// The words before the time as a line begins with them.
struct Beginning {
    line: String,
    digest: DigestStart,
}

impl Beginning {
    fn of(words: &[Cow<'static, str>]) -> Self {
        let line = joined(words);
        Self { digest: DigestStart::of(line.as_bytes()), line }
    }

    /// Of rules without an environment of their own: quoted and digested once, because they are most of a line.
    fn of_every_command(sudo: bool, stdin: bool) -> &'static Self {
        static BEGINNINGS: LazyLock<[Beginning; 4]> = LazyLock::new(|| {
            [(false, false), (false, true), (true, false), (true, true)]
                .map(|(sudo, stdin)| Beginning::of(&fixed_words(&[], sudo, stdin)))
        });
        let [plain, plain_stdin, root, root_stdin] = &*BEGINNINGS;
        match (sudo, stdin) {
            (false, false) => plain,
            (false, true) => plain_stdin,
            (true, false) => root,
            (true, true) => root_stdin,
        }
    }
}

/// A line as commands get it, for `doorward target test`.
#[derive(Clone, Debug)]
pub struct TestLine {
    /// What the target's shell reads.
    pub line: String,
    /// The whole environment of the program: `NAME=value`.
    pub environment: Vec<String>,
}

/// The line of a rule that runs `vector`, without sudo and without an environment of its own. No role is asked: what is not
/// a command of a user needs none.
///
/// # Errors
/// [`RenderError`].
pub fn test_line(vector: &[String], stdin: bool, longest: Duration) -> Result<TestLine, RenderError> {
    let vector = Vector::Made(vector.to_vec());
    let rendered = render(&Execution { vector: &vector, sudo: false, environment: &[], stdin, longest })?;
    let environment = rendered.argv().into_iter().skip(2).take_while(|word| word.contains('=')).collect();
    Ok(TestLine { line: rendered.line, environment })
}

/// What a vector of ours executes: [`Permit::argv`](super::Permit::argv) read back, for those who ask the log what ran.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Executed {
    /// Fixed values of its rule, `NAME=value`, on top of our own.
    pub environment: Vec<String>,
    /// Whether as root, through sudo.
    pub sudo: bool,
    /// The program, then its arguments.
    pub vector: Vec<String>,
}

impl Executed {
    /// The program and its arguments, with `sudo -n` before them where it runs so: [`Permit::command`](super::Permit::command).
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        let sudo = SUDO.iter().filter(|_| self.sudo).map(|word| (*word).to_owned());
        sudo.chain(self.vector.iter().cloned()).collect()
    }
}

/// The opposite of rendering; `None` for a vector that is none of ours. The script that ends a command may be that of another
/// version.
#[must_use]
pub fn executed(argv: &[impl AsRef<str>]) -> Option<Executed> {
    let argv: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
    let [env, i, rest @ ..] = argv.as_slice() else { return None };
    let assigned = rest.iter().take_while(|word| word.contains('=')).count();
    let (environment, rest) = rest.split_at_checked(assigned)?;
    let [shell, c, _script, name, rest @ ..] = rest else { return None };
    if [env, i, shell, c, name] != [&"/usr/bin/env", &"-i", &"/bin/sh", &"-c", &"doorward"] {
        return None;
    }
    let (sudo, rest) = match rest.strip_prefix(&PATIENCE) {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(&PATIENCE_SUDO)?),
    };
    let [_seconds, command @ ..] = rest else { return None };
    let vector = if sudo { command.strip_prefix(&SUDO)? } else { command };
    let own = |word: &&&str| !ENVIRONMENT.contains(word) && **word != LANG;
    let owned = |word: &&str| (*word).to_owned();
    let environment = environment.iter().filter(own).map(owned).collect();
    (!vector.is_empty()).then(|| Executed { environment, sudo, vector: vector.iter().map(owned).collect() })
}

/// Rounded up, and at least one: `timeout` reads 0 as "for ever".
fn whole_seconds(span: Duration) -> u64 {
    let up = u64::from(span.subsec_nanos() > 0);
    span.as_secs().saturating_add(up).max(1)
}

/// `exec` and each word in quotes. Checks nothing: who gives it to a shell has looked for control characters and at its length.
pub(super) fn joined(argv: &[impl AsRef<str>]) -> String {
    let length: usize = argv.iter().map(|word| quoted_length(word.as_ref())).sum();
    let mut line = String::with_capacity("exec".len() + length);
    line.push_str("exec");
    argv.iter().for_each(|word| quote(&mut line, word.as_ref()));
    line
}

/// How much [`quote`] adds for a word without quotes.
fn quoted_length(word: &str) -> usize {
    word.len() + " ''".len()
}

/// Adds `word` to `line`, after a blank and in single quotes.
fn quote(line: &mut String, word: &str) {
    line.push_str(" '");
    let mut rest = word;
    while let Some((part, behind)) = rest.split_once('\'') {
        line.push_str(part);
        line.push_str(r"'\''");
        rest = behind;
    }
    line.push_str(rest);
    line.push('\'');
}

/// `exec`, then every word in single quotes: a POSIX shell that reads this executes exactly these words.
///
/// # Errors
/// [`RenderError`].
pub fn shell_line(argv: &[String]) -> Result<String, RenderError> {
    if argv.iter().any(|word| holds_control(word)) {
        return Err(RenderError::Control);
    }
    let line = joined(argv);
    if line.len() > LONGEST_LINE { Err(RenderError::TooLong) } else { Ok(line) }
}

fn holds_control(word: &str) -> bool {
    !is_printable_ascii(word) && word.chars().any(char::is_control)
}

#[cfg(test)]
mod sshd_tests;
#[cfg(test)]
mod tests;
