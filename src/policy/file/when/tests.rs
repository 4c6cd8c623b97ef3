use crate::policy::Role;

/// The findings for `[when]` with these lines, as `LINE:COLUMN MESSAGE / HELP`; the first line is number 6.
fn findings(when: &str) -> Vec<String> {
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\nrun = \"/usr/bin/uptime\"\n[when]\n{when}\n");
    match Role::parse("web".parse().expect("a name"), "web.toml", &text) {
        Ok(_) => Vec::new(),
        Err(found) => {
            let shown = found.iter().map(|one| {
                let (line, column) = one.line_column().unwrap_or_default();
                format!("{line}:{column} {} / {}", one.message, one.help.clone().unwrap_or_default())
            });
            shown.collect()
        }
    }
}

#[test]
fn what_can_be_meant_is_read() {
    for when in [
        "hours = \"08:00-20:00 UTC\"",
        "hours = \"Mon 00:00-24:00 Etc/GMT-1\"",
        "hours = [\"Mon-Fri 08:00-20:00 Europe/Berlin\", \"sat,SUN 22:00-06:00 America/Argentina/Buenos_Aires\"]",
        "hours = \"Fri-Mon  20:00-00:00   Asia/Kolkata\"",
        "networks = [\"10.0.0.0/8\", \"2001:db8::/32\", \"::ffff:10.0.0.0/104\", \"192.0.2.7\", \"::1\", \"0.0.0.0/0\", \"::/0\"]",
        "not_before = 2026-01-01\nnot_after = 2026-01-01",
        "not_before = \"2026-01-01T00:00:00Z\"\nnot_after = 2026-01-01 00:00:01+00:00",
        "not_after = \"2026-01-01 Europe/Berlin\"\nmax_sessions = 1000\non_lapse = \"finish\"",
        "same_source = true",
    ] {
        assert_eq!(findings(when), [""; 0], "{when}");
    }
}

#[test]
fn each_mistake_is_named_with_its_place_and_what_to_write() {
    for (when, expected) in [
        ("", "5:1 `[when]` without a condition"),
        ("on_lapse = \"end\"", "5:1 `[when]` without a condition"),
        ("same_source = false", "5:1 `[when]` without a condition"),
        ("hour = \"08:00-20:00 UTC\"", "6:1 `[when]` has no key `hour` / write `hours`"),
        // Hours, with the column of the word that is wrong.
        ("hours = \"Mon-Fri 08:00-20:00\"", "the time zone is missing / say in which time zone"),
        (
            "hours = \"Mon-Fri 08:00-20:00 Europe/Belrin\"",
            "6:30 there is no time zone `Europe/Belrin` / write `Europe/Berlin`",
        ),
        ("hours = \"08:00-20:00 Berlin\"", "6:22 there is no time zone `Berlin` / write `Europe/Berlin`"),
        ("hours = \"08:00-20:00 europe/berlin\"", "write `Europe/Berlin`"),
        ("hours = \"08:00-20:00 +01:00\"", "6:22 there is no time zone `+01:00` / write a name of the IANA database"),
        ("hours = \"08:00-20:00 UTC UTC\"", "6:26 nothing stands after the time zone"),
        ("hours = \"Mon-Fry 08:00-20:00 UTC\"", "6:14 `Fry` is no day of the week"),
        ("hours = \"Monday 08:00-20:00 UTC\"", "6:10 `Monday` is no day of the week / write `Mon`"),
        ("hours = \"Mon-Wed-Fri 08:00-20:00 UTC\"", "6:10 `Mon-Wed-Fri` are no days"),
        ("hours = \"Mon-Fri,Fri 08:00-20:00 UTC\"", "6:18 `Fri` names a day for the second time"),
        ("hours = \"Mon, 08:00-20:00 UTC\"", "6:14 `` is no day of the week"),
        ("hours = \"Mon-Fri Europe/Berlin\"", "6:18 `Europe/Berlin` are no hours"),
        ("hours = \"Mon-Fri\"", "the hours are missing"),
        ("hours = \"8:00-20:00 UTC\"", "6:10 `8:00` is no time of day"),
        ("hours = \"08:00-25:00 UTC\"", "6:16 `25:00` is no time of day"),
        ("hours = \"08:00-24:01 UTC\"", "6:16 `24:01` is no time of day"),
        ("hours = \"08:60-20:00 UTC\"", "6:10 `08:60` is no time of day"),
        ("hours = \"24:00-06:00 UTC\"", "6:10 hours begin before 24:00 / write `00:00`"),
        ("hours = \"08:00-08:00 UTC\"", "6:10 hours that end when they begin / write `00:00-24:00`"),
        ("hours = \"08:00–20:00 UTC\"", "6:10 `08:00–20:00` are no hours"),
        ("hours = \"\"", "these are no hours"),
        ("hours = []", "6:9 an empty `hours`"),
        ("hours = 8", "`hours` is a list of texts, and this is a whole number"),
        ("hours = [8]", "each entry of `hours` is a text in quotes"),
        // Networks.
        ("networks = []", "6:12 an empty `networks`"),
        ("networks = \"10.0.0.0/8\"", "`networks` is a list of texts, and this is a text"),
        ("networks = [\"10.0.0.0/33\"]", "6:14 `10.0.0.0/33` is not a network"),
        ("networks = [\"10.1.2.3/8\"]", "6:14 10.1.2.3/8 has bits set beyond its prefix / write \"10.0.0.0/8\""),
        ("networks = [\"fe80::1%eth0\"]", "6:21 an interface (`%…`) is no part of a network"),
        ("networks = [\"fe80::%eth0/64\"]", "is no part of a network"),
        ("networks = [\"::/80\"]", "write \"0.0.0.0/0\""),
        ("networks = [\"bastion.example.com\"]", "is not a network / for example"),
        // Days and instants.
        ("not_after = \"tomorrow\"", "6:14 `tomorrow` is no date / write `not_after = "),
        ("not_after = 2026-12-31T18:00:00", "6:13 `2026-12-31T18:00:00` does not say in which time zone"),
        ("not_after = 18:00:00", "is no date"),
        ("not_after = \"2026-13-01\"", "is no date"),
        (
            "not_after = \"2026-12-31 Europe/Belrin\"",
            "6:25 there is no time zone `Europe/Belrin` / write `Europe/Berlin`",
        ),
        ("not_after = 2026", "is a text in quotes"),
        ("not_before = 2027-01-01\nnot_after = 2026-01-01", "7:13 the role could never be used"),
        // The rest.
        ("max_sessions = 0", "6:16 `max_sessions` is 1 to 1000"),
        ("max_sessions = 1001", "`max_sessions` is 1 to 1000"),
        ("max_sessions = -1", "not negative"),
        ("max_sessions = \"2\"", "a whole number"),
        ("same_source = \"yes\"", "true or false"),
        ("same_source = true\non_lapse = \"kill\"", "7:12 `on_lapse` is \"end\" or \"finish\""),
    ] {
        let found = findings(when);
        assert!(found.iter().any(|one| one.contains(expected)), "{when}\nwanted {expected}\nfound {found:#?}");
    }
    let many = vec!["\"10.0.0.0/8\""; 33].join(", ");
    assert!(findings(&format!("networks = [{many}]"))[0].contains("at most 32 entries"));
}
