//! The only place that makes a line for a shell: quoting, environment, the command's own end.
//!
//! Knows nothing of roles or decisions: it gets words and says how a target executes exactly these.

use std::time::Duration;

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
    pub(super) vector: &'a [String],
    /// Whether as root, through sudo.
    pub(super) sudo: bool,
    /// Fixed values on top of our own.
    pub(super) environment: &'a [(String, String)],
    /// Whether the channel's input is the program's.
    pub(super) stdin: bool,
    /// How long it may run.
    pub(super) longest: Duration,
}

/// The same execution for people, for `execve` and for a shell.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) command: Vec<String>,
    pub(super) argv: Vec<String>,
    pub(super) line: String,
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
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut command = if execution.sudo { own(&SUDO) } else { Vec::new() };
    command.extend(execution.vector.iter().cloned());
    let mut argv = own(&["/usr/bin/env", "-i"]);
    argv.extend(own(&ENVIRONMENT));
    if !execution.environment.iter().any(|(name, _)| name == "LANG") {
        argv.extend(own(&[LANG]));
    }
    argv.extend(execution.environment.iter().map(|(name, value)| format!("{name}={value}")));
    let watched = if execution.stdin { WATCHED_PARENT } else { WATCHED };
    argv.extend(own(&["/bin/sh", "-c", watched, "doorward"]));
    argv.extend(own(if execution.sudo { &PATIENCE_SUDO[..] } else { &PATIENCE }));
    argv.push(format!("{}s", whole_seconds(execution.longest)));
    argv.extend(command.iter().cloned());
    let line = shell_line(&argv)?;
    Ok(Rendered { command, argv, line })
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
    let Rendered { argv, line, .. } = render(&Execution { vector, sudo: false, environment: &[], stdin, longest })?;
    let environment = argv.into_iter().skip(2).take_while(|word| word.contains('=')).collect();
    Ok(TestLine { line, environment })
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
pub fn executed(argv: &[String]) -> Option<Executed> {
    let [env, i, rest @ ..] = argv else { return None };
    let assigned = rest.iter().take_while(|word| word.contains('=')).count();
    let (environment, rest) = rest.split_at_checked(assigned)?;
    let [shell, c, _script, name, rest @ ..] = rest else { return None };
    let ours = [env, i, shell, c, name].map(String::as_str) == ["/usr/bin/env", "-i", "/bin/sh", "-c", "doorward"];
    if !ours {
        return None;
    }
    let after = |words: &[&str]| {
        let (head, tail) = rest.split_at_checked(words.len())?;
        (head == words).then_some(tail)
    };
    let (sudo, rest) = match after(&PATIENCE) {
        Some(rest) => (false, rest),
        None => (true, after(&PATIENCE_SUDO)?),
    };
    let [_seconds, command @ ..] = rest else { return None };
    let vector = match (sudo, command.split_at_checked(SUDO.len())) {
        (false, _) => command,
        (true, Some((head, vector))) if head == SUDO => vector,
        (true, _) => return None,
    };
    let own = |word: &&String| !ENVIRONMENT.contains(&word.as_str()) && *word != LANG;
    let environment = environment.iter().filter(own).cloned().collect();
    (!vector.is_empty()).then(|| Executed { environment, sudo, vector: vector.to_vec() })
}

/// Rounded up, and at least one: `timeout` reads 0 as "for ever".
fn whole_seconds(span: Duration) -> u64 {
    let up = u64::from(span.subsec_nanos() > 0);
    span.as_secs().saturating_add(up).max(1)
}

/// The line of [`shell_line`], whatever its words are: for its digest alone, never for a shell.
pub(super) fn joined(argv: &[String]) -> String {
    let quoted: usize = argv.iter().map(|word| word.len() + " ''".len()).sum();
    let mut line = String::with_capacity("exec".len() + quoted);
    line.push_str("exec");
    for word in argv {
        line.push_str(" '");
        for (at, part) in word.split('\'').enumerate() {
            line.push_str(if at > 0 { r"'\''" } else { "" });
            line.push_str(part);
        }
        line.push('\'');
    }
    line
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

/// Nearly every word is ASCII, where a look at the bytes is enough.
fn holds_control(word: &str) -> bool {
    if word.is_ascii() { word.bytes().any(|byte| byte.is_ascii_control()) } else { word.chars().any(char::is_control) }
}

#[cfg(test)]
mod sshd_tests;
#[cfg(test)]
mod tests;
