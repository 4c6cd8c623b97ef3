use std::sync::Arc;

use super::*;
use crate::domain::{CertificateId, CommandId, GrantId, SessionId, UserName};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

fn parse(kind: Kind, source: &str) -> Result<Profile, String> {
    let shown = |found: Vec<crate::domain::Diagnostic>| found.iter().map(ToString::to_string).collect::<String>();
    Profile::parse(kind, &Arc::from(kind.file_name()), &Arc::from(source)).map_err(shown)
}

fn shipped(kind: Kind) -> Profile {
    parse(kind, kind.shipped()).unwrap_or_else(|found| panic!("{found}"))
}

fn key() -> PublicKey {
    PublicKey::from_openssh(KEY).unwrap()
}

fn session<'a>(key: &'a PublicKey, id: &'a CertificateId, user: &'a UserName) -> SessionFacts<'a> {
    let at = Timestamp::from_secs;
    SessionFacts {
        bastion: "bastion.example.com",
        id,
        serial: Serial::new(7).unwrap(),
        user,
        key,
        grants: "g-7K2Q4M",
        validity: Window { start: at(1_000_000), end: at(1_003_600) },
        networks: &[],
    }
}

#[test]
fn the_shipped_profiles_say_what_the_design_says() {
    let seconds = |kind| (shipped(kind).validity.as_secs(), shipped(kind).skew.as_secs());
    assert_eq!(seconds(Kind::Target), (60, 30));
    assert_eq!(seconds(Kind::Session), (31 * 86400, 30));
    assert_eq!(seconds(Kind::Host), (86400, 300));
    assert_eq!(shipped(Kind::Target).key_types, [Algorithm::Ed25519]);
    assert!(shipped(Kind::Host).extensions.is_empty());
}

#[test]
fn a_profile_with_a_mistake_is_refused_with_the_place_and_what_to_write() {
    let with = |from: &str, to: &str| {
        let source = Kind::Target.shipped();
        assert!(source.contains(from), "{from}");
        source.replacen(from, to, 1)
    };
    for (name, source, wanted) in [
        ("unknown key", with("validity =", "validty ="), &["validty", "certs/target.toml:5"][..]),
        ("missing key", with("skew = \"30s\"", ""), &["skew"]),
        ("no time", with("\"60s\"", "\"soon\""), &["\"soon\" is no time from 1s to 10m", "certs/target.toml:5:12"]),
        ("too long", with("\"60s\"", "\"1h\""), &["no time from 1s to 10m"]),
        ("zero", with("\"60s\"", "\"0s\""), &["no time from"]),
        ("part of a second", with("\"60s\"", "\"1500ms\""), &["no time from"]),
        ("key type", with("\"ssh-ed25519\"", "\"ssh-rsa\""), &["\"ssh-rsa\" cannot be certified", "ssh-ed25519"]),
        ("certificate as key type", with("\"ssh-ed25519\"", "\"ssh-ed25519-cert-v01@openssh.com\""), &["cannot be"]),
        ("no key type", with("[\"ssh-ed25519\"]", "[]"), &["no key could be certified"]),
        ("no forced command", with("\"force-command\", ", ""), &["[\"force-command\", \"source-address\"]"]),
        ("an option twice", with("\"force-command\"", "\"source-address\""), &["always has its own"]),
        ("forwarding", with("[\"permit-pty\"]", "[\"permit-port-forwarding\"]"), &["cannot permit"]),
        ("not TOML", "validity = ".to_owned(), &["certs/target.toml:1"]),
        ("two mistakes", with("\"60s\"", "\"x\"").replace("[\"ssh-ed25519\"]", "[]"), &["no time", "no key could"]),
    ] {
        let found = parse(Kind::Target, &source).expect_err(name);
        for part in wanted {
            assert!(found.contains(part), "{name}: no {part:?} in\n{found}");
        }
    }
    assert!(parse(Kind::Host, Kind::Session.shipped()).is_err());
}

#[test]
fn a_session_certificate_ends_with_the_grant_and_says_who_may_use_it_where() {
    let (key, id, user) = (key(), CertificateId::from_bits(5), "alice".parse().unwrap());
    let networks = ["10.1.2.3/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
    let mut facts = session(&key, &id, &user);
    facts.networks = &networks;
    facts.validity.end = Timestamp::from_micros(1_003_600_999_999);
    let fields = shipped(Kind::Session).session(&facts).unwrap();
    assert_eq!((fields.valid_after, fields.valid_before), (999_970, 1_003_600));
    assert_eq!(fields.principals, ["alice@bastion.example.com"]);
    assert_eq!(fields.key_id, "doorward:alice:k-00000005");
    assert_eq!(fields.critical_options["grants@doorward"], "g-7K2Q4M");
    assert_eq!(fields.critical_options["source-address"], "10.0.0.0/8,2001:db8::/32");
}

#[test]
fn what_would_open_more_than_it_says_is_not_signed() {
    let (key, id, user): (_, _, UserName) = (key(), CertificateId::from_bits(5), "alice".parse().unwrap());
    let profile = shipped(Kind::Session);
    let refused = |change: &dyn Fn(&mut SessionFacts<'_>)| {
        let mut facts = session(&key, &id, &user);
        change(&mut facts);
        profile.session(&facts).expect_err("must be refused")
    };
    for bastion in ["", "*", "a b", "a,b", "a@b", "*.example.com", "bastion\n", "-x", &"a".repeat(254)] {
        let mut facts = session(&key, &id, &user);
        facts.bastion = bastion;
        let error = profile.session(&facts).expect_err(bastion);
        assert!(matches!(error, ProfileError::Principal { .. }), "{bastion:?}: {error}");
    }
    assert_eq!(refused(&|facts| facts.grants = ""), ProfileError::Grants);
    assert_eq!(refused(&|facts| facts.validity.end = facts.validity.start), ProfileError::WindowEmpty);
    assert_eq!(refused(&|facts| facts.validity.start = Timestamp::from_secs(2_000_000)), ProfileError::WindowEmpty);
    let before_1970 = Window { start: Timestamp::from_secs(-9), end: Timestamp::from_secs(9) };
    assert_eq!(refused(&|facts| facts.validity = before_1970), ProfileError::WindowEmpty);
    let too_long = refused(&|facts| facts.validity.end = Timestamp::from_secs(1_000_001 + 31 * 86400));
    assert_eq!(too_long, ProfileError::WindowTooLong { longest: profile.validity });
    assert_eq!(shipped(Kind::Target).session(&session(&key, &id, &user)).err(), Some(ProfileError::Kind));
    let rsa = "ssh-dss AAAAB3NzaC1kc3MAAAADAQABAAAAAwEAAQAAAAMBAAEAAAADAQAB";
    let weak = PublicKey::from_openssh(rsa).unwrap();
    let error = profile.session(&session(&weak, &id, &user)).expect_err("ssh-dss");
    assert_eq!(error, ProfileError::KeyType { shown: "ssh-dss".to_owned() });
}

fn target<'a>(key: &'a PublicKey, names: &'a Names) -> TargetFacts<'a> {
    TargetFacts {
        bastion: "bastion.example.com",
        serial: Serial::new(7).unwrap(),
        identity: &names.0,
        target: &names.1,
        account: &names.2,
        key,
        force_command: "exec /usr/bin/true",
        source_address: "::ffff:10.0.0.7".parse().unwrap(),
        at: Timestamp::from_micros(1_000_000_500_000),
        pty: false,
    }
}

type Names = (CommandIdentity, TargetName, AccountName);

#[test]
fn a_target_certificate_is_for_one_command_from_one_address_for_a_minute() {
    let names: Names = (
        CommandIdentity {
            user: "alice".parse().unwrap(),
            grant: GrantId::from_bits(1),
            session: SessionId::from_bits(2),
            command: CommandId::from_bits(3),
        },
        "web-1".parse().unwrap(),
        "ops".parse().unwrap(),
    );
    let (key, profile) = (key(), shipped(Kind::Target));
    let fields = profile.target(&target(&key, &names)).unwrap();
    assert_eq!((fields.valid_after, fields.valid_before), (999_970, 1_000_060));
    assert_eq!(fields.principals, ["web-1/ops@bastion.example.com"]);
    assert_eq!(fields.key_id, "doorward:alice:g-000001:s-00000002:c-00000003");
    assert_eq!(fields.critical_options["force-command"], "exec /usr/bin/true");
    assert_eq!(fields.critical_options["source-address"], "10.0.0.7/32");
    assert!(fields.extensions.is_empty());
    let with_terminal = profile.target(&TargetFacts { pty: true, ..target(&key, &names) }).unwrap();
    assert_eq!(with_terminal.extensions, BTreeSet::from(["permit-pty".to_owned()]));
    let long = "x".repeat(COMMAND_LENGTH + 1);
    for command in ["", "a\nb", "a\0b", "a\x1bb", &long] {
        let refused = profile.target(&TargetFacts { force_command: command, ..target(&key, &names) });
        assert_eq!(refused.err(), Some(ProfileError::Command), "{}", command.len());
    }
}

#[test]
fn a_certificate_of_a_test_is_bound_like_a_commands_and_named_like_no_users() {
    let (target, account): (TargetName, AccountName) = ("web-1".parse().unwrap(), "ops".parse().unwrap());
    let (key, profile) = (key(), shipped(Kind::Target));
    let facts = |forwarding| TestFacts {
        bastion: "bastion.example.com",
        serial: Serial::new(1 << 63).unwrap(),
        target: &target,
        account: &account,
        key: &key,
        force_command: "exec /usr/bin/true",
        source_address: "10.0.0.7".parse().unwrap(),
        at: Timestamp::from_secs(1_000_000),
        forwarding,
    };
    let fields = profile.target_test(&facts(false)).unwrap();
    assert_eq!(fields.principals, ["web-1/ops@bastion.example.com"]);
    assert_eq!(fields.key_id, "doorward-target-test:web-1/ops");
    assert_eq!((fields.valid_after, fields.valid_before), (999_970, 1_000_060));
    assert_eq!(fields.critical_options["force-command"], "exec /usr/bin/true");
    assert_eq!(fields.critical_options["source-address"], "10.0.0.7/32");
    assert!(fields.extensions.is_empty());
    let forwarding = profile.target_test(&facts(true)).unwrap();
    assert_eq!(forwarding.extensions, BTreeSet::from(["permit-port-forwarding".to_owned()]));
    assert_eq!(shipped(Kind::Session).target_test(&facts(false)).err(), Some(ProfileError::Kind));
}

#[test]
fn a_host_certificate_names_hosts_and_no_patterns() {
    let (key, profile) = (key(), shipped(Kind::Host));
    let at = Timestamp::from_secs;
    let issue = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let validity = Window { start: at(1_000_000), end: at(1_086_400) };
        profile.host(&HostFacts { serial: Serial::new(7).unwrap(), key: &key, names: &names, validity })
    };
    let fields = issue(&["bastion.example.com", "10.0.0.1", "2001:db8::1"]).unwrap();
    assert_eq!((fields.valid_after, fields.valid_before), (999_700, 1_086_400));
    assert_eq!(fields.key_id, "doorward:host:bastion.example.com");
    for names in [&[][..], &[""], &["*"], &["ok", "*.example.com"], &["a,b"], &["a b"], &["a?"], &["!a"], &["ops@a"]] {
        assert!(matches!(issue(names), Err(ProfileError::Principal { .. })), "{names:?}");
    }
}
