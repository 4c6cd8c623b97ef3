//! Connections to targets that are made before anybody has decided what runs on them, and whether.
//!
//! Such a connection has shaken hands and proved that the target is who it must be; nobody has logged in on it. It is a
//! transport and carries no right, so it does not matter whose login it was made for: the next cleared command for the same
//! target takes it. It is given up when the target is configured otherwise by then, and closed when nobody comes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::domain::TargetName;
use crate::inventory::SshReach;
use crate::service::ports::{Preparation, TargetError};

use super::ssh::Connection;

/// How long one may wait for a command. A stock `sshd` keeps a place among its `MaxStartups` for it meanwhile.
const IDLE: Duration = Duration::from_secs(5);

type Opened = Result<Connection, TargetError>;
/// Every prepared connection, made or in the making.
#[derive(Default)]
pub(super) struct Pool(Arc<Mutex<Slots>>);

#[derive(Default)]
struct Slots {
    of: HashMap<TargetName, Vec<Slot>>,
    /// How many there were so far.
    count: u64,
}

/// One of them.
struct Slot {
    number: u64,
    /// How the target was to be reached when it was begun.
    reach: SshReach,
    ready: oneshot::Receiver<Opened>,
    taken: oneshot::Sender<()>,
}

/// The making side of a slot. Dropping it takes the slot out of the pool, and with it the connection.
struct Place {
    slots: Arc<Mutex<Slots>>,
    target: TargetName,
    number: u64,
    hand_over: Option<oneshot::Sender<Opened>>,
    taken: oneshot::Receiver<()>,
}

impl Pool {
    /// Makes one by `open` and keeps it for a command until it is taken or its time is up, unless the target has `most` already.
    /// Cancel-safe: dropping this closes it.
    pub(super) async fn keep(
        &self,
        target: &TargetName,
        reach: &SshReach,
        most: usize,
        open: impl Future<Output = Opened>,
    ) -> Preparation {
        let Some(mut place) = self.enter(target, reach, most) else { return Preparation::NotMade };
        let opened = open.await;
        let failure = opened.as_ref().err().map(ToString::to_string);
        let failed = failure.is_some();
        place.fill(opened);
        let wait = if failed { Duration::ZERO } else { IDLE };
        match (tokio::time::timeout(wait, &mut place.taken).await, failure) {
            (Ok(Ok(())), _) => return Preparation::Used,
            (_, Some(reason)) => return Preparation::Failed { reason },
            (_, None) => {}
        }
        match place.take_back() {
            Some(connection) => {
                connection.part().await;
                Preparation::Unused
            }
            // Somebody came at the last moment, or the target is configured otherwise now.
            None => match place.taken.try_recv() {
                Ok(()) => Preparation::Used,
                Err(_) => Preparation::Unused,
            },
        }
    }

    /// A prepared connection to `target` as it is reached now, if there is one; one in the making is waited for.
    pub(super) async fn take(&self, target: &TargetName, reach: &SshReach) -> Option<Opened> {
        while let Some(ready) = self.next(target, reach) {
            match ready.await {
                Ok(Ok(connection)) if !connection.is_closed() => return Some(Ok(connection)),
                // Trying again at once would be no more than this very attempt was.
                Ok(Err(error)) => return Some(Err(error)),
                // It died, or its maker was stopped.
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        None
    }

    fn enter(&self, target: &TargetName, reach: &SshReach, most: usize) -> Option<Place> {
        let mut slots = lock(&self.0);
        slots.count = slots.count.wrapping_add(1);
        let number = slots.count;
        let of_target = slots.of.entry(target.clone()).or_default();
        of_target.retain(|slot| slot.reach == *reach);
        if of_target.len() >= most {
            return None;
        }
        let ((hand_over, ready), (taken, was_taken)) = (oneshot::channel(), oneshot::channel());
        of_target.push(Slot { number, reach: reach.clone(), ready, taken });
        let slots = Arc::clone(&self.0);
        Some(Place { slots, target: target.clone(), number, hand_over: Some(hand_over), taken: was_taken })
    }

    /// Takes the oldest slot out, and tells its maker so before anybody else can look.
    fn next(&self, target: &TargetName, reach: &SshReach) -> Option<oneshot::Receiver<Opened>> {
        let mut slots = lock(&self.0);
        let of_target = slots.of.get_mut(target)?;
        of_target.retain(|slot| slot.reach == *reach);
        if of_target.is_empty() {
            return None;
        }
        let Slot { ready, taken, .. } = of_target.remove(0);
        let _ = taken.send(());
        Some(ready)
    }
}

impl Place {
    fn fill(&mut self, opened: Opened) {
        if let Some(hand_over) = self.hand_over.take() {
            let _ = hand_over.send(opened);
        }
    }

    /// The connection, if nobody has taken it.
    fn take_back(&self) -> Option<Connection> {
        self.leave().and_then(|mut slot| slot.ready.try_recv().ok()?.ok())
    }

    /// Takes the slot out of the pool, if it is there.
    fn leave(&self) -> Option<Slot> {
        let mut slots = lock(&self.slots);
        let of_target = slots.of.get_mut(&self.target)?;
        let at = of_target.iter().position(|slot| slot.number == self.number);
        let slot = at.map(|at| of_target.remove(at));
        if of_target.is_empty() {
            slots.of.remove(&self.target);
        }
        slot
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

fn lock(slots: &Mutex<Slots>) -> MutexGuard<'_, Slots> {
    slots.lock().unwrap_or_else(PoisonError::into_inner)
}
