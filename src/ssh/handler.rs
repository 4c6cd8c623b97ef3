//! russh's callbacks for one connection. Every one is here and answered: what this build does not serve is refused by name
//! and logged. Nothing here decides anything; it proves who it is, opens channels and hands them to [`super::channel`].

use std::sync::Arc;

use russh::keys::PublicKey;
use russh::keys::ssh_key::Certificate;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session as Wire, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty, Sig};

use crate::domain::text;
use crate::identity::Proof;
use crate::identity::certificate::Presented;

use super::channel::{self, Conversation};
use super::connection::{Asked, Connection, Entrance, Phase, only_public_keys};
use super::jump::{self, DirectTcpip, OuterConnection};

impl Handler for Connection {
    type Error = russh::Error;

    /// Proves nothing, and is enough where the client that asks is the one that proved it outside.
    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.go_on(user)?;
        if let Entrance::Jump(jump) = &mut self.entrance
            && let Some(session) = jump.without_proof(user)
        {
            self.phase = Phase::Proven(Arc::new(session));
            return Ok(Auth::Accept);
        }
        if let Phase::Unproven(attempts) = &mut self.phase {
            user.clone_into(&mut attempts.login);
        }
        Ok(only_public_keys())
    }

    async fn auth_password(&mut self, user: &str, _password: &str) -> Result<Auth, Self::Error> {
        self.go_on(user)?;
        Ok(only_public_keys())
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        _response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        self.go_on(user)?;
        Ok(only_public_keys())
    }

    /// A probe: is it worth signing with this key? Nothing is proved yet. A certificate arrives here as its bare key, which
    /// must be enrolled just the same, so unknown keys are refused before anybody touches a security key for them.
    async fn auth_publickey_offered(&mut self, user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        self.probe(user)?;
        match self.owner(offer.public_key) {
            Ok(_) => Ok(Auth::Accept),
            Err(reason) => Ok(self.refuse(user, offer.public_key, reason)),
        }
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        self.go_on(user)?;
        match self.owner(key.public_key) {
            Ok(name) => Ok(self.accept(user, key.public_key.clone(), name, Proof::Key)),
            Err(reason) => Ok(self.refuse(user, key.public_key, reason)),
        }
    }

    async fn auth_openssh_certificate(&mut self, user: &str, certificate: &Certificate) -> Result<Auth, Self::Error> {
        self.go_on(user)?;
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let services = Arc::clone(&self.front.services);
        let snapshot = services.snapshot.load();
        let presented = Presented {
            bastion: &snapshot.settings.name,
            now: services.clock.now(),
            peer: self.peer(),
            directory: &snapshot.directory,
        };
        let verified = services.authority.verify(certificate, &presented);
        match (verified, self.owner(&key)) {
            (Ok(certificate), Ok(name)) if certificate.user == name => {
                self.certificate_refused = None;
                Ok(self.accept(user, key, name, Proof::Certificate(certificate)))
            }
            (Err(error), _) => {
                let reason = format!("certificate: {error}");
                self.certificate_refused = Some(error);
                Ok(self.refuse(user, &key, reason))
            }
            (Ok(_), Err(reason)) => Ok(self.refuse(user, &key, reason)),
            (Ok(_), Ok(_)) => Ok(self.refuse(user, &key, "the certificate names another user than its key's")),
        }
    }

    async fn auth_succeeded(&mut self, wire: &mut Wire) -> Result<(), Self::Error> {
        let Phase::Proven(session) = &self.phase else { return Ok(()) };
        let session = Arc::clone(session);
        match &mut self.entrance {
            Entrance::Port(admission) => {
                admission.authenticated();
                self.log_connection(&session, wire.remote_sshid());
                self.prepare(&session);
            }
            Entrance::Jump(jump) => jump.authenticated(&session, wire.remote_sshid()),
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        let Phase::Proven(session) = &self.phase else {
            return Ok(()); // dropping the handle refuses
        };
        let session = Arc::clone(session);
        // russh does not call back for a close that answers ours.
        self.channels.retain(|_, asked| asked.lives());
        let Some(place) = self.place(Arc::clone(&self.room)) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        self.prepare_for_channel(&session);
        let conversation = Conversation {
            front: Arc::clone(&self.front),
            session,
            target: self.target().cloned(),
            certificate_refused: self.certificate_refused.clone(),
            place: Arc::new(place),
        };
        self.channels.insert(channel.id(), Asked::by(&conversation.place));
        reply.accept().await;
        let front = Arc::clone(&self.front);
        front.conversations.spawn(channel::serve(conversation, channel));
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _wire: &mut Wire) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _address: &str,
        _port: u32,
        reply: ChannelOpenHandle,
        _wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        self.refused("x11");
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    /// The jump door: a connection to a target's name is answered in that name. There is none inside another one.
    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        originator: &str,
        originator_port: u32,
        reply: ChannelOpenHandle,
        _wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        let asked = DirectTcpip::new((host, port), (originator, originator_port));
        let (Entrance::Port(_), Phase::Proven(session)) = (&self.entrance, &self.phase) else {
            self.refused(&asked.to_string());
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        let session = Arc::clone(session);
        let Some(place) = self.place(Arc::clone(&self.jumps)) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let outer = OuterConnection {
            front: Arc::clone(&self.front),
            session,
            certificate_refused: self.certificate_refused.clone(),
            room: Arc::clone(&self.room),
            refusals: Arc::clone(&self.refusals),
        };
        // A task of its own: whether it is answered is looked up, and the connection's other channels do not wait for that.
        self.front.connections.spawn(jump::answer(outer, asked, place, channel, reply));
        Ok(())
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        self.refused(&format!("forwarded-tcpip to {}:{port}", text::excerpt(host, 80)));
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        self.refused(&format!("direct-streamlocal to {}", text::excerpt(path, 80)));
        reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
        Ok(())
    }

    async fn tcpip_forward(&mut self, address: &str, port: &mut u32, _wire: &mut Wire) -> Result<bool, Self::Error> {
        self.refused(&format!("tcpip-forward of {}:{port}", text::excerpt(address, 80)));
        Ok(false)
    }

    async fn cancel_tcpip_forward(
        &mut self,
        _address: &str,
        _port: u32,
        _wire: &mut Wire,
    ) -> Result<bool, Self::Error> {
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, path: &str, _wire: &mut Wire) -> Result<bool, Self::Error> {
        self.refused(&format!("streamlocal-forward of {}", text::excerpt(path, 80)));
        Ok(false)
    }

    async fn cancel_streamlocal_forward(&mut self, _path: &str, _wire: &mut Wire) -> Result<bool, Self::Error> {
        Ok(false)
    }

    /// Accepted, so that the client does not complain; whether a terminal stands behind it is the role's matter. Before the
    /// command only.
    async fn pty_request(
        &mut self,
        channel: ChannelId,
        term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        modes: &[(Pty, u32)],
        wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        // A mode is five bytes on the wire (RFC 4254 section 8).
        let most = self.front.limits.request;
        if term.len().saturating_add(modes.len().saturating_mul(5)) > most {
            self.refused(&format!("pty-req of more than {most} bytes"));
            return wire.channel_failure(channel);
        }
        match self.channels.get(&channel) {
            Some(asked) if !asked.started => wire.channel_success(channel),
            _ => wire.channel_failure(channel),
        }
    }

    async fn window_change_request(
        &mut self,
        _channel: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        Ok(()) // RFC 4254 6.7: no reply
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        self.refused("x11-req");
        wire.channel_failure(channel)
    }

    /// The user's environment never travels: dropped and counted.
    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        wire: &mut Wire,
    ) -> Result<(), Self::Error> {
        self.refusals.dropped_env();
        wire.channel_failure(channel)
    }

    async fn shell_request(&mut self, channel: ChannelId, wire: &mut Wire) -> Result<(), Self::Error> {
        self.start(channel, "shell", wire)
    }

    async fn exec_request(&mut self, channel: ChannelId, _data: &[u8], wire: &mut Wire) -> Result<(), Self::Error> {
        self.start(channel, "exec", wire)
    }

    async fn subsystem_request(&mut self, channel: ChannelId, name: &str, wire: &mut Wire) -> Result<(), Self::Error> {
        self.refused(&format!("subsystem {}", text::excerpt(name, 80)));
        wire.channel_failure(channel)
    }

    async fn agent_request(&mut self, _channel: ChannelId, _wire: &mut Wire) -> Result<bool, Self::Error> {
        self.refused("auth-agent-req@openssh.com");
        Ok(false)
    }

    async fn signal(&mut self, _channel: ChannelId, _signal: Sig, _wire: &mut Wire) -> Result<(), Self::Error> {
        Ok(()) // no reply (RFC 4254 6.9); the target's sshd ignores them under a forced command, closing the channel ends it
    }
}
