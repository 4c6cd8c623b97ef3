//! Who has to sign the next change: kept in `state/policy.json`, so that neither a changed set nor a restart shakes it off.
//!
//! Whoever may delete that file may start anew; it lies beside the grants and the log, with which they could do worse.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use russh::keys::PublicKey;
use serde::{Deserialize, Serialize};

use crate::config::Loaded;
use crate::config::keys::public_key;
use crate::config::paths::Paths;
use crate::config::source::{self, Source, Trust};
use crate::domain::{Diagnostic, Digest};

/// The signers of the set that is in force. The default: nobody ever had to sign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InForce {
    pub(super) signers: Vec<PublicKey>,
    pub(super) needed: usize,
    pub(super) serial: Option<u64>,
    pub(super) set: Option<Digest>,
}

/// How it lies on the disk.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    signers: Vec<String>,
    needed: usize,
    serial: u64,
    set: Digest,
}

const VERSION: u32 = 1;

impl InForce {
    /// What is in force for DIR.
    ///
    /// # Errors
    /// A finding when it is there and cannot be read: then nothing may be taken over.
    pub fn read(paths: &Paths) -> Result<Self, Box<Diagnostic>> {
        let (path, name) = (paths.signers_in_force(), "state/policy.json");
        if let Err(error) = fs::symlink_metadata(&path)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Ok(Self::default());
        }
        let file = source::read(&path, name, Trust::Host)?;
        let bad = |why: String| {
            let help = "restore it from the backup; without it nobody knows whose signatures a change needs";
            let message = format!("this says who has to sign, and cannot be read: {why}");
            Box::new(Source::unread(name).error(message).help(help))
        };
        let stored: Stored = serde_json::from_str(&file.text).map_err(|error| bad(error.to_string()))?;
        if stored.version != VERSION {
            return Err(bad(format!("version {} is not known to this build", stored.version)));
        }
        let keys: Result<Vec<PublicKey>, _> = stored.signers.iter().map(|text| public_key(text)).collect();
        let signers = keys.map_err(|problem| bad(problem.message))?;
        if stored.needed > signers.len() || (stored.needed == 0) != signers.is_empty() {
            return Err(bad(format!("{} of {} signers", stored.needed, signers.len())));
        }
        Ok(Self { signers, needed: stored.needed, serial: Some(stored.serial), set: Some(stored.set) })
    }

    /// What is in force once `loaded`, which was judged under this, is taken over.
    #[must_use]
    pub fn after(&self, loaded: &Loaded) -> Self {
        match &loaded.signers {
            Some(own) => Self {
                signers: own.keys.clone(),
                needed: own.needed,
                serial: Some(own.serial),
                set: Some(loaded.snapshot.digest),
            },
            // Nobody signs; what was the last serial stays known.
            None => self.clone(),
        }
    }

    /// Keeps it, if there is anything to keep: whole or not at all, and on the disk when this returns.
    ///
    /// # Errors
    /// The system's; then the set must not be taken over.
    pub fn write(&self, paths: &Paths) -> io::Result<()> {
        let (Some(serial), Some(set)) = (self.serial, self.set) else { return Ok(()) };
        let signers: Result<Vec<String>, _> = self.signers.iter().map(PublicKey::to_openssh).collect();
        let signers = signers.map_err(io::Error::other)?;
        let stored = Stored { version: VERSION, signers, needed: self.needed, serial, set };
        let text = serde_json::to_string_pretty(&stored).map_err(io::Error::other)?;
        let (path, new) = (paths.signers_in_force(), paths.state().join("policy.json.new"));
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        fs::File::open(paths.state())?.sync_all()
    }
}
