//! Texts as TOML writes them, for files that we write for people.

/// `text` in quotes.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // A tab may stand as it is; no other control character may.
            c if c.is_control() && c != '\t' => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `["a", "b"]`.
#[must_use]
pub fn list<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    format!("[{}]", texts.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted_is_read_back_as_it_was() {
        for text in ["", "nginx", "a b", r#"it's "this" \d+\"#, "a\tb", "a\nb", "\u{1b}[2J", "\u{7f}\u{85}", "ä 中"] {
            let read: toml::Table = format!("one = {}\nmany = {}", quoted(text), list([text, text])).parse().unwrap();
            assert_eq!(read["one"].as_str(), Some(text));
            assert_eq!(read["many"].as_array().unwrap().len(), 2);
        }
    }
}
