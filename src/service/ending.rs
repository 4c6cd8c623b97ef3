//! How a command ends: by itself, or by us and why. Names for the log, words for the user, the exit code for the client.

use crate::domain::text::escape;
use crate::domain::{GrantId, RoleName, UserName};
use crate::policy::Unmet;

/// The exit code of a command that could not run: target, log or recorder (`docs/control-verbs.md`).
pub const COULD_NOT_RUN: u8 = 125;
/// The exit code of a command that was denied.
pub const DENIED: u8 = 126;
/// Ended by us.
const ENDED_BY_US: u8 = 124;

/// Why we ended a command. `Display` is for the user, after `ended: `.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum End {
    /// It ran as long as its role allows.
    #[error("it ran for as long as its role allows")]
    TimeLimit,
    /// A grant it needs is over.
    #[error("the time of your grant {0} is up; ask again for more")]
    Expired(GrantId),
    /// A grant it needs was given back.
    #[error("you gave grant {0} back")]
    GivenBack(GrantId),
    /// A grant it needs was taken away.
    #[error("{by} revoked your grant {grant}")]
    Revoked {
        /// Which.
        grant: GrantId,
        /// Who did it.
        by: UserName,
    },
    /// The configuration no longer gives what it needs: the user's key, the role, the target or its account.
    #[error("{0}")]
    Withdrawn(&'static str),
    /// The configuration no longer allows the command itself.
    #[error("your roles were narrowed and no longer allow it; `roles` lists what they allow")]
    Narrowed,
    /// A condition of a role it needs stopped holding.
    #[error("{role} {what}")]
    Lapsed {
        /// Which.
        role: RoleName,
        /// The condition, and how it stands.
        what: Box<Unmet>,
    },
    /// The client left.
    #[error("the connection to you was lost")]
    ClientGone,
    /// More output than its role allows.
    #[error("its output reached the {0} bytes that its role allows; ask for less at a time")]
    OutputLimit(u64),
    /// More input than its role allows.
    #[error("its input reached the {0} bytes that its role allows")]
    InputLimit(u64),
    /// Input was lost on its way.
    #[error("more input is waiting than the bastion keeps; the command took it too slowly")]
    InputOverflow,
    /// What passes cannot be recorded.
    #[error("what passes cannot be recorded; tell the operator of the bastion")]
    Recording,
    /// The bastion stops.
    #[error("the bastion is stopping; try again in a moment")]
    Stopping,
    /// Whether the grants still live could not be asked for too long.
    #[error("the bastion could not check your grant any more; tell its operator")]
    StoreLost,
}

impl End {
    /// The name in the log's `ended_by`.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::TimeLimit => "time-limit",
            Self::Expired(_) => "expired",
            Self::GivenBack(_) => "given-back",
            Self::Revoked { .. } => "revoked",
            Self::Withdrawn(_) => "withdrawn",
            Self::Narrowed => "narrowed",
            Self::Lapsed { what, .. } => match what.key {
                "hours" => "lapsed-hours",
                "not_after" => "lapsed-not-after",
                "not_before" => "lapsed-not-before",
                "networks" => "lapsed-networks",
                "same_source" => "lapsed-same-source",
                _ => "lapsed",
            },
            Self::ClientGone => "client-gone",
            Self::OutputLimit(_) => "output-limit",
            Self::InputLimit(_) => "input-limit",
            Self::InputOverflow => "input-overflow",
            Self::Recording => "recording",
            Self::Stopping => "bastion-stopping",
            Self::StoreLost => "store-lost",
        }
    }
}

/// How a started command came to its end.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// By itself, with this status.
    Exit(u32),
    /// By a signal on the target.
    Signal(String),
    /// The target was lost; nobody knows.
    Lost(String),
    /// By us.
    Ended(End),
}

impl Outcome {
    /// The exit code for the client. A status of the program passes unchanged, also 255. What cannot be a status of a
    /// program must not be cut to a byte that says success.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Exit(status) => u8::try_from(*status).unwrap_or(u8::MAX),
            Self::Signal(name) => signal_code(name),
            Self::Lost(_) | Self::Ended(End::Recording) => COULD_NOT_RUN,
            Self::Ended(_) => ENDED_BY_US,
        }
    }

    /// What the log says in `ended_by`.
    pub(super) fn ended_by(&self) -> Option<String> {
        match self {
            Self::Exit(_) => None,
            Self::Signal(name) => Some(format!("signal {name}")),
            Self::Lost(_) => Some("target-lost".to_owned()),
            Self::Ended(end) => Some(end.name().to_owned()),
        }
    }

    /// Our line for the user; `None` when the program's own status says everything.
    pub(super) fn line(&self) -> Option<String> {
        match self {
            Self::Exit(_) => None,
            Self::Signal(name) => Some(format!("the program was ended by signal {}", escape(name))),
            Self::Lost(why) => Some(format!(
                "the connection to the target was lost ({}); whether the command finished is unknown",
                escape(why)
            )),
            Self::Ended(end) => Some(format!("ended: {end}")),
        }
    }
}

/// What a shell makes of a signal: 128 and its number, as Linux numbers those that RFC 4254 section 6.10 names.
fn signal_code(name: &str) -> u8 {
    const NUMBERS: [(&str, u8); 15] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("TRAP", 5),
        ("ABRT", 6),
        ("BUS", 7),
        ("FPE", 8),
        ("KILL", 9),
        ("USR1", 10),
        ("SEGV", 11),
        ("USR2", 12),
        ("PIPE", 13),
        ("ALRM", 14),
        ("TERM", 15),
    ];
    128 + NUMBERS.iter().find(|(known, _)| *known == name).map_or(0, |&(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_programs_own_or_say_who_ended_it() {
        for (outcome, code) in [
            (Outcome::Exit(0), 0),
            (Outcome::Exit(255), 255),
            (Outcome::Exit(256), 255),
            (Outcome::Exit(u32::MAX), 255),
            (Outcome::Signal("TERM".to_owned()), 143),
            (Outcome::Signal("KILL".to_owned()), 137),
            (Outcome::Signal("\x1b[2J".to_owned()), 128),
            (Outcome::Lost("gone".to_owned()), 125),
            (Outcome::Ended(End::Recording), 125),
            (Outcome::Ended(End::TimeLimit), 124),
        ] {
            assert_eq!(outcome.code(), code, "{outcome:?}");
        }
    }
}
