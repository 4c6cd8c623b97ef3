//! `*` and `**`: in time that grows with the value alone, because values come from outside.

use std::fmt;

/// Whether `text` is `glob`, in which `*` stands for any run of characters.
///
/// What stands between two stars is looked for from left to right, each part once: a later place for one of them never helps those
/// behind it.
pub(in crate::policy) fn matches_glob(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

/// The paths that a `path` parameter may be: `/var/log/nginx/*.log`, `/srv/www/**/index.html`.
///
/// `*` stands for any run of characters within one name and never for a leading dot; one `**`, as a whole name, stands for any
/// number of names (at the end for at least one), none of which begins with a dot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPattern {
    written: String,
    head: Vec<String>,
    /// What follows `**`, if there is one.
    tail: Option<Vec<String>>,
}

/// Why a text is no path pattern. `Display` says what to write.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct PathPatternError(&'static str);

impl PathPattern {
    /// Reads the pattern of a role.
    ///
    /// # Errors
    /// [`PathPatternError`].
    pub fn new(written: &str) -> Result<Self, PathPatternError> {
        let Some(relative) = written.strip_prefix('/') else {
            return Err(PathPatternError("a path begins with `/`"));
        };
        if written.contains(['?', '[', ']', '{', '}']) {
            return Err(PathPatternError("only `*` and `**` are read in a path; `?`, brackets and braces never match"));
        }
        let (mut head, mut tail) = (Vec::new(), None);
        for part in relative.split('/') {
            match (part, &mut tail) {
                ("", _) => return Err(PathPatternError("a path has no `//` and no `/` at its end")),
                ("." | "..", _) => return Err(PathPatternError("a path has no `.` or `..`: such values are refused")),
                ("**", None) => tail = Some(Vec::new()),
                ("**", Some(_)) => return Err(PathPatternError("a path has one `**` at most")),
                (part, _) if part.contains("**") => {
                    return Err(PathPatternError("`**` stands alone between two `/`"));
                }
                (part, None) => head.push(part.to_owned()),
                (part, Some(tail)) => tail.push(part.to_owned()),
            }
        }
        Ok(Self { written: written.to_owned(), head, tail })
    }

    /// Whether `path`, absolute and plain, is one of them.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let Some(relative) = path.strip_prefix('/') else { return false };
        let count = relative.split('/').count();
        let least = self.head.len() + self.tail.as_ref().map_or(0, |tail| tail.len().max(1));
        if count < least || (self.tail.is_none() && count > least) {
            return false;
        }
        let tail = self.tail.as_deref().unwrap_or_default();
        relative.split('/').enumerate().all(|(at, name)| {
            let part = self.head.get(at).or_else(|| tail.get((at + tail.len()).checked_sub(count)?));
            part.map_or(!name.starts_with('.'), |part| fits(part, name))
        })
    }

    /// Whether every path of this is certainly one of `wider`: name by name, or all of it below the `**` of `wider`.
    pub(super) fn within(&self, wider: &Self) -> bool {
        let one = |(part, other): (&String, &String)| part == other || (!part.contains('*') && fits(other, part));
        let all = |mine: &[String], theirs: &[String]| mine.len() == theirs.len() && mine.iter().zip(theirs).all(one);
        match (&self.tail, &wider.tail) {
            (None, None) => all(&self.head, &wider.head),
            (Some(mine), Some(theirs)) if all(mine, theirs) && all(&self.head, &wider.head) => true,
            // Everything below a folder: names that begin with a dot are not among it.
            (tail, Some(theirs)) if theirs.is_empty() => {
                self.head.split_at_checked(wider.head.len()).is_some_and(|(head, rest)| {
                    let below = rest.iter().chain(tail.iter().flatten());
                    all(head, &wider.head)
                        && below.clone().all(|part| !part.starts_with('.'))
                        && (!rest.is_empty() || tail.is_some())
                })
            }
            _ => false,
        }
    }
}

fn fits(part: &str, name: &str) -> bool {
    (part.starts_with('.') || !name.starts_with('.')) && matches_glob(part, name)
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::matches_glob;

    /// Every way there is, one character after the other.
    fn by_every_way(glob: &[char], text: &[char]) -> bool {
        match glob {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|taken| by_every_way(rest, &text[taken..])),
            [first, rest @ ..] => text.first() == Some(first) && by_every_way(rest, &text[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_glob_matches_what_one_way_at_least_leads_through(glob in "[ab*é]{0,7}", text in "[abé]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches_glob(&glob, &text), by_every_way(&chars(&glob), &chars(&text)), "{} {}", glob, text);
        }
    }
}
