//! A client that the tests write themselves, for what the stock `ssh` does not do: russh's, which trusts any host.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{Channel, ChannelMsg, Error};

use super::bastion::Bastion;

/// A client that trusts anybody.
pub struct Trusting;

impl client::Handler for Trusting {
    type Error = Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Error> {
        Ok(true)
    }
}

/// The private key of `who`.
pub fn key(bastion: &Bastion, who: &str) -> Arc<PrivateKey> {
    Arc::new(load_secret_key(bastion.home().join(who), None).expect("a key"))
}

/// Through the key exchange, and no further.
pub async fn greeted(bastion: &Bastion) -> Handle<Trusting> {
    client::connect(Arc::default(), ("127.0.0.1", bastion.port), Trusting).await.expect("connect")
}

/// A connection on which the key of `who` has signed, at the control door.
pub async fn proven(bastion: &Bastion, who: &str) -> Handle<Trusting> {
    proven_as(bastion, who, who).await
}

/// The same with a login name of its own.
pub async fn proven_as(bastion: &Bastion, who: &str, login: &str) -> Handle<Trusting> {
    let mut handle = greeted(bastion).await;
    let proof = PrivateKeyWithHashAlg::new(key(bastion, who), None);
    assert!(handle.authenticate_publickey(login, proof).await.expect("an answer").success());
    handle
}

/// What the server says of a channel until it closes it, which it does in time: replies, exit code.
pub async fn said(channel: &mut Channel<client::Msg>) -> (Vec<bool>, Option<u32>) {
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
    tokio::time::timeout(super::bastion::PATIENCE, all).await.expect("the channel is closed");
    (replies, exit)
}
