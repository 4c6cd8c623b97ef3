//! `target test`: proves on a target that it holds what enrolment promised, by trying it.
//!
//! Owns the checks, their order and what to do when one fails. Takes certificates from [`TestCertifier`], whose key ID is no
//! user's, and runs harmless programs only. Refuses to know roles, DIR and the audit log: the evidence is the report, and the
//! target's own log. Whatever the target says is bounded, time-limited and escaped.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, Certificate, PrivateKey, PublicKey};

use crate::domain::text::excerpt_bytes;
use crate::domain::{AccountName, Clock, TargetName};
use crate::inventory::{HostIdentity, SshReach};
use crate::policy::render::{RenderError, TestLine, test_line};
use crate::service::ports::{Output, Running, TargetError};

use super::ssh::Connection;
use super::{Deadlines, relay};

mod commands;
mod refusals;
mod words;

/// The longest that one harmless command may take, on either side.
const COMMAND: Duration = Duration::from_secs(30);
/// The most that one command may say; the longest right answer is shorter than a line for a target.
const MOST_OUTPUT: usize = 64 * 1024;
/// How much of a wrong answer is shown, in characters.
const SHOWN: usize = 200;

/// What a certificate of the test is to say.
#[derive(Clone, Debug)]
pub struct TestWish<'a> {
    /// The target of its principal.
    pub target: &'a TargetName,
    /// The account of its principal.
    pub account: &'a AccountName,
    /// Its forced command.
    pub line: &'a str,
    /// The one address it may be used from.
    pub source: IpAddr,
    /// Whether it is to have ended a minute ago.
    pub expired: bool,
    /// Whether it permits forwarding, to see that the target refuses all the same.
    pub forwarding: bool,
}

/// Certifies the keys of the test. The wiring implements it over the target CA.
pub trait TestCertifier {
    /// A certificate for `key` that says what `wish` says.
    ///
    /// # Errors
    /// Why it cannot be signed.
    fn certify(&self, wish: &TestWish<'_>, key: &PublicKey) -> Result<Certificate, String>;
}

/// One check and what came of it. `Display` is for the operator, one line if all is well.
#[derive(Debug)]
pub struct Finding {
    /// What was to be shown.
    pub check: String,
    /// `None`: it was.
    pub failure: Option<Failure>,
}

/// Why a check failed.
#[derive(Debug)]
pub struct Failure {
    /// What was seen instead; foreign text in it is escaped.
    pub found: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            None => write!(f, "ok      {}", self.check),
            Some(Failure { found, advice }) => {
                write!(f, "FAILED  {}\n        found: {found}\n        do:    {advice}", self.check)
            }
        }
    }
}

/// One test of one target.
pub struct Probe<'a> {
    /// The target.
    pub target: &'a TargetName,
    /// How it is reached.
    pub reach: &'a SshReach,
    /// The accounts that were enrolled.
    pub accounts: &'a [AccountName],
    /// Other targets, whose certificates must open nothing here.
    pub others: &'a [TargetName],
    /// Keys that people hold, which must open nothing here by themselves.
    pub keys: &'a [PublicKey],
    /// The line that prints what to put on the target.
    pub enroll: &'a str,
    /// Makes the certificates.
    pub certifier: &'a dyn TestCertifier,
    /// How long the target may take for each step.
    pub deadlines: Deadlines,
    /// By what the dates of a host certificate are judged.
    pub clock: Arc<dyn Clock>,
}

impl Probe<'_> {
    /// Runs every check and hands each to `say` as it comes. Answers whether all was well.
    pub async fn run(&self, say: &mut dyn FnMut(&Finding)) -> bool {
        let mut report = Report { say, sound: true };
        let proof = match &self.reach.identity {
            HostIdentity::Pinned(_) => "shows its pinned host key".to_owned(),
            HostIdentity::Certified { name, .. } => format!("shows a certificate of its host CA for {name}"),
        };
        let reached = report.add(format!("{} answers and {proof}", self.target), self.reached().await);
        if !reached {
            return false;
        }
        // What must be accepted comes first for all accounts: a target that slows down addresses from which logins fail would
        // spoil it later.
        let mut opened = Vec::new();
        for account in self.accounts {
            let tried = self.runs_the_certified_command(account).await;
            let (accepted, runs) = match tried {
                Ok(runs) => (Ok(()), Some(runs)),
                Err(failure) => (Err(failure), None),
            };
            report.add(format!("{account}: a certificate for it is accepted"), accepted);
            // Where nothing is accepted, a refusal shows nothing.
            if let Some(runs) = runs {
                report.add(format!("{account}: it runs the certified command, whatever is asked"), runs);
                opened.push(account);
            }
        }
        for account in &opened {
            let check = "nothing runs before the command, and its environment is the rendered one";
            report.add(format!("{account}: {check}"), self.starts_clean(account).await);
            let check = format!("{account}: {} hostile words come back byte for byte", words::hostile().len());
            report.add(check, self.keeps_words(account).await);
            report.add(format!("{account}: a command can be ended"), self.ends_commands(account).await);
            let (forwarding, terminal) = self.extras(account).await;
            report.add(format!("{account}: forwarding is refused, also to a certificate that permits it"), forwarding);
            report.add(format!("{account}: no terminal without a certificate that permits one"), terminal);
        }
        for account in &opened {
            self.refuses(account, &mut report).await;
        }
        report.sound
    }

    async fn reached(&self) -> Result<(), Failure> {
        self.open().await.map(|_| ())
    }

    async fn open(&self) -> Result<Connection, Failure> {
        Connection::open(self.target, self.reach, &self.deadlines, &self.clock)
            .await
            .map_err(|error| self.failure_of(&error))
    }

    /// A new key and a certificate for it.
    fn certified(&self, wish: &TestWish<'_>) -> Result<(PrivateKey, Certificate), Failure> {
        let internal = |found: String| Failure { found, advice: "run `doorward check` on DIR".to_owned() };
        let key =
            PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(|error| internal(error.to_string()))?;
        let certificate = self.certifier.certify(wish, key.public_key()).map_err(internal)?;
        Ok((key, certificate))
    }

    fn wish<'w>(&'w self, account: &'w AccountName, line: &'w str, connection: &Connection) -> TestWish<'w> {
        let source = self.reach.from.unwrap_or(connection.local);
        TestWish { target: self.target, account, line, source, expired: false, forwarding: false }
    }

    /// Logs in with a certificate for `line` and asks for `asked`.
    async fn start(&self, account: &AccountName, line: &str, asked: &str) -> Result<Running, Failure> {
        let mut connection = self.open().await?;
        let (key, certificate) = self.certified(&self.wish(account, line, &connection))?;
        connection.login(account, key, certificate).await.map_err(|error| self.failure_of(&error))?;
        let channel = connection.exec(asked, self.deadlines.exec).await.map_err(|error| self.failure_of(&error))?;
        Ok(relay::spawn(connection, channel, self.deadlines.tail))
    }

    /// Everything that a certified `line` says.
    async fn finished(&self, account: &AccountName, line: &str, asked: &str) -> Result<Finished, Failure> {
        let running = self.start(account, line, asked).await?;
        let limit = COMMAND + self.deadlines.tail;
        tokio::time::timeout(limit, all(running)).await.map_err(|_| Failure {
            found: format!("a harmless command was not over after {} s", limit.as_secs()),
            advice: format!("look at the load and the log of {}", self.target),
        })
    }

    fn failure_of(&self, error: &TargetError) -> Failure {
        let reach = self.reach;
        let advice = match error {
            TargetError::HostKey { .. } => {
                format!(
                    "targets.toml has {}. On that machine: `ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub`. Only if it \
                     prints what was found here, write the line of that file as `host_key` of {}",
                    reach.identity, self.target
                )
            }
            TargetError::HostCertificate { .. } => format!(
                "targets.toml wants {}. On that machine `sshd -T | grep -i hostcertificate` names the file and \
                 `ssh-keygen -L -f FILE` prints it; have its host key certified again, for that name, or write the name it has as \
                 `host_name` of {}; and look at both clocks",
                reach.identity, self.target
            ),
            TargetError::Refused { .. } => format!(
                "its log (`journalctl -u ssh`) says why: no such account, CA, principal, `source-address` (`from` in targets.toml \
                 if there is NAT) or a clock that is wrong; what belongs there: `{}`",
                self.enroll
            ),
            TargetError::Unreachable { .. } => {
                format!(
                    "try `ssh-keyscan -p {} {}` from here; look at its firewall and its sshd",
                    reach.port, reach.host
                )
            }
            TargetError::Internal { .. } => "run `doorward check` on DIR".to_owned(),
        };
        let found = match error {
            TargetError::Refused { .. } => "the certificate was refused".to_owned(),
            other => other.to_string(),
        };
        Failure { found, advice }
    }
}

/// Collects findings.
struct Report<'a> {
    say: &'a mut dyn FnMut(&Finding),
    sound: bool,
}

impl Report<'_> {
    /// Adds a finding and answers whether it was well.
    fn add(&mut self, check: String, outcome: Result<(), Failure>) -> bool {
        let finding = Finding { check, failure: outcome.err() };
        (self.say)(&finding);
        self.sound &= finding.failure.is_none();
        finding.failure.is_none()
    }
}

/// What a command said.
#[derive(Debug, Default)]
struct Finished {
    out: Vec<u8>,
    err: Vec<u8>,
    end: String,
}

impl Finished {
    /// `found`, for a wrong answer.
    fn shown(&self) -> String {
        let (out, err) = (excerpt_bytes(&self.out, SHOWN), excerpt_bytes(&self.err, SHOWN));
        format!("it ended with {}, output \"{out}\", error \"{err}\"", self.end)
    }

    /// Whether exactly `out` came, and nothing else.
    fn is(&self, out: &[u8]) -> bool {
        self.out == out && self.err.is_empty() && self.end == "status 0"
    }
}

async fn all(mut running: Running) -> Finished {
    let mut finished = Finished::default();
    while let Some(piece) = running.output.recv().await {
        match piece {
            Output::Stdout(data) => finished.out.extend_from_slice(&data),
            Output::Stderr(data) => finished.err.extend_from_slice(&data),
            Output::Exit(status) => finished.end = format!("status {status}"),
            Output::Signal(name) => finished.end = format!("signal {name}"),
            Output::Lost(why) => finished.end = format!("a lost connection ({why})"),
        }
        if finished.out.len() + finished.err.len() > MOST_OUTPUT {
            finished.end = "more output than it may have".to_owned();
            return finished;
        }
    }
    finished
}

/// The line for `words`, as a role's command has it.
fn line(words: &[&str], stdin: bool, longest: Duration) -> Result<TestLine, Failure> {
    let vector: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    test_line(&vector, stdin, longest).map_err(|error: RenderError| Failure {
        found: error.to_string(),
        advice: "this is a defect of doorward: report it".to_owned(),
    })
}
