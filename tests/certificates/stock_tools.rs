//! Ours beside `ssh-keygen`'s: it reads them, and makes the same ones from the same facts.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use doorward::ca::profile::{Kind, Profile, TargetFacts};
use doorward::ca::signer::{HostCa, KeyFileSigner, SessionCa, TargetCa, generate_key_file};
use doorward::domain::{CertificateId, CommandId, CommandIdentity, GrantId, Serial, SessionId, Timestamp, Window};
use doorward::service::ports::{SessionAuthority, SessionCertificateRequest};
use russh::keys::{Certificate, PublicKey};

use crate::support::certificates::sign;
use crate::support::sshd::{keygen, new_key, text};

/// The profile of that kind as shipped.
pub(crate) fn shipped(kind: Kind) -> Profile {
    profile(kind, kind.shipped())
}

/// A profile from its text.
pub(crate) fn profile(kind: Kind, source: &str) -> Profile {
    Profile::parse(kind, &Arc::from(kind.file_name()), &Arc::from(source)).expect("a profile")
}

/// A CA key that we made, in `dir`, with its public half beside it.
pub(crate) fn ca_key(dir: &Path, name: &str) -> Box<KeyFileSigner> {
    let path = dir.join(name);
    let public = generate_key_file(&path, name).expect("a key file");
    std::fs::write(dir.join(format!("{name}.pub")), public.to_openssh().expect("a line") + "\n").expect("written");
    Box::new(KeyFileSigner::open(&path).expect("our own key file"))
}

/// Whose command the target certificates of these tests are for.
pub(crate) fn identity() -> CommandIdentity {
    CommandIdentity {
        user: "alice".parse().expect("a name"),
        grant: GrantId::from_bits(1),
        session: SessionId::from_bits(2),
        command: CommandId::from_bits(3),
    }
}

pub(crate) fn serial(number: u64) -> Serial {
    Serial::new(number).expect("not zero")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(seconds)
}

fn public(path: &Path) -> PublicKey {
    PublicKey::read_openssh_file(path).expect("a public key")
}

/// The one place where the three kinds are made for both tests below.
struct Three {
    dir: tempfile::TempDir,
    session: Certificate,
    target: Certificate,
    host: Certificate,
}

const START: i64 = 0x6500_0000;

async fn three() -> Three {
    let dir = tempfile::tempdir().expect("a temporary directory");
    new_key(&dir.path().join("key"));
    let key = public(&dir.path().join("key.pub"));
    let session_ca = SessionCa::new(ca_key(dir.path(), "session_ca"), shipped(Kind::Session), "bastion.example.com");
    let session = session_ca.issue(SessionCertificateRequest {
        id: CertificateId::from_bits(5),
        serial: serial(7),
        user: "alice".parse().expect("a name"),
        key: key.clone(),
        grants: [GrantId::from_bits(2), GrantId::from_bits(1)].into(),
        validity: Window { start: at(START), end: at(START + 3600) },
        networks: vec!["10.0.0.0/8".parse().expect("a network"), "2001:db8::/32".parse().expect("a network")],
    });
    let session = session.await.expect("a certificate");
    let target_ca = TargetCa::new(ca_key(dir.path(), "target_ca"), shipped(Kind::Target));
    let target = target_ca.issue(&TargetFacts {
        serial: serial(u64::MAX),
        identity: &identity(),
        target: &"web-1".parse().expect("a name"),
        account: &"ops".parse().expect("a name"),
        bastion: "bastion.example.com",
        key: &key,
        force_command: "exec /usr/bin/env -i 'LANG=C.UTF-8' '/usr/bin/printf' 'ü, \"x\" it'\\''s'",
        source_address: "10.0.0.7".parse::<IpAddr>().expect("an address"),
        at: at(START),
        pty: true,
    });
    let host_ca = HostCa::new(ca_key(dir.path(), "host_ca"), shipped(Kind::Host));
    let names = ["bastion.example.com".to_owned(), "10.0.0.1".to_owned()];
    let host = host_ca.issue(serial(9), &key, &names, at(START)).expect("a certificate");
    Three { session, target: target.expect("a certificate"), host, dir }
}

/// What `ssh-keygen -L` prints, as label and values.
fn read_by_keygen(dir: &Path, certificate: &Certificate) -> BTreeMap<String, Vec<String>> {
    let path = dir.join("read.pub");
    std::fs::write(&path, certificate.to_openssh().expect("a line")).expect("written");
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut label = String::new();
    for line in keygen(&["-L", "-f", text(&path)]).lines().skip(1) {
        if let Some(value) = line.strip_prefix("                ") {
            fields.entry(label.clone()).or_default().push(value.trim_end().to_owned());
        } else if let Some((name, value)) = line.trim_start().split_once(':') {
            label = name.to_owned();
            fields
                .entry(label.clone())
                .or_default()
                .extend(Some(value.trim()).filter(|value| !value.is_empty() && *value != "(none)").map(str::to_owned));
        }
    }
    fields
}

#[tokio::test]
async fn ssh_keygen_reads_every_field_of_our_three_kinds() {
    let three = three().await;
    let dir = three.dir.path();
    let print = |name: &str| public(&dir.join(name)).fingerprint(russh::keys::HashAlg::Sha256).to_string();
    // ssh-keygen prints local time; the window's length and its own order say as much as the zone does not spoil.
    let dates = |after: i64, before: i64| {
        let local = |seconds: i64| {
            let run =
                std::process::Command::new("date").arg(format!("-d@{seconds}")).arg("+%FT%T").output().expect("date");
            String::from_utf8(run.stdout).expect("UTF-8").trim().to_owned()
        };
        format!("from {} to {}", local(after), local(before))
    };
    let expect = |kind: &str, ca: &str, rest: [(&str, Vec<String>); 6]| {
        let mut fields = BTreeMap::from(rest.map(|(name, values)| (name.to_owned(), values)));
        fields.insert("Type".to_owned(), vec![format!("ssh-ed25519-cert-v01@openssh.com {kind} certificate")]);
        fields.insert("Public key".to_owned(), vec![format!("ED25519-CERT {}", print("key.pub"))]);
        fields.insert("Signing CA".to_owned(), vec![format!("ED25519 {} (using ssh-ed25519)", print(ca))]);
        fields
    };
    let list = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
    let grants = "g-000001,g-000002".bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(
        read_by_keygen(dir, &three.session),
        expect(
            "user",
            "session_ca.pub",
            [
                ("Key ID", list(&["\"doorward:alice:k-00000005\""])),
                ("Serial", list(&["7"])),
                ("Valid", vec![dates(START - 30, START + 3600)]),
                ("Principals", list(&["alice@bastion.example.com"])),
                (
                    "Critical Options",
                    vec![
                        format!("grants@doorward UNKNOWN OPTION: 00000011{grants} (len 21)"),
                        "source-address 10.0.0.0/8,2001:db8::/32".to_owned(),
                    ]
                ),
                ("Extensions", list(&["permit-pty"])),
            ]
        )
    );
    let target = read_by_keygen(dir, &three.target);
    assert_eq!(
        target,
        expect(
            "user",
            "target_ca.pub",
            [
                ("Key ID", list(&["\"doorward:alice:g-000001:s-00000002:c-00000003\""])),
                ("Serial", vec![u64::MAX.to_string()]),
                ("Valid", vec![dates(START - 30, START + 60)]),
                ("Principals", list(&["web-1/ops@bastion.example.com"])),
                (
                    "Critical Options",
                    list(&[
                        "force-command exec /usr/bin/env -i 'LANG=C.UTF-8' '/usr/bin/printf' 'ü, \"x\" it'\\''s'",
                        "source-address 10.0.0.7/32",
                    ])
                ),
                ("Extensions", list(&["permit-pty"])),
            ]
        )
    );
    assert_eq!(
        read_by_keygen(dir, &three.host),
        expect(
            "host",
            "host_ca.pub",
            [
                ("Key ID", list(&["\"doorward:host:bastion.example.com\""])),
                ("Serial", list(&["9"])),
                ("Valid", vec![dates(START - 300, START + 86400)]),
                ("Principals", list(&["bastion.example.com", "10.0.0.1"])),
                ("Critical Options", list(&[])),
                ("Extensions", list(&[])),
            ]
        )
    );
}

#[tokio::test]
async fn ssh_keygen_makes_the_same_certificates_from_the_same_facts() {
    let three = three().await;
    let dir = three.dir.path();
    let command = format!("force-command={}", three.target.critical_options()["force-command"]);
    let theirs = |ca: &str, arguments: &[&str]| {
        let clear = [&["-O", "clear"][..], arguments].concat();
        Certificate::from_openssh(&sign(&dir.join(ca), &dir.join("key"), &clear)).expect("a certificate")
    };
    let session = theirs(
        "session_ca",
        &[
            "-I",
            "doorward:alice:k-00000005",
            "-z",
            "7",
            "-n",
            "alice@bastion.example.com",
            "-V",
            "0x64ffffe2:0x65000e10",
            "-O",
            "permit-pty",
            "-O",
            "critical:grants@doorward=g-000001,g-000002",
            "-O",
            "source-address=10.0.0.0/8,2001:db8::/32",
        ],
    );
    let target = theirs(
        "target_ca",
        &[
            "-I",
            "doorward:alice:g-000001:s-00000002:c-00000003",
            "-z",
            "18446744073709551615",
            "-n",
            "web-1/ops@bastion.example.com",
            "-V",
            "0x64ffffe2:0x6500003c",
            "-O",
            "permit-pty",
            "-O",
            &command,
            "-O",
            "source-address=10.0.0.7/32",
        ],
    );
    let host = theirs(
        "host_ca",
        &[
            "-h",
            "-I",
            "doorward:host:bastion.example.com",
            "-z",
            "9",
            "-n",
            "bastion.example.com,10.0.0.1",
            "-V",
            "0x64fffed4:0x65015180",
        ],
    );
    for (name, ours, theirs) in
        [("session", three.session, session), ("target", three.target, target), ("host", three.host, host)]
    {
        assert_eq!(ours.algorithm(), theirs.algorithm(), "{name}");
        assert_eq!(ours.public_key(), theirs.public_key(), "{name}");
        assert_eq!(ours.serial(), theirs.serial(), "{name}");
        assert_eq!(ours.cert_type(), theirs.cert_type(), "{name}");
        assert_eq!(ours.key_id(), theirs.key_id(), "{name}");
        assert_eq!(ours.valid_principals(), theirs.valid_principals(), "{name}");
        assert_eq!(ours.valid_after(), theirs.valid_after(), "{name}");
        assert_eq!(ours.valid_before(), theirs.valid_before(), "{name}");
        assert_eq!(ours.critical_options(), theirs.critical_options(), "{name}");
        assert_eq!(ours.extensions(), theirs.extensions(), "{name}");
        assert_eq!(ours.signature_key(), theirs.signature_key(), "{name}");
        assert_ne!(ours.nonce(), theirs.nonce(), "{name}");
        assert!(ours.nonce().len() >= 16, "{name}");
    }
}
