//! `ssh::door` and `ssh::terminal`: what a client names as its login, and what it types.
//!
//! The parsers of whatever else comes before SSH itself (a proxy's header) belong here too.

use std::collections::BTreeSet;

use bytes::Bytes;
use doorward::domain::{TargetName, UserName};
use doorward::policy::Choice;
use doorward::ssh::door::{Door, door_of, door_unknown};
use doorward::ssh::terminal::{for_raw_terminal, key_in};

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
