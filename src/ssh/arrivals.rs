//! Counts who knocks: unproven connections by the network they come from.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Counts = HashMap<IpAddr, usize>;

/// The unproven connections there are now.
#[derive(Debug, Default)]
pub(super) struct Arrivals(Arc<Mutex<Counts>>);

/// One of them, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Arrival {
    source: IpAddr,
    counts: Arc<Mutex<Counts>>,
}

impl Arrivals {
    /// Counts one more from `peer`; `None` when `most` are there already.
    pub(super) fn arrive(&self, peer: IpAddr, most: usize) -> Option<Arrival> {
        let source = source_of(peer);
        let mut counts = lock(&self.0);
        let count = counts.entry(source).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Arrival { source, counts: Arc::clone(&self.0) })
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        if let Some(count) = counts.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An IPv4 address, or the /64 of an IPv6 one: whoever has one address of it has them all.
fn source_of(peer: IpAddr) -> IpAddr {
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
        let arrivals = Arrivals::default();
        let (one, same, other) = ("2001:db8::1", "2001:db8::2:0:0:1", "2001:db8:0:1::1");
        let from = |peer: &str| arrivals.arrive(peer.parse().unwrap(), 2);
        let first = from(one);
        let second = from(same);
        assert!(first.is_some() && second.is_some());
        assert!(from(one).is_none(), "the same network a third time");
        assert!(from(other).is_some() && from("192.0.2.1").is_some());
        drop(second);
        assert!(from("2001:db8::3").is_some());
        drop(first);
        assert!(lock(&arrivals.0).is_empty());
    }
}
