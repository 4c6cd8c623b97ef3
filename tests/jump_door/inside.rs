//! A client inside a client, made by hand: what the stock `ssh` does not send.

use std::sync::Arc;

use russh::client::{self, Handle};
use russh::{Channel, Error};

use crate::support::client::Trusting;

/// The originator that `-J` and `-W` send.
pub(crate) const STDIO: (&str, u32) = ("127.0.0.1", 65535);

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
    client::connect_stream(Arc::default(), channel.into_stream(), Trusting).await.expect("a connection inside")
}
