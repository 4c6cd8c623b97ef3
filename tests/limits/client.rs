//! Clients that the tests write themselves: raw sockets from an address of their choice, and russh's client.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate};

use crate::support::bastion::{Bastion, Setup};

/// A bastion with this `[limits]`.
pub(crate) fn limited(limits: &str) -> Bastion {
    Bastion::with(Setup { tables: format!("[limits]\n{limits}\n"), ..Setup::default() })
}

/// A connection to the bastion from an address of the loopback network.
pub(crate) async fn knock_from(source: Ipv4Addr, port: u16) -> std::io::Result<tokio::net::TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await
}

/// The same for tests that block.
pub(crate) fn knock(source: Ipv4Addr, port: u16) -> TcpStream {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let stream = runtime.block_on(knock_from(source, port)).expect("connect");
    let stream = stream.into_std().expect("a socket");
    stream.set_nonblocking(false).expect("a socket");
    stream
}

/// Whether the bastion has closed it: looks for an end, at most a moment.
pub(crate) fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => {
                return !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut);
            }
        }
    }
}

/// A client that trusts anybody.
pub(crate) struct Trusting;

impl client::Handler for Trusting {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(true)
    }
}

/// Through the key exchange, and no further.
pub(crate) async fn greeted(bastion: &Bastion) -> Handle<Trusting> {
    let config = Arc::new(client::Config::default());
    client::connect(config, ("127.0.0.1", bastion.port), Trusting).await.expect("connect")
}

pub(crate) fn key_of(bastion: &Bastion, who: &str) -> PrivateKey {
    russh::keys::load_secret_key(bastion.home().join(who), None).expect("a key")
}

pub(crate) async fn proven(bastion: &Bastion, who: &str) -> Handle<Trusting> {
    let mut handle = greeted(bastion).await;
    let proof = PrivateKeyWithHashAlg::new(Arc::new(key_of(bastion, who)), None);
    assert!(handle.authenticate_publickey(who, proof).await.expect("an answer").success());
    handle
}

/// How many descriptors the bastion holds.
pub(crate) fn descriptors(bastion: &Bastion) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", bastion.pid())).expect("its files").count()
}

/// Whether a failure in the log gives this reason.
pub(crate) fn failed_because(bastion: &Bastion, reason: &str) -> bool {
    let entries = bastion.entries("authentication-failed");
    entries.iter().any(|entry| entry["data"]["reason"].as_str().is_some_and(|given| given.contains(reason)))
}
