//! A connection that comes from a listed proxy: whose it is stands in the PROXY header before the first byte of SSH.
//!
//! [`crate::ssh::proxy`] knows what a header looks like. Here it is read, logged, and counted for its source.

use std::time::Instant;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::ssh::connection;
use crate::ssh::crowd::source_of;
use crate::ssh::lobby::Party;
use crate::ssh::proxy::{self, Origin, ProxyError};

use super::Admission;

/// Reads the header of a listed proxy and takes the client's address for the peer's from here on; `false` when there is none
/// that counts, and then the connection ends.
pub(super) async fn find_client(admission: &mut Admission, stream: &mut TcpStream, cut: &CancellationToken) -> bool {
    let read = tokio::select! {
        () = cut.cancelled() => {
            connection::log_failure(admission, "", None, "no whole PROXY header while there was time and room for it");
            return false;
        }
        read = header(stream) => read,
    };
    match read {
        Ok(Ok(origin)) => {
            if let Origin::Client(client) = origin {
                debug!(proxy = %admission.peer, peer = %client, "a proxy's connection");
                admission.via = Some(std::mem::replace(&mut admission.peer, client));
            }
            let party = Party::Source(source_of(admission.peer.ip()));
            if admission.ticket.as_mut().is_some_and(|ticket| ticket.is_of(party)) {
                admission.front.gate.crowded(admission.peer);
            }
            true
        }
        Ok(Err(error)) => {
            if let Some(left_out) = admission.front.gate.told.count(Instant::now()) {
                warn!(proxy = %admission.peer, %error, left_out, "a connection from proxy_protocol_from is closed");
            }
            connection::log_failure(admission, "", None, &error.to_string());
            false
        }
        Err(error) => {
            debug!(proxy = %admission.peer, %error, "ended before its header");
            false
        }
    }
}

/// One header, byte by byte where the length is not known yet: what follows it is SSH's.
async fn header(stream: &mut TcpStream) -> std::io::Result<Result<Origin, ProxyError>> {
    let mut fixed = [0; proxy::FIXED];
    let mut filled = 0;
    while let Some(free) = fixed.get_mut(filled..).filter(|free| !free.is_empty()) {
        match stream.read(free).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => filled += count,
        }
        if let Err(error) = proxy::begins(fixed.get(..filled).unwrap_or(&fixed)) {
            return Ok(Err(error));
        }
    }
    let length = match proxy::rest_of(&fixed) {
        Ok(length) => length,
        Err(error) => return Ok(Err(error)),
    };
    let mut rest = [0; proxy::LONGEST_REST];
    let Some(rest) = rest.get_mut(..length) else { return Ok(Err(ProxyError::TooLong(length))) };
    stream.read_exact(rest).await?;
    Ok(proxy::parse(&[&fixed[..], rest].concat()))
}
