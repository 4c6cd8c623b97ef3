//! Turns an offered session certificate into a [`SessionCertificate`], or says why it cannot be one.
//!
//! Pure: the authority, the time, the peer and the users come in as arguments. Refuses to know the store: whether a serial was
//! superseded and whether a listed grant lives is asked by `service::held`, for every command again.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Certificate, HashAlg, PublicKey};

use crate::domain::limits::{EXCERPT, GRANTS_OPTION};
use crate::domain::text::excerpt;
use crate::domain::{CertificateId, GrantId, Serial, Timestamp, UserName};

use super::authority::{NotSigned, OutOfTime, signed_by, within_time};
use super::user::{Directory, User, within};
use super::{Fingerprint, SessionCertificate};

/// The critical option that lists the grants. No stock `sshd` knows it, and an unknown critical option means refuse: that is
/// what keeps a session certificate from opening anything but the bastion.
const GRANTS: &str = "grants@doorward";

/// The critical option of OpenSSH that says from where a certificate may be used.
const SOURCE_ADDRESS: &str = "source-address";

/// How much stack a thread needs that decodes certificates of the longest packet russh takes (256 KiB).
///
/// The signature key of a certificate may be another certificate, as often as fits into the packet, and the decoder recurses.
/// With the usual 2 MiB one packet of a stranger would end the whole process. Every runtime that serves or opens SSH
/// connections is built with this.
pub const DECODING_STACK: usize = 32 * 1024 * 1024;

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

/// The first check that failed. `Display` is for the log; the client is told [`Self::for_client`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A host certificate.
    #[error("it is a host certificate")]
    HostType,
    /// Signed by another key than our session CA's.
    #[error("it is signed by {shown}, which is not the session CA")]
    ForeignAuthority {
        /// The signature key in it.
        shown: Fingerprint,
    },
    /// The signature does not fit.
    #[error("its signature is not valid")]
    BadSignature,
    /// Not yet valid.
    #[error("it is not valid before {from}")]
    NotYetValid {
        /// First instant at which it is.
        from: Timestamp,
    },
    /// Not valid any more.
    #[error("it ended at {at}")]
    Expired {
        /// First instant at which it was not valid.
        at: Timestamp,
    },
    /// Not exactly one principal. OpenSSH read an empty list as "anybody" once.
    #[error("it has {count} principals instead of one")]
    Principals {
        /// How many it has.
        count: usize,
    },
    /// The principal is nobody here.
    #[error("its principal `{shown}` is not a current user of this bastion")]
    UnknownPrincipal {
        /// The principal, escaped.
        shown: String,
    },
    /// The key is not (any more) enrolled for the user.
    #[error("its key {key} is not enrolled for {user}")]
    KeyNotEnrolled {
        /// The user it names.
        user: UserName,
        /// The key it certifies.
        key: Fingerprint,
    },
    /// The key ID is not of our form or names another user.
    #[error("its key ID `{shown}` is not one of ours for its principal")]
    KeyId {
        /// The key ID, escaped.
        shown: String,
    },
    /// Serial zero, which means unnumbered.
    #[error("its serial is 0")]
    SerialZero,
    /// A critical option that we do not issue, `force-command` among them.
    #[error("it has the critical option `{name}`, which session certificates do not carry")]
    CriticalOption {
        /// Its name, escaped.
        name: String,
    },
    /// The list of grants is missing, empty, too long or not as we write it.
    #[error("its critical option `{GRANTS}` is {problem}")]
    Grants {
        /// What is wrong with it.
        problem: &'static str,
    },
    /// `source-address` is not a list of networks.
    #[error("its critical option `source-address` is not a list of networks")]
    SourceAddress,
    /// The peer is outside the certificate's networks, or outside those its user has now.
    #[error("it may not be used from {peer}")]
    OutsideNetworks {
        /// Where the connection comes from.
        peer: IpAddr,
    },
}

impl CertificateError {
    /// What the holder is told: what to do, and nothing about users, keys or authorities that are not theirs. `alias` is what
    /// people type after `ssh`.
    #[must_use]
    pub fn for_client(&self, alias: &str) -> String {
        let renew = format!("`ssh {alias} cert > ~/.ssh/doorward-cert.pub` prints a new one");
        match self {
            Self::Expired { at } => format!("your certificate ended at {}; {renew}", at.to_the_second()),
            Self::NotYetValid { from } => {
                let from = from.to_the_second();
                format!("your certificate is not valid before {from}; look at the clock of this machine; {renew}")
            }
            Self::OutsideNetworks { peer } => {
                format!("your certificate may not be used from {peer}; connect from a network you are enrolled for")
            }
            Self::KeyNotEnrolled { .. } => {
                "the key of your certificate is not enrolled any more; ask the operator to enroll the one you use"
                    .to_owned()
            }
            Self::HostType
            | Self::ForeignAuthority { .. }
            | Self::BadSignature
            | Self::Principals { .. }
            | Self::UnknownPrincipal { .. }
            | Self::KeyId { .. }
            | Self::SerialZero
            | Self::CriticalOption { .. }
            | Self::Grants { .. }
            | Self::SourceAddress => format!("your certificate is not a session certificate of this bastion; {renew}"),
        }
    }
}

/// Decides whether we believe a session certificate. The transport has already proved that the client holds its key (or it
/// comes from our own file, for a key that the transport proved). In this order:
///
/// 1. it is a user certificate;
/// 2. its signature key is `authority`, byte for byte, and the signature is valid;
/// 3. `valid after <= now < valid before`;
/// 4. it has exactly one principal, `USER@BASTION`, and USER is a current user;
/// 5. the key it certifies is enrolled for that user;
/// 6. its key ID is `doorward:USER:k-…` for the same user, its serial is not 0;
/// 7. each critical option is one we issue; `grants@doorward` is there and well-formed; the peer is inside `source-address`
///    and inside the networks the user has now.
///
/// A repeated critical option never gets here: the decoder refuses it. Extensions never fail; they only permit.
///
/// # Errors
/// [`CertificateError`] names the first check that failed.
///
/// # Source
/// draft-ietf-sshm-cert-01, "Critical options" and "Extensions" (before: OpenSSH `PROTOCOL.certkeys`). Check 3 is repeated
/// here because russh compares with `>` where OpenSSH has `>=`; check 4 follows OpenSSH's code, which refuses an empty list.
pub fn verify_session_certificate(
    certificate: &Certificate,
    authority: &PublicKey,
    presented: &Presented<'_>,
) -> Result<SessionCertificate, CertificateError> {
    if certificate.cert_type() != CertType::User {
        return Err(CertificateError::HostType);
    }
    check_authority(certificate, authority)?;
    check_dates(certificate, presented.now)?;
    let user = principal(certificate, presented)?;
    let key = enrolled_key(certificate, user, presented.directory)?;
    let id = key_id(certificate, &user.name)?;
    let serial = Serial::new(certificate.serial()).ok_or(CertificateError::SerialZero)?;
    let grants = critical_options(certificate, presented.peer)?;
    check_networks(&user.networks, presented.peer)?;
    Ok(SessionCertificate { serial, id, user: user.name.clone(), key, grants })
}

fn check_authority(certificate: &Certificate, authority: &PublicKey) -> Result<(), CertificateError> {
    signed_by(certificate, authority).map_err(|why| match why {
        NotSigned::Foreign(shown) => CertificateError::ForeignAuthority { shown },
        NotSigned::Invalid => CertificateError::BadSignature,
    })
}

fn check_dates(certificate: &Certificate, now: Timestamp) -> Result<(), CertificateError> {
    within_time(certificate, now).map_err(|why| match why {
        OutOfTime::NotBefore(from) => CertificateError::NotYetValid { from },
        OutOfTime::Since(at) => CertificateError::Expired { at },
    })
}

fn principal<'a>(certificate: &Certificate, presented: &Presented<'a>) -> Result<&'a User, CertificateError> {
    let [principal] = certificate.valid_principals() else {
        return Err(CertificateError::Principals { count: certificate.valid_principals().len() });
    };
    let named = principal.split_once('@').filter(|&(_, bastion)| bastion == presented.bastion);
    let user = named.and_then(|(name, _)| presented.directory.user(&name.parse().ok()?));
    user.ok_or_else(|| CertificateError::UnknownPrincipal { shown: excerpt(principal, EXCERPT) })
}

fn enrolled_key(
    certificate: &Certificate,
    user: &User,
    directory: &Directory,
) -> Result<Fingerprint, CertificateError> {
    let key = certificate.public_key().fingerprint(HashAlg::Sha256);
    let owned = directory.owner_of(&key).is_some_and(|owner| owner.name == user.name)
        && user.keys.iter().any(|enrolled| enrolled.key_data() == certificate.public_key());
    if owned { Ok(key) } else { Err(CertificateError::KeyNotEnrolled { user: user.name.clone(), key }) }
}

fn key_id(certificate: &Certificate, user: &UserName) -> Result<CertificateId, CertificateError> {
    let shown = certificate.key_id();
    let written = shown.strip_prefix("doorward:").and_then(|rest| rest.split_once(':'));
    let id = written.filter(|&(name, _)| name == user.as_str()).and_then(|(_, id)| id.parse::<CertificateId>().ok());
    // An identifier can be typed in several ways; a certificate has it in the one way we write it.
    id.filter(|id| shown.ends_with(&format!(":{id}")))
        .ok_or_else(|| CertificateError::KeyId { shown: excerpt(shown, EXCERPT) })
}

/// Every option is known and met; gives the grants.
fn critical_options(certificate: &Certificate, peer: IpAddr) -> Result<BTreeSet<GrantId>, CertificateError> {
    let mut grants = Err(CertificateError::Grants { problem: "missing" });
    for (name, value) in certificate.critical_options().iter() {
        match name.as_str() {
            GRANTS => grants = parse_grants(value),
            SOURCE_ADDRESS => check_networks(&parse_networks(value)?, peer)?,
            _ => return Err(CertificateError::CriticalOption { name: excerpt(name, EXCERPT) }),
        }
    }
    grants
}

fn parse_grants(value: &str) -> Result<BTreeSet<GrantId>, CertificateError> {
    let bad = |problem| CertificateError::Grants { problem };
    if value.is_empty() {
        return Err(bad("empty"));
    }
    if value.len() > GRANTS_OPTION {
        return Err(bad("too long"));
    }
    let grants: Option<BTreeSet<GrantId>> = value.split(',').map(|id| id.parse().ok()).collect();
    grants.filter(|grants| write_grants(grants) == value).ok_or_else(|| bad("not a list of grants as we write it"))
}

/// The value of `grants@doorward`: the identifiers in order, separated by commas.
#[must_use]
pub fn write_grants(grants: &BTreeSet<GrantId>) -> String {
    grants.iter().map(GrantId::to_string).collect::<Vec<_>>().join(",")
}

fn parse_networks(value: &str) -> Result<Vec<IpNet>, CertificateError> {
    let one = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    value.split(',').map(|text| one(text).ok_or(CertificateError::SourceAddress)).collect()
}

fn check_networks(networks: &[IpNet], peer: IpAddr) -> Result<(), CertificateError> {
    let outside = CertificateError::OutsideNetworks { peer: peer.to_canonical() };
    if within(networks, peer) { Ok(()) } else { Err(outside) }
}
