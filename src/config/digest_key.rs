//! `keys/digest_key`: 32 random bytes in hexadecimal, the key of the placeholders for secrets.
//!
//! Owns the file's form. `init` makes it. Nothing derives from it but placeholders, so a new one costs no more than that old
//! placeholders cannot be compared with new ones; but that is for the operator to decide, so `serve` never makes one.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::domain::Diagnostic;
use crate::policy::SecretKey;

use super::source::{self, Source};

const SHOWN: &str = "keys/digest_key";

/// Makes a new key at `path`, which must not exist, and has it on disk when it returns.
///
/// # Errors
/// The file system's.
pub fn make(path: &Path) -> std::io::Result<()> {
    let bytes = Zeroizing::new(rand::random::<[u8; 32]>());
    let mut text = Zeroizing::new(String::with_capacity(65));
    bytes.iter().for_each(|byte| {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0')));
    });
    text.push('\n');
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |dir| fs::File::open(dir)?.sync_all())
}

/// Reads the key at `path`.
///
/// # Errors
/// A finding, which never holds a byte of it.
pub fn read(path: &Path) -> Result<SecretKey, Box<Diagnostic>> {
    let text = source::read_secret(path, SHOWN)?;
    let bytes = bytes_of(text.trim_end());
    bytes.map(|bytes| SecretKey::from_bytes(*bytes)).ok_or_else(|| {
        let help = "restore it from a backup; or make another: openssl rand -hex 32 > keys/digest_key";
        Box::new(Source::unread(SHOWN).error("this is not a key of 64 hexadecimal digits").help(help))
    })
}

fn bytes_of(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok())).collect();
    let digits = Zeroizing::new(digits?);
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_made_is_ours_alone_reads_back_and_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("digest_key");
        make(&path).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(make(&path).is_err());
        let read_back = || read(&path).unwrap().placeholder("x");
        assert_eq!(read_back(), read_back());
        let other = dir.path().join("other");
        make(&other).unwrap();
        assert_ne!(read(&other).unwrap().placeholder("x"), read_back());
    }

    #[test]
    fn every_bit_of_the_file_is_a_bit_of_the_key() {
        let digits: String = (0..32_u8).map(|byte| format!("{:02x}", byte.wrapping_mul(37))).collect();
        let bytes = bytes_of(&digits).unwrap();
        assert!(bytes.iter().zip(0..).all(|(found, at): (&u8, u8)| *found == at.wrapping_mul(37)));
        for wrong in ["", "00", &digits[1..], &format!("{digits}0"), &digits.replace('a', "g")] {
            assert!(bytes_of(wrong).is_none(), "{wrong}");
        }
    }
}
