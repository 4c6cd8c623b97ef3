//! The PROXY protocol, version 2: how a load balancer says for whom it connects (HAProxy's `proxy-protocol.txt`, section 2.2).
//!
//! Owns the bytes of one header and what they mean, as pure functions. Refuses to know whose header may be believed: that is
//! the listener's matter.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The bytes that begin every header: the signature, then version and command, family and transport, length.
pub const FIXED: usize = 16;
/// Longest rest of a header that is read: the largest addresses (two AF_UNIX paths) and some space for TLVs, 536 in all.
pub const LONGEST_REST: usize = 520;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The type of the TLV that carries a CRC32C of the whole header, in which its own four bytes count as zero.
const CHECKSUM: u8 = 0x03;

/// For whom a connection was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The proxy itself, as in a health check: the address that we see is the real one.
    Proxy,
    /// This client.
    Client(SocketAddr),
}

/// Why a header is no header that counts. `Display` is for the operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProxyError {
    /// It begins otherwise.
    #[error("no PROXY header at the beginning")]
    Missing,
    /// The older form, in text.
    #[error("a PROXY header of version 1; have the proxy send version 2")]
    Version1,
    /// Another number than 2.
    #[error("a PROXY header of version {0}; have the proxy send version 2")]
    Version(u8),
    /// Neither LOCAL nor PROXY.
    #[error("a PROXY header with the unknown command {0}")]
    Command(u8),
    /// Neither TCP over IPv4 nor over IPv6.
    #[error("a PROXY header for the address family and transport {0:#04x}, which is not TCP over IPv4 or IPv6")]
    Family(u8),
    /// More than [`LONGEST_REST`].
    #[error("a PROXY header of {0} bytes after the first 16, and at most {LONGEST_REST} are read")]
    TooLong(usize),
    /// Shorter than its family needs, or cut off.
    #[error("a PROXY header that ends in the middle")]
    Short,
    /// A TLV reaches beyond the end of the header.
    #[error("a PROXY header with a broken TLV")]
    Tlv,
    /// The checksum is another one.
    #[error("a PROXY header with a wrong checksum")]
    Checksum,
}

/// What begins so cannot become a header: known after the first wrong byte, so that nobody waits for 16 of them.
///
/// # Errors
/// [`ProxyError::Missing`] or [`ProxyError::Version1`].
pub fn begins(bytes: &[u8]) -> Result<(), ProxyError> {
    if bytes.iter().zip(&SIGNATURE).all(|(byte, wanted)| byte == wanted) {
        return Ok(());
    }
    Err(if b"PROXY ".starts_with(bytes) || bytes.starts_with(b"PROXY ") {
        ProxyError::Version1
    } else {
        ProxyError::Missing
    })
}

/// How many bytes follow the first 16.
///
/// # Errors
/// What is wrong with these already.
pub fn rest_of(fixed: &[u8; FIXED]) -> Result<usize, ProxyError> {
    begins(fixed)?;
    let [.., version_and_command, _, high, low] = *fixed;
    match (version_and_command >> 4, version_and_command & 0x0f) {
        (2, 0 | 1) => {}
        (2, command) => return Err(ProxyError::Command(command)),
        (version, _) => return Err(ProxyError::Version(version)),
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_REST { Err(ProxyError::TooLong(length)) } else { Ok(length) }
}

/// Reads a whole header: `header` ends where it ends.
///
/// UNSPEC and AF_UNIX are refused with the command PROXY: the real source would be unknown, and conditions depend on it.
///
/// # Errors
/// Everything of [`ProxyError`].
pub fn parse(header: &[u8]) -> Result<Origin, ProxyError> {
    let Some((fixed, rest)) = header.split_first_chunk::<FIXED>() else {
        return Err(begins(header).err().unwrap_or(ProxyError::Short));
    };
    if rest.len() != rest_of(fixed)? {
        return Err(ProxyError::Short);
    }
    let [.., version_and_command, family, _, _] = *fixed;
    if version_and_command & 0x0f == 0 {
        return Ok(Origin::Proxy); // LOCAL: "the receiver must accept this connection as valid" and skip the rest
    }
    let (client, tlvs) = match family {
        0x11 => addresses::<4, 12>(rest, |ip| Ipv4Addr::from(ip).into())?,
        0x21 => addresses::<16, 36>(rest, |ip| Ipv6Addr::from(ip).into())?,
        other => return Err(ProxyError::Family(other)),
    };
    check_tlvs(header, tlvs)?;
    Ok(Origin::Client(client))
}

/// The source of an address block of `BLOCK` bytes, and what follows it. The block is source, destination, source port,
/// destination port; where the client went to is the proxy's matter.
fn addresses<const ADDRESS: usize, const BLOCK: usize>(
    rest: &[u8],
    ip: impl Fn([u8; ADDRESS]) -> IpAddr,
) -> Result<(SocketAddr, &[u8]), ProxyError> {
    let (block, tlvs) = rest.split_first_chunk::<BLOCK>().ok_or(ProxyError::Short)?;
    let (source, after) = block.split_first_chunk::<ADDRESS>().ok_or(ProxyError::Short)?;
    let port = after.get(ADDRESS..).and_then(<[u8]>::first_chunk::<2>).ok_or(ProxyError::Short)?;
    Ok((SocketAddr::new(ip(*source).to_canonical(), u16::from_be_bytes(*port)), tlvs))
}

/// Walks the TLVs: each must be whole, a checksum must be right; what else they say is not needed here.
fn check_tlvs(header: &[u8], mut tlvs: &[u8]) -> Result<(), ProxyError> {
    while let Some(([kind, high, low], after)) = tlvs.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (value, next) = after.split_at_checked(length).ok_or(ProxyError::Tlv)?;
        if *kind == CHECKSUM {
            let wanted = value.try_into().map(u32::from_be_bytes).map_err(|_| ProxyError::Tlv)?;
            let place = header.len() - after.len();
            let zeroed =
                header.iter().enumerate().map(|(at, byte)| if (place..place + 4).contains(&at) { 0 } else { *byte });
            if crc32c(zeroed) != wanted {
                return Err(ProxyError::Checksum);
            }
        }
        tlvs = next;
    }
    if tlvs.is_empty() { Ok(()) } else { Err(ProxyError::Tlv) }
}

/// CRC-32C (Castagnoli), bit by bit: a header is short and comes once a connection.
fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests;
