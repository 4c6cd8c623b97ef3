//! Whether one parameter allows everything that another does. Never says yes when some word speaks against it.

use super::{Kind, Parameter};

impl Parameter {
    /// Whether a value may begin with `-` as far as the flag says; the kind may refuse it nevertheless.
    pub(in crate::policy) fn takes_dash(&self) -> bool {
        self.dash
    }

    /// Whether characters outside ASCII may stand in a value.
    pub(in crate::policy) fn takes_unicode(&self) -> bool {
        self.unicode
    }

    /// Whether every value of `other` is a value of this one. It may say no where that is so, never yes where it is not.
    pub(in crate::policy) fn covers(&self, other: &Self) -> bool {
        if let Kind::OneOf(words) = &other.kind {
            return words.iter().all(|word| self.accepts(word).is_ok());
        }
        let flags = (self.dash || !other.dash) && self.unicode == other.unicode;
        flags
            && match (&self.kind, &other.kind) {
                (Kind::Int { min, max }, Kind::Int { min: least, max: most }) => min <= least && most <= max,
                (Kind::Text { longest }, Kind::Text { longest: other }) => other <= longest,
                (Kind::Pattern(one), Kind::Pattern(other)) => one.as_written() == other.as_written(),
                (Kind::Path(one), Kind::Path(other)) => one == other,
                _ => false,
            }
    }
}
