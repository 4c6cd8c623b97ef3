//! Our certificate authorities. Three keys, three purposes: session CA, target CA, host CA.
//!
//! [`profile`] is pure: what each kind of certificate carries. [`signer`] is the only code that touches a private key.

pub mod profile;
pub mod serial;
pub mod signer;
