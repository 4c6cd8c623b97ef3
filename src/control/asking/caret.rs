//! A typed line with a caret under one of its words.

use crate::domain::text::escape;

/// What is shown before and after the beginning of the place, in characters.
const AROUND: (usize, usize) = (60, 100);

/// Two lines: `line` (of a long one the part around the place) and carets under `length` characters from `column` (from 1).
/// What is not printable is escaped, and the carets stand under the escape.
#[must_use]
pub fn caret(line: &str, column: usize, length: usize) -> [String; 2] {
    let at = column.saturating_sub(1);
    let from = at.saturating_sub(AROUND.0);
    let shown = AROUND.0.saturating_add(AROUND.1);
    let (mut above, mut below) = (String::new(), String::new());
    if from > 0 {
        above.push('…');
        below.push(' ');
    }
    let mut marks = 0_usize;
    for (index, c) in line.chars().enumerate().skip(from).take(shown) {
        let piece = escape(c.encode_utf8(&mut [0; 4])).into_owned();
        let inside = index >= at && index < at.saturating_add(length.max(1));
        for _ in piece.chars() {
            below.push(if inside { '^' } else { ' ' });
            marks += usize::from(inside);
        }
        above.push_str(&piece);
    }
    if line.chars().nth(from.saturating_add(shown)).is_some() {
        above.push('…');
    }
    if marks == 0 {
        // Just past the end: what is missing there.
        let width = at.saturating_sub(from) + usize::from(from > 0);
        let missing = width.saturating_sub(below.chars().count());
        below.push_str(&" ".repeat(missing));
        below.push('^');
    }
    [above, below.trim_end().to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_word() {
        let rows = [
            ("a bc d", 3, 2, "a bc d", "  ^^"),
            ("a bc", 6, 0, "a bc", "     ^"),
            ("", 1, 0, "", "^"),
            ("a\u{1b}b c", 5, 1, "a\\u{1b}b c", "         ^"),
            ("a\u{1b}", 2, 1, "a\\u{1b}", " ^^^^^^"),
            ("üñ x", 4, 1, "üñ x", "   ^"),
        ];
        for (line, column, length, above, below) in rows {
            assert_eq!(caret(line, column, length), [above, below], "{line:?} {column}");
        }
    }

    #[test]
    fn of_a_long_line_what_stands_around_the_place_is_shown() {
        let line = format!("{} here {}", "x".repeat(60_000), "y".repeat(4000));
        let [above, below] = caret(&line, 60_002, 4);
        assert!(above.starts_with("…x") && above.ends_with("y…") && above.chars().count() == 162, "{above}");
        let at = below.find('^').unwrap();
        assert_eq!(above.chars().skip(at).take(4).collect::<String>(), "here");
        assert_eq!(below.trim_start(), "^^^^");
        let [_, past] = caret(&line, 64_007, 0);
        assert!(past.ends_with('^') && past.len() < 200, "{past}");
    }
}
