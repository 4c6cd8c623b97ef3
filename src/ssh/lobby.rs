//! The connections that have not proved yet who they are. There is room for so many; a new one always gets in, and when the
//! room is full another one makes place for it.
//!
//! Refusing the new one instead would let a hundred strangers who say nothing keep everybody out for as long as the grace
//! lasts. An honest client needs less than a second, so the one that has got no further for the longest goes; and first one of
//! the source that has the most, so that a source with one connection never pays for one with many. Every step costs
//! logarithmic time under one lock, which is never held over I/O.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Whose connection it is, as far as room is shared out.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Party {
    /// A source: an IPv4 address, or the /64 of an IPv6 one.
    Source(IpAddr),
    /// A listed proxy that has not said yet for whom it connects. It brings many, so it has no share of its own.
    Proxy(IpAddr),
}

/// The room.
#[derive(Debug)]
pub(super) struct Lobby(Arc<Mutex<Room>>);

/// A place in it, given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    party: Party,
    step: u64,
    room: Arc<Mutex<Room>>,
}

#[derive(Debug)]
struct Room {
    most: usize,
    most_of_a_source: usize,
    /// The number of the next step that anybody makes.
    next: u64,
    present: usize,
    /// The connections of each party by their last step, and what cuts them.
    parties: BTreeMap<Party, BTreeMap<u64, CancellationToken>>,
    /// Who goes first when the room is full: of the party with the most, the one whose last step is the oldest.
    order: BTreeSet<(Reverse<usize>, u64, Party)>,
}

impl Lobby {
    /// A room for `most`, of which one source may have `most_of_a_source`.
    pub(super) fn new(most: usize, most_of_a_source: usize) -> Self {
        Self(Arc::new(Mutex::new(Room {
            most,
            most_of_a_source,
            next: 0,
            present: 0,
            parties: BTreeMap::new(),
            order: BTreeSet::new(),
        })))
    }

    /// Lets one more of `party` in. `cut` is cancelled when it has to make place for another. With it comes whether one had to
    /// go for it.
    pub(super) fn enter(&self, party: Party, cut: CancellationToken) -> (Ticket, bool) {
        let mut room = lock(&self.0);
        let gone = room.victim_for(party);
        let step = room.put(party, cut);
        drop(room);
        (Ticket { party, step, room: Arc::clone(&self.0) }, cut_off(gone))
    }
}

impl Ticket {
    /// The connection has got further: it counts as newly come. Each one does this once, or it could stay for ever.
    pub(super) fn advanced(&mut self) {
        let mut room = lock(&self.room);
        if let Some(cut) = room.take(self.party, self.step) {
            self.step = room.put(self.party, cut);
        }
    }

    /// The proxy has said for whom it connects: the connection counts as that source's. Gives whether one had to go for it.
    pub(super) fn is_of(&mut self, party: Party) -> bool {
        let mut room = lock(&self.room);
        let Some(cut) = room.take(self.party, self.step) else { return false };
        let gone = room.victim_for(party);
        self.party = party;
        self.step = room.put(party, cut);
        drop(room);
        cut_off(gone)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let _ = lock(&self.room).take(self.party, self.step);
    }
}

impl Room {
    /// Takes out whoever must go before one more of `party` comes in.
    fn victim_for(&mut self, party: Party) -> Option<CancellationToken> {
        let its = self.parties.get(&party);
        let full = matches!(party, Party::Source(_)) && its.is_some_and(|its| its.len() >= self.most_of_a_source);
        let (party, step) = if full {
            (party, its.and_then(|its| its.keys().next().copied())?)
        } else if self.present >= self.most {
            let (_, step, party) = *self.order.first()?;
            (party, step)
        } else {
            return None;
        };
        self.take(party, step)
    }

    fn put(&mut self, party: Party, cut: CancellationToken) -> u64 {
        let step = self.next;
        self.next += 1;
        self.unlist(party);
        self.parties.entry(party).or_default().insert(step, cut);
        self.list(party);
        self.present += 1;
        step
    }

    fn take(&mut self, party: Party, step: u64) -> Option<CancellationToken> {
        self.unlist(party);
        let its = self.parties.get_mut(&party)?;
        let cut = its.remove(&step);
        if its.is_empty() {
            self.parties.remove(&party);
        }
        self.list(party);
        self.present -= usize::from(cut.is_some());
        cut
    }

    /// Where `party` stands in the order of who goes first.
    fn standing(&self, party: Party) -> Option<(Reverse<usize>, u64, Party)> {
        let its = self.parties.get(&party)?;
        its.keys().next().map(|oldest| (Reverse(its.len()), *oldest, party))
    }

    fn list(&mut self, party: Party) {
        self.order.extend(self.standing(party));
    }

    fn unlist(&mut self, party: Party) {
        if let Some(standing) = self.standing(party) {
            self.order.remove(&standing);
        }
    }
}

fn cut_off(gone: Option<CancellationToken>) -> bool {
    gone.is_some_and(|gone| {
        gone.cancel();
        true
    })
}

fn lock(room: &Mutex<Room>) -> MutexGuard<'_, Room> {
    room.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(number: u8) -> Party {
        Party::Source(IpAddr::from([127, 0, 0, number]))
    }

    /// Comes in; the token says later whether it had to go.
    fn enter(lobby: &Lobby, party: Party) -> (Ticket, CancellationToken) {
        let cut = CancellationToken::new();
        (lobby.enter(party, cut.clone()).0, cut)
    }

    #[test]
    fn one_of_the_source_with_the_most_goes_first_and_of_those_the_oldest() {
        let lobby = Lobby::new(4, 4);
        let lone = enter(&lobby, of(1));
        let many: Vec<_> = (0..3).map(|_| enter(&lobby, of(2))).collect();
        let newcomer = enter(&lobby, of(3));
        assert!(many[0].1.is_cancelled(), "the oldest of the many");
        assert!(![&lone, &many[1], &many[2], &newcomer].iter().any(|(_, cut)| cut.is_cancelled()));
    }

    #[test]
    fn among_equals_the_one_that_got_no_further_goes_first() {
        let lobby = Lobby::new(3, 3);
        let mut all: Vec<_> = (1..=3).map(|number| enter(&lobby, of(number))).collect();
        all[0].0.advanced();
        let _fourth = enter(&lobby, of(4));
        assert!(all[1].1.is_cancelled() && !all[0].1.is_cancelled() && !all[2].1.is_cancelled());
    }

    #[test]
    fn a_source_at_its_cap_replaces_its_own() {
        let lobby = Lobby::new(100, 2);
        let all: Vec<_> = (0..3).map(|_| enter(&lobby, of(1))).collect();
        let other = enter(&lobby, of(2));
        let gone: Vec<bool> = all.iter().map(|(_, cut)| cut.is_cancelled()).collect();
        assert_eq!((gone, other.1.is_cancelled()), (vec![true, false, false], false));
    }

    #[test]
    fn a_proxy_brings_many_and_each_then_counts_for_whom_it_brought() {
        let lobby = Lobby::new(100, 2);
        let proxy = Party::Proxy(IpAddr::from([10, 0, 0, 1]));
        let mut all: Vec<_> = (0..50).map(|_| enter(&lobby, proxy)).collect();
        assert!(!all.iter().any(|(_, cut)| cut.is_cancelled()));
        for (ticket, _) in all.iter_mut().take(3) {
            ticket.is_of(of(1));
        }
        let gone = all.iter().filter(|(_, cut)| cut.is_cancelled()).count();
        assert_eq!((gone, all[0].1.is_cancelled()), (1, true), "the third of one source replaces its first");
    }

    proptest! {
        /// Whatever comes, goes and advances: the caps hold, nobody is lost, the order lists each party once.
        #[test]
        fn the_caps_hold_and_nothing_is_left_behind(steps in prop::collection::vec((0..4_u8, 0..12_u8), 1..200)) {
            let lobby = Lobby::new(8, 3);
            let mut inside: Vec<(Ticket, CancellationToken)> = Vec::new();
            for (what, number) in steps {
                let at = usize::from(number).checked_rem(inside.len());
                match (what, at) {
                    (0, Some(at)) => drop(inside.swap_remove(at)),
                    (1, Some(at)) => inside[at].0.advanced(),
                    (2, Some(at)) => {
                        inside[at].0.is_of(of(number));
                    }
                    _ if number == 11 => inside.push(enter(&lobby, Party::Proxy(IpAddr::from([10, 0, 0, 1])))),
                    _ => inside.push(enter(&lobby, of(number))),
                }
                let there = inside.iter().filter(|(_, cut)| !cut.is_cancelled()).count();
                let room = lock(&lobby.0);
                prop_assert!(there <= 8 && room.present == there);
                prop_assert_eq!(room.parties.values().map(BTreeMap::len).sum::<usize>(), there);
                let small = |(party, its): (&Party, &BTreeMap<_, _>)| matches!(party, Party::Proxy(_)) || its.len() <= 3;
                prop_assert!(room.parties.iter().all(small));
                let listed: Vec<_> = room.parties.keys().filter_map(|party| room.standing(*party)).collect();
                prop_assert!(listed.len() == room.order.len() && listed.iter().all(|one| room.order.contains(one)));
            }
            inside.clear();
            let room = lock(&lobby.0);
            prop_assert!(room.present == 0 && room.parties.is_empty() && room.order.is_empty());
        }
    }
}
