use std::net::IpAddr;

use super::*;
use crate::policy::Role;

/// Conditions as a role's file says them.
fn conditions(when: &str) -> Conditions {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n[when]\n{when}\n[[command]]\nrun = \"/usr/bin/uptime\"\n");
    let parsed = Role::parse("web".parse().expect("a name"), "web.toml", &text);
    parsed.unwrap_or_else(|found| panic!("{}", found[0])).0.conditions().clone()
}

fn at(text: &str) -> Timestamp {
    text.parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339").into()
}

fn ip(text: &str) -> Option<IpAddr> {
    Some(text.parse().expect("an address"))
}

/// A Monday, 14:00 in Berlin.
const NOW: &str = "2026-11-23T13:00:00Z";

fn here() -> Circumstances {
    Circumstances { now: at(NOW), source: ip("10.1.2.3"), request_source: ip("10.1.2.3"), running: Some(0) }
}

fn said(when: &str, circumstances: &Circumstances) -> Option<String> {
    conditions(when).judge(circumstances).err().map(|unmet| unmet.to_string())
}

#[test]
fn networks_take_an_address_in_either_form() {
    let rows = [
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true),
        ("::ffff:10.0.0.0/104", "10.1.2.3", true),
        ("::ffff:10.0.0.0/104", "::ffff:10.255.0.1", true),
        ("::ffff:10.0.0.0/104", "11.0.0.1", false),
        ("10.0.0.0/8", "11.0.0.1", false),
        ("10.0.0.0/8", "::10.1.2.3", false),
        ("::ffff:192.0.2.7", "192.0.2.7", true),
        ("192.0.2.7", "192.0.2.8", false),
        ("2001:db8::/32", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db9::1", false),
        // All of IPv6 is no IPv4, and the other way round.
        ("::/0", "10.1.2.3", false),
        ("::/0", "::ffff:10.1.2.3", false),
        ("::/0", "2001:db8::1", true),
        ("0.0.0.0/0", "::1", false),
        ("0.0.0.0/0", "::ffff:1.2.3.4", true),
        ("fe80::/10", "fe80::1", true),
    ];
    for (network, source, holds) in rows {
        let from = Circumstances { source: ip(source), ..here() };
        assert_eq!(said(&format!("networks = [\"{network}\"]"), &from).is_none(), holds, "{source} in {network}");
    }
    let many = "networks = [\"10.0.0.0/8\", \"192.0.2.0/24\"]";
    let away = Circumstances { source: ip("::ffff:198.51.100.1"), ..here() };
    let wanted = "may be used from 10.0.0.0/8 or 192.0.2.0/24; this comes from 198.51.100.1";
    assert_eq!(said(many, &away).as_deref(), Some(wanted));
}

#[test]
fn what_is_not_known_does_not_hold() {
    let unknown = Circumstances { source: None, request_source: None, running: None, now: at(NOW) };
    for (when, says) in [
        ("networks = [\"0.0.0.0/0\", \"::/0\"]", "is not known"),
        ("same_source = true", "nobody has asked yet"),
        ("max_sessions = 1000", "is not known"),
    ] {
        assert!(said(when, &unknown).is_some_and(|said| said.contains(says)), "{when}");
        assert_eq!(said(when, &here()), None, "{when}");
    }
    assert_eq!(said("hours = \"08:00-20:00 UTC\"", &unknown), None);
}

#[test]
fn the_same_source_is_the_same_in_either_form() {
    let from = |source: &str| Circumstances { source: ip(source), ..here() };
    assert_eq!(said("same_source = true", &from("::ffff:10.1.2.3")), None);
    let away = said("same_source = true", &from("10.1.2.4")).expect("unmet");
    assert_eq!(away, "may be used from the address that asked for it; that was 10.1.2.3, and this comes from 10.1.2.4");
    assert_eq!(said("same_source = false\nmax_sessions = 1", &from("10.1.2.4")), None);
}

#[test]
fn so_many_at_a_time() {
    let running = |running| Circumstances { running: Some(running), ..here() };
    assert_eq!(said("max_sessions = 2", &running(1)), None);
    let full = said("max_sessions = 2", &running(2)).expect("unmet");
    assert_eq!(full, "may be used for 2 commands at a time; 2 run now; wait until one ends");
    let full = conditions("max_sessions = 1");
    assert!(full.judge(&running(1)).is_err());
    // A command is not in its own way once it has its place.
    assert_eq!((full.judge_again(&running(1)), full.lapsed(&running(9))), (Ok(None), None));
}

/// Until when it holds, or a part of what is said.
type Judged = Result<Option<&'static str>, &'static str>;

#[test]
fn days_and_instants_bound_it() {
    let rows: [(_, _, Judged); 8] = [
        ("not_after = 2026-11-23T14:00:00+01:00", "2026-11-23T12:59:59Z", Ok(Some("2026-11-23T13:00:00Z"))),
        ("not_after = 2026-11-23T14:00:00+01:00", "2026-11-23T13:00:00Z", Err("ask the operator")),
        ("not_before = \"2026-11-23T14:00:00+01:00\"", "2026-11-23T13:00:00Z", Ok(None)),
        ("not_before = \"2026-11-23T14:00:00+01:00\"", "2026-11-23T12:59:59Z", Err("it is 2026-11-23T12:59:59Z")),
        ("not_after = 2026-11-23", "2026-11-23T23:59:59Z", Ok(Some("2026-11-24T00:00:00Z"))),
        ("not_after = \"2026-11-23 Europe/Berlin\"", NOW, Ok(Some("2026-11-23T23:00:00Z"))),
        (
            "not_before = \"2026-11-23 America/New_York\"",
            "2026-11-23T04:59:59Z",
            Err("from 2026-11-23 America/New_York on"),
        ),
        ("not_before = \"2026-11-23 America/New_York\"", "2026-11-23T05:00:00Z", Ok(None)),
    ];
    for (when, now, expected) in rows {
        let judged = conditions(when).judge(&Circumstances { now: at(now), ..here() });
        match (judged, expected) {
            (Ok(until), Ok(expected)) => assert_eq!(until, expected.map(at), "{when}"),
            (Err(unmet), Err(expected)) => assert!(unmet.to_string().contains(expected), "{when}: {unmet}"),
            (judged, _) => panic!("{when} at {now}: {judged:?}"),
        }
    }
}

#[test]
fn a_day_that_a_zone_skipped_or_that_begins_at_one_o_clock_has_a_begin() {
    for (day, begins) in [
        ("2011-12-30 Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("2011-12-31 Pacific/Apia", "2011-12-30T10:00:00Z"),
        ("2018-11-04 America/Sao_Paulo", "2018-11-04T03:00:00Z"),
        ("2026-11-01 America/Havana", "2026-11-01T04:00:00Z"),
    ] {
        assert_eq!(
            conditions(&format!("not_before = \"{day}\"")).opens(at("2010-01-01T00:00:00Z")),
            Some(at(begins)),
            "{day}"
        );
    }
}

#[test]
fn it_holds_until_the_first_that_ends() {
    let both = conditions("hours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"\nnot_after = 2026-11-23T15:00:00Z");
    assert_eq!(both.judge(&here()), Ok(Some(at("2026-11-23T15:00:00Z"))));
    let both = conditions("hours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"\nnot_after = 2026-11-30T15:00:00Z");
    assert_eq!(both.judge(&here()), Ok(Some(at("2026-11-23T19:00:00Z"))));
    assert_eq!(Conditions::default().judge(&here()), Ok(None));
    assert!(Conditions::default().is_empty() && Conditions::default().in_words().is_empty());
}

#[test]
fn when_it_opens_is_the_first_time_that_all_of_time_allows() {
    let opens = |when: &str| conditions(when).opens(at(NOW));
    assert_eq!(opens("networks = [\"192.0.2.0/24\"]"), Some(at(NOW)), "a place is no time");
    assert_eq!(opens("hours = \"Sat 08:00-20:00 UTC\""), Some(at("2026-11-28T08:00:00Z")));
    assert_eq!(opens("hours = \"Sat 08:00-20:00 UTC\"\nnot_before = 2026-11-29"), Some(at("2026-12-05T08:00:00Z")));
    assert_eq!(opens("hours = \"Sat 08:00-20:00 UTC\"\nnot_after = 2026-11-28T08:00:00Z"), None);
    assert_eq!(opens("not_after = 2026-11-22"), None);
}

#[test]
fn what_lapses_ends_a_command_unless_it_may_finish() {
    let night = Circumstances { now: at("2026-11-23T19:00:00Z"), ..here() };
    for (more, ends) in [("", true), ("\non_lapse = \"end\"", true), ("\non_lapse = \"finish\"", false)] {
        let work = conditions(&format!("hours = \"Mon-Fri 08:00-20:00 Europe/Berlin\"{more}"));
        assert_eq!(work.lapsed(&here()), None);
        let lapsed = work.lapsed(&night).map(|unmet| (unmet.key, unmet.to_string()));
        let words = "may be used Mon-Fri 08:00-20:00 Europe/Berlin; it is Mon 20:00 there; opens Tue 08:00".to_owned();
        assert_eq!(lapsed, ends.then_some(("hours", words)));
        // What has not begun does not begin, whatever becomes of what runs.
        assert!(work.judge_again(&night).is_err());
    }
}

#[test]
fn each_condition_is_listed_with_its_state() {
    let all = conditions(
        "networks = [\"10.0.0.0/8\"]\nhours = \"Sat 08:00-20:00 Europe/Berlin\"\nnot_before = 2026-01-01\n\
         not_after = 2026-12-31\nmax_sessions = 1\nsame_source = true",
    );
    let states: Vec<String> = all
        .states(&here())
        .into_iter()
        .map(|one| format!("{} {}: {} ({})", if one.holds { "+" } else { "-" }, one.key, one.condition, one.state))
        .collect();
    assert_eq!(
        states,
        [
            "+ not_after: until the end of 2026-12-31 UTC (it is 2026-11-23T13:00:00Z)",
            "+ not_before: from 2026-01-01 UTC on (it is 2026-11-23T13:00:00Z)",
            "+ networks: from 10.0.0.0/8 (this comes from 10.1.2.3)",
            "+ same_source: from the address that asked for it (that was 10.1.2.3, and this comes from 10.1.2.3)",
            "- hours: Sat 08:00-20:00 Europe/Berlin (it is Mon 14:00 there; opens Sat 08:00)",
            "+ max_sessions: for 1 command at a time (none runs now)",
        ]
    );
    assert_eq!(all.in_words().len(), 7);
    assert_eq!(all.in_words().last().map(String::as_str), Some("a command that still runs then is ended"));
    assert_eq!(conditions("max_sessions = 2").in_words(), ["for 2 commands at a time"]);
}
