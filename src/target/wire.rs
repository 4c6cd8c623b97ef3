//! How we speak SSH with a target: algorithms, limits, and what we do when it speaks first.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelId, Preferred, SshId, cipher, compression, kex, mac};

use crate::domain::Clock;
use crate::domain::limits::EXCERPT;
use crate::domain::text::{escape, excerpt};
use crate::inventory::HostIdentity;

use super::host_key;

/// The names that are no algorithms keep strict key exchange (against prefix truncation, CVE-2023-48795) and EXT_INFO on.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];
/// AES-GCM first: half the processor time of ChaCha20 where the processor has AES.
const CIPHERS: &[cipher::Name] = &[cipher::AES_256_GCM, cipher::CHACHA20_POLY1305];
const MACS: &[mac::Name] = &[mac::HMAC_SHA512_ETM, mac::HMAC_SHA256_ETM];
/// Messages that wait inside russh before it stops reading the socket. A hostile target's largest packet is 256 KiB.
const WAITING_MESSAGES: usize = 16;

/// The client's configuration for a target that is recognised by `identity`.
pub(super) fn config(identity: &HostIdentity) -> Arc<client::Config> {
    let asked = host_key::asked(identity);
    Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed("SSH-2.0-doorward")),
        preferred: Preferred {
            kex: Cow::Borrowed(KEX),
            key: Cow::Owned(asked.plain),
            // Empty in russh's own lists: without it no server ever shows a certificate.
            host_key_certificates: Cow::Owned(asked.certificates),
            cipher: Cow::Borrowed(CIPHERS),
            mac: Cow::Borrowed(MACS),
            compression: Cow::Borrowed(&[compression::NONE]),
        },
        channel_buffer_size: WAITING_MESSAGES,
        // A target that lost power says nothing; three unanswered questions later the connection counts as lost.
        keepalive_interval: Some(Duration::from_secs(15)),
        keepalive_max: 3,
        nodelay: true,
        ..client::Config::default()
    })
}

/// Why a connection to a target ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// It showed another host key.
    #[error("it showed the host key {0}")]
    HostKey(String),
    /// It did not show a host certificate that we believe; why, already escaped.
    #[error("{0}")]
    HostCertificate(String),
    /// It tried to open a channel towards us. Nothing of the kind was asked for, so no stock server does it.
    #[error("it tried to open a channel towards doorward")]
    Uninvited,
    /// The protocol or the connection failed.
    #[error(transparent)]
    Ssh(#[from] russh::Error),
}

/// What russh calls when the target speaks: checks the host key, refuses everything uninvited, remembers why it ended.
pub(super) struct Watch {
    identity: HostIdentity,
    clock: Arc<dyn Clock>,
    ended: Arc<OnceLock<String>>,
}

impl Watch {
    /// A watch for a target that is recognised by `identity` (`clock` for the dates of a certificate), and the place where it
    /// writes why the connection ended.
    pub(super) fn new(identity: HostIdentity, clock: Arc<dyn Clock>) -> (Self, Arc<OnceLock<String>>) {
        let ended = Arc::new(OnceLock::new());
        (Self { identity, clock, ended: Arc::clone(&ended) }, ended)
    }
}

impl client::Handler for Watch {
    type Error = Fault;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        host_key::check(&self.identity, self.clock.now(), shown).map(|()| true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        let (why, result) = match reason {
            DisconnectReason::ReceivedDisconnect(said) => {
                (format!("it said {:?}", excerpt(&said.message, EXCERPT)), Ok(()))
            }
            DisconnectReason::Error(fault) => (escape(&fault.to_string()).into_owned(), Err(fault)),
        };
        let _ = self.ended.set(why);
        result
    }

    // russh accepts these by default.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }

    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        false
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Fault> {
        Err(Fault::Uninvited)
    }
}
