//! Where a request stands, and the words for it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::text::escape;
use crate::domain::{Timestamp, UserName, Window};

/// Why a grant ended.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Its time was up, or nobody used it within `activate_within`.
    Expired,
    /// Its holder typed `done`.
    GivenBack,
    /// Somebody took it away.
    Revoked {
        /// Who.
        by: UserName,
        /// What they said, empty if nothing.
        text: String,
    },
}

impl EndReason {
    /// `expired`, `given-back`, `revoked`: the word in the audit log.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::GivenBack => "given-back",
            Self::Revoked { .. } => "revoked",
        }
    }

    /// What was said with it; empty if nothing.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Expired | Self::GivenBack => "",
            Self::Revoked { text, .. } => text,
        }
    }
}

/// Where a request is in its life.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Waits for approvers until `lapses`.
    Pending {
        /// When it stops waiting.
        lapses: Timestamp,
    },
    /// Enough people said yes; the clock of the grant does not run yet.
    Approved {
        /// When the last of them did.
        at: Timestamp,
        /// Used by then or never.
        activate_by: Timestamp,
    },
    /// The grant lives.
    Active {
        /// `start` is the activation, `end` the expiry.
        window: Window,
    },
    /// The grant is over.
    Ended {
        /// When it ended.
        at: Timestamp,
        /// Why.
        why: EndReason,
    },
    /// An approver said no.
    Denied {
        /// Who.
        by: UserName,
        /// When.
        at: Timestamp,
        /// What they said, empty if nothing.
        text: String,
    },
    /// The requester took it back.
    Withdrawn {
        /// When.
        at: Timestamp,
    },
    /// Nobody decided in time.
    Lapsed {
        /// When.
        at: Timestamp,
    },
}

impl State {
    /// Whether nothing can follow.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Pending { .. } | Self::Approved { .. } | Self::Active { .. } => false,
            Self::Ended { .. } | Self::Denied { .. } | Self::Withdrawn { .. } | Self::Lapsed { .. } => true,
        }
    }
}

/// As the rest of a sentence that begins with the request: `is active until 2026-01-31 14:05:09Z`.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending { lapses } => write!(f, "waits for approval until {}", minute(*lapses)),
            Self::Approved { activate_by, .. } => {
                write!(f, "is approved and waits for its first use until {}", minute(*activate_by))
            }
            Self::Active { window } => write!(f, "is active until {}", minute(window.end)),
            Self::Ended { at, why: EndReason::Expired } => write!(f, "expired at {}", minute(*at)),
            Self::Ended { at, why: EndReason::GivenBack } => write!(f, "was given back at {}", minute(*at)),
            Self::Ended { at, why: EndReason::Revoked { by, text } } => {
                write!(f, "was revoked by {by} at {}{}", minute(*at), said(text))
            }
            Self::Denied { by, at, text } => write!(f, "was denied by {by} at {}{}", minute(*at), said(text)),
            Self::Withdrawn { at } => write!(f, "was withdrawn at {}", minute(*at)),
            Self::Lapsed { at } => write!(f, "lapsed at {}: nobody decided in time", minute(*at)),
        }
    }
}

/// With the date, because people look at requests of last week.
fn minute(time: Timestamp) -> String {
    time.to_chrono().map_or_else(|| time.to_string(), |time| time.format("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {}", escape(text)) }
}
