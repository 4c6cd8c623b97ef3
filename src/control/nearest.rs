//! Which known word was probably meant.

/// The word of `known` nearest to `typed`, if it is near enough to be worth saying: one slip in a short word, two in a longer.
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = typed.chars().count();
    if length > 40 {
        return None;
    }
    let allowed = if length < 5 { 1 } else { 2 };
    known.map(|word| (distance(typed, word), word)).filter(|&(far, _)| far <= allowed).min().map(|(_, word)| word)
}

/// How many insertions, deletions and replacements turn one into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
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
    fn a_slip_is_recognised_and_a_different_word_is_not() {
        let known = || ["request", "revoke", "roles", "why", "help"].into_iter();
        let rows = [
            ("reqest", Some("request")),
            ("requests", Some("request")),
            ("role", Some("roles")),
            ("hepl", None),
            ("hlp", Some("help")),
            ("systemctl", None),
            ("", None),
        ];
        for (typed, meant) in rows {
            assert_eq!(nearest(typed, known()), meant, "{typed}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
