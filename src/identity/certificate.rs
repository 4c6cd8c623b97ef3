//! Turns an offered session certificate into a [`super::SessionCertificate`], or says why it cannot be one.

use std::net::IpAddr;

use crate::domain::Timestamp;

use super::user::Directory;

/// The circumstances under which a certificate was shown.
#[derive(Debug)]
pub struct Presented<'a> {
    /// The bastion's name, after the `@` of the principal.
    pub bastion: &'a str,
    /// Decision time.
    pub now: Timestamp,
    /// Where the connection comes from.
    pub peer: IpAddr,
    /// The users there are.
    pub directory: &'a Directory,
}

/// The first check that failed. For the audit log; the client is told only what it can act on.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {}
