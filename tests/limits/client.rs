//! Connections from an address of the test's choice, and what the bastion makes of them.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

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

/// How many descriptors the bastion holds.
pub(crate) fn descriptors(bastion: &Bastion) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", bastion.pid())).expect("its files").count()
}

/// Whether a failure in the log gives this reason.
pub(crate) fn failed_because(bastion: &Bastion, reason: &str) -> bool {
    let entries = bastion.entries("authentication-failed");
    entries.iter().any(|entry| entry["data"]["reason"].as_str().is_some_and(|given| given.contains(reason)))
}
