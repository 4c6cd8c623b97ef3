//! What bounds connections and what they may ask for: the numbers, with the defaults that `doorward.toml` may change.

use std::time::Duration;

/// The bounds of the front door. `docs/configuration.md` has the key and the range of each.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// How long a connection may take to prove who it is.
    pub grace: Duration,
    /// How long a client may leave what we send unread.
    pub unread: Duration,
    /// How many connections may be unproven at once.
    pub unproven: usize,
    /// How many of those may come from one source.
    pub unproven_per_source: usize,
    /// How many connections may have proved who they are at once.
    pub sessions: usize,
    /// How many of those may be one user's, so that whoever could stop them still comes in.
    pub sessions_per_user: usize,
    /// How many channels one connection may have open.
    pub channels: usize,
    /// How many it may open one after the other. russh keeps some 4 KiB of each that we close first until the connection ends,
    /// so that whoever opened channels for ever would take all memory.
    pub channels_in_all: usize,
    /// How often a connection may fail to prove who it is.
    pub attempts: usize,
    /// How often it may ask whether a key is worth signing with; russh neither counts nor delays that.
    pub probes: usize,
    /// Longest login name, in bytes.
    pub login: usize,
    /// Longest command line or control line, in bytes.
    pub line: usize,
    /// Longest text in any other request on a channel, in bytes.
    pub request: usize,
    /// How many messages of a channel russh keeps before it stops reading.
    pub queue: usize,
    /// How many authentication failures a minute get an entry each.
    pub failures_logged: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(30),
            unread: Duration::from_secs(120),
            unproven: 100,
            unproven_per_source: 40,
            sessions: 256,
            sessions_per_user: 128,
            channels: 8,
            channels_in_all: 16 * 1024,
            attempts: 20,
            probes: 20,
            login: 8 * 1024,
            line: crate::domain::limits::LINE,
            request: 1024,
            queue: 100,
            failures_logged: 120,
        }
    }
}
