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
