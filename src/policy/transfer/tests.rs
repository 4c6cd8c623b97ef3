use std::collections::BTreeMap;

use super::*;
use crate::domain::{RequestId, Window};
use crate::grant::{AccessRequest, ActiveGrant};

const NOW: Timestamp = Timestamp::from_secs(100);
const HEAD: &str = "targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"/bin/x\"\n";

fn role(rules: &str) -> Role {
    Role::parse("r".parse().unwrap(), "roles/r.toml", &format!("{HEAD}{rules}")).unwrap().0
}

fn grant(role: &Role) -> ActiveGrant {
    let targets = BTreeMap::from([("web-1".parse().unwrap(), "ops".parse().unwrap())]);
    let as_approved = (role.name().clone(), role.digest());
    let window = Window { start: NOW, end: Timestamp::from_secs(160) };
    let (user, source) = ("alice".parse().unwrap(), "127.0.0.1".parse().unwrap());
    let request = AccessRequest::supposed(RequestId::from_bits(1), user, as_approved, targets, source, window);
    request.active_grant(NOW).unwrap()
}

fn size(what: &Transfer<'_>, approved: &Role, loaded: Option<&Role>) -> Option<u64> {
    let (grant, account) = (grant(approved), "ops".parse().unwrap());
    let held = [HeldRole { grant: &grant, approved, loaded, account: Some(&account), eligible: true }];
    transfer(what, &"web-1".parse().unwrap(), &Choice::Any, &held, &NOW.into()).map(|permit| permit.max_size)
}

fn file(direction: Direction, path: &str, size: u64) -> Transfer<'_> {
    Transfer::File { direction, path, size }
}

#[test]
fn a_file_goes_one_way_by_one_path_up_to_its_size() {
    let role = role("[[file]]\nget = \"/var/log/*.log\"\nmax_size = 100\n[[file]]\nput = \"/srv/in/**\"\n");
    for (direction, path, bytes, expected) in [
        (Direction::Get, "/var/log/a.log", 100, true),
        (Direction::Get, "/var/log/a.log", 101, false),
        (Direction::Put, "/var/log/a.log", 1, false),
        (Direction::Get, "/var/log/../shadow.log", 1, false),
        (Direction::Get, "/var/log/*.log", 1, false),
        (Direction::Get, "/var/log//a.log", 1, false),
        (Direction::Get, "var/log/a.log", 1, false),
        (Direction::Put, "/srv/in/a/b", 1 << 30, true),
        (Direction::Put, "/srv/in/a/b", (1 << 30) + 1, false),
        (Direction::Put, "/srv/in/.ssh/authorized_keys", 1, false),
        (Direction::Get, "/srv/in/a", 1, false),
    ] {
        let found = size(&file(direction, path, bytes), &role, Some(&role)).is_some();
        assert_eq!(found, expected, "{direction:?} {path} {bytes}");
    }
}

#[test]
fn a_forward_reaches_the_hosts_and_ports_that_are_named() {
    let role = role(
        "[[forward]]\nto = \"db-*.example.com:5432\"\n[[forward]]\nto = \"10.0.0.0/24:8000-8099\"\n[[forward]]\nto = \"[fd00::1]:443\"\n",
    );
    for (host, port, expected) in [
        ("db-1.example.com", 5432, true),
        ("db-1.example.com", 5433, false),
        ("db-1.x.example.com", 5432, false),
        ("db-1.example.com.", 5432, false),
        ("10.0.0.7", 8000, true),
        ("10.0.0.7", 8099, true),
        ("10.0.0.7", 8100, false),
        ("10.0.1.7", 8000, false),
        ("::ffff:10.0.0.7", 8000, false),
        ("167772167", 8000, false),
        ("fd00::1", 443, true),
        ("[fd00::1]", 443, false),
        ("localhost", 5432, false),
        ("", 5432, false),
    ] {
        assert_eq!(size(&Transfer::Forward { host, port }, &role, Some(&role)).is_some(), expected, "{host}:{port}");
    }
}

#[test]
fn both_the_approved_and_the_loaded_role_must_allow_it() {
    let (wide, narrow, none) =
        (role("[[file]]\nget = \"/a/*\"\n"), role("[[file]]\nget = \"/a/*\"\nmax_size = 5\n"), role(""));
    let small = file(Direction::Get, "/a/x", 5);
    assert_eq!(size(&small, &wide, Some(&narrow)), Some(5));
    assert_eq!(size(&small, &narrow, Some(&wide)), Some(5));
    assert_eq!(size(&small, &wide, Some(&none)), None);
    assert_eq!(size(&small, &none, Some(&wide)), None);
    assert_eq!(size(&small, &wide, None), None);
    assert_eq!(size(&file(Direction::Get, "/a/x", 6), &wide, Some(&narrow)), None);
    let (grant, ops, root): (_, AccountName, AccountName) =
        (grant(&wide), "ops".parse().unwrap(), "root".parse().unwrap());
    let held = |account, eligible| HeldRole { grant: &grant, approved: &wide, loaded: Some(&wide), account, eligible };
    let (here, there) = ("web-1".parse().unwrap(), "db-1".parse().unwrap());
    for (held, target, now, expected) in [
        (held(Some(&ops), true), &here, NOW, true),
        (held(Some(&root), true), &here, NOW, false),
        (held(None, true), &here, NOW, false),
        (held(Some(&ops), false), &here, NOW, false),
        (held(Some(&ops), true), &there, NOW, false),
        (held(Some(&ops), true), &here, Timestamp::from_secs(160), false),
    ] {
        assert_eq!(transfer(&small, target, &Choice::Any, &[held], &now.into()).is_some(), expected);
    }
    let other = Choice::Role("other".parse().unwrap());
    assert_eq!(transfer(&small, &here, &other, &[held(Some(&ops), true)], &NOW.into()), None);
    assert_eq!(transfer(&small, &here, &Choice::Any, &[], &NOW.into()), None);
}

/// NOW is Thursday, 00:01:40 UTC. The conditions of the role as approved and as loaded count, as for a command.
#[test]
fn a_file_and_a_forward_wait_for_the_conditions_of_their_role_as_a_command_does() {
    const FILE: &str = "[[file]]\nget = \"/a/*\"\n[[forward]]\nto = \"db:5432\"\n";
    let with = |when: &str| role(&format!("{FILE}[when]\n{when}\n"));
    let free = role(FILE);
    let known = Surroundings {
        now: NOW,
        source: Some("10.1.2.3".parse().unwrap()),
        running: Some(BTreeMap::from([("r".parse().unwrap(), 1)])),
    };
    let whole = Timestamp::from_secs(160);
    let rows = [
        ("networks = [\"10.0.0.0/8\"]", &known, Some(whole)),
        ("networks = [\"192.0.2.0/24\"]", &known, None),
        ("networks = [\"10.0.0.0/8\"]", &Surroundings { source: None, ..known.clone() }, None),
        ("hours = \"Thu 00:00-01:00 UTC\"", &known, Some(whole)),
        ("hours = \"Fri 00:00-01:00 UTC\"", &known, None),
        ("not_after = 1970-01-01T00:02:00Z", &known, Some(Timestamp::from_secs(120))),
        ("not_after = 1970-01-01T00:02:00Z\non_lapse = \"finish\"", &known, Some(whole)),
        ("not_after = 1970-01-01T00:01:00Z", &known, None),
        ("not_before = 1970-01-01T00:02:00Z", &known, None),
        ("same_source = true", &known, None),
        ("max_sessions = 2", &known, Some(whole)),
        ("max_sessions = 1", &known, None),
        ("max_sessions = 2", &Surroundings { running: None, ..known.clone() }, None),
    ];
    let (target, ops) = ("web-1".parse().unwrap(), "ops".parse().unwrap());
    for (when, around, ends) in rows {
        let bound = with(when);
        for (approved, loaded) in [(&bound, &bound), (&bound, &free), (&free, &bound)] {
            let grant = grant(approved);
            let held =
                [HeldRole { grant: &grant, approved, loaded: Some(loaded), account: Some(&ops), eligible: true }];
            for what in [file(Direction::Get, "/a/x", 1), Transfer::Forward { host: "db", port: 5432 }] {
                let permit = transfer(&what, &target, &Choice::Any, &held, around);
                assert_eq!(permit.map(|permit| permit.ends), ends, "{when}");
            }
        }
    }
}

#[test]
fn a_mistake_in_a_file_or_a_forward_is_named() {
    for (rules, expected) in [
        ("[[file]]\n", "one of them"),
        ("[[file]]\nget = \"/a\"\nput = \"/a\"\n", "one of them"),
        ("[[file]]\nget = \"a\"\n", "begins with `/`"),
        ("[[file]]\nget = \"/a\"\nmax_size = -1\n", "not negative"),
        ("[[file]]\nget = \"/a\"\nsudo = true\n", "no key `sudo`"),
        ("[[forward]]\n", "needs `to`"),
        ("[[forward]]\nto = \"db\"\n", "a port is missing"),
        ("[[forward]]\nto = \"db:0\"\n", "no port"),
        ("[[forward]]\nto = \"db:65536\"\n", "no port"),
        ("[[forward]]\nto = \"db:9-8\"\n", "no port is at least"),
        ("[[forward]]\nto = \"*:*\"\n", "no port"),
        ("[[forward]]\nto = \"fd00::1:80\"\n", "in brackets"),
        ("[[forward]]\nto = \"10.0.0.1/8:80\"\n", "begins at its first address"),
        ("[[forward]]\nto = \"a b:80\"\n", "no name of a host"),
    ] {
        let found = Role::parse("r".parse().unwrap(), "roles/r.toml", &format!("{HEAD}{rules}")).unwrap_err();
        assert!(found.iter().any(|one| one.message.contains(expected)), "{rules}: {found:?}");
    }
}
