//! The `local` target: this machine, as the bastion's own user, without an `sshd` and without a shell of ours.
//!
//! For the demo and tests. It gives a command what an OpenSSH target would: separate streams, exit status or signal, input
//! that can be closed, and an end that reaches the whole process group.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use crate::service::ports::{Cleared, Output, Running, TargetError};

/// Pieces of output that wait for the pump; when it is full the pipes fill and the program waits.
const WAITING: usize = 16;
/// The most that is read from a pipe at once.
const PIECE: usize = 32 * 1024;
/// How long the process group has between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);
/// Silence after the exit while something still holds the pipes open.
const TAIL: Duration = Duration::from_secs(2);

/// Starts the permit's argument vector.
pub(super) fn start(cleared: &Cleared) -> Result<Running, TargetError> {
    run(&cleared.permit().argv()).map_err(|error| TargetError::Internal { reason: error.to_string() })
}

fn run(argv: &[String]) -> io::Result<Running> {
    let [program, arguments @ ..] = argv else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the command has no words"));
    };
    // Not `kill_on_drop`: if the bastion itself ends, the closed input makes the command end what it started, while a KILL
    // would leave that running without it.
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let input = Box::new(Input(child.stdin.take()));
    let (output, received) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        match carry(&mut child, &output).await {
            Some(end) => {
                let _ = output.send(end).await;
            }
            None => end_group(&mut child).await,
        }
    });
    Ok(Running { input, output: received })
}

/// Passes output on until the program has ended and its pipes are empty. `None`: nobody listens any more.
async fn carry(child: &mut Child, output: &mpsc::Sender<Output>) -> Option<Output> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut status: Option<ExitStatus> = None;
    while stdout.is_some() || stderr.is_some() || status.is_none() {
        let piece = tokio::select! {
            () = output.closed() => return None,
            data = read(&mut stdout), if stdout.is_some() => data.map(Output::Stdout),
            data = read(&mut stderr), if stderr.is_some() => data.map(Output::Stderr),
            ended = child.wait(), if status.is_none() => {
                match ended {
                    Ok(ended) => status = Some(ended),
                    Err(error) => return Some(Output::Lost(error.to_string())),
                }
                None
            }
            () = tokio::time::sleep(TAIL), if status.is_some() => break,
        };
        if let Some(piece) = piece {
            output.send(piece).await.ok()?;
        }
    }
    status.map(|status| match (status.code(), status.signal()) {
        (Some(code), _) => Output::Exit(u32::try_from(code).unwrap_or(255)),
        (None, Some(number)) => Output::Signal(name_of(number)),
        (None, None) => Output::Lost("it ended neither by itself nor by a signal".to_owned()),
    })
}

/// The next piece of a pipe; at its end the pipe is closed and `None` comes back. Cancel-safe.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>) -> Option<bytes::Bytes> {
    let mut data = BytesMut::with_capacity(PIECE);
    match pipe.as_mut()?.read_buf(&mut data).await {
        Ok(count) if count > 0 => Some(data.freeze()),
        _ => {
            *pipe = None;
            None
        }
    }
}

/// TERM to the whole group, KILL to what is left of it after [`GRACE`]; always reaps the child.
async fn end_group(child: &mut Child) {
    let Some(group) = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw) else {
        return;
    };
    let _ = killpg(group, Signal::SIGTERM);
    let gone = async {
        let _ = child.wait().await;
        while killpg(group, None).is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if tokio::time::timeout(GRACE, gone).await.is_err() {
        let _ = killpg(group, Signal::SIGKILL);
        let _ = child.wait().await;
    }
}

fn name_of(number: i32) -> String {
    Signal::try_from(number).map_or_else(
        |_| number.to_string(),
        |signal| {
            let name = signal.as_str();
            name.strip_prefix("SIG").unwrap_or(name).to_owned()
        },
    )
}

/// The program's standard input. Closing a pipe is dropping it, which tokio's own `shutdown` does not do.
struct Input(Option<ChildStdin>);

impl AsyncWrite for Input {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Some(pipe) => Pin::new(pipe).poll_write(context, data),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().map_or(Poll::Ready(Ok(())), |pipe| Pin::new(pipe).poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests;
