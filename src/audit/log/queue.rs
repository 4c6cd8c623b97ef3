//! What waits to be written: one bounded queue, so that the log has the order in which things were handed over.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::Condition;
use crate::audit::entry::Body;
use crate::audit::event::{AuditEvent, What};
use crate::service::ports::{AuditError, Committed};

/// Bytes of entries that may wait with somebody waiting for them; beyond, `append` waits to hand over. In KiB.
const ROOM_KIB: usize = 16 * 1024;
/// How long entries that nobody waits for stand back for one that somebody will: what a connection says of itself comes a moment
/// before its first decision, and both in one group cost one commit, which the decision would else wait for twice.
const GATHER: Duration = Duration::from_millis(20);
/// A batch ends at this many bytes.
const BATCH_BYTES: usize = 1024 * 1024;

/// Who waits for an entry.
pub(super) struct Waiter {
    pub(super) answer: oneshot::Sender<Result<Committed, AuditError>>,
    /// Given back when the entry is answered.
    pub(super) _room: OwnedSemaphorePermit,
}

impl Waiter {
    pub(super) fn refuse(self, reason: &str) {
        // Nobody may be waiting any more; the entry was not written either way.
        let _ = self.answer.send(Err(AuditError { reason: reason.to_owned() }));
    }
}

/// An entry to be written.
pub(super) struct Item {
    pub(super) body: Body,
    /// `None`: handed over by `append_later`, and kept until it is written.
    pub(super) waiter: Option<Waiter>,
    /// See [`What::is_ending`].
    pub(super) ending: bool,
    /// Told once it is durable, by `append_owed`; dropped if it never will be.
    pub(super) durable: Option<oneshot::Sender<()>>,
}

impl Item {
    /// An entry that is written when it can be.
    pub(super) fn later(event: &AuditEvent) -> Option<Self> {
        let body = Body::of(event).or_else(|error| {
            let message = format!("an entry of kind {} could not be written: {error}", event.what.kind());
            Body::of(&AuditEvent { what: What::Error { message }, ..event.clone() })
        });
        body.ok().map(|body| Self { body, waiter: None, ending: event.what.is_ending(), durable: None })
    }

    /// Whether it is written as soon as can be: somebody waits for it, or it takes power away.
    fn is_urgent(&self) -> bool {
        self.waiter.is_some() || self.durable.is_some() || self.ending
    }

    /// The same, written also while only endings are.
    pub(super) fn into_ending(self) -> Self {
        Self { ending: true, ..self }
    }
}

struct State {
    items: VecDeque<Item>,
    /// Bytes of the entries that nobody waits for.
    later_bytes: usize,
    /// Entries that did not fit, since the last one that said so.
    lost: u64,
    closing: bool,
    condition: Condition,
    entries: u64,
    /// Entries taken and neither written nor refused yet.
    in_flight: usize,
}

/// The queue, shared by the log and its writer.
pub(super) struct Queue {
    state: Mutex<State>,
    ring: Condvar,
    room: Arc<Semaphore>,
    /// The most that [`State::later_bytes`] may be.
    later_bytes: usize,
}

impl Queue {
    pub(super) fn new(entries: u64, later_bytes: usize) -> Self {
        let condition = Condition::Working;
        let state =
            State { items: VecDeque::new(), later_bytes: 0, lost: 0, closing: false, condition, entries, in_flight: 0 };
        Self { state: Mutex::new(state), ring: Condvar::new(), room: Arc::new(Semaphore::new(ROOM_KIB)), later_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here can stop half-way, so the state of a poisoned lock is whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room for `bytes`; `None` once the log is closed.
    pub(super) async fn room(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let kib = u32::try_from(bytes / 1024 + 1).ok()?;
        Arc::clone(&self.room).acquire_many_owned(kib).await.ok()
    }

    /// How many bytes may wait after an entry that nobody waits for. Half of the room is for endings alone: what strangers and
    /// users can say as often as they like (failed authentications, control lines) never displaces them.
    fn most_later(&self, ending: bool) -> usize {
        if ending { self.later_bytes } else { self.later_bytes / 2 }
    }

    /// Hands over an entry.
    pub(super) fn push(&self, item: Item) {
        let mut state = self.lock();
        match item.waiter {
            Some(waiter) if matches!(state.condition, Condition::Closed) => return waiter.refuse("it is closed"),
            None if state.later_bytes + item.body.len() > self.most_later(item.ending)
                || matches!(state.condition, Condition::Closed) =>
            {
                state.lost += 1;
                // The operator's journal is the last place that can still keep it.
                tracing::error!(entry = item.body.as_str(), "an entry does not fit into the audit log's queue");
                return;
            }
            None => state.later_bytes += item.body.len(),
            Some(_) => {}
        }
        // The writer sleeps for the first entry, or in `gather` for an urgent one.
        let wanted = state.items.is_empty() || item.is_urgent();
        state.items.push_back(item);
        drop(state);
        if wanted {
            self.ring.notify_one();
        }
    }

    /// Puts entries that could not be written back to the front, in their order.
    pub(super) fn push_back_to_front(&self, items: Vec<Item>) {
        let mut state = self.lock();
        state.in_flight = 0;
        for item in items.into_iter().rev() {
            state.later_bytes += item.body.len();
            state.items.push_front(item);
        }
    }

    /// Waits until there is something to do; tells whether the log is closing.
    pub(super) fn wait(&self) -> bool {
        let mut state = self.lock();
        while state.items.is_empty() && !state.closing {
            state = self.ring.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.gather(state)
    }

    /// Waits for an urgent entry, but no longer than [`GATHER`] and not when there is a whole batch: what comes meanwhile is written
    /// with it, in the same order.
    fn gather(&self, mut state: MutexGuard<'_, State>) -> bool {
        let until = Instant::now() + GATHER;
        while !state.closing && state.later_bytes < BATCH_BYTES && !state.items.iter().any(Item::is_urgent) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (state, _) = self.ring.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        state.closing
    }

    fn wait_once(&self, state: MutexGuard<'_, State>, time: Duration) -> bool {
        let (state, _) = self.ring.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner);
        state.closing
    }

    /// Waits `time` although entries wait, unless somebody waits for one of them or the log is closing; with `endings` also
    /// unless one of them is an ending.
    pub(super) fn wait_for_news(&self, time: Duration, endings: bool) -> bool {
        let state = self.lock();
        if state.closing || state.items.iter().any(|item| item.waiter.is_some() || (endings && item.ending)) {
            return state.closing;
        }
        self.wait_once(state, time)
    }

    /// The entries of the next commit; with `endings_alone` the others stay, in their order.
    pub(super) fn take(&self, endings_alone: bool) -> Vec<Item> {
        let mut state = self.lock();
        let mut batch = Vec::new();
        let mut bytes = 0;
        let mut at = 0;
        while bytes < BATCH_BYTES {
            while endings_alone && state.items.get(at).is_some_and(|item| !item.ending) {
                at += 1;
            }
            let Some(item) = state.items.remove(at) else { break };
            bytes += item.body.len();
            if item.waiter.is_none() {
                state.later_bytes = state.later_bytes.saturating_sub(item.body.len());
            }
            batch.push(item);
        }
        if state.lost > 0 && !endings_alone {
            let message =
                format!("{} entries were lost, because the log could not be written for too long", state.lost);
            state.lost = 0;
            batch.extend(Item::later(&AuditEvent::of(What::Error { message })));
        }
        state.in_flight = batch.len();
        batch
    }

    /// Of the entries taken so many are still to be written.
    pub(super) fn still_in_flight(&self, items: usize) {
        self.lock().in_flight = items;
    }

    /// Tells all who wait that nothing will be written; what nobody waits for stays.
    pub(super) fn refuse_all(&self, reason: &str) {
        let mut state = self.lock();
        for item in std::mem::take(&mut state.items) {
            match item.waiter {
                Some(waiter) => waiter.refuse(reason),
                None => state.items.push_back(item),
            }
        }
    }

    /// What stands with the log now.
    pub(super) fn set(&self, condition: Condition, entries: u64) {
        let mut state = self.lock();
        state.condition = condition;
        state.entries = entries;
    }

    /// Condition, entries on disk, entries waiting.
    pub(super) fn health(&self) -> (Condition, u64, usize) {
        let state = self.lock();
        (state.condition.clone(), state.entries, state.items.len() + state.in_flight)
    }

    /// Asks the writer to write what waits and end.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.ring.notify_one();
    }

    /// The writer has ended: nothing is taken any more. Gives what could not be written.
    pub(super) fn closed(&self, reason: &str) -> Vec<Item> {
        self.refuse_all(reason);
        self.room.close();
        let mut state = self.lock();
        state.condition = Condition::Closed;
        state.items.drain(..).collect()
    }
}
