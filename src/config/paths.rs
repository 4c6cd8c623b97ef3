//! Where everything lies under DIR.

use std::path::{Path, PathBuf};

/// The places of one bastion's files. Only names: nothing here looks at the disk.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Paths {
    dir: PathBuf,
}

/// The private keys of `keys/`, each with its public part in `certs/NAME.pub`.
pub const KEYS: [&str; 5] = ["session_ca", "target_ca", "host_ca", "host_key", "log_key"];

macro_rules! place {
    ($($(#[$doc:meta])* $name:ident = $path:literal;)*) => {
        $($(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> PathBuf {
            self.dir.join($path)
        })*
    };
}

impl Paths {
    /// The places under `dir`.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// DIR itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    place! {
        /// Name, listen addresses, rights, limits.
        settings = "doorward.toml";
        /// Who may connect.
        users = "users.toml";
        /// Which machines there are.
        targets = "targets.toml";
        /// Definitions that several roles use; need not be there.
        parameters = "parameters.toml";
        /// One role a file.
        roles = "roles";
        /// Certificate profiles and public keys.
        certs = "certs";
        /// Signatures over the set.
        signatures = "signatures";
        /// Private keys.
        keys = "keys";
        /// Signs session certificates.
        session_ca = "keys/session_ca";
        /// Signs target certificates.
        target_ca = "keys/target_ca";
        /// Signs the bastion's host keys.
        host_ca = "keys/host_ca";
        /// The bastion's own host key.
        host_key = "keys/host_key";
        /// Signs the audit log's checkpoints.
        log_key = "keys/log_key";
        /// Makes the placeholders for secrets.
        digest_key = "keys/digest_key";
        /// Everything that changes while the bastion runs.
        state = "state";
        /// Requests, grants, certificates, the index.
        database = "state/doorward.db";
        /// Who has to sign the next change of the policy.
        signers_in_force = "state/policy.json";
        /// The audit log.
        audit = "state/audit";
        /// The recordings.
        recordings = "state/recordings";
        /// Held by the one `serve` of this DIR; its text is that process's number.
        lock = "state/lock";
    }

    /// The private key `name` of [`KEYS`].
    #[must_use]
    pub fn key(&self, name: &str) -> PathBuf {
        self.keys().join(name)
    }

    /// The public part of the key `name` of [`KEYS`].
    #[must_use]
    pub fn public_key(&self, name: &str) -> PathBuf {
        self.certs().join(format!("{name}.pub"))
    }
}
