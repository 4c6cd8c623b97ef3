use super::super::verb::VERBS;
use super::*;
use crate::domain::Timestamp;

const REVIEWER: Rights = Rights { approver: true, reviewer: true };
const USER: Rights = Rights { approver: false, reviewer: false };

fn ok(line: &str) -> Arguments {
    read(line.as_bytes(), REVIEWER).unwrap_or_else(|misuse| panic!("{line}: {misuse:?}"))
}

fn wrong(line: &str) -> String {
    match read(line.as_bytes(), REVIEWER) {
        Err(Misuse::Wrong { message, .. }) => message,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_request_is_read_with_its_options_in_any_order_and_both_spellings() {
    let lines = [
        "request web-restart --on web-1,web-2 --for 30m --reason INC-4711 nginx won't start --ticket INC-4711 --no-wait",
        "request --no-wait --reason INC-4711 nginx won't start --for=30m --on=web-2,web-1 web-restart --ticket=INC-4711",
        "  request --reason=INC-4711 nginx won't start --on='web-1, web-2' --for '30m' --ticket INC-4711 --no-wait web-restart ",
        "request --reason='INC-4711 nginx won't start' --on web-1,web-2,web-1 --for 1800s --ticket INC-4711 --no-wait web-restart",
    ];
    for line in lines {
        let arguments = ok(line);
        assert_eq!(arguments.role("ROLE").unwrap().as_str(), "web-restart", "{line}");
        let on: Vec<_> = arguments.targets("on").unwrap().iter().map(TargetName::as_str).collect();
        assert_eq!(on, ["web-1", "web-2"], "{line}");
        assert_eq!(arguments.duration("for"), Ok(&Duration::from_secs(1800)), "{line}");
        assert_eq!(arguments.text("reason"), Ok("INC-4711 nginx won't start"), "{line}");
        assert_eq!(arguments.text("ticket"), Ok("INC-4711"), "{line}");
        assert!(arguments.flag("no-wait"), "{line}");
    }
    let bare = ok("request web-restart");
    assert_eq!((bare.text("reason"), bare.flag("no-wait")), (Err(Absent("reason")), false));
}

#[test]
fn what_follows_two_dashes_or_is_verbatim_comes_through_untouched() {
    assert_eq!(
        ok("why web-1 systemctl  restart 'a  b' --now \"x").text("COMMAND"),
        Ok("systemctl  restart 'a  b' --now \"x")
    );
    assert_eq!(ok("why web-1 -- -x -- y").text("COMMAND"), Ok("-x -- y"));
    assert_eq!(ok("why web-1 --help ").text("COMMAND"), Ok("--help "));
    assert_eq!(ok("why --user alice web-restart+web-1 id").place("TARGET").unwrap().1.as_str(), "web-1");
    assert_eq!(ok("deny r-7K2Q4M -- use --for 5m  instead ").text("TEXT"), Ok("use --for 5m  instead "));
    assert_eq!(ok("deny r-7K2Q4M not \"today\", it's late").text("TEXT"), Ok("not \"today\", it's late"));
}

#[test]
fn a_grant_names_its_request() {
    for line in ["status r-7K2Q4M", "status g-7k2q4m", "status R-7K2Q4M"] {
        assert_eq!(ok(line).id("ID").unwrap().to_string(), "r-7K2Q4M", "{line}");
    }
}

#[test]
fn misuse_says_where_and_what_to_write() {
    let rows = [
        ("request", "ROLE is missing"),
        ("request --for 5m", "ROLE is missing"),
        ("request web restart", "column 13: `request` takes nothing more after ROLE, and here is `restart`"),
        (
            "request web --on web-1, web-2",
            "column 18: --on: write the targets as one word with commas and no blanks: web-1,web-2",
        ),
        ("request web --for soon", "column 19: --for: `soon` is no span of time; write 90s, 30m or 1h"),
        ("request web --for 0s", "column 19: --for: that is no time at all; write 30m or 1h"),
        ("request web --for", "column 13: `--for` needs a value: TIME"),
        ("request web --for --no-wait", "column 13: `--for` needs a value: TIME"),
        ("request web --no-wait=1", "column 23: `--no-wait` takes no value"),
        ("request web --for 5m --for 6m", "column 22: `--for` is given twice"),
        ("request web --reason", "column 21: --reason: the text is missing"),
        ("whoami now", "column 8: `whoami` takes no argument, and here is `now`"),
        ("setup knownhosts", "column 7: FILE: write `config` or `known-hosts`"),
        ("approve r-7K2Q4M 4f", "column 18: DIGEST: write the digest that `pending` shows, like `4f9a`"),
        ("approve 7K2Q4M 4f9a", "column 9: ID: a request looks like `r-7K2Q4M`, its grant like `g-7K2Q4M`"),
        ("approve r-7K2Q4M", "DIGEST is missing"),
        ("audit search --limit many", "column 22: --limit: write a number"),
        (
            "audit search --since noon",
            "column 22: --since: write 2h (ago), a day as 2026-01-31 (UTC), or 2026-01-31T09:00:00Z",
        ),
        ("roles --jason", "column 7: `--jason` is no option of `roles`; did you mean `--json`?"),
        ("why web-1", "COMMAND is missing"),
    ];
    for (line, message) in rows {
        assert_eq!(wrong(line), message, "{line}");
    }
    assert_eq!(
        wrong("request web --reason restart --now fails"),
        "column 30: `--now` is no option of `request`\nif it is part of a text, put quotes around that text that reach \
         doorward: '\"a text with --this in it\"'"
    );
    assert!(wrong(&format!("deny r-7K2Q4M {}", "x".repeat(2001))).contains("a text has at most 2000 bytes"));
}

#[test]
fn times_are_instants_days_or_ago() {
    let since = |text: &str| *ok(&format!("audit search --since {text}")).time("since").unwrap();
    assert_eq!(since("2h"), When::Ago(Duration::from_secs(7200)));
    assert_eq!(since("1970-01-02"), When::At(Timestamp::from_secs(86400)));
    assert_eq!(since("1970-01-01T01:00:01+01:00"), When::At(Timestamp::from_secs(1)));
}

#[test]
fn what_is_not_there_and_what_is_not_for_you_answer_alike() {
    for line in ["audit search", "audit verify", "kill s-7K2Q4M9D", "sessions", "lock alice"] {
        let word = line.split(' ').next().unwrap().to_owned();
        assert_eq!(read(line.as_bytes(), USER).unwrap_err(), Misuse::NoVerb { word }, "{line}");
    }
    assert!(matches!(read(b"audit", REVIEWER), Err(Misuse::NoVerb { .. })));
    assert_eq!(read(b"kill x", REVIEWER).unwrap_err(), Misuse::NotServed { what: "kill".to_owned() });
    assert_eq!(read(b"extend g-7K2Q4M", USER).unwrap_err(), Misuse::NotServed { what: "extend".to_owned() });
    assert_eq!(read(b"pending --follow", USER).unwrap_err(), Misuse::NotServed { what: "pending --follow".to_owned() });
    let why = |line: &str| matches!(read(line.as_bytes(), USER), Err(Misuse::Wrong { message, .. }) if message.contains("no option"));
    assert!(why("why --user bob web-1 id") && why("why --usex bob web-1 id"));
    assert_eq!(read(b"  ", USER).unwrap_err(), Misuse::Empty);
}

#[test]
fn every_synopsis_of_the_table_reads_back() {
    for verb in VERBS.iter().filter(|verb| verb.served()) {
        let mut line = verb.word.to_owned();
        for option in verb.options.iter().filter(|option| option.served) {
            line.push_str(&format!(" --{} {}", option.name, example(option.kind)));
        }
        for argument in verb.arguments {
            let dashes = if argument.kind == Kind::Text { "-- " } else { "" };
            line.push_str(&format!(" {dashes}{}", example(argument.kind)));
        }
        assert_eq!(ok(&line).verb.word, verb.word, "{line}");
    }
}

fn example(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "",
        Kind::Role => "web-restart",
        Kind::Place | Kind::Target | Kind::Targets => "web-1",
        Kind::User => "alice",
        Kind::Id => "r-7K2Q4M",
        Kind::Session => "s-7K2Q4M9D",
        Kind::Digest => "4f9a",
        Kind::Duration | Kind::Time => "5m",
        Kind::Number => "5",
        Kind::Choice(words) => words[0],
        Kind::Word => "word",
        Kind::Text | Kind::Verbatim => "some text",
    }
}
