//! A regular expression that is to match a text as a whole, and the same one as its author wrote it.

const BEFORE: &str = r"\A(?:";
const AFTER: &str = r")\z";

/// `written`, anchored at both ends. It must have been parsed alone before, so that no bracket of it closes ours.
#[must_use]
pub fn anchored(written: &str) -> String {
    format!("{BEFORE}{written}{AFTER}")
}

/// What [`anchored`] was given; anything else as it is.
#[must_use]
pub fn as_written(anchored: &str) -> &str {
    anchored.strip_prefix(BEFORE).and_then(|rest| rest.strip_suffix(AFTER)).unwrap_or(anchored)
}
