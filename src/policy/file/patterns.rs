//! The expressions of role files, compiled once however many roles have the same: to compile one takes longer and more memory
//! than to read the rest of a role, and ten thousand roles have few different ones (one form of ticket, a few of names).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::whole::anchored;
use crate::policy::parameter::ValuePattern;

/// Most different expressions of a set of roles: beyond, memory would be what ends.
const MOST: usize = 20_000;
/// Most bytes that they take compiled: as much as so many small ones. A short text may be a large expression (`([a-z]{1,20}\.){60}`).
const MOST_BYTES: usize = 512 << 20;

/// What a set of roles shares while it is read. A clone is the same set's.
#[derive(Clone, Debug)]
pub struct Patterns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    values: Mutex<HashMap<(String, bool), ValuePattern>>,
    tickets: Mutex<HashMap<String, (regex::Regex, usize)>>,
    /// How many bytes more may be taken.
    room: AtomicUsize,
}

impl Default for Patterns {
    fn default() -> Self {
        Self::with_room(MOST_BYTES)
    }
}

impl Patterns {
    fn with_room(bytes: usize) -> Self {
        let room = AtomicUsize::new(bytes);
        Self(Arc::new(Shared { values: Mutex::default(), tickets: Mutex::default(), room }))
    }

    /// As [`ValuePattern::new`].
    pub(super) fn value(&self, written: &str, unicode: bool) -> Result<ValuePattern, String> {
        let make = || ValuePattern::new(written, unicode);
        self.kept(&self.0.values, (written.to_owned(), unicode), make, ValuePattern::size)
    }

    /// `written` as `\A(?:…)\z`; parsed alone first, so that no bracket of it closes ours.
    pub(super) fn ticket(&self, written: &str) -> Result<regex::Regex, String> {
        let make = || {
            let size = self.value(written, true)?.size();
            let builder = || regex::RegexBuilder::new(&anchored(written)).size_limit(1 << 20).build();
            builder().map(|made| (made, size)).map_err(|error| error.to_string())
        };
        self.kept(&self.0.tickets, written.to_owned(), make, |(_, size)| *size).map(|(made, _)| made)
    }

    /// What is kept under `key`, or what `make` makes. Made without the lock, so that other roles go on; made twice, it is the
    /// same.
    fn kept<K: Eq + Hash, V: Clone>(
        &self,
        kept: &Mutex<HashMap<K, V>>,
        key: K,
        make: impl FnOnce() -> Result<V, String>,
        size: impl Fn(&V) -> usize,
    ) -> Result<V, String> {
        let locked = || kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = locked().get(&key) {
            return Ok(known.clone());
        }
        let made = make()?;
        let mut all = locked();
        if let Some(known) = all.get(&key) {
            return Ok(known.clone());
        }
        if all.len() >= MOST {
            return Err(format!("the roles have more than {MOST} different expressions"));
        }
        let taken =
            self.0.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(size(&made)));
        if taken.is_err() {
            let most = MOST_BYTES >> 20;
            return Err(format!(
                "the expressions of the roles take more than {most} MiB of memory; make repetitions such as `{{1,60}}` shorter"
            ));
        }
        all.insert(key, made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_expression_is_compiled_once_and_what_differs_is_not_shared() {
        let patterns = Patterns::default();
        for _ in 0..3 {
            assert!(patterns.value("[a-z]+", false).is_ok());
            assert!(patterns.clone().value("[a-z]+", true).is_ok());
            assert!(patterns.ticket(r"(INC|CHG)-\d+").is_ok());
            assert!(patterns.value("[a-z", false).is_err());
            assert!(patterns.ticket(")(").is_err());
        }
        let kept: Vec<_> = patterns.0.values.lock().unwrap().keys().cloned().collect();
        assert_eq!(kept.len(), 3, "{kept:?}");
        assert_eq!(patterns.0.tickets.lock().unwrap().len(), 1);
        let ticket = patterns.ticket(r"(INC|CHG)-\d+").unwrap();
        assert!(ticket.is_match("INC-1") && !ticket.is_match("xINC-1"));
    }

    /// 32 KiB of role file could else take 100 MiB.
    #[test]
    fn large_expressions_are_no_more_than_there_is_room_for_and_small_ones_count_little() {
        let large = |number: usize| format!(r"(?:[a-z]{{1,20}}\.){{1,60}}{number}");
        let patterns = Patterns::with_room(1 << 20);
        let fits = (0..20).take_while(|number| patterns.value(&large(*number), false).is_ok()).count();
        assert_eq!(fits, 4, "a quarter of a MiB each");
        assert!(patterns.value(&large(0), false).is_ok(), "what is kept takes no more");
        let refused = patterns.ticket(&large(9)).unwrap_err();
        assert!(refused.contains("more than 512 MiB") && refused.contains("shorter"), "{refused}");
        let patterns = Patterns::with_room(1 << 20);
        assert!((0..64).all(|number| patterns.value(&format!("[a-z0-9-]{{1,20}}{number}"), false).is_ok()));
    }
}
