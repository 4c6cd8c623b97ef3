//! What a running bastion cannot change: it was used when the listener, the keys and the recordings were opened.

use crate::recording::recorder::RecordingLimits;

use super::{ListenSettings, Loaded, Profiles};

/// The parts of a configuration that take effect at the start only.
#[derive(Clone, Debug)]
pub struct RestartOnly {
    name: String,
    listen: ListenSettings,
    recordings: RecordingLimits,
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
            recordings: loaded.recordings,
            profiles: loaded.profiles.clone(),
            demo: loaded.demo,
        }
    }

    /// The keys and files whose values differ in `other`, as an operator knows them.
    #[must_use]
    pub fn changed_in(&self, other: &Self) -> Vec<&'static str> {
        let (listen, now) = (&self.listen, &other.listen);
        let (recordings, profiles) = (&self.recordings, &self.profiles);
        let compared = [
            ("name", self.name == other.name),
            ("listen", listen.addresses == now.addresses),
            ("port", listen.public_port == now.public_port || listen.addresses != now.addresses),
            ("demo", self.demo == other.demo),
            ("[limits] handshake_deadline", listen.handshake_deadline == now.handshake_deadline),
            ("[limits] max_sessions", listen.max_sessions == now.max_sessions),
            ("[limits] max_channels", listen.max_channels == now.max_channels),
            ("[limits] recordings_mib", recordings.quota == other.recordings.quota),
            ("[limits] recorded_mib", recordings.kept == other.recordings.kept),
            ("[limits] keep_free_mib", recordings.keep_free == other.recordings.keep_free),
            ("certs/session.toml", profiles.session == other.profiles.session),
            ("certs/target.toml", profiles.target == other.profiles.target),
            ("certs/host.toml", profiles.host == other.profiles.host),
        ];
        compared.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}
