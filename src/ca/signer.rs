//! The only code that touches a private key of ours: the [`Signer`] port, the key file behind it, and the three authorities
//! that sign what [`super::profile`] has allowed.
//!
//! The port is a trait so that an agent, a hardware module or a process of its own can take the key file's place.

use async_trait::async_trait;
use russh::keys::signature::{self, Signer as SignatureSigner};
use russh::keys::ssh_key::certificate::Builder;
use russh::keys::ssh_key::{Signature, public::KeyData};
use russh::keys::{Certificate, PublicKey};

use crate::domain::{Serial, Timestamp, Window};
use crate::identity::SessionCertificate;
use crate::identity::certificate::{CertificateError, Presented, verify_session_certificate, write_grants};
use crate::service::ports::{AuthorityError, SessionAuthority, SessionCertificateRequest};

use super::profile::{Fields, HostFacts, Profile, ProfileError, SessionFacts, TargetFacts, TestFacts};

mod key_file;

pub use key_file::{KeyFileError, KeyFileSigner, generate_key_file, open_private_key, open_signing_key};

/// A key that signs.
pub trait Signer: Send + Sync {
    /// Its public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`.
    ///
    /// # Errors
    /// What the key's keeper said, for the operator.
    fn sign(&self, message: &[u8]) -> Result<Signature, AuthorityError>;
}

impl From<ProfileError> for AuthorityError {
    fn from(error: ProfileError) -> Self {
        Self { reason: error.to_string() }
    }
}

/// A [`Signer`] as the certificate builder wants it.
struct Pen<'a>(&'a dyn Signer);

impl SignatureSigner<Signature> for Pen<'_> {
    fn try_sign(&self, message: &[u8]) -> Result<Signature, signature::Error> {
        self.0.sign(message).map_err(signature::Error::from_source)
    }
}

impl From<&Pen<'_>> for KeyData {
    fn from(pen: &Pen<'_>) -> Self {
        pen.0.public_key().key_data().clone()
    }
}

/// Makes every certificate of ours, and reads its own signature back before giving it away: a signer that answers with
/// somebody else's signature has failed.
fn make(signer: &dyn Signer, fields: Fields) -> Result<Certificate, AuthorityError> {
    let failed = |error: russh::keys::ssh_key::Error| AuthorityError { reason: error.to_string() };
    let mut builder = Builder::new_with_random_nonce(
        &mut rand::rng(),
        fields.key.key_data().clone(),
        fields.valid_after,
        fields.valid_before,
    )
    .map_err(failed)?;
    builder.serial(fields.serial.get()).map_err(failed)?;
    builder.cert_type(fields.cert_type).map_err(failed)?;
    builder.comment(fields.key_id.as_str()).map_err(failed)?;
    builder.key_id(fields.key_id).map_err(failed)?;
    for principal in fields.principals {
        builder.valid_principal(principal).map_err(failed)?;
    }
    for (name, value) in fields.critical_options {
        builder.critical_option(name, value).map_err(failed)?;
    }
    for name in fields.extensions {
        builder.extension(name, "").map_err(failed)?;
    }
    let certificate = builder.sign(&Pen(signer)).map_err(failed)?;
    certificate.verify_signature().map_err(failed)?;
    Ok(certificate)
}

/// Opens the bastion. Implements the port that the use cases sign through.
pub struct SessionCa {
    signer: Box<dyn Signer>,
    profile: Profile,
    bastion: String,
}

impl SessionCa {
    /// The session CA of the bastion of that name. `profile` is one of [`super::profile::Kind::Session`].
    #[must_use]
    pub fn new(signer: Box<dyn Signer>, profile: Profile, bastion: impl Into<String>) -> Self {
        Self { signer, profile, bastion: bastion.into() }
    }

    /// The key that session certificates must be signed by.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }
}

#[async_trait]
impl SessionAuthority for SessionCa {
    async fn issue(&self, request: SessionCertificateRequest) -> Result<Certificate, AuthorityError> {
        let fields = self.profile.session(&SessionFacts {
            bastion: &self.bastion,
            id: &request.id,
            serial: request.serial,
            user: &request.user,
            key: &request.key,
            grants: &write_grants(&request.grants),
            validity: request.validity,
            networks: &request.networks,
        })?;
        make(self.signer.as_ref(), fields)
    }

    fn verify(
        &self,
        certificate: &Certificate,
        presented: &Presented<'_>,
    ) -> Result<SessionCertificate, CertificateError> {
        verify_session_certificate(certificate, self.public_key(), presented)
    }
}

/// Runs one command on one target.
pub struct TargetCa {
    signer: Box<dyn Signer>,
    profile: Profile,
}

impl TargetCa {
    /// The target CA. `profile` is one of [`super::profile::Kind::Target`].
    #[must_use]
    pub fn new(signer: Box<dyn Signer>, profile: Profile) -> Self {
        Self { signer, profile }
    }

    /// The key that targets trust (`TrustedUserCAKeys`).
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    /// Signs the certificate of one command.
    ///
    /// # Errors
    /// [`AuthorityError`] when the profile refuses the request or the signer fails.
    pub fn issue(&self, facts: &TargetFacts<'_>) -> Result<Certificate, AuthorityError> {
        make(self.signer.as_ref(), self.profile.target(facts)?)
    }

    /// Signs a certificate of `target test`.
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn issue_test(&self, facts: &TestFacts<'_>) -> Result<Certificate, AuthorityError> {
        make(self.signer.as_ref(), self.profile.target_test(facts)?)
    }

    /// How long a certificate is valid after it was signed.
    #[must_use]
    pub fn validity(&self) -> std::time::Duration {
        self.profile.validity()
    }
}

/// Shows who the bastion is.
pub struct HostCa {
    signer: Box<dyn Signer>,
    profile: Profile,
}

impl HostCa {
    /// The host CA. `profile` is one of [`super::profile::Kind::Host`].
    #[must_use]
    pub fn new(signer: Box<dyn Signer>, profile: Profile) -> Self {
        Self { signer, profile }
    }

    /// The key for `@cert-authority` lines in known_hosts.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.signer.public_key()
    }

    /// Signs a certificate for a host key, valid from `now` for as long as the profile says. `names` (the bastion's own first) are what clients look up:
    /// the host name or address they connect to, without the port (OpenSSH leaves it out of this comparison), and nothing else.
    ///
    /// # Errors
    /// [`AuthorityError`] when the profile refuses the request (no names, a pattern) or the signer fails.
    pub fn issue(
        &self,
        serial: Serial,
        key: &PublicKey,
        names: &[String],
        now: Timestamp,
    ) -> Result<Certificate, AuthorityError> {
        let validity = Window { start: now, end: now.after(self.profile.validity()) };
        let fields = self.profile.host(&HostFacts { serial, key, names, validity })?;
        make(self.signer.as_ref(), fields)
    }
}
