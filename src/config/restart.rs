//! What a running bastion cannot change: it was used when the listener, the keys and the recordings were opened.

use super::{LimitSettings, ListenSettings, Loaded, Profiles};

/// The parts of a configuration that take effect at the start only.
#[derive(Clone, Debug)]
pub struct RestartOnly {
    name: String,
    listen: ListenSettings,
    limits: LimitSettings,
    profiles: Profiles,
    demo: bool,
}

impl RestartOnly {
    /// Those of `loaded`.
    #[must_use]
    pub fn of(loaded: &Loaded) -> Self {
        Self {
            name: loaded.snapshot.settings.name.clone(),
            listen: loaded.listen.clone(),
            limits: loaded.limits.clone(),
            profiles: loaded.profiles.clone(),
            demo: loaded.demo,
        }
    }

    /// The keys and files whose values differ in `other`, as an operator knows them.
    #[must_use]
    pub fn changed_in(&self, other: &Self) -> Vec<&'static str> {
        let (listen, now) = (&self.listen, &other.listen);
        let profiles = &self.profiles;
        let compared = [
            ("name", self.name == other.name),
            ("listen", listen.addresses == now.addresses),
            ("port", listen.public_port == now.public_port || listen.addresses != now.addresses),
            ("demo", self.demo == other.demo),
            ("proxy_protocol_from", listen.proxies == now.proxies),
            ("certs/session.toml", profiles.session == other.profiles.session),
            ("certs/target.toml", profiles.target == other.profiles.target),
            ("certs/host.toml", profiles.host == other.profiles.host),
        ];
        let differing = compared.into_iter().filter(|(_, same)| !same).map(|(key, _)| key);
        differing.chain(self.limits.changed_in(&other.limits)).collect()
    }
}
