//! A client inside a client, made by hand: what the stock `ssh` does not send.

use std::sync::Arc;

use russh::client::{self, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, Error};

use crate::support::bastion::Bastion;

/// A client that trusts anybody.
pub(crate) struct Trusting;

impl client::Handler for Trusting {
    type Error = Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Error> {
        Ok(true)
    }
}

/// The originator that `-J` and `-W` send.
pub(crate) const STDIO: (&str, u32) = ("127.0.0.1", 65535);

/// A connection of `who` to the bastion.
pub(crate) async fn outer(bastion: &Bastion, who: &str) -> Handle<Trusting> {
    let config = Arc::new(client::Config::default());
    let mut handle = client::connect(config, ("127.0.0.1", bastion.port), Trusting).await.expect("connect");
    let proof = PrivateKeyWithHashAlg::new(key(bastion, who), None);
    assert!(handle.authenticate_publickey(who, proof).await.expect("an answer").success());
    handle
}

/// The private key of `who`.
pub(crate) fn key(bastion: &Bastion, who: &str) -> Arc<russh::keys::PrivateKey> {
    Arc::new(russh::keys::load_secret_key(bastion.home().join(who), None).expect("a key"))
}

/// A channel to `host` inside `outer`.
pub(crate) async fn channel(
    outer: &Handle<Trusting>,
    host: &str,
    (address, port): (&str, u32),
) -> Result<Channel<client::Msg>, Error> {
    outer.channel_open_direct_tcpip(host, 22, address, port).await
}

/// A connection to `host` inside `outer`, which has proved nothing yet.
pub(crate) async fn inner(outer: &Handle<Trusting>, host: &str, originator: (&str, u32)) -> Handle<Trusting> {
    let channel = channel(outer, host, originator).await.expect("a channel");
    let config = Arc::new(client::Config::default());
    client::connect_stream(config, channel.into_stream(), Trusting).await.expect("a connection inside")
}

/// What the server says of a channel until it closes it, at most ten seconds: replies, exit code.
pub(crate) async fn said(channel: &mut Channel<client::Msg>) -> (Vec<bool>, Option<u32>) {
    let (mut replies, mut exit) = (Vec::new(), None);
    let all = async {
        while let Some(message) = channel.wait().await {
            match message {
                ChannelMsg::Success => replies.push(true),
                ChannelMsg::Failure => replies.push(false),
                ChannelMsg::ExitStatus { exit_status } => exit = Some(exit_status),
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), all).await.expect("the channel is closed");
    (replies, exit)
}
