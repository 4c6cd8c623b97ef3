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
pub struct HostConfigs {
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

impl HostConfigs {
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

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use async_trait::async_trait;
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    use russh::keys::{Algorithm, Certificate};

    use super::*;

    /// Signs whatever names it is asked for, and remembers them.
    struct Notary {
        key: PrivateKey,
        asked: Mutex<Vec<Vec<String>>>,
    }

    impl Notary {
        fn asked(&self) -> Vec<Vec<String>> {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }
    }

    #[async_trait]
    impl HostAuthority for Notary {
        async fn certify(&self, names: &[String]) -> Result<Certificate, AuthorityError> {
            tokio::task::yield_now().await;
            self.asked.lock().unwrap().push(names.to_vec());
            let key = self.key.public_key().key_data().clone();
            let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), key, 0, u64::MAX - 1).unwrap();
            builder.cert_type(CertType::Host).unwrap();
            for name in names {
                builder.valid_principal(name.as_str()).unwrap();
            }
            Ok(builder.sign(&self.key).unwrap())
        }
    }

    fn hosts() -> (HostConfigs, Arc<Notary>) {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let notary = Arc::new(Notary { key: key.clone(), asked: Mutex::default() });
        (HostConfigs::new(key, Arc::clone(&notary) as Arc<dyn HostAuthority>, Limits::default()), notary)
    }

    const NOW: Timestamp = Timestamp::from_secs(1_769_868_000);

    #[tokio::test]
    async fn a_certificate_names_one_target_and_is_made_once_for_a_crowd() {
        let (hosts, notary) = hosts();
        let (web, db) = ("web-1".parse().unwrap(), "db-1".parse().unwrap());
        let (one, same, other) = tokio::join!(
            hosts.answering_for(&web, "jea", NOW),
            hosts.answering_for(&web, "jea", NOW),
            hosts.answering_for(&db, "jea", NOW),
        );
        let (one, same, other) = (one.unwrap(), same.unwrap(), other.unwrap());
        assert!(Arc::ptr_eq(&one, &same) && !Arc::ptr_eq(&one, &other));
        assert_eq!(notary.asked(), [["web-1", "web-1.jea"], ["db-1", "db-1.jea"]]);
        assert_eq!(one.certificates[0].valid_principals(), ["web-1", "web-1.jea"]);
        assert_eq!((one.certificates.len(), one.keys.len()), (1, 1));
    }

    #[tokio::test]
    async fn it_is_made_anew_in_time_after_a_reload_and_under_another_suffix() {
        let (hosts, notary) = hosts();
        let web = "web-1".parse().unwrap();
        let made = async |suffix: &str, at: Timestamp| {
            hosts.answering_for(&web, suffix, at).await.unwrap();
            notary.asked().len()
        };
        assert_eq!(made("jea", NOW).await, 1);
        assert_eq!(made("jea", NOW.after(RENEW - Duration::from_secs(1))).await, 1);
        assert_eq!(made("jea", NOW.after(RENEW)).await, 2);
        // A clock that was set back does not lengthen what was made.
        assert_eq!(made("jea", NOW).await, 3);
        assert_eq!(made("corp", NOW).await, 4);
        hosts.forget();
        assert_eq!(made("corp", NOW).await, 5);
    }
}
