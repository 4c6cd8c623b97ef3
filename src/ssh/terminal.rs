//! What a terminal on the client's side needs although no terminal stands behind it: the client's own one is raw, so line
//! ends are ours to translate and `^C` arrives as a byte.

use bytes::{BufMut as _, Bytes, BytesMut};

/// `data` with each bare line feed as carriage return and line feed, as a terminal driver does (`ONLCR`).
pub(super) fn for_raw_terminal(data: &Bytes) -> Bytes {
    let feeds = data.iter().filter(|&&byte| byte == b'\n').count();
    if feeds == 0 {
        return data.clone();
    }
    let mut out = BytesMut::with_capacity(data.len() + feeds);
    let mut last = 0;
    for &byte in data {
        if byte == b'\n' && last != b'\r' {
            out.put_u8(b'\r');
        }
        out.put_u8(byte);
        last = byte;
    }
    out.freeze()
}

/// What a key press means when no program reads the terminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Key {
    /// `^C`
    Interrupt,
    /// `^D`
    EndOfFile,
}

/// The first key with a meaning in `data`.
pub(super) fn key_in(data: &[u8]) -> Option<Key> {
    data.iter().find_map(|byte| match byte {
        0x03 => Some(Key::Interrupt),
        0x04 => Some(Key::EndOfFile),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_for_a_raw_terminal_return_to_the_first_column() {
        assert_eq!(for_raw_terminal(&Bytes::from_static(b"a\nb\r\nc")), "a\r\nb\r\nc");
        assert_eq!(for_raw_terminal(&Bytes::from_static(b"\n")), "\r\n");
        assert_eq!(key_in(b"abc\x03"), Some(Key::Interrupt));
    }
}
