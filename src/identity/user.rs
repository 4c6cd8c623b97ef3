//! The users: what users.toml says of each. Pure data and its parser.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::domain::{GroupName, Person, UserName};

use super::Fingerprint;

/// A person (or robot) that may connect.
#[derive(Clone, Debug)]
pub struct User {
    /// Their name.
    pub name: UserName,
    /// Their enrolled keys.
    pub keys: Vec<russh::keys::PublicKey>,
    /// Their groups.
    pub groups: BTreeSet<GroupName>,
    /// Their team, for separation of duties.
    pub team: Option<GroupName>,
    /// Where they may come from; anywhere if empty. Becomes `source-address` of their session certificates.
    pub networks: Vec<ipnet::IpNet>,
}

impl User {
    /// Whether they may come from `peer`.
    #[must_use]
    pub fn may_come_from(&self, peer: IpAddr) -> bool {
        within(&self.networks, peer)
    }

    /// The user as rules see them.
    #[must_use]
    pub fn person(&self) -> Person {
        Person { name: self.name.clone(), groups: self.groups.clone() }
    }
}

/// Whether `peer` is in one of `networks`; none means anywhere. An IPv4 client of a dual-stack socket shows as
/// `::ffff:a.b.c.d` and is the IPv4 address.
#[must_use]
pub(super) fn within(networks: &[ipnet::IpNet], peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    networks.is_empty() || networks.iter().any(|network| network.contains(&peer))
}

/// All users, by name and by key.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    users: BTreeMap<UserName, User>,
    by_key: BTreeMap<Fingerprint, UserName>,
}

impl Directory {
    /// A directory of these users. A key of two users belongs to the first: the parser refuses such a file.
    #[must_use]
    pub fn new(users: impl IntoIterator<Item = User>) -> Self {
        let mut directory = Self::default();
        for user in users {
            for key in &user.keys {
                let fingerprint = key.fingerprint(russh::keys::HashAlg::Sha256);
                directory.by_key.entry(fingerprint).or_insert_with(|| user.name.clone());
            }
            directory.users.insert(user.name.clone(), user);
        }
        directory
    }

    /// The user of that name.
    #[must_use]
    pub fn user(&self, name: &UserName) -> Option<&User> {
        self.users.get(name)
    }

    /// The user who enrolled that key.
    #[must_use]
    pub fn owner_of(&self, key: &Fingerprint) -> Option<&User> {
        self.by_key.get(key).and_then(|name| self.users.get(name))
    }

    /// Every user, by name.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }
}
