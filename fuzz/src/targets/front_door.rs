//! `ssh::door`, `ssh::terminal` and `ssh::proxy`: what a client names as its login, what it types, and what a load balancer
//! says before that.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bytes::Bytes;
use doorward::domain::{TargetName, UserName};
use doorward::policy::Choice;
use doorward::ssh::door::{Door, door_of, door_unknown};
use doorward::ssh::proxy::{FIXED, LONGEST_REST, Origin, begins, parse, rest_of};
use doorward::ssh::terminal::{for_raw_terminal, key_in};

use super::shown_safely;

/// The first line is a login name, the rest is typed.
///
/// A login name opens only what may be seen, and never a target while nobody can say which may be. A key with a meaning is
/// the first one; a raw terminal gets every byte and no bare line feed.
pub(super) fn front_door(data: &[u8]) -> bool {
    let (login, typed) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &data[..0]),
    };
    terminal(&Bytes::copy_from_slice(typed));
    std::str::from_utf8(login).is_ok_and(doors)
}

fn doors(login: &str) -> bool {
    let mut opened = false;
    let visible: BTreeSet<TargetName> =
        ["web-1", "web-1.jea", "jea", "db"].map(|name| name.parse().expect("a name")).into();
    for suffix in ["jea", "bastion.example.com", ""] {
        let door = door_of(login, suffix, &visible);
        assert_eq!(door_of(login, suffix, &BTreeSet::new()), Door::Control, "a target that may not be seen");
        match &door {
            Door::Target { target, choice } => {
                opened = true;
                assert!(visible.contains(target));
                assert!(login.contains(target.as_str()), "{target} was not named");
                match choice {
                    Choice::Any => assert!(!login.contains('+')),
                    Choice::Role(role) => assert!(login.starts_with(&format!("{role}+"))),
                    Choice::Account(account) => panic!("this door chooses no account, and chose {account}"),
                }
            }
            Door::Control => {
                let asked = login.rsplit('+').next().unwrap_or(login).parse::<TargetName>();
                let bare = !login.contains('+');
                assert!(
                    !bare || asked.is_err() || !visible.contains(&asked.expect("a name")) || login.ends_with(suffix)
                );
            }
            Door::Unknown => panic!("it is known which targets there are"),
        }
    }
    let alice: UserName = "alice".parse().expect("a name");
    let expected = if login == "alice" { Door::Control } else { Door::Unknown };
    assert_eq!(door_unknown(login, &alice), expected);
    opened
}

fn terminal(typed: &Bytes) {
    match key_in(typed) {
        Some((before, _)) => {
            assert!(!before.contains(&3) && !before.contains(&4));
            assert!(typed.starts_with(&before) && matches!(typed[before.len()], 3 | 4));
        }
        None => assert!(!typed.contains(&3) && !typed.contains(&4)),
    }
    let shown = for_raw_terminal(typed);
    let without = |bytes: &Bytes| bytes.iter().copied().filter(|byte| *byte != b'\r').collect::<Vec<u8>>();
    assert_eq!(without(&shown), without(typed), "bytes were lost");
    assert!(shown.iter().zip(shown.iter().skip(1)).all(|(a, b)| *b != b'\n' || *a == b'\r'));
    assert!(shown.first() != Some(&b'\n'));
    assert_eq!(for_raw_terminal(&shown), shown, "twice is once");
}

/// A header gives the address that stands in it, written in one way only; what goes before or after is no part of it.
pub(super) fn proxy_header(data: &[u8]) -> bool {
    let begun = begins(data);
    match parse(data) {
        Ok(origin) => {
            assert!(begun.is_ok() && data.len() >= FIXED && data.len() <= FIXED + LONGEST_REST);
            let fixed: &[u8; FIXED] = data.first_chunk().expect("it is long enough");
            assert_eq!(rest_of(fixed), Ok(data.len() - FIXED));
            for cut in 0..data.len() {
                assert!(parse(&data[..cut]).is_err(), "the first {cut} bytes are a header, too");
            }
            assert!(parse(&[data, b"S"].concat()).is_err(), "what follows is no part of it");
            if let Origin::Client(client) = origin {
                assert_eq!(client.ip(), client.ip().to_canonical());
                let (block, port) = if data[13] == 0x11 { (16..20, 24) } else { (16..32, 48) };
                let written = match client.ip() {
                    IpAddr::V4(ip) => ip.octets().to_vec(),
                    IpAddr::V6(ip) => ip.octets().to_vec(),
                };
                assert!(data[block].ends_with(&written));
                assert_eq!(client.port().to_be_bytes(), data[port..port + 2]);
            }
            true
        }
        Err(error) => {
            shown_safely(&error.to_string(), 200);
            false
        }
    }
}
