//! Carries what a command says from its channel to the pump, in order, and reports its end last.

use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use tokio::sync::mpsc;

use crate::domain::limits::EXCERPT;
use crate::domain::text::excerpt;
use crate::service::ports::{Output, Running};

use super::ssh::Connection;

/// Pieces of output that wait for the pump. When it is full the channel's window closes and the target waits: the connection
/// carries this one command, so that holds back nobody else.
const WAITING: usize = 16;
/// `SSH_EXTENDED_DATA_STDERR` (RFC 4254, section 5.2).
const STDERR: u32 = 1;

/// Starts the task that owns the connection from now on. It cuts the connection when the [`Running`] is dropped.
pub(super) fn spawn(connection: Connection, channel: Channel<Msg>, tail: Duration) -> Running {
    let (from_target, to_target) = channel.split();
    let input = Box::new(to_target.make_writer());
    let (output, received) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        if let Some(end) = carry(from_target, &output, tail).await {
            let end = end.unwrap_or_else(|| Output::Lost(connection.why_ended()));
            // The end is said before leave is taken: the client need not wait for that.
            let _ = output.send(end).await;
            drop(output);
            connection.part().await;
        }
    });
    Running { input, output: received }
}

/// Passes output on until there is no more. `None`: nobody listens any more. `Some(None)`: it ended without saying how.
///
/// The exit status may overtake the last output, so it is kept until the end of the output or of the channel. A process left
/// behind can hold the output open for ever: silence longer than `tail` after the exit status counts as the end.
async fn carry(mut channel: ChannelReadHalf, output: &mpsc::Sender<Output>, tail: Duration) -> Option<Option<Output>> {
    let mut end: Option<Output> = None;
    let mut no_more_output = false;
    while !(no_more_output && end.is_some()) {
        let message = tokio::select! {
            biased;
            () = output.closed() => return None,
            message = channel.wait() => message,
            () = tokio::time::sleep(tail), if end.is_some() => break,
        };
        let piece = match message {
            Some(ChannelMsg::Data { data }) => Output::Stdout(data),
            Some(ChannelMsg::ExtendedData { data, ext: STDERR }) => Output::Stderr(data),
            Some(ChannelMsg::ExitStatus { exit_status }) => {
                end.get_or_insert(Output::Exit(exit_status));
                continue;
            }
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                end.get_or_insert(Output::Signal(signal(&signal_name)));
                continue;
            }
            Some(ChannelMsg::Eof) => {
                no_more_output = true;
                continue;
            }
            Some(ChannelMsg::Close) | None => break,
            Some(_) => continue,
        };
        output.send(piece).await.ok()?;
    }
    Some(end)
}

/// The signal's name without `SIG`, as RFC 4254 section 6.10 has them; other names come from the target as it likes.
fn signal(name: &russh::Sig) -> String {
    match name {
        russh::Sig::Custom(name) => excerpt(name, EXCERPT),
        known => format!("{known:?}"),
    }
}
