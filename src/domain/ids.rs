//! Identifiers people read aloud and type: `r-7K2Q4M`, `g-7K2Q4M`, `s-…`, `c-…`, `k-…`, in Crockford's base32.
//!
//! An identifier is a name, never a permission: knowing one gives nothing. Randomness comes in as bits.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::UserName;

/// Crockford's base32 (<https://www.crockford.com/base32.html>): no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Why a text is not an identifier.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{wanted} looks like `{example}`")]
pub struct IdError {
    wanted: &'static str,
    example: &'static str,
}

fn encode(bits: u64, digits: usize) -> Arc<str> {
    (0..digits)
        .rev()
        .map(|place| {
            let digit = (bits >> (5 * place)) & 31;
            ALPHABET.get(usize::try_from(digit).unwrap_or(0)).map_or('0', |&byte| char::from(byte))
        })
        .collect::<String>()
        .into()
}

/// Reads digits as Crockford asks: any case, `O` for zero, `I` and `L` for one.
fn normalise(text: &str, digits: usize) -> Option<Arc<str>> {
    let folded: String = text
        .chars()
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    let known = folded.bytes().all(|byte| ALPHABET.contains(&byte));
    (known && folded.len() == digits).then(|| folded.into())
}

macro_rules! id {
    ($(#[$doc:meta])* $type:ident, $prefix:literal, $digits:literal, $wanted:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// How many random bits an identifier of this kind holds.
            pub const BITS: u32 = 5 * $digits;

            /// Makes one from the low [`Self::BITS`] of `bits`.
            #[must_use]
            pub fn from_bits(bits: u64) -> Self {
                Self(encode(bits, $digits))
            }

            /// The digits after the prefix.
            #[must_use]
            pub fn suffix(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let error = || IdError { wanted: $wanted, example: $example };
                let (prefix, digits) = text.split_once('-').ok_or_else(error)?;
                if !prefix.eq_ignore_ascii_case($prefix) {
                    return Err(error());
                }
                normalise(digits, $digits).map(Self).ok_or_else(error)
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> Self {
                id.to_string()
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{}-{}", $prefix, self.0))
            }
        }
    };
}

id!(
    /// One ask for a role.
    RequestId, "r", 6, "a request", "r-7K2Q4M"
);
id!(
    /// The time-boxed right that a request became; keeps the request's digits.
    GrantId, "g", 6, "a grant", "g-7K2Q4M"
);
id!(
    /// One SSH connection of a user.
    SessionId, "s", 8, "a session", "s-7K2Q4M9D"
);
id!(
    /// One command of a session.
    CommandId, "c", 8, "a command", "c-7K2Q4M9D"
);
id!(
    /// One session certificate.
    CertificateId, "k", 8, "a certificate", "k-7K2Q4M9D"
);

impl From<&RequestId> for GrantId {
    fn from(request: &RequestId) -> Self {
        Self(request.0.clone())
    }
}

impl From<&GrantId> for RequestId {
    fn from(grant: &GrantId) -> Self {
        Self(grant.0.clone())
    }
}

/// Serial number of a certificate. Never zero, which OpenSSH reads as "unnumbered"; never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Serial(NonZeroU64);

impl Serial {
    /// A serial from its number; `None` for zero.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose command it is, for the target's own log: the key ID of the target certificate.
#[derive(Clone, Debug)]
pub struct CommandIdentity {
    /// Who.
    pub user: UserName,
    /// Under which grant.
    pub grant: GrantId,
    /// In which connection.
    pub session: SessionId,
    /// Which command.
    pub command: CommandId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_survives_being_read_aloud() {
        let id = RequestId::from_bits(0b00001_00000_10000_11111_01010_00010);
        assert_eq!(id.to_string(), "r-10GZA2");
        assert_eq!("R-iogza2".parse(), Ok(id.clone()));
        assert_eq!(GrantId::from(&id).to_string(), "g-10GZA2");
        for text in ["", "r-", "g-10GZA2", "r-10GZA", "r-10GZA22", "r-10GZAU", "10GZA2", "r-10GZä"] {
            assert!(text.parse::<RequestId>().is_err(), "{text:?}");
        }
    }
}
