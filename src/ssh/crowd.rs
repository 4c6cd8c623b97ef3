//! Counts what one source or one user has open at once, so that nobody takes the room of all.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Counts<K> = Mutex<HashMap<K, usize>>;

/// How many connections there are of each.
#[derive(Debug)]
pub(super) struct Crowd<K>(Arc<Counts<K>>);

/// One of them, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Member<K: Eq + Hash> {
    of: K,
    counts: Arc<Counts<K>>,
}

impl<K> Default for Crowd<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Crowd<K> {
    /// Counts one more of `of`; `None` when `most` are there already.
    pub(super) fn enter(&self, of: K, most: usize) -> Option<Member<K>> {
        let mut counts = lock(&self.0);
        let count = counts.entry(of.clone()).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Member { of, counts: Arc::clone(&self.0) })
    }
}

impl<K: Eq + Hash> Drop for Member<K> {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        if let Some(count) = counts.get_mut(&self.of) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

fn lock<K>(counts: &Counts<K>) -> MutexGuard<'_, HashMap<K, usize>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An IPv4 address, or the /64 of an IPv6 one: whoever has one address of it has them all.
pub(super) fn source_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_has_its_share_and_leaves_no_trace() {
        let crowd = Crowd::default();
        let (one, same, other) = ("2001:db8::1", "2001:db8::2:0:0:1", "2001:db8:0:1::1");
        let from = |peer: &str| crowd.enter(source_of(peer.parse().unwrap()), 2);
        let first = from(one);
        let second = from(same);
        assert!(first.is_some() && second.is_some());
        assert!(from(one).is_none(), "the same network a third time");
        assert!(from(other).is_some() && from("192.0.2.1").is_some());
        drop(second);
        assert!(from("2001:db8::3").is_some());
        drop(first);
        assert!(lock(&crowd.0).is_empty());
    }
}
