//! One condition: its key, whether it holds, how it stands in words, and what to do about it.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Circumstances, Hours, Moment, hours};
use crate::domain::Timestamp;
use crate::domain::wording::series;

/// One of the conditions. `Display` goes after `may be used`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Condition<'a> {
    NotAfter(&'a Moment),
    NotBefore(&'a Moment),
    Networks(&'a [IpNet]),
    SameSource,
    Hours(&'a [Hours]),
    MaxSessions(u32),
}

impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAfter(moment) => write!(f, "until {moment}"),
            Self::NotBefore(moment) => write!(f, "from {moment} on"),
            Self::Networks(networks) => write!(f, "from {}", series(*networks, "or")),
            Self::SameSource => f.write_str("from the address that asked for it"),
            Self::Hours(hours) => f.write_str(&series(*hours, "or")),
            Self::MaxSessions(1) => f.write_str("for 1 command at a time"),
            Self::MaxSessions(most) => write!(f, "for {most} commands at a time"),
        }
    }
}

impl Condition<'_> {
    pub(super) fn key(&self) -> &'static str {
        match self {
            Self::NotAfter(_) => "not_after",
            Self::NotBefore(_) => "not_before",
            Self::Networks(_) => "networks",
            Self::SameSource => "same_source",
            Self::Hours(_) => "hours",
            Self::MaxSessions(_) => "max_sessions",
        }
    }

    /// Whether it holds, and if time ends that, when.
    pub(super) fn judge(&self, at: &Circumstances) -> Result<Option<Timestamp>, Option<Timestamp>> {
        let only_if = |holds: bool| if holds { Ok(None) } else { Err(None) };
        match self {
            Self::NotAfter(moment) if at.now < moment.at() => Ok(Some(moment.at())),
            Self::NotAfter(_) => Err(None),
            Self::NotBefore(moment) if at.now < moment.at() => Err(Some(moment.at())),
            Self::NotBefore(_) => Ok(None),
            Self::Networks(networks) => only_if(at.source.is_some_and(|source| within(networks, source))),
            Self::SameSource => only_if(match (at.source, at.request_source) {
                (Some(now), Some(then)) => now.to_canonical() == then.to_canonical(),
                _ => false,
            }),
            Self::Hours(hours) if hours::open(hours, at.now) => Ok(hours::changes(hours, at.now)),
            Self::Hours(hours) => Err(hours::changes(hours, at.now)),
            Self::MaxSessions(most) => only_if(at.running.is_some_and(|running| running < *most)),
        }
    }

    /// How it stands, in words; `changes` is when time changes it.
    pub(super) fn state(&self, at: &Circumstances, changes: Option<Timestamp>) -> String {
        let address = |known: Option<IpAddr>| known.map(|known| known.to_canonical().to_string());
        let from = || address(at.source).map(|source| format!("this comes from {source}"));
        match self {
            Self::NotAfter(_) | Self::NotBefore(_) => format!("it is {}", at.now.to_the_second()),
            Self::Networks(_) => from().unwrap_or_else(|| "where this comes from is not known".to_owned()),
            Self::SameSource => match (from(), address(at.request_source)) {
                (Some(from), Some(then)) => format!("that was {then}, and {from}"),
                (None, Some(then)) => format!("that was {then}, and where this comes from is not known"),
                (_, None) => "nobody has asked yet".to_owned(),
            },
            Self::Hours(hours) => hours::state(hours, at.now, changes),
            Self::MaxSessions(_) => match at.running {
                Some(0) => "none runs now".to_owned(),
                Some(1) => "1 runs now".to_owned(),
                Some(running) => format!("{running} run now"),
                None => "how many run is not known".to_owned(),
            },
        }
    }

    /// What to do about it, where that is not plain.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::NotAfter(_) => "; no time to come will do, so ask the operator",
            Self::MaxSessions(_) => "; wait until one ends",
            _ => "",
        }
    }

    /// Whether it can stop holding for a command that runs. A command is not in its own way.
    pub(super) fn lapses(&self) -> bool {
        !matches!(self, Self::MaxSessions(_))
    }
}

/// Whether `source` is in one of `networks`. An IPv4 address counts as one in whatever form it comes; the networks were
/// brought to that form when they were read.
fn within(networks: &[IpNet], source: IpAddr) -> bool {
    let source = source.to_canonical();
    networks.iter().any(|network| network.contains(&source))
}
