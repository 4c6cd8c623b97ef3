use chrono::NaiveDateTime;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339").into()
}

/// Hours of `days` (a letter each from Monday, `-` for none) in `zone`, in minutes.
fn hours(days: &str, from: u16, to: u16, zone: &str) -> Hours {
    let mut on = [false; 7];
    on.iter_mut().zip(days.chars()).for_each(|(on, day)| *on = day != '-');
    Hours::new(on, from, to, zone.parse().expect("a zone"))
}

const EVERY: &str = "MTWTFSS";
const WORK: &str = "MTWTF--";

/// What the clock on the wall shows, by chrono alone: weekday, minute of the day.
fn plain_contains(hours: &Hours, at: Timestamp) -> bool {
    use chrono::{Datelike as _, Timelike as _};
    let shown: NaiveDateTime = at.to_chrono().expect("in range").with_timezone(&hours.zone).naive_local();
    let (day, time) = (shown.weekday().num_days_from_monday() as usize, i64::from(shown.num_seconds_from_midnight()));
    let (today, yesterday) = (hours.days[day], hours.days[(day + 6) % 7]);
    if hours.from < hours.to {
        today && (hours.from..hours.to).contains(&time)
    } else {
        (today && time >= hours.from) || (yesterday && time < hours.to)
    }
}

/// The next minute at which they change, found by trying each.
fn by_minutes(all: &[Hours], now: Timestamp) -> Option<Timestamp> {
    let is = |second: i64| all.iter().any(|one| plain_contains(one, Timestamp::from_secs(second)));
    let before = is(now.secs());
    let first = now.secs().div_euclid(60) * 60 + 60;
    (first..=now.secs() + HORIZON).step_by(60).find(|&second| is(second) != before).map(Timestamp::from_secs)
}

#[test]
fn the_wall_clock_decides_also_where_clocks_change() {
    let rows: [(Hours, &str, bool, Option<&str>); 22] = [
        // Berlin, in winter and in summer.
        (hours(WORK, 480, 1200, "Europe/Berlin"), "2026-11-23T07:00:00Z", true, Some("2026-11-23T19:00:00Z")),
        (hours(WORK, 480, 1200, "Europe/Berlin"), "2026-11-23T06:59:59Z", false, Some("2026-11-23T07:00:00Z")),
        (hours(WORK, 480, 1200, "Europe/Berlin"), "2026-07-06T06:00:00Z", true, Some("2026-07-06T18:00:00Z")),
        (hours(WORK, 480, 1200, "Europe/Berlin"), "2026-07-03T18:00:00Z", false, Some("2026-07-06T06:00:00Z")),
        // 02:30 does not exist on 2026-03-29: the hours begin at 03:00, which follows 01:59:59.
        (hours(EVERY, 150, 210, "Europe/Berlin"), "2026-03-29T00:59:59Z", false, Some("2026-03-29T01:00:00Z")),
        (hours(EVERY, 150, 210, "Europe/Berlin"), "2026-03-29T01:00:00Z", true, Some("2026-03-29T01:30:00Z")),
        // Hours inside the gap are left out once.
        (hours(EVERY, 130, 170, "Europe/Berlin"), "2026-03-29T00:00:00Z", false, Some("2026-03-30T00:10:00Z")),
        // 02:30 comes twice on 2026-10-25, at 00:30Z and 01:30Z; between them it is 02:00 again.
        (hours(EVERY, 150, 210, "Europe/Berlin"), "2026-10-25T00:30:00Z", true, Some("2026-10-25T01:00:00Z")),
        (hours(EVERY, 150, 210, "Europe/Berlin"), "2026-10-25T01:00:00Z", false, Some("2026-10-25T01:30:00Z")),
        (hours(EVERY, 150, 210, "Europe/Berlin"), "2026-10-25T01:30:00Z", true, Some("2026-10-25T02:30:00Z")),
        // Across midnight: a night belongs to the day it begins on. This one is an hour longer, because of the clocks.
        (hours("-----S-", 1320, 360, "Europe/Berlin"), "2026-10-24T20:00:00Z", true, Some("2026-10-25T05:00:00Z")),
        (hours("-----S-", 1320, 360, "Europe/Berlin"), "2026-10-25T20:00:00Z", false, Some("2026-10-31T21:00:00Z")),
        // Lord Howe moves by half an hour: at 15:00Z on 2026-04-04 it is 01:30 once more.
        (hours(EVERY, 100, 115, "Australia/Lord_Howe"), "2026-04-04T14:40:00Z", true, Some("2026-04-04T14:55:00Z")),
        (hours(EVERY, 100, 115, "Australia/Lord_Howe"), "2026-04-04T14:55:00Z", false, Some("2026-04-04T15:10:00Z")),
        (hours(EVERY, 100, 115, "Australia/Lord_Howe"), "2026-04-04T15:10:00Z", true, Some("2026-04-04T15:25:00Z")),
        // Apia went from Thursday 2011-12-29 to Saturday 2011-12-31.
        (hours("----F--", 0, 1440, "Pacific/Apia"), "2011-12-29T00:00:00Z", false, Some("2012-01-05T10:00:00Z")),
        (hours("---T---", 0, 1440, "Pacific/Apia"), "2011-12-30T09:59:59Z", true, Some("2011-12-30T10:00:00Z")),
        (hours("---T-S-", 0, 1440, "Pacific/Apia"), "2011-12-30T09:59:59Z", true, Some("2011-12-31T10:00:00Z")),
        // Neighbouring days are one span; 24:00 is the end of the day and 00:00 as an end means the same.
        (hours(WORK, 0, 1440, "UTC"), "2026-11-23T12:00:00Z", true, Some("2026-11-28T00:00:00Z")),
        (hours(WORK, 720, 0, "UTC"), "2026-11-23T12:00:00Z", true, Some("2026-11-24T00:00:00Z")),
        (hours(EVERY, 0, 1440, "UTC"), "2026-11-23T12:00:00Z", true, None),
        // A quarter of an hour from the whole one.
        (hours(EVERY, 480, 1200, "Asia/Kathmandu"), "2026-11-23T02:15:00Z", true, Some("2026-11-23T14:15:00Z")),
    ];
    for (hours, now, inside, change) in rows {
        let (hours, now) = ([hours], at(now));
        assert_eq!(open(&hours, now), inside, "{} at {now}", hours[0]);
        assert_eq!(changes(&hours, now), change.map(at), "{} at {now}", hours[0]);
        assert_eq!(by_minutes(&hours, now), change.map(at), "{} at {now}: the test's own reckoning", hours[0]);
    }
}

#[test]
fn several_hours_are_one_or_the_other() {
    let both = [hours(WORK, 480, 1080, "Europe/Berlin"), hours(WORK, 540, 1020, "America/New_York")];
    assert_eq!(changes(&both, at("2026-11-23T08:00:00Z")), Some(at("2026-11-23T22:00:00Z")));
    let lunch = [hours(WORK, 480, 720, "UTC"), hours(WORK, 780, 1020, "UTC")];
    assert_eq!(changes(&lunch, at("2026-11-23T08:00:00Z")), Some(at("2026-11-23T12:00:00Z")));
    assert_eq!(changes(&lunch, at("2026-11-23T12:00:00Z")), Some(at("2026-11-23T13:00:00Z")));
}

#[test]
fn they_are_shown_as_they_are_written_and_say_how_they_stand() {
    let work = hours(WORK, 480, 1200, "Europe/Berlin");
    assert_eq!(work.to_string(), "Mon-Fri 08:00-20:00 Europe/Berlin");
    assert_eq!(hours("MTW-F-S", 0, 1440, "UTC").to_string(), "Mon-Wed,Fri,Sun 00:00-24:00 UTC");
    assert_eq!(hours(EVERY, 1320, 365, "UTC").to_string(), "22:00-06:05 UTC");
    let said = |now: &str, all: &[Hours]| state(all, at(now), changes(all, at(now)));
    let state = |now: &str, one: Hours| said(now, &[one]);
    assert_eq!(state("2026-11-21T13:02:00Z", work.clone()), "it is Sat 14:02 there; opens Mon 08:00");
    assert_eq!(state("2026-11-23T13:02:00Z", work.clone()), "it is Mon 14:02 there; closes Mon 20:00");
    let sunday = hours("------S", 480, 1200, "UTC");
    let two = [sunday.clone(), work];
    assert_eq!(said("2026-11-21T13:02:00Z", &two), "it is Sat 13:02 in UTC; opens Sun 08:00");
    assert_eq!(state("2026-11-22T21:00:00Z", sunday), "it is Sun 21:00 there; opens Sun 2026-11-29 08:00");
    assert_eq!(state("2026-11-22T21:00:00Z", hours(EVERY, 0, 1440, "UTC")), "it is Sun 21:00 there");
}

#[test]
fn outside_the_calendar_nothing_is_open() {
    for second in [i64::MIN, i64::MAX] {
        let now = Timestamp::from_micros(second);
        assert!(!open(&[hours(EVERY, 0, 1440, "Europe/Berlin")], now));
        assert_eq!(changes(&[hours(EVERY, 0, 1440, "Europe/Berlin")], now), None);
    }
}

/// Zones whose clocks change in ways that differ, each with instants near which they did.
const CHANGES: [(&str, &[&str]); 12] = [
    ("Europe/Berlin", &["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "1996-10-27T01:00:00Z"]),
    ("America/New_York", &["2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"]),
    ("Australia/Lord_Howe", &["2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"]),
    ("Pacific/Apia", &["2011-12-30T10:00:00Z", "2012-03-31T14:00:00Z"]),
    ("Pacific/Kwajalein", &["1993-08-21T12:00:00Z"]),
    ("America/Sao_Paulo", &["2018-11-04T03:00:00Z", "2019-02-17T02:00:00Z"]),
    ("America/Havana", &["2026-03-08T05:00:00Z", "2026-11-01T05:00:00Z"]),
    ("Asia/Beirut", &["2022-03-26T22:00:00Z", "2022-10-29T21:00:00Z"]),
    ("Africa/Casablanca", &["2026-02-15T02:00:00Z", "2026-03-22T02:00:00Z"]),
    ("America/Caracas", &["2016-05-01T07:00:00Z"]),
    ("Antarctica/Troll", &["2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"]),
    ("Asia/Pyongyang", &["2018-05-04T15:00:00Z"]),
];

fn any_hours(zone: &'static str) -> impl Strategy<Value = Hours> {
    let days = proptest::array::uniform7(any::<bool>()).prop_filter("a day", |days| days.contains(&true));
    (days, 0_u16..1440, 0_u16..=1440)
        .prop_filter("not empty", |(_, from, to)| from != to)
        .prop_map(move |(days, from, to)| Hours::new(days, from, to, zone.parse().expect("a zone")))
}

fn near_a_change() -> impl Strategy<Value = (Vec<Hours>, Timestamp)> {
    let zone = proptest::sample::select(CHANGES.to_vec());
    zone.prop_flat_map(|(zone, changes)| {
        let all = proptest::collection::vec(any_hours(zone), 1..3);
        let seconds = -3 * DAY..3 * DAY;
        (all, proptest::sample::select(changes.to_vec()), seconds)
            .prop_map(|(all, change, away)| (all, Timestamp::from_secs(at(change).secs() + away)))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The instants in the table are real: a clock changed there.
    #[test]
    fn what_is_reckoned_is_what_a_scan_of_every_minute_finds((all, now) in near_a_change()) {
        prop_assert_eq!(open(&all, now), all.iter().any(|one| plain_contains(one, now)));
        prop_assert_eq!(changes(&all, now), by_minutes(&all, now));
    }
}

#[test]
fn the_clocks_did_change_where_the_property_looks() {
    for (zone, changes) in CHANGES {
        for change in changes {
            let (zone, second) = (zone.parse().expect("a zone"), at(change).secs());
            assert_ne!(offset(zone, second - 1), offset(zone, second), "{zone} at {change}");
        }
    }
}
