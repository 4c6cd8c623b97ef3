use super::*;

fn one_of(words: &[&str]) -> Kind {
    Kind::OneOf(words.iter().map(|word| (*word).to_owned()).collect())
}

fn pattern(written: &str) -> Kind {
    Kind::Pattern(ValuePattern::new(written, false).unwrap())
}

fn path(written: &str) -> Kind {
    Kind::Path(PathPattern::new(written).unwrap())
}

#[test]
fn each_kind_takes_what_it_names_and_nothing_else() {
    let text = Kind::Text { longest: 20 };
    let logs = path("/var/log/nginx/*.log");
    let web = path("/srv/**/index.html");
    let below = path("/srv/**");
    let any = path("/*/x");
    for (kind, yes, no) in [
        (
            one_of(&["nginx", "php-fpm"]),
            &["nginx", "php-fpm"][..],
            &["", "Nginx", "nginx ", "nginx.service", "php", "-nginx"][..],
        ),
        (
            Kind::Int { min: 1, max: 5000 },
            &["1", "10", "5000"],
            &["0", "5001", "01", "+1", "-1", "1 ", "1e3", "0x10", "", "٣", "99999999999999999999"],
        ),
        (Kind::Int { min: 0, max: 0 }, &["0"], &["00", "1", "-0"]),
        (
            pattern(r"\d{4}-\d\d-\d\d|today"),
            &["2026-11-21", "today"],
            &["2026-11-21x", "xtoday", "today\n", "todays", "２０２６-11-21", ""],
        ),
        (pattern("a|b"), &["a", "b"], &["ab", "ax", "xb"]),
        (pattern(".*"), &["x", "*", "a b"], &["-x", "", "é"]),
        (
            logs,
            &["/var/log/nginx/access.log", "/var/log/nginx/a.b.log"],
            &[
                "/var/log/nginx/../auth.log",
                "/var/log/nginx/x/y.log",
                "/var/log/nginx/.hidden.log",
                "/var/log/nginx//a.log",
                "/var/log/nginx/./a.log",
                "/var/log/nginx/*.log",
                "/var/log/nginx/a?.log",
                "/var/log/nginx/[a].log",
                "var/log/nginx/a.log",
                "/var/log/nginx/a.log/",
                "/var/log/nginx/{a,b}.log",
                "/var/log/nginx/",
                "/var/log/nginx",
                "~/a.log",
                "-/a.log",
                "",
            ],
        ),
        (
            web,
            &["/srv/index.html", "/srv/a/index.html", "/srv/a/b/index.html"],
            &["/srv/.git/index.html", "/srv/a/../index.html", "/srv", "/srv/index.htm"],
        ),
        (below, &["/srv/a", "/srv/a/b"], &["/srv", "/srv/.a", "/srv/a/.b", "/srv/"]),
        (any, &["/a/x"], &["/.a/x", "/a/b/x", "//x"]),
        (
            text,
            &["disk is full", "at 10: ok", "5%"],
            &["-rf", "@file", "host:path", "a*b", "what?", "a\tb", "x\u{202e}y", "", "123456789012345678901", "ü"],
        ),
    ] {
        let parameter = Parameter::new(kind, false, false);
        yes.iter().for_each(|value| assert_eq!(parameter.accepts(value), Ok(()), "{value:?} for {parameter}"));
        no.iter().for_each(|value| assert!(parameter.accepts(value).is_err(), "{value:?} for {parameter}"));
    }
}

#[test]
fn dash_and_unicode_open_exactly_what_they_say() {
    let text = |dash, unicode| Parameter::new(Kind::Text { longest: 9 }, dash, unicode);
    assert_eq!(text(false, false).accepts("-x"), Err(Refusal::Dash));
    assert_eq!(text(true, false).accepts("-x"), Ok(()));
    assert_eq!(text(false, false).accepts("ü"), Err(Refusal::NotAscii('ü')));
    assert_eq!(text(false, true).accepts("ü"), Ok(()));
    assert_eq!(text(true, true).accepts("a\u{202e}b"), Err(Refusal::Unprintable));
    assert_eq!(text(true, true).accepts(&"ü".repeat(10)), Err(Refusal::NotAllowed));
}

#[test]
fn an_expression_cannot_leave_its_anchors() {
    for bad in
        ["(?i)nginx", "a)|(b", "(?-u:x)", "(?m:^x$)", "(", "[", "x{1000}{1000}", "(?i:x)", "(?=x)", r"\p{Greek}", "é"]
    {
        assert!(ValuePattern::new(bad, false).is_err(), "{bad:?}");
    }
    for good in [r"\(?i", "[(?i)]", "[](?i]", "(?:a|b)", "(?P<n>a)", "(?<n>a)", r"\[(a)"] {
        assert!(ValuePattern::new(good, false).is_ok(), "{good:?}");
    }
}

#[test]
fn a_path_pattern_says_what_is_wrong_with_it() {
    for bad in ["", "a", "/a//b", "/a/", "/a/../b", "/a/./b", "/a**", "/**/x/**", "/a?", "/[a]", "/{a}"] {
        assert!(PathPattern::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_hostile_value_costs_little() {
    let glob = format!("/{}", "*a".repeat(200));
    let parameter = Parameter::new(path(&glob), false, false);
    assert!(parameter.accepts(&format!("/{}b", "a".repeat(LONGEST_VALUE - 2))).is_err());
}

fn within(ranges: &[&str]) -> Within {
    Within::of(&ranges.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()).unwrap()
}

fn units(types: &[&str]) -> Kind {
    Kind::Unit(Units::of(&types.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()).unwrap())
}

fn hosts(names: &[&str], ranges: &[&str]) -> Kind {
    let names: Vec<String> = names.iter().map(|one| (*one).to_owned()).collect();
    Kind::Host(Hosts::of(&names, within(ranges)).unwrap())
}

#[test]
fn a_unit_is_one_unit_of_a_type_that_the_role_names() {
    for (kind, yes, no) in [
        (
            Kind::Unit(Units::services()),
            &["nginx", "nginx.service", "php8.2-fpm", "getty@tty1", "a.b.service", r"x\x2dy"][..],
            &[
                "reboot.target",
                "x.timer",
                "nginx*",
                "ng?nx",
                "[a]",
                "/home",
                "a/b",
                "../x",
                "",
                "@x",
                ".service",
                ".x",
                "-x",
                "a b",
                "nginx;",
                "ü",
            ][..],
        ),
        (units(&["timer", ".socket"]), &["x.timer", "x.y.socket"], &["x", "x.service", "timer", ".timer", "x.timer.x"]),
    ] {
        let parameter = Parameter::new(kind, false, false);
        yes.iter().for_each(|value| assert_eq!(parameter.accepts(value), Ok(()), "{value:?} for {parameter}"));
        no.iter().for_each(|value| assert!(parameter.accepts(value).is_err(), "{value:?} for {parameter}"));
    }
    let service = Parameter::new(Kind::Unit(Units::services()), false, false);
    assert_eq!(service.accepts(&"a".repeat(247)), Ok(()));
    assert!(service.accepts(&"a".repeat(248)).is_err());
    assert!(Units::of(&["job".to_owned()]).is_err() && Units::of(&[]).is_err());
}

#[test]
fn an_address_has_one_writing_and_lies_within_its_ranges() {
    for (kind, yes, no) in [
        (
            Kind::Ip(Within::default()),
            &["10.0.0.1", "0.0.0.0", "::1", "fe80::1", "2001:DB8::1"][..],
            &[
                "010.0.0.1",
                "10.0.0.01",
                "10.1",
                "167772161",
                "0x0a000001",
                "10.0.0.256",
                "::ffff:10.0.0.1",
                "::ffff:a00:1",
                "fe80::1%eth0",
                "[::1]",
                "10.0.0.1/32",
                "10.0.0.1:80",
                "1.2.3.4.",
                "::1.2.3.4",
                "",
                " 10.0.0.1",
                "localhost",
            ][..],
        ),
        (
            Kind::Ip(within(&["10.0.0.0/8", "fd00::/8", "192.168.1.1"])),
            &["10.255.255.255", "fd12::1", "192.168.1.1"],
            &["11.0.0.0", "9.255.255.255", "fe80::1", "192.168.1.2", "::ffff:a00:1"],
        ),
        (
            Kind::Cidr(within(&["10.0.0.0/8"])),
            &["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"],
            &[
                "10.0.0.0/7",
                "0.0.0.0/0",
                "10.0.0.1/8",
                "10.0.0.0/08",
                "10.0.0.0",
                "10.0.0.0/33",
                "10.0.0.0/",
                "11.0.0.0/8",
            ],
        ),
        (
            Kind::Cidr(Within::default()),
            &["0.0.0.0/0", "::/0", "fd00::/8"],
            &["::ffff:0:0/96", "::ffff:a00:0/104", "::/8", "10.0.0.0/+8", "fe80::%1/64"],
        ),
        (
            hosts(&[], &[]),
            &["db-1", "db-1.example.com", "10.0.0.1", "::1", "a.b1", "EXAMPLE.com"],
            &[
                "127.1",
                "2130706433",
                "0x7f000001",
                "0177.0.0.1",
                "a.0x",
                "example.com.",
                "-x",
                "x-.com",
                "a..b",
                ".a",
                "a_b",
                "*.x",
                "user@host",
                "host:80",
                "http://x",
                "a/b",
                "[::1]",
                "::ffff:1.2.3.4",
                "1.2.3.4.5",
                "ex ample",
            ],
        ),
        (
            hosts(&["db-*.example.com", ".int.example.com"], &[]),
            &["db-1.example.com", "x.int.example.com", "x.y.int.example.com"],
            &[
                "db-1.x.example.com",
                "int.example.com",
                "xint.example.com",
                "db-1.example.com.evil.org",
                "10.0.0.1",
                "::1",
            ],
        ),
        (hosts(&["db"], &["10.0.0.0/8"]), &["db", "10.0.0.1"], &["dbx", "11.0.0.1"]),
        (Kind::Port { min: 8000, max: 8099 }, &["8000", "8099"], &["7999", "8100", "08000", "+8000", "http", ""]),
        (
            Kind::Duration { longest: 600 },
            &["1s", "600s", "10m", "10min", "5min30s", "1m1s"],
            &[
                "0s", "601s", "11m", "10M", "5", "infinity", "1.5m", "05m", "1s1m", "1m1min", "-5m", "5 m", "m", "1ms",
                "", "5mm",
            ],
        ),
        (Kind::Duration { longest: 200_000 }, &["1d", "2d7h33min20s"], &["3d", "99999999999999999999d"]),
    ] {
        let parameter = Parameter::new(kind, false, false);
        yes.iter().for_each(|value| assert_eq!(parameter.accepts(value), Ok(()), "{value:?} for {parameter}"));
        no.iter().for_each(|value| assert!(parameter.accepts(value).is_err(), "{value:?} for {parameter}"));
    }
}

#[test]
fn kinds_that_may_share_a_word_say_so() {
    let words = [
        "5",
        "80",
        "5m",
        "nginx",
        "x.timer",
        "10.0.0.1",
        "::1",
        "10.0.0.0/8",
        "fd00::/8",
        "/var/x",
        "db.example.com",
        "a b",
        "1d",
        "face",
        "php8.2-fpm",
        "0",
    ];
    let kinds = || {
        [
            one_of(&["nginx", "5", "/var/x"]),
            pattern("[a-z]+"),
            Kind::Int { min: 0, max: 9 },
            path("/var/*"),
            Kind::Unit(Units::services()),
            units(&["timer"]),
            hosts(&[], &[]),
            hosts(&["*.example.com"], &["10.0.0.0/8"]),
            Kind::Ip(Within::default()),
            Kind::Ip(within(&["fd00::/8"])),
            Kind::Cidr(Within::default()),
            Kind::Port { min: 1, max: 99 },
            Kind::Duration { longest: 90_000 },
            Kind::Text { longest: 30 },
        ]
    };
    for one in kinds().map(|kind| Parameter::new(kind, false, false)) {
        for word in words.iter().filter(|word| one.accepts(word).is_ok()) {
            for end in 0..word.len() {
                assert!(one.may_begin_with(&word[..end]), "{word} of {one}");
            }
            for other in kinds().map(|kind| Parameter::new(kind, false, false)) {
                if other.accepts(word).is_ok() {
                    assert!(one.overlaps(&other) && other.overlaps(&one), "{word}: {one} and {other}");
                }
            }
        }
    }
    let (number, port) = (Kind::Int { min: 1, max: 9 }, Kind::Port { min: 10, max: 20 });
    assert!(!Parameter::new(number, false, false).overlaps(&Parameter::new(port, false, false)));
}
