//! One session channel: from its request to its exit code. Whatever happens in between, the client gets an exit code and a
//! close: dropping russh's halves would leave it waiting for ever.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use tokio::sync::OwnedSemaphorePermit;
use tracing::error;

use crate::audit::event::What;
use crate::control::{self, console};
use crate::domain::TargetName;
use crate::identity::certificate::CertificateError;
use crate::service::ports::ClientSide as _;
use crate::service::run_command::{CommandAsk, run_command};
use crate::service::selection::choice_by_login;
use crate::service::{COULD_NOT_RUN, DENIED, Session, requestable};
use crate::session::{SpoolLimits, spool};

use super::FrontDoor;
use super::client::{Client, drain};
use super::door::{Door, door_of, door_unknown};

/// How long a channel may be open without asking for anything.
const ASK_WITHIN: Duration = Duration::from_secs(60);
/// How long a client may take for the exit code and the close.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a channel's task works with.
pub(super) struct Conversation {
    pub(super) front: Arc<FrontDoor>,
    pub(super) session: Arc<Session>,
    /// The target in whose name the connection is answered; at the port the login name says where.
    pub(super) target: Option<TargetName>,
    /// Why a presented certificate did not count.
    pub(super) certificate_refused: Option<CertificateError>,
    /// Its place among the connection's conversations.
    pub(super) place: Arc<OwnedSemaphorePermit>,
}

/// What a channel asks for.
enum Ask {
    Exec(Vec<u8>),
    Shell,
}

/// What came before it.
#[derive(Clone, Copy, Default)]
struct Before {
    /// A terminal was asked for.
    terminal: bool,
    /// The client sends nothing: a program that reads must not wait for it.
    ended: bool,
}

/// Runs one channel.
pub(super) async fn serve(conversation: Conversation, channel: Channel<Msg>) {
    let (mut read, write) = channel.split();
    let write = Arc::new(write);
    let asked = tokio::time::timeout(ASK_WITHIN, first_ask(&mut read)).await.ok().flatten();
    let Some((ask, before)) = asked else {
        let _ = write.close().await;
        return;
    };
    let place = Arc::clone(&conversation.place);
    let gone = conversation.front.cut.child_token();
    let budget = conversation.front.waiting.of(&conversation.session.user.name);
    let (mut writer, reader) = spool(SpoolLimits { budget, ..conversation.front.spool.clone() });
    if before.ended {
        writer.finish();
    }
    let terminal = before.terminal;
    let draining = tokio::spawn(drain(read, writer, gone.clone(), terminal));
    let mut client = Client { write: Arc::clone(&write), input: reader, gone: gone.clone(), terminal };
    // Its own task, so that a panic in it ends this channel with an exit code instead of leaving the client to wait.
    let running = tokio::spawn(async move { conversation.answer(ask, &mut client).await });
    let code = running.await.unwrap_or_else(|failure| {
        error!(%failure, "a channel's task failed");
        COULD_NOT_RUN
    });
    // A client that reads nothing takes no last words either; it is the connection's matter then (`Limits::unread`).
    let last_words = async {
        let _ = write.exit_status(u32::from(code)).await;
        let _ = write.eof().await;
        // Before the close: who is told that the channel is closed may open the next one.
        drop(place);
        let _ = write.close().await;
    };
    let _ = tokio::time::timeout(LAST_WORDS, last_words).await;
    // russh keeps its end of a channel that we close first until the connection ends, and says nothing when the client answers:
    // waiting for that would keep this task for as long. What still comes is dropped by russh once nobody takes it.
    draining.abort();
}

/// Waits for the request that starts something, and notes what came before it.
async fn first_ask(read: &mut ChannelReadHalf) -> Option<(Ask, Before)> {
    let mut before = Before::default();
    loop {
        match read.wait().await? {
            ChannelMsg::RequestPty { .. } => before.terminal = true,
            ChannelMsg::Eof => before.ended = true,
            ChannelMsg::Exec { command, .. } => return Some((Ask::Exec(command), before)),
            ChannelMsg::RequestShell { .. } => return Some((Ask::Shell, before)),
            ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

impl Conversation {
    async fn answer(&self, ask: Ask, client: &mut Client) -> u8 {
        let (services, session) = (&self.front.services, &self.session);
        let most = self.front.limits.line;
        if let Ask::Exec(line) = &ask
            && line.len() > most
        {
            return self.too_long(line.len(), most, client).await;
        }
        let door = self.door().await;
        if matches!((&door, &ask), (Door::Control, _) | (_, Ask::Shell)) {
            // No verb reads input, and one may wait for hours: nothing is kept for it meanwhile.
            client.input.close();
        }
        match (door, ask) {
            (Door::Control, Ask::Exec(line)) => {
                control::run(services, &self.front.control, session, &line, client).await
            }
            (_, Ask::Shell) => control::greet(services, &self.front.control, session, client).await,
            (Door::Unknown, Ask::Exec(_)) => {
                let line = console::ours("not run: the bastion's database does not work now; tell its operator");
                client.error(Bytes::from(line)).await;
                COULD_NOT_RUN
            }
            (Door::Target { target, choice }, Ask::Exec(line)) => {
                self.mention_refused_certificate(client).await;
                run_command(services, session, CommandAsk { target, choice, line }, client).await
            }
        }
    }

    /// Nothing reads a line that is too long, not even to deny it.
    async fn too_long(&self, length: usize, most: usize, client: &mut Client) -> u8 {
        client.input.close();
        let what = format!("a line of {length} bytes, and at most {most} are read");
        let event = self.session.event(What::Refused { what: what.clone() });
        self.front.services.audit.append_later(event);
        client.error(Bytes::from(console::ours(&format!("denied: {what}")))).await;
        DENIED
    }

    /// The door of this session's login name, among the targets the user may see now.
    async fn door(&self) -> Door {
        let session = &self.session;
        if let Some(target) = &self.target {
            return self.choice_on(target).await;
        }
        let targets = match requestable::targets_for(&self.front.services, &session.user.name).await {
            Ok(targets) => targets,
            Err(error) => {
                error!(%error, "the targets of a user cannot be looked up");
                return door_unknown(&session.login, &session.user.name);
            }
        };
        let visible = targets.into_iter().map(|target| target.name).collect();
        let suffix = self.front.services.snapshot.load().settings.suffix.clone();
        door_of(&session.login, &suffix, &visible)
    }

    /// The door of a connection to a target's own name: the login name selects among what is held there.
    async fn choice_on(&self, target: &TargetName) -> Door {
        let (services, session) = (&self.front.services, &self.session);
        match choice_by_login(services, &session.user.name, target, &session.login).await {
            Ok(choice) => Door::Target { target: target.clone(), choice },
            Err(error) => {
                error!(%error, "the grants of a user cannot be looked up");
                Door::Unknown
            }
        }
    }

    /// The connection goes on with the plain key when a certificate is refused; whoever presented one should know.
    async fn mention_refused_certificate(&self, client: &mut Client) {
        if let Some(reason) = &self.certificate_refused {
            let alias = &self.front.services.snapshot.load().settings.alias;
            let reason = reason.for_client(alias);
            let text = console::ours(&format!("the certificate you presented does not count: {reason}"));
            client.error(Bytes::from(text)).await;
        }
    }
}
