//! How often and how much: the counts of a full run, and those of a quick one that only shows that everything works.

use std::time::Duration;

/// The counts of a run.
pub struct Plan {
    /// Commands a leg, one after the other.
    pub commands: usize,
    /// Commands of a leg whose processor time makes one sample.
    pub commands_a_sample: usize,
    /// Second commands of a shared connection.
    pub shared: usize,
    /// Bytes of one transfer; a multiple of [`Self::PIECES`].
    pub bytes: u64,
    /// Transfers a leg and direction.
    pub transfers: usize,
    /// Connections that do nothing.
    pub idle: usize,
    /// Connections whose command waits.
    pub waiting: usize,
    /// Until allocators and processes have settled.
    pub settle: Duration,
    /// Clients at once.
    pub in_flight: usize,
    /// Sessions of one round of those clients.
    pub sessions: usize,
    /// Rounds of sessions, of signing and of log writing.
    pub rounds: usize,
    /// `ssh-keygen -s` runs of a round.
    pub keygens: usize,
    /// How long a round of signing or log writing lasts.
    pub lasting: Duration,
    /// Roles of the large policy.
    pub roles: usize,
    /// Rules of the policies that decisions are made under.
    pub rules: &'static [usize],
}

impl Plan {
    /// A transfer is one file so many times, so that the file stays in memory.
    pub const PIECES: u64 = 16;

    /// A run whose figures mean something: less than ten minutes on two cores.
    pub fn full() -> Self {
        Self {
            commands: 40,
            commands_a_sample: 10,
            shared: 60,
            bytes: 1 << 30,
            transfers: 3,
            idle: 200,
            waiting: 50,
            settle: Duration::from_secs(1),
            in_flight: 32,
            sessions: 128,
            rounds: 3,
            keygens: 40,
            lasting: Duration::from_secs(2),
            roles: 10_000,
            rules: &[10, 1_000, 10_000, 100_000],
        }
    }

    /// A run of seconds.
    pub fn quick() -> Self {
        Self {
            commands: 2,
            commands_a_sample: 1,
            shared: 2,
            bytes: 1 << 20,
            transfers: 1,
            idle: 3,
            waiting: 2,
            settle: Duration::from_millis(200),
            in_flight: 2,
            sessions: 4,
            rounds: 1,
            keygens: 2,
            lasting: Duration::from_millis(50),
            roles: 200,
            rules: &[10, 400],
        }
    }
}
