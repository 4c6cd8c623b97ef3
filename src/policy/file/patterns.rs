//! The expressions of role files, compiled once however many roles have the same: to compile one takes longer and more memory
//! than to read the rest of a role, and ten thousand roles have few different ones (one form of ticket, a few of names).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::whole::anchored;
use crate::policy::parameter::ValuePattern;

/// Most different expressions of a set of roles: beyond, memory would be what ends.
const MOST: usize = 20_000;

/// What a set of roles shares while it is read. A clone is the same set's.
#[derive(Clone, Debug, Default)]
pub struct Patterns(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    values: Mutex<HashMap<(String, bool), ValuePattern>>,
    tickets: Mutex<HashMap<String, regex::Regex>>,
}

impl Patterns {
    /// As [`ValuePattern::new`].
    pub(super) fn value(&self, written: &str, unicode: bool) -> Result<ValuePattern, String> {
        kept(&self.0.values, (written.to_owned(), unicode), || ValuePattern::new(written, unicode))
    }

    /// `written` as `\A(?:…)\z`; parsed alone first, so that no bracket of it closes ours.
    pub(super) fn ticket(&self, written: &str) -> Result<regex::Regex, String> {
        kept(&self.0.tickets, written.to_owned(), || {
            self.value(written, true)?;
            let builder = || regex::RegexBuilder::new(&anchored(written)).size_limit(1 << 20).build();
            builder().map_err(|error| error.to_string())
        })
    }
}

/// What is kept under `key`, or what `make` makes. Made without the lock, so that other roles go on; made twice, it is the same.
fn kept<K: Eq + Hash, V: Clone>(
    kept: &Mutex<HashMap<K, V>>,
    key: K,
    make: impl FnOnce() -> Result<V, String>,
) -> Result<V, String> {
    let locked = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = locked().get(&key) {
        return Ok(known.clone());
    }
    let made = make()?;
    let mut all = locked();
    if all.len() >= MOST {
        return Err(format!("the roles have more than {MOST} different expressions"));
    }
    Ok(all.entry(key).or_insert(made).clone())
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
}
