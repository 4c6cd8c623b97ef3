//! The tour's steps: what somebody types, what must come back. Each is run with the stock `ssh` and judged.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::domain::text::shell_word;

/// How long one step may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// One command of the story.
pub(super) struct Step<'a> {
    /// Who types it; names the ssh configuration.
    pub(super) who: &'a str,
    /// What happens, in a sentence.
    pub(super) title: &'a str,
    /// What follows `ssh`.
    pub(super) arguments: Vec<String>,
    /// What is piped into it.
    pub(super) input: &'a str,
    /// The exit code that must come back.
    pub(super) exit: i32,
    /// What standard output must contain.
    pub(super) output: Vec<String>,
    /// What standard error must contain.
    pub(super) errors: Vec<String>,
}

/// Why the tour failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum TourError {
    /// A step came out otherwise.
    #[error("the step came out otherwise: {0}")]
    Otherwise(String),
    /// Something could not be run or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The command as people paste it.
pub(super) fn as_typed(dir: &Path, who: &str, arguments: &[String]) -> String {
    let words: Vec<String> = arguments.iter().map(|word| shell_word(word)).collect();
    format!("ssh -F {} {}", dir.join(who).display(), words.join(" "))
}

/// `ssh` with the configuration of `who`, its three streams piped, ended when dropped.
pub(super) fn ssh(dir: &Path, who: &str, arguments: &[String]) -> io::Result<Child> {
    Command::new("ssh")
        .arg("-F")
        .arg(dir.join(who))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Runs one step and shows it.
pub(super) async fn perform(dir: &Path, step: &Step<'_>, screen: &mut dyn Write) -> Result<Output, TourError> {
    announce(screen, step.title, &as_typed(dir, step.who, &step.arguments), step.input)?;
    let mut child = ssh(dir, step.who, &step.arguments)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(step.input.as_bytes()).await?;
    }
    let output = finished(child).await?;
    show(screen, &output)?;
    judge(step, &output)?;
    Ok(output)
}

/// Waits for `child` within the patience of a step.
pub(super) async fn finished(child: Child) -> Result<Output, TourError> {
    match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
        Ok(output) => Ok(output?),
        Err(_) => Err(TourError::Otherwise(format!("no answer within {} seconds", PATIENCE.as_secs()))),
    }
}

/// Shows the title and the command line of a step.
pub(super) fn announce(screen: &mut dyn Write, title: &str, typed: &str, input: &str) -> io::Result<()> {
    writeln!(screen, "\n# {title}")?;
    if input.is_empty() {
        writeln!(screen, "$ {typed}")
    } else {
        writeln!(screen, "$ printf {} | {typed}", shell_word(&input.replace('\n', "\\n")))
    }
}

/// Shows what came back.
pub(super) fn show(screen: &mut dyn Write, output: &Output) -> io::Result<()> {
    for stream in [&output.stdout, &output.stderr] {
        for line in String::from_utf8_lossy(stream).lines() {
            writeln!(screen, "  {}", crate::domain::text::escape(line))?;
        }
    }
    writeln!(
        screen,
        "  [exit {}]",
        output.status.code().map_or_else(|| "by a signal".to_owned(), |code| code.to_string())
    )?;
    screen.flush()
}

/// Whether what came back is what the story says.
fn judge(step: &Step<'_>, output: &Output) -> Result<(), TourError> {
    if output.status.code() != Some(step.exit) {
        return Err(TourError::Otherwise(format!("exit code {:?}, expected {}", output.status.code(), step.exit)));
    }
    expect("standard output", &output.stdout, &step.output)?;
    expect("standard error", &output.stderr, &step.errors)
}

/// Whether `stream` holds each of `parts`.
pub(super) fn expect(name: &str, stream: &[u8], parts: &[String]) -> Result<(), TourError> {
    let text = String::from_utf8_lossy(stream);
    match parts.iter().find(|part| !text.contains(part.as_str())) {
        Some(part) => Err(TourError::Otherwise(format!("{name} lacks {part:?}"))),
        None => Ok(()),
    }
}
