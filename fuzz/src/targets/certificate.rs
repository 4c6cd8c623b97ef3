//! `identity::certificate`: which session certificates we believe.
//!
//! The first byte says what the rest is. `r`: a certificate as it came over the wire. `s`: the part that is signed, to which
//! our own CA's signature is put, so that the checks behind the signature are reached. `t`: lines that describe one (`id`,
//! `principal`, `option`, …), which our CA signs and of which a second, plainer reading says whether it is good.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use doorward::domain::Timestamp;
use doorward::identity::certificate::{Presented, verify_session_certificate};
use doorward::identity::{Directory, SessionCertificate, User};
use ed25519_dalek::{Signer as _, SigningKey};
use ipnet::IpNet;
use regex::Regex;
use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Certificate, PrivateKey, PublicKey};

use super::shown_safely;

const NOW: u64 = 1_800_000_000;
const LONGEST: usize = 16 * 1024;
/// `string(string("ssh-ed25519") string(64 bytes))` at the end of a certificate.
const SIGNATURE: usize = 4 + 4 + 11 + 4 + 64;

struct World {
    authority: PrivateKey,
    holder: PublicKey,
    directory: Directory,
    /// The one certificate that this CA is known to have signed.
    genuine: Vec<u8>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key =
        |seed| PrivateKey::new(Ed25519Keypair::from(&SigningKey::from_bytes(&[seed; 32])).into(), "").expect("a key");
    let (authority, holder) = (key(1), key(2).public_key().clone());
    let user = User {
        name: "alice".parse().expect("a name"),
        keys: vec![holder.clone()],
        groups: Default::default(),
        team: None,
        networks: Vec::new(),
    };
    let description = Described {
        ids: vec!["doorward:alice:k-7K2Q4M9D".to_owned()],
        principals: vec!["alice@bastion.test".to_owned()],
        options: BTreeMap::from([("grants@doorward".to_owned(), "g-7K2Q4M".to_owned())]),
        serial: 7,
        after: NOW - 60,
        before: NOW + 60,
        host: false,
    };
    let genuine = description.sign(&holder, &authority).expect("a certificate").to_bytes().expect("its bytes");
    World { authority, holder, directory: Directory::new([user]), genuine }
});

fn peer() -> IpAddr {
    IpAddr::from([192, 0, 2, 7])
}

impl World {
    /// The verdict, the same each time.
    fn verify(&self, certificate: &Certificate) -> Option<SessionCertificate> {
        let now = Timestamp::from_secs(i64::try_from(NOW).expect("fits"));
        let shown = Presented { bastion: "bastion.test", now, peer: peer(), directory: &self.directory };
        let verdict = || verify_session_certificate(certificate, self.authority.public_key(), &shown);
        let answer = verdict();
        assert_eq!(answer, verdict());
        match answer {
            Ok(session) => Some(session),
            Err(error) => {
                shown_safely(&error.to_string(), 2000);
                shown_safely(&error.for_client("bastion"), 500);
                None
            }
        }
    }
}

/// Nothing is believed that our CA did not sign as it stands, and nothing it signed that says anything else than a session
/// certificate does.
pub(super) fn certificate(data: &[u8]) -> bool {
    let Some((kind, rest)) = data.split_first() else { return false };
    if rest.len() > LONGEST {
        return false;
    }
    match kind {
        b'r' => as_received(rest),
        b's' => signed_by_us(rest),
        b't' => described(rest),
        _ => false,
    }
}

fn as_received(bytes: &[u8]) -> bool {
    let Ok(certificate) = Certificate::from_bytes(bytes) else { return false };
    let believed = WORLD.verify(&certificate).is_some();
    assert_eq!(believed, bytes == WORLD.genuine, "changed, and believed");
    believed
}

fn signed_by_us(body: &[u8]) -> bool {
    let signature = SigningKey::from_bytes(&[1; 32]).sign(body).to_bytes();
    let mut bytes = body.to_vec();
    bytes.extend_from_slice(&83_u32.to_be_bytes());
    for part in [&b"ssh-ed25519"[..], &signature] {
        bytes.extend_from_slice(&u32::try_from(part.len()).expect("short").to_be_bytes());
        bytes.extend_from_slice(part);
    }
    let Ok(certificate) = Certificate::from_bytes(&bytes) else { return false };
    if WORLD.verify(&certificate).is_none() {
        return false;
    }
    assert!(good(&certificate), "{certificate:?}");
    // One bit of what was signed, and it is nobody's.
    let at = usize::from(body[body.len() / 2]) % body.len();
    bytes[at] ^= 1 << (body.len() % 8);
    if let Ok(changed) = Certificate::from_bytes(&bytes) {
        assert!(WORLD.verify(&changed).is_none(), "bit of byte {at} changed, and believed");
    }
    assert_eq!(bytes.len(), body.len() + SIGNATURE);
    true
}

fn described(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let Some(certificate) = Described::read(text).sign(&WORLD.holder, &WORLD.authority) else { return false };
    let believed = WORLD.verify(&certificate).is_some();
    assert_eq!(believed, good(&certificate), "{certificate:?}");
    believed
}

/// The same rules, read as plainly as they can be.
fn good(certificate: &Certificate) -> bool {
    static ID: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\Adoorward:alice:k-[0-9A-HJKMNP-TV-Z]{8}\z").expect("good"));
    static GRANT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\Ag-[0-9A-HJKMNP-TV-Z]{6}\z").expect("good"));
    let option =
        |name: &str| certificate.critical_options().iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let grants = option("grants@doorward").is_some_and(|value| {
        let ids: Vec<&str> = value.split(',').collect();
        ids.iter().all(|id| GRANT.is_match(id)) && ids.is_sorted_by(|a, b| a < b) && value.len() <= 2000
    });
    let network = |text: &str| text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    let from_here = option("source-address").is_none_or(|value| {
        let networks: Option<Vec<IpNet>> = value.split(',').map(network).collect();
        networks.is_some_and(|networks| networks.iter().any(|one| one.contains(&peer())))
    });
    let known = ["grants@doorward", "source-address"];
    certificate.cert_type() == CertType::User
        && certificate.signature_key() == WORLD.authority.public_key().key_data()
        && certificate.public_key() == WORLD.holder.key_data()
        && (certificate.valid_after()..certificate.valid_before()).contains(&NOW)
        && certificate.valid_principals() == ["alice@bastion.test"]
        && ID.is_match(certificate.key_id())
        && certificate.serial() != 0
        && certificate.critical_options().iter().all(|(name, _)| known.contains(&name.as_str()))
        && grants
        && from_here
}

/// What lines say of a certificate; what they leave out is as in a good one.
struct Described {
    ids: Vec<String>,
    principals: Vec<String>,
    options: BTreeMap<String, String>,
    serial: u64,
    after: u64,
    before: u64,
    host: bool,
}

impl Described {
    fn read(text: &str) -> Self {
        let mut found = Self {
            ids: Vec::new(),
            principals: Vec::new(),
            options: BTreeMap::new(),
            serial: 7,
            after: NOW - 60,
            before: NOW + 60,
            host: false,
        };
        for line in text.split('\n').take(64) {
            let (what, value) = line.split_once(' ').unwrap_or((line, ""));
            let number = value.parse();
            match what {
                "id" => found.ids.push(value.to_owned()),
                "principal" => found.principals.push(value.to_owned()),
                "option" => {
                    let (name, value) = value.split_once(' ').unwrap_or((value, ""));
                    found.options.insert(name.to_owned(), value.to_owned());
                }
                "serial" => found.serial = number.unwrap_or(0),
                "after" => found.after = number.unwrap_or(0),
                "before" => found.before = number.unwrap_or(u64::MAX),
                "host" => found.host = true,
                _ => {}
            }
        }
        found
    }

    /// `None` where the builder, which is not ours, refuses.
    fn sign(&self, holder: &PublicKey, authority: &PrivateKey) -> Option<Certificate> {
        let mut builder = Builder::new([9; 32], holder.key_data().clone(), self.after, self.before).ok()?;
        builder.serial(self.serial).ok()?;
        builder.cert_type(if self.host { CertType::Host } else { CertType::User }).ok()?;
        builder.key_id(self.ids.first().cloned().unwrap_or_default()).ok()?;
        for principal in &self.principals {
            builder.valid_principal(principal.as_str()).ok()?;
        }
        if self.principals.is_empty() {
            builder.all_principals_valid().ok()?;
        }
        for (name, value) in &self.options {
            builder.critical_option(name.as_str(), value.as_str()).ok()?;
        }
        builder.sign(authority).ok()
    }
}
