//! Whether one word may be a value of two parameters. May say yes too often, and never no wrongly: a pattern is loaded
//! because of a no.

use super::{Kind, Parameter};

impl Parameter {
    /// Whether some word may fit both: never `false` when one does.
    pub(in crate::policy) fn overlaps(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::OneOf(words), _) => words.iter().any(|word| other.accepts(word).is_ok()),
            (_, Kind::OneOf(words)) => words.iter().any(|word| self.accepts(word).is_ok()),
            (Kind::Ip(a), Kind::Ip(b)) | (Kind::Cidr(a), Kind::Cidr(b)) => a.meets(b),
            (a, b) => match (numbers(a), numbers(b)) {
                (Some((a, b)), Some((c, d))) => a.max(c) <= b.min(d),
                _ => may_look_alike(shape(a), shape(b)),
            },
        }
    }

    /// Whether some value may begin with `start` and have something after it: never `false` when one does.
    pub(in crate::policy) fn may_begin_with(&self, start: &str) -> bool {
        if start.starts_with('-') && !self.dash {
            return false;
        }
        let digits = || start.bytes().all(|byte| byte.is_ascii_digit());
        match &self.kind {
            Kind::OneOf(words) => words.iter().any(|word| word.len() > start.len() && word.starts_with(start)),
            Kind::Int { .. } | Kind::Port { .. } => digits(),
            Kind::Path(_) => start.is_empty() || start.starts_with('/'),
            Kind::Unit(_) => start.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":_.\\@-".contains(&byte)),
            Kind::Host(_) => start.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":.-".contains(&byte)),
            Kind::Ip(_) => start.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)),
            Kind::Cidr(_) => start.bytes().all(|byte| byte.is_ascii_hexdigit() || b":./".contains(&byte)),
            Kind::Duration { .. } => start.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            Kind::Pattern(_) | Kind::Text { .. } => true,
        }
    }
}

/// Bounds of a kind whose values are plain numbers.
fn numbers(kind: &Kind) -> Option<(u64, u64)> {
    match kind {
        Kind::Int { min, max } => Some((*min, *max)),
        Kind::Port { min, max } => Some((u64::from(*min), u64::from(*max))),
        _ => None,
    }
}

/// What all values of a kind have in common.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Shape {
    /// Begins with `/`.
    Path,
    /// Has a `/`, and does not begin with it.
    Network,
    /// Digits alone.
    Number,
    /// Digits, then letters.
    Span,
    /// Has `.` or `:`, and no letter beyond `f`.
    Address,
    /// No `/`.
    Name,
    /// Nothing.
    Any,
}

fn shape(kind: &Kind) -> Shape {
    match kind {
        Kind::Path(_) => Shape::Path,
        Kind::Cidr(_) => Shape::Network,
        Kind::Int { .. } | Kind::Port { .. } => Shape::Number,
        Kind::Duration { .. } => Shape::Span,
        Kind::Ip(_) => Shape::Address,
        Kind::Unit(_) | Kind::Host(_) => Shape::Name,
        Kind::OneOf(_) | Kind::Pattern(_) | Kind::Text { .. } => Shape::Any,
    }
}

fn may_look_alike(one: Shape, other: Shape) -> bool {
    one == other || matches!((one, other), (Shape::Any, _) | (_, Shape::Any)) || {
        // A name may be a number, a span or an address as well; the rest exclude each other.
        let name = |a: Shape, b: Shape| a == Shape::Name && matches!(b, Shape::Number | Shape::Span | Shape::Address);
        name(one, other) || name(other, one)
    }
}
