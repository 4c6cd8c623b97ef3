//! Words that several rooms put together for people: names in a row, numbers of things, how far a word is from another.

use std::fmt::Display;

/// `a`, `a or b`, `a, b or c` for `between` = `or`; nothing for no words. Escapes nothing: that is for whoever has the words.
#[must_use]
pub fn series(words: impl IntoIterator<Item = impl ToString>, between: &str) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| word.to_string()).collect();
    match words.pop() {
        None => String::new(),
        Some(only) if words.is_empty() => only,
        Some(last) => format!("{} {between} {last}", words.join(", ")),
    }
}

/// `1 user`, `2 users`.
#[must_use]
pub fn plural<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    format!("{count} {what}{}", if count == N::from(1) { "" } else { "s" })
}

/// `1 entry`, `2 entries`.
#[must_use]
pub fn entries(count: u64) -> String {
    format!("{count} {}", if count == 1 { "entry" } else { "entries" })
}

/// How many insertions, deletions and replacements of characters turn one word into the other (Levenshtein). Takes time with
/// the product of their lengths: the caller bounds what comes from outside.
#[must_use]
pub fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line.saturating_add(1);
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, b) in row.iter_mut().skip(1).zip(to.chars()) {
            let best = (diagonal + usize::from(a != b)).min(left + 1).min(*cell + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_a_row_as_in_a_sentence() {
        let of = |count: usize| series(["a", "b", "c"].iter().take(count), "or");
        assert_eq!([0, 1, 2, 3].map(of), ["", "a", "a or b", "a, b or c"]);
    }

    #[test]
    fn one_thing_is_one_and_all_else_are_many() {
        assert_eq!([0_u64, 1, 2].map(|count| plural(count, "user")), ["0 users", "1 user", "2 users"]);
        assert_eq!([0, 1, 2].map(entries), ["0 entries", "1 entry", "2 entries"]);
    }

    #[test]
    fn a_distance_counts_slips() {
        let rows = [
            ("kitten", "sitting", 3),
            ("", "abc", 3),
            ("abc", "", 3),
            ("same", "same", 0),
            ("ü", "u", 1),
            ("ab", "ba", 2),
        ];
        for (from, to, far) in rows {
            assert_eq!(distance(from, to), far, "{from} {to}");
        }
    }
}
