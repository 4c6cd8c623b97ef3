//! Which known word was probably meant.

use crate::domain::wording::distance;

/// The word of `known` nearest to `typed`, if it is near enough to be worth saying: one slip in a short word, two in a longer.
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = typed.chars().count();
    if length > 40 {
        return None;
    }
    let allowed = if length < 5 { 1 } else { 2 };
    known.map(|word| (distance(typed, word), word)).filter(|&(far, _)| far <= allowed).min().map(|(_, word)| word)
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
