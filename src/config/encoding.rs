//! Bytes of a file -> text, or where and why they are none. Pure.

use std::ops::Range;
use std::sync::Arc;

use crate::domain::Diagnostic;

/// Why bytes are no text of ours.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Problem {
    message: String,
    help: &'static str,
    /// What can be shown of the file, and the place in it.
    shown: Option<(String, Range<usize>)>,
}

impl Problem {
    /// As a finding in the file of that name.
    pub(super) fn finding(self, name: &Arc<str>) -> Diagnostic {
        let (text, span) = self.shown.unzip();
        let mut finding = Diagnostic::error(name, &Arc::from(text.unwrap_or_default()), self.message).help(self.help);
        finding.span = span;
        finding
    }
}

/// The text, if `bytes` are UTF-8 without NUL. A byte order mark of UTF-8 and line ends of any kind may be there, as TOML has it.
///
/// # Errors
/// The first byte that is wrong, and what the file most likely is.
pub(super) fn text_of(bytes: Vec<u8>) -> Result<String, Problem> {
    // What Windows calls Unicode: a byte order mark, or every second byte of plain text a NUL.
    let nuls = bytes.iter().take(64).filter(|&&byte| byte == 0).count();
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) || nuls * 3 > bytes.len().min(64) {
        let message = "this file is not UTF-8: it is UTF-16 or UTF-32, or no text at all".to_owned();
        return Err(Problem { message, help: "save it as UTF-8: iconv -f UTF-16 -t UTF-8", shown: None });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        // What stands before is shown as it is, so the place is the same; the wrong byte becomes one character of 3 bytes.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        Problem {
            message: format!("this file is not UTF-8: the byte 0x{byte:02x} does not belong there"),
            help: "save it as UTF-8",
            shown: Some((text, at..at + '\u{fffd}'.len_utf8())),
        }
    })?;
    match text.find('\0') {
        None => Ok(text),
        Some(at) => Err(Problem {
            message: "this file holds a NUL character".to_owned(),
            help: "take it out, or save the file as UTF-8",
            shown: Some((text, at..at + 1)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_is_named_with_its_place() {
        let wide = |text: &str, big: bool| -> Vec<u8> {
            text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
        };
        type Row = (Vec<u8>, &'static str, Option<Range<usize>>);
        let rows: [Row; 8] = [
            (b"a = 1\n\xff".to_vec(), "0xff", Some(6..9)),
            (b"a = \"\xc3\x28\"".to_vec(), "0xc3", Some(5..8)),
            (b"\xed\xa0\x80".to_vec(), "0xed", Some(0..3)),
            (wide("\u{feff}a = 1\n", false), "UTF-16", None),
            (wide("\u{feff}a = 1\n", true), "UTF-16", None),
            (wide("a = 1\n", false), "UTF-16", None),
            ([&b"# long enough to be text\n"[..], b"a = \"\0\""].concat(), "NUL", Some(30..31)),
            (vec![0; 100], "UTF-16", None),
        ];
        for (bytes, message, place) in rows {
            let problem = text_of(bytes).unwrap_err();
            assert!(problem.message.contains(message), "{problem:?}");
            let finding = problem.finding(&Arc::from("x.toml"));
            assert_eq!(finding.span, place, "{finding:?}");
            assert!(finding.to_string().contains("x.toml"));
        }
    }

    #[test]
    fn a_byte_order_mark_of_utf_8_and_other_line_ends_are_text() {
        for text in ["\u{feff}a = 1\n", "a = 1\r\nb = 2\r\n", "", "ä = \"\u{1f600}\""] {
            assert_eq!(text_of(text.as_bytes().to_vec()).as_deref(), Ok(text));
        }
    }
}
