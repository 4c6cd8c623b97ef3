use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use russh::keys::Certificate;

use super::super::certify::certify;
use super::super::ports::{CertificateRecord, SessionAuthority, Store};
use super::super::rehearsal::{BASTION, HERE, Rehearsal, key_of, people, session_ca};
use super::*;
use crate::domain::{Clock, Serial};
use crate::identity::Directory;
use crate::identity::certificate::Presented;

type Change = Box<dyn Fn(&mut CertificateRecord)>;

/// A rehearsal about certificates.
struct Stage {
    rehearsal: Rehearsal,
}

impl Stage {
    fn new() -> Self {
        Self { rehearsal: Rehearsal::new() }
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, BTreeMap<Serial, CertificateRecord>> {
        self.rehearsal.store.certificates.lock().unwrap()
    }

    fn change(&self, serial: Serial, change: impl FnOnce(&mut CertificateRecord)) {
        change(self.rows().get_mut(&serial).unwrap());
    }

    /// alice's key belongs to whoever is `holder`, with these networks.
    fn enroll(&self, holder: impl Fn(&crate::identity::User) -> bool, networks: &[&str]) {
        let key = self.alice().user.key;
        self.rehearsal.reload(|snapshot| {
            let mut users = people();
            users.iter_mut().for_each(|user| user.keys.retain(|enrolled| *enrolled != key));
            for user in users.iter_mut().filter(|user| holder(user)) {
                user.keys = vec![key.clone()];
                user.networks = networks.iter().map(|network| network.parse().unwrap()).collect();
            }
            snapshot.directory = Directory::new(users);
        });
    }

    fn alice(&self) -> Session {
        self.rehearsal.session("alice")
    }

    /// alice's connection that presents this certificate.
    fn presenting(&self, record: &CertificateRecord) -> Session {
        let mut session = self.alice();
        let snapshot = self.rehearsal.services.snapshot.load();
        let presented = Presented {
            bastion: BASTION,
            now: self.rehearsal.clock.now(),
            peer: session.peer.ip(),
            directory: &snapshot.directory,
        };
        let certificate = Certificate::from_openssh(&record.text).unwrap();
        session.user.proof = Proof::Certificate(self.rehearsal.authority.verify(&certificate, &presented).unwrap());
        session
    }

    fn insist(&self) {
        self.rehearsal.reload(|snapshot| snapshot.settings.require_presented_certificate = true);
    }

    async fn cert(&self) -> CertificateRecord {
        certify(&self.rehearsal.services, &self.alice()).await.unwrap()
    }

    async fn current(&self, session: &Session) -> Result<CurrentCertificate, NoCertificate> {
        current_certificate(&self.rehearsal.services, session).await
    }

    async fn refusal(&self, session: &Session) -> String {
        self.current(session).await.expect_err("no certificate").to_string()
    }

    /// Gives alice the grant of a self-service role, and its name.
    async fn look(&self) -> crate::domain::GrantId {
        self.rehearsal.filed("web-look").await.grant_id()
    }
}

#[tokio::test]
async fn the_first_command_begins_what_is_approved_and_puts_one_certificate_on_file() {
    let stage = Stage::new();
    let grant = stage.look().await;
    let current = stage.current(&stage.alice()).await.unwrap();
    assert!(!current.presented);
    assert_eq!(current.certificate.grants, [grant].into());
    assert_eq!(current.certificate.user.as_str(), "alice");
    assert_eq!(stage.rehearsal.log.kinds(), ["requested", "activated", "certificate-issued"]);
    let again = stage.current(&stage.alice()).await.unwrap();
    assert_eq!(again.certificate, current.certificate);
    let record = stage.cert().await;
    assert_eq!((record.id, record.serial), (current.certificate.id, current.certificate.serial));
    assert_eq!(stage.rows().len(), 1);
    let held = held_grants(&stage.rehearsal.services, &stage.alice().user.name).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].role.name().as_str(), "web-look");
    assert_eq!(record.valid_before, held[0].grant.ends());
}

#[tokio::test]
async fn a_later_grant_makes_a_later_certificate_and_the_earlier_one_opens_nothing_where_it_must_be_presented() {
    let stage = Stage::new();
    let first = stage.look().await;
    let earlier = stage.cert().await;
    let holder = stage.presenting(&earlier);
    assert!(stage.current(&holder).await.unwrap().presented);
    let second = stage.look().await;
    // The laptop still shows the earlier one: the command does not fail for that, and the log can tell.
    let current = stage.current(&holder).await.unwrap();
    assert!(!current.presented);
    assert_eq!(current.certificate.grants, [first, second].into());
    let later = stage.cert().await;
    assert_eq!(later.serial, current.certificate.serial);
    assert!(stage.current(&stage.presenting(&later)).await.unwrap().presented);
    stage.insist();
    let refusal = stage.refusal(&holder).await;
    assert!(refusal.contains("a later certificate has taken the place of yours"), "{refusal}");
    assert!(refusal.contains("`ssh bastion cert > ~/.ssh/doorward-cert.pub`"), "{refusal}");
    assert!(stage.current(&stage.presenting(&later)).await.unwrap().presented);
}

#[tokio::test]
async fn where_it_must_be_presented_a_key_alone_runs_nothing_and_begins_nothing() {
    let stage = Stage::new();
    stage.insist();
    let grant = stage.look().await;
    let refusal = stage.refusal(&stage.alice()).await;
    assert!(
        refusal.contains("wants a certificate to be presented") && refusal.contains("CertificateFile"),
        "{refusal}"
    );
    assert_eq!(stage.rehearsal.log.kinds(), ["requested"]);
    let record = stage.cert().await;
    assert_eq!(stage.current(&stage.presenting(&record)).await.unwrap().certificate.grants, [grant].into());
    // Approved later: not begun by a command, and said so once the first grant is over.
    stage.look().await;
    assert!(stage.current(&stage.presenting(&record)).await.unwrap().presented);
    stage.rehearsal.clock.pass(Duration::from_secs(1799));
    let holder = stage.presenting(&record);
    stage.rehearsal.clock.pass(Duration::from_secs(1));
    let refusal = stage.refusal(&holder).await;
    assert!(refusal.contains("your certificate ended at 2026-01-31T14:30:00Z"), "{refusal}");
    let other = stage.rehearsal.session("ann");
    assert!(stage.refusal(&other).await.contains("wants a certificate"));
}

#[tokio::test]
async fn somebody_without_a_grant_is_told_what_is_so_and_what_to_type() {
    let stage = Stage::new();
    let refusal = stage.refusal(&stage.alice()).await;
    assert!(refusal.contains("`ssh bastion request ROLE --reason WHY`"), "{refusal}");
    assert!(refusal.contains("you may ask for web-look, web-rescue or web-restart"), "{refusal}");
    let carol = stage.refusal(&stage.rehearsal.session("carol")).await;
    assert!(carol.contains("none that you may ask for"), "{carol}");
    stage.look().await;
    stage.cert().await;
    stage.rehearsal.clock.pass(Duration::from_secs(1800));
    let refusal = stage.refusal(&stage.alice()).await;
    assert!(refusal.contains("of web-look ended at 2026-01-31T14:30:00Z (its time was up)"), "{refusal}");
    let pending = stage.rehearsal.filed("web-restart").await;
    let refusal = stage.refusal(&stage.alice()).await;
    assert_eq!(
        refusal,
        format!(
            "your request {0} for web-restart waits until ann, bob or dan says yes; `ssh bastion status {0}` shows it",
            pending.id
        )
    );
    stage.rehearsal.reload(|snapshot| snapshot.directory = Directory::new(people().into_iter().take(1)));
    assert!(stage.refusal(&stage.alice()).await.contains("nobody can approve it now"));
}

#[tokio::test]
async fn a_key_taken_away_or_a_network_taken_away_ends_it_at_once() {
    let stage = Stage::new();
    stage.look().await;
    let record = stage.cert().await;
    let holder = stage.presenting(&record);
    stage.enroll(|user| user.name.as_str() == "alice", &["10.0.0.0/8"]);
    for session in [&holder, &stage.alice()] {
        let refusal = stage.refusal(session).await;
        assert!(refusal.contains("may not be used from 192.0.2.7"), "{refusal}");
    }
    for taken in [|_: &crate::identity::User| false, |user: &crate::identity::User| user.name.as_str() == "bob"] {
        stage.enroll(taken, &[]);
        for session in [&holder, &stage.alice()] {
            assert!(stage.refusal(session).await.contains("not enrolled any more"));
        }
    }
    assert_eq!(stage.rows().len(), 1, "nothing was filed meanwhile");
    stage.enroll(|user| user.name.as_str() == "alice", &[]);
    assert!(stage.current(&holder).await.unwrap().presented);
}

#[tokio::test]
async fn a_key_that_was_taken_away_begins_nothing() {
    let stage = Stage::new();
    stage.look().await;
    stage.enroll(|_| false, &[]);
    assert!(stage.refusal(&stage.alice()).await.contains("not enrolled any more"));
    assert_eq!(stage.rehearsal.log.kinds(), ["requested"]);
}

#[tokio::test]
async fn a_row_that_was_tampered_with_is_not_believed() {
    let stage = Stage::new();
    stage.look().await;
    let record = stage.cert().await;
    let holder = stage.presenting(&record);
    let other = {
        let mut stage = Stage::new();
        stage.rehearsal.services.authority = session_ca("another CA");
        stage.look().await;
        stage.cert().await.text
    };
    let changes: [(&str, Change); 4] = [
        ("noise", Box::new(|row| row.text = "noise".to_owned())),
        ("another CA's", Box::new(move |row| row.text.clone_from(&other))),
        ("another identifier", Box::new(|row| row.id = "k-00000000".parse().unwrap())),
        ("no text", Box::new(|row| row.text.clear())),
    ];
    for (name, change) in changes {
        stage.rows().clear();
        stage.rehearsal.store.file_certificate(&record).await.unwrap();
        stage.change(record.serial, change);
        for session in [&holder, &stage.alice()] {
            let current = stage.current(session).await.unwrap();
            assert!(!current.presented, "{name}");
            assert_ne!(current.certificate.serial, record.serial, "{name}");
        }
    }
    // A certificate of another key of hers, put on file for this one.
    stage.rows().clear();
    stage.rehearsal.store.file_certificate(&record).await.unwrap();
    let mut session = stage.alice();
    let (first, second) = (session.user.key.clone(), key_of("a second key of alice").public_key().clone());
    stage.rehearsal.reload(|snapshot| {
        let mut users = people();
        users[0].keys = vec![first, second.clone()];
        snapshot.directory = Directory::new(users);
    });
    session.user.fingerprint = second.fingerprint(russh::keys::HashAlg::Sha256);
    session.user.key = second;
    stage.change(record.serial, |row| row.key = session.user.fingerprint.to_string());
    let current = stage.current(&session).await.unwrap();
    assert_ne!(current.certificate.serial, record.serial);
    assert_eq!(current.certificate.key, session.user.fingerprint);
    // A serial that is on file nowhere.
    stage.rows().clear();
    stage.insist();
    assert!(stage.refusal(&holder).await.contains("not on file here"));
}

#[tokio::test]
async fn without_log_or_store_there_is_no_certificate_and_it_is_called_an_outage() {
    let stage = Stage::new();
    stage.look().await;
    activate_approved(&stage.rehearsal.services, &stage.alice().user.name, HERE).await.unwrap();
    stage.rehearsal.log.broken.store(true, Ordering::SeqCst);
    let error = stage.current(&stage.alice()).await.expect_err("no log");
    assert!(error.is_outage() && error.to_string().contains("audit log does not work"), "{error}");
    assert_eq!(stage.rows().len(), 0, "logged before it is filed");
    stage.rehearsal.log.mend();
    stage.rehearsal.store.broken.store(true, Ordering::SeqCst);
    let error = stage.current(&stage.alice()).await.expect_err("no store");
    assert!(error.is_outage() && error.to_string().contains("database does not work"), "{error}");
    stage.rehearsal.store.broken.store(false, Ordering::SeqCst);
    assert!(stage.current(&stage.alice()).await.is_ok());
    let none = stage.current(&stage.rehearsal.session("carol")).await.expect_err("no grant");
    assert!(!none.is_outage());
}

#[tokio::test]
async fn an_identifier_that_is_taken_is_drawn_again() {
    let stage = Stage::new();
    stage.look().await;
    // Drawn for the first certificate, and again for the second.
    stage.rehearsal.dice.loaded.lock().unwrap().extend([77, 77]);
    let first = stage.cert().await;
    stage.change(first.serial, |row| row.superseded = true);
    let second = stage.cert().await;
    assert!(stage.rehearsal.dice.loaded.lock().unwrap().is_empty());
    assert_ne!(second.id, first.id);
    assert!(second.serial > first.serial);
}
