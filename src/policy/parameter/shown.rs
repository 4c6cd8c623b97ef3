//! What a parameter may be, in words: for listings, answers and denials.

use std::fmt;

use super::{Kind, Parameter};
use crate::domain::text::excerpt;
use crate::domain::wording::series;

/// What it may be, in words: `nginx or php-fpm`, `a whole number from 1 to 5000`.
impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many of a list are shown.
        const SHOWN: usize = 8;
        match &self.kind {
            Kind::OneOf(words) => {
                let more = words.len().saturating_sub(SHOWN);
                let mut shown: Vec<String> = words.iter().take(SHOWN).map(|word| excerpt(word, 40)).collect();
                if more > 0 {
                    shown.push(format!("{more} more"));
                }
                f.write_str(&series(shown, "or"))
            }
            Kind::Pattern(pattern) => write!(f, "a word matching {}", excerpt(pattern.as_written(), 80)),
            Kind::Int { min, max } => write!(f, "a whole number from {min} to {max}"),
            Kind::Path(pattern) => write!(f, "a path like {pattern}"),
            Kind::Unit(units) => write!(f, "{units}"),
            Kind::Host(hosts) => write!(f, "{hosts}"),
            Kind::Ip(within) => write!(f, "an IP address{within}"),
            Kind::Cidr(within) => write!(f, "an IP network{within}"),
            Kind::Port { min: 1, max: u16::MAX } => f.write_str("a port"),
            Kind::Port { min, max } => write!(f, "a port from {min} to {max}"),
            Kind::Duration { longest } => write!(f, "a span of time up to {} such as 30s or 5min", span_of(*longest)),
            Kind::Text { longest } => write!(f, "text of at most {longest} characters"),
        }
    }
}

fn span_of(seconds: u64) -> String {
    crate::domain::time::for_people(std::time::Duration::from_secs(seconds))
}
