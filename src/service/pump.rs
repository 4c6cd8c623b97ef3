//! Carries the streams of one running command between target and client, everything past the recorder first.
//!
//! Memory is bounded on every path: a slow client holds back the target, a slow target leaves the input in the client's
//! spool. Whatever it waits for, it also waits for the supervisor's word that the command must end.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::policy::Terms;

use super::ending::{End, Outcome};
use super::ports::{ClientSide, Output, RecordError, Recorder, Running, Stream};
use super::written::WRITTEN_WITHIN;

/// Input that a command without `stdin` may be sent before the user is told that it is dropped. `ssh` sends what stands on
/// its own standard input whether or not it is wanted, so a little is normal.
const UNWANTED: u64 = 64 * 1024;

/// How often to look whether a silent client is still there.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What happened next.
enum Event {
    Input(Option<Bytes>),
    ClientGone,
    Written(std::io::Result<usize>),
    Closed,
    Output(Option<Output>),
    News(Bytes),
    End(End),
}

/// One running command with both its sides.
pub(super) struct Pump<'a> {
    client: &'a mut dyn ClientSide,
    recorder: &'a mut dyn Recorder,
    terms: &'a Terms,
    /// Bytes of standard input, output and error that passed.
    pub(super) bytes: [u64; 3],
    /// Whether the client may still send something.
    listening: bool,
    /// What the target has not taken yet of the last piece.
    pending: Bytes,
    /// Whether the end of the input is still to be told to the target.
    closing: bool,
    /// Where input goes; `None` when the program closed it.
    input: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// Lines of ours for the user that come while it runs.
    pub(super) news: Option<mpsc::Receiver<Bytes>>,
}

impl<'a> Pump<'a> {
    /// A pump that has moved nothing yet.
    pub(super) fn new(client: &'a mut dyn ClientSide, recorder: &'a mut dyn Recorder, terms: &'a Terms) -> Self {
        Self {
            client,
            recorder,
            terms,
            bytes: [0; 3],
            listening: true,
            pending: Bytes::new(),
            closing: false,
            input: None,
            news: None,
        }
    }

    /// Runs until the command has ended and all its output is with the client, or until `supervisor` resolves. Dropping
    /// `running`, which happens here at the latest, ends the command on the target.
    pub(super) async fn run(&mut self, running: Running, supervisor: impl Future<Output = End>) -> Outcome {
        let mut supervisor = std::pin::pin!(supervisor);
        let Running { input, mut output } = running;
        self.input = Some(input);
        let mut news = self.news.take();
        loop {
            // Not `biased`: a flood of output must not keep the input waiting, nor either of them the supervisor.
            let event = tokio::select! {
                end = &mut supervisor => Event::End(end),
                piece = output.recv() => Event::Output(piece),
                line = next_of(&mut news) => Event::News(line),
                event = self.client_or_target() => event,
            };
            let handled = match event {
                Event::End(end) => Err(Outcome::Ended(end)),
                Event::ClientGone => Err(Outcome::Ended(End::ClientGone)),
                Event::News(line) => match until(supervisor.as_mut(), self.client.error(line)).await {
                    Ok(there) => present(there),
                    Err(outcome) => Err(outcome),
                },
                Event::Output(piece) => self.piece(piece, supervisor.as_mut()).await,
                Event::Input(piece) => self.typed(piece, supervisor.as_mut()).await,
                Event::Closed => {
                    self.closing = false;
                    Ok(())
                }
                Event::Written(Ok(count)) if count > 0 => {
                    self.pending.advance(count.min(self.pending.len()));
                    Ok(())
                }
                // The program does not read any more: what is still typed is dropped, and it may go on.
                Event::Written(_) => {
                    self.input = None;
                    self.pending = Bytes::new();
                    Ok(())
                }
            };
            if let Err(outcome) = handled {
                self.input = None;
                return outcome;
            }
        }
    }

    /// The next step of the input: while a piece waits for the target no other is taken from the client.
    ///
    /// A write that is given up here is taken up with the same bytes the next time, which russh's writer relies on. Nothing
    /// of this is awaited elsewhere: a target may take input only while its output is being read.
    async fn client_or_target(&mut self) -> Event {
        let (client, pending) = (&*self.client, &self.pending);
        match &mut self.input {
            Some(input) if !pending.is_empty() => tokio::select! {
                () = client.gone() => Event::ClientGone,
                written = input.write(pending) => Event::Written(written),
            },
            Some(input) if self.closing => tokio::select! {
                () = client.gone() => Event::ClientGone,
                // A program that has closed its input already is no failure.
                _ = input.shutdown() => Event::Closed,
            },
            _ if self.listening => loop {
                // The port lends the client to one call at a time, so its leaving is looked for in between.
                let typed = tokio::time::timeout(LOOK_EVERY, self.client.input()).await;
                match typed {
                    Ok(piece) => break Event::Input(piece),
                    Err(_) if is_gone(self.client).await => break Event::ClientGone,
                    Err(_) => {}
                }
            },
            _ => {
                client.gone().await;
                Event::ClientGone
            }
        }
    }

    /// Input from the client, or its end.
    async fn typed(
        &mut self,
        piece: Option<Bytes>,
        supervisor: Pin<&mut impl Future<Output = End>>,
    ) -> Result<(), Outcome> {
        let Some(piece) = piece else {
            return self.typed_all().await;
        };
        if !self.terms.stdin {
            return self.unwanted(&piece, supervisor).await;
        }
        // Not a part of it: half an input that ends like a whole one is worse than none.
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if self.bytes[0].saturating_add(length) > self.terms.max_stdin {
            return Err(Outcome::Ended(End::InputLimit(self.terms.max_stdin)));
        }
        if self.input.is_some() {
            self.count(Stream::Input, &piece);
            until(supervisor, recorded(self.recorder, Stream::Input, piece.clone())).await??;
            self.pending = piece;
        }
        Ok(())
    }

    /// The client sends nothing more. Only input that arrived whole ends as if it were whole: a program must not take half an
    /// upload for all of it because the other half was lost.
    async fn typed_all(&mut self) -> Result<(), Outcome> {
        self.listening = false;
        if self.client.overflowed() {
            return Err(Outcome::Ended(End::InputOverflow));
        }
        if is_gone(self.client).await {
            return Err(Outcome::Ended(End::ClientGone));
        }
        // For a command without `stdin` end-of-file means "end yourself" (its wrapper reads that), so it stays open.
        self.closing = self.terms.stdin;
        Ok(())
    }

    async fn unwanted(
        &mut self,
        piece: &Bytes,
        supervisor: Pin<&mut impl Future<Output = End>>,
    ) -> Result<(), Outcome> {
        let before = self.bytes[0];
        self.count(Stream::Input, piece);
        if before <= UNWANTED && self.bytes[0] > UNWANTED {
            let note = "doorward: this command takes no input; what you send is dropped\n";
            present(until(supervisor, self.client.error(Bytes::from_static(note.as_bytes()))).await?)?;
        }
        Ok(())
    }

    /// Output from the target, or the end of the command.
    async fn piece(
        &mut self,
        piece: Option<Output>,
        supervisor: Pin<&mut impl Future<Output = End>>,
    ) -> Result<(), Outcome> {
        let (stream, data) = match piece {
            Some(Output::Stdout(data)) => (Stream::Output, data),
            Some(Output::Stderr(data)) => (Stream::Error, data),
            Some(Output::Exit(status)) => return Err(Outcome::Exit(status)),
            Some(Output::Signal(name)) => return Err(Outcome::Signal(name)),
            Some(Output::Lost(why)) => return Err(Outcome::Lost(why)),
            None => return Err(Outcome::Lost("it stopped without a word".to_owned())),
        };
        let room = self.terms.max_output.saturating_sub(self.bytes[1].saturating_add(self.bytes[2]));
        let within = usize::try_from(room).unwrap_or(usize::MAX).min(data.len());
        let passing = data.slice(..within);
        self.count(stream, &passing);
        let (client, recorder) = (&mut *self.client, &mut *self.recorder);
        let pass = async {
            recorded(recorder, stream, passing.clone()).await?;
            present(match stream {
                Stream::Error => client.error(passing).await,
                Stream::Input | Stream::Output => client.output(passing).await,
            })
        };
        until(supervisor, pass).await??;
        if within < data.len() {
            return Err(Outcome::Ended(End::OutputLimit(self.terms.max_output)));
        }
        Ok(())
    }

    fn count(&mut self, stream: Stream, data: &Bytes) {
        let [input, output, error] = &mut self.bytes;
        let counter = match stream {
            Stream::Input => input,
            Stream::Output => output,
            Stream::Error => error,
        };
        *counter = counter.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
    }
}

/// The next line of ours; never, when none can come any more.
async fn next_of(news: &mut Option<mpsc::Receiver<Bytes>>) -> Bytes {
    if let Some(lines) = news
        && let Some(line) = lines.recv().await
    {
        return line;
    }
    std::future::pending().await
}

/// Whether the client is gone, without waiting for it.
async fn is_gone(client: &dyn ClientSide) -> bool {
    tokio::select! {
        biased;
        () = client.gone() => true,
        () = std::future::ready(()) => false,
    }
}

/// Waits for `work`, unless the command must end before it is done.
async fn until<T>(
    supervisor: Pin<&mut impl Future<Output = End>>,
    work: impl Future<Output = T>,
) -> Result<T, Outcome> {
    tokio::select! {
        biased;
        end = supervisor => Err(Outcome::Ended(end)),
        done = work => Ok(done),
    }
}

fn present(client_is_there: bool) -> Result<(), Outcome> {
    if client_is_there { Ok(()) } else { Err(Outcome::Ended(End::ClientGone)) }
}

/// Records what passes. A recorder that is silent is one that fails.
async fn recorded(recorder: &mut dyn Recorder, stream: Stream, data: Bytes) -> Result<(), Outcome> {
    let reason = match tokio::time::timeout(WRITTEN_WITHIN, recorder.write(stream, data)).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(RecordError { reason })) => reason,
        Err(_) => format!("the recorder has not answered for {} s", WRITTEN_WITHIN.as_secs()),
    };
    tracing::error!(reason, "a command is ended: its recording cannot be written");
    Err(Outcome::Ended(End::Recording))
}

#[cfg(test)]
mod tests;
