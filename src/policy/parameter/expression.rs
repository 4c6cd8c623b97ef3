//! The regular expression of a `pattern`: what it may say, and that it matches whole values alone.

use crate::domain::whole::anchored;

/// The most memory one compiled `pattern` may take, in bytes.
const REGEX_SIZE: usize = 256 * 1024;
/// What one is said to take: the first of these that it keeps within.
const SIZES: [usize; 3] = [16 * 1024, 64 * 1024, REGEX_SIZE];

/// A regular expression that matches whole values.
#[derive(Clone, Debug)]
pub struct ValuePattern {
    written: String,
    compiled: regex::bytes::Regex,
    size: usize,
}

impl ValuePattern {
    /// Compiles `written` as `\A(?:written)\z`.
    ///
    /// It is parsed alone first, so that no bracket of it can close ours. Inline flags are refused, because they could change
    /// what the anchors mean; classes are ASCII unless `unicode`.
    ///
    /// # Errors
    /// What is wrong with it, for the author of the role.
    pub fn new(written: &str, unicode: bool) -> Result<Self, String> {
        if has_inline_flags(written) {
            return Err("inline flags such as `(?i)` are not read; write out what may be typed".to_owned());
        }
        if !unicode && !written.is_ascii() {
            return Err(
                "the pattern has characters outside ASCII; add `unicode = true` to allow them in values".to_owned()
            );
        }
        let compile = |text: &str, size: usize| {
            regex::bytes::RegexBuilder::new(text)
                .unicode(unicode)
                .size_limit(size)
                .dfa_size_limit(REGEX_SIZE)
                .nest_limit(32)
                .build()
        };
        let said = |error: &regex::Error| match error {
            regex::Error::CompiledTooBig(_) => {
                "this is too large with all its repetitions; write smaller numbers between `{` and `}`".to_owned()
            }
            error => format!("not a regular expression: {}", sentence_of(error)),
        };
        let whole = anchored(written);
        for size in SIZES {
            match compile(written, size).and_then(|_| compile(&whole, size)) {
                Ok(compiled) => return Ok(Self { written: written.to_owned(), compiled, size }),
                Err(regex::Error::CompiledTooBig(_)) if size < REGEX_SIZE => {}
                Err(error) => return Err(said(&error)),
            }
        }
        Err("not a regular expression".to_owned())
    }

    /// About how many bytes it takes compiled, at most.
    #[must_use]
    pub fn size(&self) -> usize {
        self.size
    }

    /// The expression as the role has it.
    #[must_use]
    pub fn as_written(&self) -> &str {
        &self.written
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        self.compiled.is_match(value.as_bytes())
    }
}

/// The last line of a regex error is the sentence; those before draw the expression.
fn sentence_of(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Whether `(?` is followed by anything but `:` (a group) or a name.
fn has_inline_flags(pattern: &str) -> bool {
    let mut rest = pattern;
    let mut class = 0_usize;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = match c {
            '\\' => after.get(after.chars().next().map_or(0, char::len_utf8)..).unwrap_or_default(),
            '[' => {
                class += 1;
                // `]` right after the opening, or after its `^`, is a member.
                let inner = after.strip_prefix('^').unwrap_or(after);
                inner.strip_prefix(']').unwrap_or(inner)
            }
            ']' => {
                class = class.saturating_sub(1);
                after
            }
            '(' if class == 0 && after.starts_with('?') => {
                let named = after.starts_with("?P<") || after.starts_with("?<");
                if !named && !after.starts_with("?:") {
                    return true;
                }
                after
            }
            _ => after,
        };
    }
    false
}
