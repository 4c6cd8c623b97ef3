//! `*` and `**`: without recursion and at most quadratic time, because the values come from outside.

use std::fmt;

/// Whether `text` is `glob`, in which `*` stands for any run of characters.
pub(in crate::policy) fn matches_glob(glob: &str, text: &str) -> bool {
    // Bytes: no character of UTF-8 begins with what another goes on with, so a literal part is found whole or not at all.
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    // Only the last star seen is tried again: an earlier one could only take what the later one can take as well.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(found) = text.get(read) {
        match glob.get(at) {
            Some(b'*') => {
                retry = Some((at, read));
                at += 1;
            }
            Some(expected) if expected == found => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star, from)) = retry else { return false };
                retry = Some((star, from + 1));
                at = star + 1;
                read = from + 1;
            }
        }
    }
    glob.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
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
