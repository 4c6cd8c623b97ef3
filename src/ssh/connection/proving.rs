//! Who a connection is: which key counts for whom, how often it may try, and the one place that makes a [`VerifiedUser`] out of
//! a key that signed. Whether it did sign is russh's to know.

use std::sync::Arc;

use russh::keys::{HashAlg, PublicKey};
use russh::server::Auth;
use russh::{MethodKind, MethodSet};

use crate::domain::{UserName, limits, text};
use crate::identity::{Proof, VerifiedUser};
use crate::service::Session;

use super::{Attempts, Connection, Entrance, Phase};

/// Why an unknown key is refused, for the log.
pub(super) const NOT_ENROLLED: &str = "the key is not enrolled";

/// Why a key that is enrolled is refused inside a connection.
const OTHER_KEY: &str = "not the key of the connection that it came through";

impl Connection {
    /// The key's owner, if they may come from this address.
    pub(in crate::ssh) fn owner(&self, key: &PublicKey) -> Result<UserName, &'static str> {
        let snapshot = self.front.services.snapshot.load();
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        if let Entrance::Jump(jump) = &self.entrance
            && jump.outer.session.user.fingerprint != fingerprint
        {
            return Err(OTHER_KEY);
        }
        let user = snapshot.directory.owner_of(&fingerprint).ok_or(NOT_ENROLLED)?;
        if user.may_come_from(self.peer()) {
            Ok(user.name.clone())
        } else {
            Err("the user may not come from this address")
        }
    }

    pub(in crate::ssh) fn refuse(&mut self, login: &str, key: &PublicKey, reason: impl Into<String>) -> Auth {
        if let Phase::Unproven(attempts) = &mut self.phase {
            *attempts = Attempts { login: login.to_owned(), key: Some(key.clone()), reason: Some(reason.into()) };
        }
        only_public_keys()
    }

    pub(in crate::ssh) fn accept(&mut self, login: &str, key: PublicKey, name: UserName, proof: Proof) -> Auth {
        if let Entrance::Jump(jump) = &mut self.entrance {
            let by = match proof {
                Proof::Key => "key",
                Proof::Certificate(_) => "certificate",
            };
            self.phase = Phase::Proven(Arc::new(jump.session(login, by)));
            return Auth::Accept;
        }
        let front = &self.front;
        let Some(member) = front.users.0.enter(name.clone(), front.limits.sessions_per_user) else {
            return self.refuse(login, &key, "the user has too many connections");
        };
        if let Entrance::Port(admission) = &mut self.entrance
            && !admission.take_place()
        {
            return self.refuse(login, &key, "there are as many sessions as max_sessions allows");
        }
        self.member = Some(member);
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let session = Session {
            id: self.session.clone(),
            user: VerifiedUser { name, key, fingerprint, proof },
            peer: self.peer,
            login: login.to_owned(),
        };
        self.phase = Phase::Proven(Arc::new(session));
        Auth::Accept
    }

    /// The connection goes on to prove who it is, under this login name. Every callback before the proof begins with this.
    ///
    /// # Errors
    /// [`russh::Error::Disconnect`] when the name is too long: russh keeps it.
    pub(in crate::ssh) fn go_on(&mut self, login: &str) -> Result<(), russh::Error> {
        if let Entrance::Port(admission) = &mut self.entrance {
            admission.advanced();
        }
        let most = self.front.limits.login;
        if login.len() <= most {
            return Ok(());
        }
        let reason = format!("a login name of {} bytes, and at most {most} are read", login.len());
        Err(self.give_up(login, reason))
    }

    /// As [`Self::go_on`], for the question whether a key is worth signing with.
    ///
    /// # Errors
    /// [`russh::Error::Disconnect`] also when that was asked too often.
    pub(in crate::ssh) fn probe(&mut self, login: &str) -> Result<(), russh::Error> {
        let most = self.front.limits.probes;
        if self.probes >= most {
            return Err(self.give_up(login, format!("more than {most} keys were offered")));
        }
        self.probes += 1;
        self.go_on(login)
    }

    /// Notes why the connection ends unproven.
    fn give_up(&mut self, login: &str, reason: String) -> russh::Error {
        if let Phase::Unproven(attempts) = &mut self.phase {
            let login = text::excerpt(login, limits::EXCERPT);
            *attempts = Attempts { login, key: attempts.key.take(), reason: Some(reason) };
        }
        russh::Error::Disconnect
    }
}

/// A refusal that leaves the client public keys to go on with.
pub(in crate::ssh) fn only_public_keys() -> Auth {
    let methods = MethodSet::from(&[MethodKind::PublicKey][..]);
    Auth::Reject { proceed_with_methods: Some(methods), partial_success: false }
}
