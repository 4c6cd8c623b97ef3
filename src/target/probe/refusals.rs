//! What must not open the account, and what a login must not get.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use russh::client::AuthResult;
use russh::keys::agent::AgentIdentity;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PublicKey};
use russh::{ChannelMsg, ChannelOpenFailure, MethodKind, MethodSet, Signer};

use crate::domain::text::escape;
use crate::domain::{AccountName, TargetName};
use crate::target::ssh::Connection;

use super::{COMMAND, Failure, Probe, Report, line};

/// Refused logins on one connection: one less than a stock `sshd` cuts it for (`MaxAuthTries 6`). Where a target hands out
/// penalties, a connection with many refusals costs one.
const TRIES: usize = 5;
/// The most other targets, and other accounts, that are tried.
const OTHERS: usize = 8;
/// The most keys of users that are tried.
const KEYS: usize = 20;
/// An address that nobody has (RFC 5737).
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// In what a certificate is wrong.
#[derive(Clone, Copy)]
enum Wrong<'a> {
    Target(&'a TargetName),
    Account(&'a AccountName),
    Source,
    Expired,
}

/// With what a login is tried.
enum Credential {
    Certificate(Box<PrivateKey>, Box<Certificate>),
    /// Shown and not proved: the answer says already whether it would be accepted.
    Key(Box<PublicKey>),
}

/// What the target answered to a login.
enum Answer {
    /// No, and these ways are left.
    Refused(MethodSet),
    Accepted,
    Lost(String),
}

/// A connection on which logins are refused, replaced when it is used up.
#[derive(Default)]
pub(super) struct Refusing {
    connection: Option<Connection>,
    tries: usize,
}

impl Probe<'_> {
    /// All that must be refused.
    pub(super) async fn refuses(&self, account: &AccountName, report: &mut Report<'_>) {
        let mut refusing = Refusing::default();
        // Names that are nobody's: there is something to refuse where this target or account is the only one.
        let nowhere: Vec<TargetName> = "doorward-nowhere".parse().into_iter().collect();
        let nobody: Vec<AccountName> = "doorward-nobody".parse().into_iter().collect();
        let targets = nowhere.iter().chain(self.others).filter(|other| *other != self.target).take(OTHERS);
        let accounts = nobody.iter().chain(self.accounts).filter(|other| *other != account).take(OTHERS);
        let rows = [
            ("for another target", targets.map(Wrong::Target).collect::<Vec<_>>()),
            ("for another account", accounts.map(Wrong::Account).collect()),
            ("for another source address", vec![Wrong::Source]),
            ("that ended a minute ago", vec![Wrong::Expired]),
        ];
        for (what, wrongs) in rows {
            let mut outcome = Ok(());
            for wrong in wrongs {
                outcome = outcome.and(self.refuses_certificate(&mut refusing, account, wrong).await);
            }
            report.add(format!("{account}: a certificate {what} is refused"), outcome);
        }
        let keys: Vec<&PublicKey> = self.keys.iter().take(KEYS).collect();
        let check = format!("{account}: plain keys are refused (a new one, {} of users.toml)", keys.len());
        let (plain, methods) = self.refuses_keys(&mut refusing, account, &keys).await;
        report.add(check, plain);
        report.add(format!("{account}: no way in but by key"), methods);
    }

    async fn refuses_certificate(
        &self,
        refusing: &mut Refusing,
        account: &AccountName,
        wrong: Wrong<'_>,
    ) -> Result<(), Failure> {
        let line = line(&["/usr/bin/printf", "%s", "this must be refused"], false, COMMAND)?.line;
        let credential = |connection: &Connection| {
            let mut wish = self.wish(account, &line, connection);
            match wrong {
                Wrong::Target(other) => wish.target = other,
                Wrong::Account(other) => wish.account = other,
                Wrong::Source => wish.source = ELSEWHERE,
                Wrong::Expired => wish.expired = true,
            }
            let (key, certificate) = self.certified(&wish)?;
            Ok(Credential::Certificate(Box::new(key), Box::new(certificate)))
        };
        let principals = "its AuthorizedPrincipalsFile must hold the one principal of this target and account";
        let (found, advice) = match wrong {
            Wrong::Target(other) => (format!("one for {other} was accepted"), principals),
            Wrong::Account(other) => (format!("one for {other} was accepted"), principals),
            Wrong::Source => {
                ("one for 192.0.2.1 alone was accepted".to_owned(), "this is no OpenSSH server that can be trusted")
            }
            Wrong::Expired => ("it was accepted".to_owned(), "set the clock of that machine, which is behind (NTP)"),
        };
        match self.try_login(refusing, account, &credential).await? {
            Answer::Refused(_) => Ok(()),
            Answer::Accepted => Err(Failure { found, advice: format!("{advice}; `{}`", self.enroll) }),
            Answer::Lost(why) => Err(self.undecided(&why)),
        }
    }

    /// Plain keys; and the ways of logging in that the target names when it refuses them.
    async fn refuses_keys(
        &self,
        refusing: &mut Refusing,
        account: &AccountName,
        keys: &[&PublicKey],
    ) -> (Result<(), Failure>, Result<(), Failure>) {
        let mut offered: Vec<&'static str> = Vec::new();
        let mut outcome = Ok(());
        let fresh = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map(|key| key.public_key().clone());
        for key in fresh.iter().chain(keys.iter().copied()) {
            let credential = |_: &Connection| Ok(Credential::Key(Box::new(key.clone())));
            let answer = self.try_login(refusing, account, &credential).await;
            let this = match answer {
                Ok(Answer::Refused(methods)) => {
                    offered = methods.iter().filter(|way| **way != MethodKind::PublicKey).map(Into::into).collect();
                    continue;
                }
                Ok(Answer::Accepted) => Failure {
                    found: format!(
                        "the key {} opens {account} without a certificate",
                        key.fingerprint(HashAlg::Sha256)
                    ),
                    advice: format!(
                        "something in sshd_config comes before `AuthorizedKeysFile none` and `AuthorizedKeysCommand none` for \
                         {account}; `{}`",
                        self.enroll
                    ),
                },
                Ok(Answer::Lost(why)) => self.undecided(&why),
                Err(failure) => failure,
            };
            outcome = Err(this);
            break;
        }
        let ways = match offered.is_empty() {
            true => Ok(()),
            false => Err(Failure {
                found: format!("it also offers {}", offered.join(", ")),
                advice: format!("`AuthenticationMethods publickey` for {account} in sshd_config; `{}`", self.enroll),
            }),
        };
        (outcome, ways)
    }

    /// One login. A connection that was used before may be cut for that alone: then once more, on a new one.
    async fn try_login(
        &self,
        refusing: &mut Refusing,
        account: &AccountName,
        credential: &dyn Fn(&Connection) -> Result<Credential, Failure>,
    ) -> Result<Answer, Failure> {
        loop {
            let fresh = refusing.connection.is_none();
            let mut connection = match refusing.connection.take() {
                Some(connection) => connection,
                None => self.open().await?,
            };
            let credential = credential(&connection)?;
            let login = login(&mut connection, account, credential);
            let answer = match tokio::time::timeout(self.deadlines.login, login).await {
                Ok(answer) => answer,
                Err(_) => Answer::Lost("it did not answer".to_owned()),
            };
            match answer {
                Answer::Lost(_) if !fresh => {}
                Answer::Refused(methods) => {
                    refusing.tries = if fresh { 1 } else { refusing.tries + 1 };
                    refusing.connection = (refusing.tries < TRIES).then_some(connection);
                    return Ok(Answer::Refused(methods));
                }
                other => return Ok(other),
            }
        }
    }

    fn undecided(&self, why: &str) -> Failure {
        Failure {
            found: format!("the connection ended instead of an answer: {why}"),
            advice: format!(
                "if it slows down addresses from which logins fail (OpenSSH 9.8 and later), put `PerSourcePenaltyExemptList` with \
                 the bastion's address there: `{} --from ADDRESS`",
                self.enroll
            ),
        }
    }

    /// Whether forwarding is refused, and whether a terminal is, to a certificate that permits the former and not the latter.
    pub(super) async fn extras(&self, account: &AccountName) -> (Result<(), Failure>, Result<(), Failure>) {
        let advice = |what: &str| format!("{what} for {account} in sshd_config; `{}`", self.enroll);
        let connection = match self.log_in_with_forwarding(account).await {
            Ok(connection) => connection,
            Err(Failure { found, advice }) => {
                let again = Failure { found: found.clone(), advice: advice.clone() };
                return (Err(Failure { found, advice }), Err(again));
            }
        };
        let limit = self.deadlines.exec;
        let silence = || Err("it did not answer".to_owned());
        let forwarding = tokio::time::timeout(limit, forwards(&connection, u32::from(self.reach.port))).await;
        let forwarding = forwarding.unwrap_or_else(|_| silence());
        let terminal = tokio::time::timeout(limit, terminal(&connection)).await.unwrap_or_else(|_| silence());
        connection.part().await;
        (
            forwarding.map_err(|found| Failure { found, advice: advice("`DisableForwarding yes`") }),
            terminal.map_err(|found| Failure { found, advice: advice("`PermitTTY yes` and a stock OpenSSH server") }),
        )
    }

    async fn log_in_with_forwarding(&self, account: &AccountName) -> Result<Connection, Failure> {
        let line = line(&["/usr/bin/printf", "%s", "forwarding"], false, COMMAND)?.line;
        let mut connection = self.open().await?;
        let mut wish = self.wish(account, &line, &connection);
        wish.forwarding = true;
        let (key, certificate) = self.certified(&wish)?;
        connection.login(account, key, certificate).await.map_err(|error| self.failure_of(&error))?;
        Ok(connection)
    }
}

async fn login(connection: &mut Connection, account: &AccountName, credential: Credential) -> Answer {
    let handle = &mut connection.handle;
    let result = match credential {
        Credential::Certificate(key, certificate) => {
            let login = handle.authenticate_openssh_cert(account.as_str(), Arc::new(*key), *certificate);
            login.await.map_err(|_| Unsigned::Lost)
        }
        Credential::Key(key) => handle.authenticate_publickey_with(account.as_str(), *key, None, &mut Nobody).await,
    };
    match result {
        Ok(AuthResult::Failure { remaining_methods, partial_success: false }) if !connection.handle.is_closed() => {
            Answer::Refused(remaining_methods)
        }
        // Half a way in is more than there may be.
        Ok(AuthResult::Failure { partial_success: true, .. } | AuthResult::Success) | Err(Unsigned::Wanted) => {
            Answer::Accepted
        }
        Ok(AuthResult::Failure { .. }) | Err(Unsigned::Lost) => Answer::Lost(connection.why_ended()),
    }
}

/// A signer that never signs: being asked is the answer (RFC 4252, section 7: `SSH_MSG_USERAUTH_PK_OK`).
struct Nobody;

/// Why nothing was signed.
enum Unsigned {
    /// The target would take the key.
    Wanted,
    /// The connection ended.
    Lost,
}

impl From<russh::SendError> for Unsigned {
    fn from(_: russh::SendError) -> Self {
        Self::Lost
    }
}

impl Signer for Nobody {
    type Error = Unsigned;

    async fn auth_sign(&mut self, _: &AgentIdentity, _: Option<HashAlg>, _: Vec<u8>) -> Result<Vec<u8>, Unsigned> {
        Err(Unsigned::Wanted)
    }
}

/// Asks for a forward in either direction; both must be refused as such, not fail on the way.
async fn forwards(connection: &Connection, port: u32) -> Result<(), String> {
    match connection.handle.channel_open_direct_tcpip("127.0.0.1", port, "127.0.0.1", 0).await {
        Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited)) => {}
        Ok(_) => return Err(format!("it opened a connection to its own port {port}")),
        Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::ConnectFailed)) => {
            return Err(format!("it tried to open a connection to its own port {port}"));
        }
        Err(error) => return Err(escape(&format!("no refusal of a forward but: {error}")).into_owned()),
    }
    match connection.handle.tcpip_forward("127.0.0.1", 0).await {
        Err(russh::Error::RequestDenied) => Ok(()),
        Ok(port) => Err(format!("it listens for us on its port {port}")),
        Err(error) => Err(escape(&format!("no refusal of a remote forward but: {error}")).into_owned()),
    }
}

/// Asks for a terminal, which must be refused.
async fn terminal(connection: &Connection) -> Result<(), String> {
    let said = |error: russh::Error| escape(&error.to_string()).into_owned();
    let mut channel = connection.handle.channel_open_session().await.map_err(said)?;
    channel.request_pty(true, "dumb", 80, 24, 0, 0, &[]).await.map_err(said)?;
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Failure) => return Ok(()),
            Some(ChannelMsg::Success) => return Err("it gave one".to_owned()),
            Some(_) => {}
            None => return Err(connection.why_ended()),
        }
    }
}
