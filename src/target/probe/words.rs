//! Words that a shell, an option parser or a careless wrapper would change on the way.

/// What shells act on, alone and in pairs.
const SHARP: &str = "'\"\\$`!*?[]{}()<>|&;~# -%^=";

const KNOWN: &[&str] = &[
    "",
    " ",
    "  two  blanks  ",
    "$(id)",
    "`id`",
    "${HOME}",
    "$((1+1))",
    "$'\\n'",
    "~",
    "~root",
    "!!",
    "!$",
    "*",
    "/*",
    "[a-z]*",
    "{a,b}",
    "{1..3}",
    "a;b",
    "a&&b",
    "a||b",
    "a|b",
    ">/dev/null",
    "2>&1",
    "<(id)",
    "&",
    "#comment",
    "NAME=value",
    "-n",
    "--",
    "--help",
    "-e",
    "%s%n%d",
    "\\0",
    "\\n",
    "\\\\",
    "'",
    "''",
    "'\\''",
    "\"'\"",
    "it's",
    "'; id; '",
    "\"; id; \"",
    "EOF",
    "esac",
    "done",
    "@(a|b)",
    "ü",
    "naïve",
    "中文",
    "日本語",
    "Ελληνικά",
    "עברית",
    "😀",
    "e\u{301}",
    "\u{202e}reversed",
    "\u{a0}",
    "\u{2028}",
];

/// About a thousand words: every printable ASCII character alone, doubled and between letters, behind a backslash, in quotes;
/// every pair of what shells act on; UTF-8; words of two kilobytes.
pub(super) fn hostile() -> Vec<String> {
    let mut words: Vec<String> = KNOWN.iter().map(|&word| word.to_owned()).collect();
    for c in ' '..='~' {
        words.extend([c.to_string(), format!("a{c}b"), format!("\\{c}")]);
    }
    for first in SHARP.chars() {
        words.extend(SHARP.chars().map(|second| format!("{first}{second}")));
    }
    let long = |pattern: &str| pattern.chars().cycle().take(2048).collect::<String>();
    words.extend([long("x"), long("' "), long("$(\\`\""), long("ü")]);
    words
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_about_a_thousand_and_every_printable_character_is_among_them() {
        let words = hostile();
        assert!((900..1300).contains(&words.len()), "{}", words.len());
        let characters: BTreeSet<char> = words.iter().flat_map(|word| word.chars()).collect();
        assert!((' '..='~').all(|c| characters.contains(&c)));
        assert!(words.iter().all(|word| !word.chars().any(char::is_control)), "none that no line may hold");
        assert!(words.iter().any(|word| word.len() >= 2048));
    }
}
