//! What a terminal on the client's side needs although no terminal stands behind it: the client's own one is raw, so line
//! ends are ours to translate and `^C` arrives as a byte.

use bytes::{BufMut as _, Bytes, BytesMut};

/// `data` with each bare line feed as carriage return and line feed, as a terminal driver does (`ONLCR`).
#[must_use]
pub fn for_raw_terminal(data: &Bytes) -> Bytes {
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
pub enum Key {
    /// `^C`
    Interrupt,
    /// `^D`
    EndOfFile,
}

/// What was typed before the first key with a meaning in `data`, and that key.
#[must_use]
pub fn key_in(data: &Bytes) -> Option<(Bytes, Key)> {
    data.iter().enumerate().find_map(|(at, byte)| match byte {
        0x03 => Some((data.slice(..at), Key::Interrupt)),
        0x04 => Some((data.slice(..at), Key::EndOfFile)),
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
    }

    #[test]
    fn what_was_typed_before_a_key_is_not_lost() {
        for (typed, wanted) in [
            (&b"abc\x03"[..], Some(("abc", Key::Interrupt))),
            (b"last line\n\x04rest", Some(("last line\n", Key::EndOfFile))),
            (b"\x04", Some(("", Key::EndOfFile))),
            (b"abc", None),
        ] {
            let found = key_in(&Bytes::from_static(typed));
            assert_eq!(found, wanted.map(|(before, key)| (Bytes::from_static(before.as_bytes()), key)));
        }
    }
}
