//! Names that are recognised with one slip of the finger in them, whatever their number costs a word that is none.

use std::collections::{BTreeMap, BTreeSet};

/// A name of at least so many characters is recognised with one slip in it.
const LONG_ENOUGH: usize = 4;

/// Names, in small letters.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    all: BTreeSet<String>,
    /// Each long one, whole and with one character missing, and the names that this was. Two that differ by one slip have one
    /// of these in common, so a word is held against few names however many there are.
    shortened: BTreeMap<String, BTreeSet<String>>,
    /// Characters of the longest.
    longest: usize,
}

impl Names {
    /// Adds one.
    pub(super) fn insert(&mut self, name: &str) {
        let name = name.to_lowercase();
        if self.all.contains(&name) {
            return;
        }
        let count = name.chars().count();
        self.longest = self.longest.max(count);
        if count >= LONG_ENOUGH {
            for short in shortened(&name) {
                self.shortened.entry(short).or_default().insert(name.clone());
            }
        }
        self.all.insert(name);
    }

    /// Whether `word` is one of them, in whatever case, or is with one slip.
    pub(super) fn have(&self, word: &str) -> bool {
        // A character has at most four bytes, and a small letter may have more than its capital.
        if word.len() > self.longest.saturating_add(1).saturating_mul(8) {
            return false;
        }
        let word = word.to_lowercase();
        self.all.contains(&word) || self.alike(&word).any(|name| is_nearly(name, &word))
    }

    /// The names that `word`, which is not too long, may be with one slip.
    fn alike<'n>(&'n self, word: &str) -> impl Iterator<Item = &'n str> {
        let lengths = LONG_ENOUGH.saturating_sub(1)..=self.longest.saturating_add(1);
        let words = if lengths.contains(&word.chars().count()) { shortened(word) } else { Vec::new() };
        words.into_iter().filter_map(|short| self.shortened.get(&short)).flatten().map(String::as_str)
    }
}

/// `word`, and each that it is with one character missing.
fn shortened(word: &str) -> Vec<String> {
    let without = word.char_indices().map(|(at, c)| {
        let (before, rest) = word.split_at_checked(at).unwrap_or((word, ""));
        format!("{before}{}", rest.get(c.len_utf8()..).unwrap_or_default())
    });
    std::iter::once(word.to_owned()).chain(without).collect()
}

/// Whether `name` is `known`, or is with one slip: a letter too many, too few, another, or two in the wrong order.
fn is_nearly(known: &str, name: &str) -> bool {
    if known == name {
        return true;
    }
    let (left, right): (Vec<char>, Vec<char>) = (known.chars().collect(), name.chars().collect());
    if left.len() < LONG_ENOUGH || left.len().abs_diff(right.len()) > 1 {
        return false;
    }
    let front = left.iter().zip(&right).take_while(|(one, other)| one == other).count();
    let (left, right) = (left.get(front..).unwrap_or_default(), right.get(front..).unwrap_or_default());
    let back = left.iter().rev().zip(right.iter().rev()).take_while(|(one, other)| one == other).count();
    let rest = |of: &[char]| of.len() - back;
    match (left.get(..rest(left)), right.get(..rest(right))) {
        (Some([a, b]), Some([c, d])) => a == d && b == c,
        (Some(left), Some(right)) => left.len() <= 1 && right.len() <= 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(all: impl IntoIterator<Item = impl AsRef<str>>) -> Names {
        let mut names = Names::default();
        all.into_iter().for_each(|name| names.insert(name.as_ref()));
        names
    }

    #[test]
    fn a_word_is_held_against_few_names_however_many_there_are() {
        let many = names((0..5000).map(|number| format!("program-{number:04}")));
        let words =
            ["program-00421", "program-9999", "program", "x", "", "programm-0001", "0001-program", "prgoram-4999"];
        for word in words {
            assert!(many.alike(word).count() <= 400, "{word}: {}", many.alike(word).count());
        }
        assert!(many.have("program-0042") && many.have("Program-042") && many.have("prgoram-4999"));
        assert!(!many.have("prgoram-499") && !many.have("program") && !many.have(&"program-0042".repeat(5000)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        /// Few letters, so that slips are met.
        #[test]
        fn what_is_found_is_what_holding_a_word_against_every_name_finds(
            all in prop::collection::vec("[abAß]{0,6}", 0..4), word in "[abAß]{0,7}",
        ) {
            let each = all.iter().any(|name| is_nearly(&name.to_lowercase(), &word.to_lowercase()));
            prop_assert_eq!(names(&all).have(&word), each, "{:?} {}", all, word);
        }
    }
}
