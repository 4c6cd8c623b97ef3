//! What [`verify_session_certificate`] believes.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use doorward::ca::signer::{KeyFileSigner, Signer};
use doorward::domain::Timestamp;
use doorward::identity::certificate::{
    CertificateError, DECODING_STACK, Presented, verify_session_certificate, write_grants,
};
use doorward::identity::{Directory, SessionCertificate, User};
use proptest::prelude::*;
use russh::keys::{Certificate, HashAlg, PublicKey};

use crate::support::certificates::{Wire, blob, options, sign, string};
use crate::support::sshd::new_key;

const BASTION: &str = "bastion.example.com";
const PEER: &str = "10.1.2.3";

/// Keys on disk, as `ssh-keygen` made them, and the users who enrolled them.
struct World {
    dir: tempfile::TempDir,
    directory: Directory,
    authority: PublicKey,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for name in ["ca", "foreign_ca", "alice", "bob", "stranger"] {
            new_key(&dir.path().join(name));
        }
        let read = |name: &str| PublicKey::read_openssh_file(dir.path().join(name)).expect("a public key");
        let user = |name: &str, networks: &[&str]| User {
            name: name.parse().expect("a user name"),
            keys: vec![read(&format!("{name}.pub"))],
            groups: [].into(),
            team: None,
            networks: networks.iter().map(|network| network.parse().expect("a network")).collect(),
        };
        let directory = Directory::new([user("alice", &[]), user("bob", &["10.0.0.0/8", "2001:db8::/32"])]);
        let authority = read("ca.pub");
        Self { dir, directory, authority }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn ca(&self, name: &str) -> KeyFileSigner {
        KeyFileSigner::open(&self.path(name)).expect("ssh-keygen's key")
    }

    fn verify(&self, certificate: &Certificate) -> Result<SessionCertificate, CertificateError> {
        self.verify_at(certificate, now(), PEER)
    }

    fn verify_at(
        &self,
        certificate: &Certificate,
        now: Timestamp,
        peer: &str,
    ) -> Result<SessionCertificate, CertificateError> {
        let peer: IpAddr = peer.parse().expect("an address");
        let presented = Presented { bastion: BASTION, now, peer, directory: &self.directory };
        verify_session_certificate(certificate, &self.authority, &presented)
    }

    /// The answer in a word: `believed`, or the reason.
    fn answer(&self, certificate: &Certificate) -> String {
        self.verify(certificate).map_or_else(|error| error.to_string(), |_| "believed".to_owned())
    }

    fn good(&self) -> Certificate {
        parse(&sign(&self.path("ca"), &self.path("alice"), &GOOD))
    }
}

fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    Timestamp::from_micros(i64::try_from(elapsed.as_micros()).expect("before 294247"))
}

fn parse(text: &str) -> Certificate {
    Certificate::from_openssh(text).expect("a certificate")
}

/// What `ssh-keygen -s` is told for a certificate that is believed. Rows of the table change one thing each.
const GOOD: [&str; 12] = [
    "-I",
    "doorward:alice:k-7K2Q4M9D",
    "-n",
    "alice@bastion.example.com",
    "-z",
    "7",
    "-V",
    "-1m:+1h",
    "-O",
    "critical:grants@doorward=g-000001,g-7K2Q4M",
    "-O",
    "extension:unknown@example.com=whatever",
];

/// [`GOOD`] with the value after `option` replaced, or the pair left out.
fn with<'a>(option: &str, value: Option<&'a str>) -> Vec<&'a str> {
    let mut changed = Vec::new();
    for pair in GOOD.chunks(2) {
        match value {
            _ if pair[0] != option => changed.extend(pair),
            Some(value) => changed.extend([pair[0], value]),
            None => {}
        }
    }
    changed
}

/// [`GOOD`] without its critical option, and with `more`.
fn with_options<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut changed: Vec<&str> = GOOD.iter().take(8).copied().collect();
    changed.extend(more.iter().flat_map(|&option| ["-O", option]));
    changed
}

#[test]
fn a_certificate_of_the_session_ca_says_who_holds_which_grants() {
    let world = World::new();
    let said = world.verify(&world.good()).expect("believed");
    assert_eq!((said.user.as_str(), said.serial.get()), ("alice", 7));
    assert_eq!(said.id.to_string(), "k-7K2Q4M9D");
    assert_eq!(write_grants(&said.grants), "g-000001,g-7K2Q4M");
    let key = PublicKey::read_openssh_file(world.path("alice.pub")).expect("a key");
    assert_eq!(said.key, key.fingerprint(HashAlg::Sha256));
}

#[test]
fn each_certificate_that_ssh_keygen_can_make_wrong_is_refused_for_its_own_reason() {
    let world = World::new();
    let one_id_too_long = ["g-000001"; 230].join(",");
    let too_long = format!("critical:grants@doorward={one_id_too_long}");
    let host = [&GOOD[..], &["-h"]].concat();
    let grants = "critical:grants@doorward=g-000001";
    let rows: Vec<(&str, Vec<&str>, &str)> = vec![
        ("as it should be", GOOD.to_vec(), "believed"),
        ("host certificate", host, "host certificate"),
        ("not yet valid", with("-V", Some("+1h:+2h")), "not valid before"),
        ("expired", with("-V", Some("-2h:-1h")), "ended at"),
        ("no principals", with("-n", None), "0 principals"),
        ("two principals", with("-n", Some("alice@bastion.example.com,bob@bastion.example.com")), "2 principals"),
        ("a login name", with("-n", Some("alice")), "`alice` is not a current user"),
        ("a pattern", with("-n", Some("*")), "`*` is not a current user"),
        ("another bastion", with("-n", Some("alice@bastion.example.org")), "not a current user"),
        ("a longer bastion", with("-n", Some("alice@bastion.example.com.evil")), "not a current user"),
        ("two @", with("-n", Some("alice@x@bastion.example.com")), "not a current user"),
        ("nobody we know", with("-n", Some("mallory@bastion.example.com")), "not a current user"),
        ("no name", with("-n", Some("@bastion.example.com")), "not a current user"),
        ("case of the name", with("-n", Some("Alice@bastion.example.com")), "not a current user"),
        ("another user's key", with("-n", Some("bob@bastion.example.com")), "is not enrolled for bob"),
        ("key ID of another user", with("-I", Some("doorward:bob:k-7K2Q4M9D")), "key ID"),
        ("key ID without a user", with("-I", Some("doorward:k-7K2Q4M9D")), "key ID"),
        ("key ID of a target certificate", with("-I", Some("doorward:alice:g-7K2Q4M:s-1:c-1")), "key ID"),
        ("key ID not as we write it", with("-I", Some("doorward:alice:K-7k2q4m9d")), "key ID"),
        ("key ID of somebody else's making", with("-I", Some("alice")), "key ID"),
        ("serial 0", with("-z", Some("0")), "serial is 0"),
        ("unknown critical option", with_options(&[grants, "critical:verify-more@example.com=yes"]), "verify-more"),
        ("verify-required", with_options(&[grants, "verify-required"]), "`verify-required`"),
        ("force-command", with_options(&[grants, "force-command=/bin/true"]), "`force-command`"),
        ("no grants option", with_options(&[]), "is missing"),
        ("empty grants", with_options(&["critical:grants@doorward"]), "is empty"),
        ("grants not as we write them", with_options(&["critical:grants@doorward=g-7k2q4m"]), "as we write it"),
        ("grants in another order", with_options(&["critical:grants@doorward=g-7K2Q4M,g-000001"]), "as we write it"),
        ("a grant twice", with_options(&["critical:grants@doorward=g-000001,g-000001"]), "as we write it"),
        ("grants with a blank", with_options(&["critical:grants@doorward=g-000001, g-7K2Q4M"]), "as we write it"),
        ("a comma at the end", with_options(&["critical:grants@doorward=g-000001,"]), "as we write it"),
        ("a request for a grant", with_options(&["critical:grants@doorward=r-000001"]), "as we write it"),
        ("too many grants", with_options(&[&too_long]), "too long"),
        ("grants as an extension", with_options(&["extension:grants@doorward=g-000001"]), "is missing"),
        ("inside source-address", with_options(&[grants, "source-address=192.0.2.0/24,10.0.0.0/8"]), "believed"),
        ("one address", with_options(&[grants, "source-address=10.1.2.3"]), "believed"),
        (
            "outside source-address",
            with_options(&[grants, "source-address=10.1.2.4/32"]),
            "may not be used from 10.1.2.3",
        ),
    ];
    for (name, arguments, wanted) in rows {
        let certificate = parse(&sign(&world.path("ca"), &world.path("alice"), &arguments));
        let answer = world.answer(&certificate);
        assert!(answer.contains(wanted), "{name}: {answer}");
    }
    let foreign = parse(&sign(&world.path("foreign_ca"), &world.path("alice"), &GOOD));
    assert!(world.answer(&foreign).contains("which is not the session CA"));
    let unknown_key = parse(&sign(&world.path("ca"), &world.path("stranger"), &GOOD));
    assert!(world.answer(&unknown_key).contains("is not enrolled for alice"));
}

#[test]
fn the_first_second_counts_and_the_last_does_not() {
    let world = World::new();
    let certificate = parse(&sign(&world.path("ca"), &world.path("alice"), &with("-V", Some("0x65000000:0x65000e10"))));
    let (first, end) = (0x6500_0000, 0x6500_0e10);
    let micros = |seconds: i64, more: i64| Timestamp::from_micros(seconds * 1_000_000 + more);
    for (now, wanted) in [
        (micros(first, -1), Some(CertificateError::NotYetValid { from: micros(first, 0) })),
        (micros(first, 0), None),
        (micros(end, -1), None),
        (micros(end, 0), Some(CertificateError::Expired { at: micros(end, 0) })),
        (micros(-5, 0), Some(CertificateError::NotYetValid { from: micros(first, 0) })),
    ] {
        assert_eq!(world.verify_at(&certificate, now, PEER).err(), wanted, "{now}");
    }
    let at = |more| world.verify_at(&certificate, micros(end, more), PEER).expect_err("over").for_client("bastion");
    assert!(
        at(9).contains("ended at 2023-09-12T07:06:56Z; `ssh bastion cert > ~/.ssh/doorward-cert.pub`"),
        "{}",
        at(9)
    );
}

#[test]
fn where_a_certificate_may_be_used_follows_its_own_networks_and_its_users_networks_now() {
    let world = World::new();
    let grants = "critical:grants@doorward=g-000001";
    let options = ["-O", grants, "-O", "source-address=10.1.0.0/16,2001:db8:1::/48,192.0.2.0/24"];
    let names = ["-I", "doorward:bob:k-7K2Q4M9D", "-n", "bob@bastion.example.com", "-z", "7", "-V", "-1m:+1h"];
    let certificate = parse(&sign(&world.path("ca"), &world.path("bob"), &[&names[..], &options[..]].concat()));
    for (peer, inside) in [
        ("10.1.2.3", true),
        ("::ffff:10.1.2.3", true),
        ("10.2.2.3", false),
        ("::ffff:10.2.2.3", false),
        ("2001:db8:1::9", true),
        ("2001:db8:2::9", false),
        ("::1", false),
        // In the certificate, and not any more in users.toml.
        ("192.0.2.1", false),
    ] {
        let answer = world.verify_at(&certificate, now(), peer);
        let wanted =
            CertificateError::OutsideNetworks { peer: peer.parse::<IpAddr>().expect("address").to_canonical() };
        assert_eq!(answer.err(), (!inside).then_some(wanted), "{peer}");
    }
}

/// A change to the fields on the wire, and a part of the answer after our CA has signed the result.
type Row = (&'static str, fn(&mut Wire), &'static str);

#[test]
fn each_certificate_that_only_hands_can_make_is_refused_even_when_our_ca_signed_it() {
    let world = World::new();
    let certificate = world.good();
    let good = Wire::of(&certificate);
    let grants = ("grants@doorward", "g-000001");
    assert_eq!(good.bytes(), certificate.to_bytes().expect("bytes"), "Wire takes nothing away");
    let rows: [Row; 11] = [
        ("nothing", |_| {}, "believed"),
        ("empty principal", |wire| wire.principals = string(b""), "`` is not a current user"),
        ("NUL in the principal", |wire| wire.principals = string(b"alice\0@bastion.example.com"), "not a current user"),
        (
            "escape in the key ID",
            |wire| wire.key_id = b"doorward:alice:\x1b[2J".to_vec(),
            "`doorward:alice:\\u{1b}[2J`",
        ),
        ("type 3", |wire| wire.kind = 3, "undecodable"),
        ("for ever", |wire| (wire.valid_after, wire.valid_before) = (0, u64::MAX), "believed"),
        ("from the end of time", |wire| wire.valid_after = u64::MAX, "not valid before"),
        (
            "an option twice",
            |wire| wire.critical = options(&[("grants@doorward", "g-000001"), ("grants@doorward", "g-000002")]),
            "undecodable",
        ),
        (
            "options out of order",
            |wire| wire.critical = options(&[("source-address", "10.0.0.0/8"), ("grants@doorward", "g-000001")]),
            "undecodable",
        ),
        (
            "networks that are none",
            |wire| wire.critical = options(&[("grants@doorward", "g-000001"), ("source-address", "10.0.0.0/8,*")]),
            "not a list of networks",
        ),
        (
            "empty networks",
            |wire| wire.critical = options(&[("grants@doorward", "g-000001"), ("source-address", "")]),
            "not a list of networks",
        ),
    ];
    for (name, change, wanted) in rows {
        let mut wire = good.clone();
        change(&mut wire);
        let answer = match Certificate::from_bytes(&wire.signed_by(&world.ca("ca")).bytes()) {
            Ok(certificate) => world.answer(&certificate),
            Err(error) => format!("undecodable: {error}"),
        };
        assert!(answer.contains(wanted), "{name}: {answer}");
    }
    let twice = ["critical:grants@doorward=g-000001", "critical:grants@doorward=g-000002"];
    let text = sign(&world.path("ca"), &world.path("alice"), &with_options(&twice));
    assert!(Certificate::from_openssh(&text).is_err(), "ssh-keygen makes a repeated option, and we do not read it");
    let mut sorted = good;
    sorted.critical = options(&[grants, ("source-address", "10.0.0.0/8")]);
    let sorted = Certificate::from_bytes(&sorted.signed_by(&world.ca("ca")).bytes()).expect("decodes");
    assert_eq!(world.answer(&sorted), "believed");
}

#[test]
fn a_signature_key_that_is_anything_but_our_plain_key_is_foreign() {
    let world = World::new();
    let good = world.good();
    let answer = |wire: &Wire| world.answer(&Certificate::from_bytes(&wire.bytes()).expect("decodes"));
    // Our CA's key inside a certificate of a stranger, as the signature key: the shape of CVE-2025-49825.
    let about_ca = parse(&sign(&world.path("foreign_ca"), &world.path("ca"), &["-I", "x", "-n", "x"]));
    let mut nested = Wire::of(&good);
    nested.authority = about_ca.to_bytes().expect("bytes");
    nested.sign(&world.ca("ca"));
    assert!(answer(&nested).contains("not the session CA"), "{}", answer(&nested));
    // Our key named, signed by another.
    let mut forged = Wire::of(&good);
    forged.authority = blob(world.authority.key_data());
    forged.sign(&world.ca("foreign_ca"));
    assert_eq!(answer(&forged), "its signature is not valid");
    // Signed by the user's own key, which is enrolled but no authority.
    let own = Wire::of(&good).signed_by(&world.ca("alice"));
    assert!(answer(&own).contains("not the session CA"));
    let signer = world.ca("ca");
    assert_eq!(signer.public_key().key_data(), world.authority.key_data());
}

#[test]
fn certificates_inside_certificates_as_deep_as_a_packet_holds_do_not_exhaust_the_stack() {
    let world = World::new();
    let mut wire = Wire::of(&world.good());
    (wire.nonce, wire.key_id, wire.principals) = (Vec::new(), Vec::new(), Vec::new());
    (wire.critical, wire.extensions) = (Vec::new(), Vec::new());
    while wire.authority.len() < 256 * 1024 {
        wire.authority = wire.bytes();
    }
    let bytes = wire.bytes();
    let decode = move || {
        Certificate::from_bytes(&bytes).map(|certificate| (certificate.verify_signature().is_ok(), certificate))
    };
    let thread = std::thread::Builder::new().stack_size(DECODING_STACK).spawn(decode).expect("a thread");
    let decoded = thread.join().expect("no overflow");
    let (fits, certificate) = decoded.expect("it is well-formed");
    assert!(!fits);
    let check = move || {
        let answer = world.answer(&certificate);
        assert!(answer.contains("not the session CA"), "{answer}");
    };
    let thread = std::thread::Builder::new().stack_size(DECODING_STACK).spawn(check).expect("a thread");
    thread.join().expect("no overflow");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Whatever is done to the bytes: no panic, and nothing is believed that does not say exactly what was signed.
    #[test]
    fn a_changed_certificate_is_not_believed(changes in proptest::collection::vec(any::<(u16, u8, u8)>(), 1..4)) {
        thread_local!(static WORLD: (World, Vec<u8>) = {
            let world = World::new();
            let bytes = world.good().to_bytes().expect("bytes");
            (world, bytes)
        });
        WORLD.with(|(world, original)| {
            let mut bytes = original.clone();
            for (at, byte, how) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = usize::from(at) % bytes.len();
                match how % 4 {
                    0 => bytes[at] ^= byte,
                    1 => bytes.insert(at, byte),
                    2 => { bytes.remove(at); }
                    _ => bytes.truncate(at.max(1)),
                }
            }
            if let Ok(certificate) = Certificate::from_bytes(&bytes) {
                let believed = world.verify(&certificate).is_ok();
                let same = certificate.to_bytes().is_ok_and(|bytes| bytes == *original);
                prop_assert_eq!(believed, same);
            }
            Ok(())
        })?;
    }
}
