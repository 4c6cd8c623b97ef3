//! In whose name the bastion answers: russh's configuration for each target, with a host certificate for that target alone.
//!
//! Made when somebody first jumps to a target, kept for a while, forgotten at every reload. Knows no CA; it asks a port.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::PrivateKey;

use crate::domain::{TargetName, Timestamp};
use crate::service::ports::{AuthorityError, HostAuthority};

use super::{Limits, ServerConfig, server_config};

/// How long a certificate is used before another one is made. A quarter of its validity: clients' clocks may be off.
pub const RENEW: Duration = Duration::from_secs(6 * 3600);

/// The host key, its authority, and what was made with them.
pub struct Hosts {
    key: PrivateKey,
    authority: Arc<dyn HostAuthority>,
    limits: Limits,
    made: Mutex<HashMap<TargetName, Made>>,
    /// One at a time is made, so that a crowd before the same target costs one certificate.
    making: tokio::sync::Mutex<()>,
}

struct Made {
    config: Arc<ServerConfig>,
    names: Vec<String>,
    at: Timestamp,
}

impl Hosts {
    /// Nothing made yet. `key` is the one that `authority` certifies.
    #[must_use]
    pub fn new(key: PrivateKey, authority: Arc<dyn HostAuthority>, limits: Limits) -> Self {
        Self { key, authority, limits, made: Mutex::default(), making: tokio::sync::Mutex::default() }
    }

    /// russh's configuration for connections that end at `target`: its certificate names `NAME` and `NAME.SUFFIX`. The caller
    /// has found `target` in the inventory.
    ///
    /// # Errors
    /// [`AuthorityError`] when no certificate could be made.
    pub async fn answering_for(
        &self,
        target: &TargetName,
        suffix: &str,
        now: Timestamp,
    ) -> Result<Arc<ServerConfig>, AuthorityError> {
        let names = vec![target.to_string(), format!("{target}.{suffix}")];
        if let Some(config) = self.kept(target, &names, now) {
            return Ok(config);
        }
        let _one = self.making.lock().await;
        if let Some(config) = self.kept(target, &names, now) {
            return Ok(config);
        }
        let certificate = self.authority.certify(&names).await?;
        let config = Arc::new(server_config(self.key.clone(), certificate, &self.limits));
        self.lock().insert(target.clone(), Made { config: Arc::clone(&config), names, at: now });
        Ok(config)
    }

    /// Forgets everything: the configuration may have changed.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn kept(&self, target: &TargetName, names: &[String], now: Timestamp) -> Option<Arc<ServerConfig>> {
        let made = self.lock();
        let found = made.get(target)?;
        let fresh = found.at <= now && found.at.until(now) < RENEW;
        (fresh && found.names == names).then(|| Arc::clone(&found.config))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TargetName, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
