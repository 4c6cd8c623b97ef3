//! Text from outside, made safe to show.
//!
//! Everything a client, a target, a file or the database says is escaped when it is written and again when it is shown, so
//! that no reason, command line or file name can move the cursor, forge a line or reverse the reading direction.

use std::borrow::Cow;

/// Whether `c` may reach a terminal as it is: no control character, no bidirectional override, nothing invisible, no letter
/// that looks like a blank.
#[must_use]
pub fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether every character of `text` is printable ASCII, as nearly every text is: the quick answer before a slow one.
#[must_use]
pub fn is_printable_ascii(text: &str) -> bool {
    // To the end in any case: without a way out the compiler looks at many bytes at once.
    text.bytes().fold(true, |printable, byte| printable & matches!(byte, b' '..=b'~'))
}

/// Whether every character of `text` is printable.
#[must_use]
pub fn all_printable(text: &str) -> bool {
    is_printable_ascii(text) || text.chars().all(is_printable)
}

/// `text` with everything unprintable written as `\u{…}`; newline and tab too, so the answer is one line.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if all_printable(text) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_printable(c) {
            safe.push(c);
        } else {
            safe.extend(c.escape_default());
        }
    }
    Cow::Owned(safe)
}

/// `text` as one word that a shell takes literally, quoted where it has to be; unprintable characters are escaped.
#[must_use]
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    let text = escape(text);
    // `NAME=` before a program sets a variable, and zsh takes `=NAME` for a program's path.
    let assigns = !text.starts_with(['-', '/', '.']) && text.contains('=');
    if !text.is_empty() && text.chars().all(plain) && !assigns {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A JSON text with everything unprintable inside its strings written as `\uXXXX`: harmless to show, the same to a JSON
/// reader. `json` must come from a JSON writer, which leaves such characters inside strings only.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    if all_printable(json) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    let mut units = [0_u16; 2];
    for c in json.chars() {
        if is_printable(c) {
            safe.push(c);
        } else {
            c.encode_utf16(&mut units).iter().for_each(|unit| safe.push_str(&format!("\\u{unit:04x}")));
        }
    }
    Cow::Owned(safe)
}

/// As [`escape`], at most `longest` characters; a cut is marked by `…`.
#[must_use]
pub fn excerpt(text: &str, longest: usize) -> String {
    let cut = text.char_indices().nth(longest).map_or(text.len(), |(at, _)| at);
    let (head, tail) = text.split_at_checked(cut).unwrap_or((text, ""));
    let mut safe = escape(head).into_owned();
    if !tail.is_empty() {
        safe.push('…');
    }
    safe
}

/// As [`excerpt`] for bytes of any encoding: what is not UTF-8 shows as `\x…`.
#[must_use]
pub fn excerpt_bytes(bytes: &[u8], longest: usize) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&escape(chunk.valid()));
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02x}")));
        if text.len() > longest.saturating_mul(4) {
            break;
        }
    }
    excerpt(&text, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_move_the_cursor_or_forge_a_line() {
        assert_eq!(escape("plain ü 中 😀"), "plain ü 中 😀");
        assert_eq!(escape("a\x1b[2Jb\r\nc\u{202e}d\u{9b}"), "a\\u{1b}[2Jb\\r\\nc\\u{202e}d\\u{9b}");
        for blank in ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}', '\u{2800}', '\u{34f}'] {
            assert_eq!(escape(&format!("a{blank}b")), format!("a\\u{{{:x}}}b", u32::from(blank)));
        }
        let words = ["nginx", "a b", "", "it's", "--n=1", "$(id)", "A=1", "=ls"].map(shell_word);
        assert_eq!(words, ["nginx", "'a b'", "''", r"'it'\''s'", "--n=1", "'$(id)'", "'A=1'", "'=ls'"]);
        assert_eq!(excerpt("abcdef", 3), "abc…");
        assert_eq!(excerpt_bytes(b"a\xffb", 10), "a\\xffb");
    }
}
