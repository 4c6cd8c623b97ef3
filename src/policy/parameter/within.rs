//! Whether every value of one parameter is a value of another. Said only when it is certain.

use std::collections::BTreeSet;

use super::{Kind, Parameter};

/// A range of numbers no wider than this is compared number by number.
const COUNTED: u64 = 1000;

impl Parameter {
    /// Whether every value of this is certainly one of `wider`; `false` where that cannot be told.
    pub(in crate::policy) fn within(&self, wider: &Self) -> bool {
        // Neither kind nor flags say who sees a value.
        let Self { kind, dash, unicode, secret: _, most } = self;
        if *most > wider.most {
            return false;
        }
        // A kind whose values never begin with `-`, or are ASCII always, gains nothing by the flags.
        let flags = (wider.dash || !dash) && (wider.unicode || !unicode);
        match (kind, &wider.kind) {
            (Kind::OneOf(words), Kind::OneOf(others)) if flags => {
                // Most lists are not within another, and most of those by their first word.
                if words.first().is_some_and(|word| !others.contains(word) && self.accepts(word).is_ok()) {
                    return false;
                }
                let others: BTreeSet<&str> = others.iter().map(String::as_str).collect();
                words.iter().all(|word| others.contains(word.as_str()) || self.accepts(word).is_err())
            }
            (Kind::OneOf(words), _) => {
                words.iter().all(|word| wider.accepts(word).is_ok() || self.accepts(word).is_err())
            }
            (Kind::Int { min, max }, Kind::Int { min: least, max: most }) => least <= min && max <= most,
            (Kind::Int { min, max }, _) => {
                max.saturating_sub(*min) < COUNTED
                    && (*min..=*max).all(|number| wider.accepts(&number.to_string()).is_ok())
            }
            (Kind::Path(paths), Kind::Path(others)) => (wider.unicode || !unicode) && paths.within(others),
            (Kind::Pattern(pattern), Kind::Pattern(other)) => {
                // `unicode` says also what a class means, so it must be the same.
                flags && unicode == &wider.unicode && pattern.as_written() == other.as_written()
            }
            (Kind::Unit(units), Kind::Unit(others)) => units.types().iter().all(|one| others.types().contains(one)),
            (Kind::Host(hosts), Kind::Host(others)) => hosts == others,
            (Kind::Ip(ranges), Kind::Ip(others)) | (Kind::Cidr(ranges), Kind::Cidr(others)) => ranges.inside(others),
            (Kind::Port { min, max }, Kind::Port { min: least, max: most }) => least <= min && max <= most,
            (Kind::Port { min, max }, Kind::Int { min: least, max: most }) => {
                *least <= u64::from(*min) && u64::from(*max) <= *most
            }
            (Kind::Duration { longest }, Kind::Duration { longest: most }) => longest <= most,
            (Kind::Text { longest }, Kind::Text { longest: most }) => flags && longest <= most,
            (
                Kind::Path(_)
                | Kind::Pattern(_)
                | Kind::Unit(_)
                | Kind::Host(_)
                | Kind::Ip(_)
                | Kind::Cidr(_)
                | Kind::Port { .. }
                | Kind::Duration { .. }
                | Kind::Text { .. },
                _,
            ) => false,
        }
    }

    /// Whether it is this word or nothing.
    pub(in crate::policy) fn is_only(&self, word: &str) -> bool {
        matches!(&self.kind, Kind::OneOf(words) if words.iter().all(|one| one == word))
    }

    /// The words it lists, if it is a list of words.
    pub(in crate::policy) fn listed(&self) -> Option<&[String]> {
        match &self.kind {
            Kind::OneOf(words) => Some(words),
            _ => None,
        }
    }
}
