//! Every line of `tests/hostile/lines.txt`, through the whole decision: denied, or exactly the vector that stands there.

use doorward::domain::limits::LINE;
use doorward::policy::{Decision, Role, Words};

use crate::decide_for;

const LINES: &str = include_str!("../hostile/lines.txt");

const ROLES: [(&str, &str); 3] = [
    ("services", include_str!("../hostile/services.toml")),
    ("files", include_str!("../hostile/files.toml")),
    ("network", include_str!("../hostile/network.toml")),
];

/// A row: where it stands, the bytes, what runs if anything does.
struct Row {
    number: usize,
    line: Vec<u8>,
    runs: Option<Vec<String>>,
}

fn roles() -> Vec<Role> {
    let read = |(name, text): &(&str, &str)| {
        Role::parse(name.parse().unwrap(), name, text).unwrap_or_else(|found| panic!("{}", found[0])).0
    };
    ROLES.iter().map(read).collect()
}

/// The bytes that a row of the file stands for.
fn bytes(written: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = written;
    while let Some((before, after)) = rest.split_once('«') {
        out.extend_from_slice(before.as_bytes());
        let (inside, after) = after.split_once('»').unwrap_or_else(|| panic!("no » in {written}"));
        rest = after;
        if let Some(code) = inside.strip_prefix("U+") {
            let code = u32::from_str_radix(code, 16).unwrap_or_else(|_| panic!("{written}"));
            out.extend_from_slice(char::from_u32(code).unwrap().to_string().as_bytes());
        } else if let Some((text, times)) = inside.rsplit_once('*') {
            out.extend_from_slice(text.repeat(times.parse().unwrap_or_else(|_| panic!("{written}"))).as_bytes());
        } else if !inside.is_empty() {
            out.push(u8::from_str_radix(inside, 16).unwrap_or_else(|_| panic!("{written}")));
        }
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The groups of the file, each with its rows.
fn groups() -> Vec<(&'static str, Vec<Row>)> {
    let mut groups: Vec<(&str, Vec<Row>)> = Vec::new();
    for (text, number) in LINES.lines().zip(1..) {
        if let Some(name) = text.strip_prefix("## ") {
            groups.push((name, Vec::new()));
        } else if !text.is_empty() && !text.starts_with("# ") && text != "#" {
            let rows = &mut groups.last_mut().unwrap_or_else(|| panic!("{number}: before the first group")).1;
            match text.split_at_checked(2) {
                Some((mark @ ("- " | "+ "), line)) => {
                    rows.push(Row { number, line: bytes(line), runs: (mark == "+ ").then(Vec::new) });
                }
                Some(("= ", vector)) => {
                    let words = vector.split(" ¦ ").map(|word| String::from_utf8(bytes(word)).unwrap());
                    rows.last_mut().unwrap().runs.as_mut().unwrap_or_else(|| panic!("{number}")).extend(words);
                }
                _ => panic!("{number}: {text}"),
            }
        }
    }
    groups
}

/// What the rules of the three roles mean, written down once more by hand and much simpler: which vectors may ever run.
fn meant(vector: &[&str]) -> bool {
    let number = |word: &str, most: u32| {
        word.bytes().all(|b| b.is_ascii_digit())
            && !word.starts_with('0')
            && word.parse::<u32>().is_ok_and(|n| n <= most)
    };
    let below = |folder: &str, path: &str| {
        path.strip_prefix(folder).is_some_and(|rest| {
            rest.split('/').all(|name| {
                !name.is_empty()
                    && !name.starts_with('.')
                    && name.chars().all(|c| c.is_ascii() && !"*?[]{}".contains(c))
            })
        })
    };
    let table = |path: &str| below("/srv/", path) && !path[5..].contains('/') && path.ends_with(".csv");
    let unit = |word: &str| ["nginx", "php-fpm"].contains(&word);
    match vector {
        ["/usr/bin/sudo", "-n", "/usr/bin/systemctl", "restart", name] => unit(name),
        ["/usr/bin/sudo", "-n", "/usr/sbin/nginx", "-s", "reload"] | ["/usr/bin/uptime" | "/usr/bin/date"] => true,
        ["/usr/bin/sudo", "-n", "/usr/sbin/ipset", "test", net] => net.starts_with("10.") && net.contains('/'),
        ["/usr/bin/systemctl", "status", name] => {
            name.bytes().all(|b| b.is_ascii_alphanumeric() || b"@.-_:".contains(&b))
        }
        ["/usr/bin/journalctl", "--no-pager", rest @ ..] => {
            let mut rest = rest.iter();
            let mut seen = Vec::new();
            while let Some(option) = rest.next() {
                let (name, fits) = match *option {
                    "-u" => ("-u", rest.next().is_some_and(|word| unit(word))),
                    "-n" => ("-n", rest.next().is_some_and(|word| number(word, 100))),
                    "-r" => ("-r", true),
                    other => ("--since", ["--since=today", "--since=2026-01-01"].contains(&other)),
                };
                if !fits || seen.contains(&name) {
                    return false;
                }
                seen.push(name);
            }
            true
        }
        ["/usr/bin/sleep", time] => ["9min59s", "600s"].contains(time),
        ["/usr/bin/tail", "-n", lines, path] => number(lines, 100) && below("/var/log/", path),
        ["/usr/bin/tail", path] => below("/var/log/", path),
        ["/usr/bin/wc", "-l", files @ ..] => (1..=3).contains(&files.len()) && files.iter().all(|path| table(path)),
        ["/usr/bin/head", lines, path] => lines.strip_prefix("-n").is_some_and(|lines| number(lines, 9)) && table(path),
        ["/usr/bin/logger", text] => {
            (1..=40).contains(&text.len())
                && text.is_ascii()
                && !text.starts_with(['-', '@'])
                && !text.contains(['*', '?', '[', '{'])
        }
        ["/usr/bin/note", words] => (1..=4096).contains(&words.len()) && !words.chars().any(char::is_control),
        ["/usr/bin/id", user] => !user.is_empty() && user.bytes().all(|b| b.is_ascii_lowercase()),
        ["/usr/bin/ping", "-c", count, host] => {
            number(count, 5) && host.starts_with("db-") && host.ends_with(".example.com")
        }
        ["/usr/sbin/ip", "route", "get", address] => address.starts_with("10.") || address.starts_with("fd"),
        ["/usr/bin/nc", "-z", host, port] => {
            host.ends_with(".example.com") && port.len() == 4 && port.starts_with("80")
        }
        _ => false,
    }
}

#[test]
fn every_line_of_the_table_is_denied_or_runs_exactly_as_written() {
    let (roles, groups) = (roles(), groups());
    let denied = groups.iter().flat_map(|(_, rows)| rows).filter(|row| row.runs.is_none()).count();
    assert!(denied >= 300 && groups.len() >= 20, "{denied} lines in {} groups", groups.len());
    let mut wrong = Vec::new();
    for (trick, rows) in &groups {
        // Denied for the trick, and not because nothing of this form could run.
        assert!(rows.iter().any(|row| row.runs.is_some()), "{trick}: no line passes");
        for Row { number, line, runs } in rows {
            let shown = || format!("{number}, {trick}: {}", String::from_utf8_lossy(&line[..line.len().min(80)]));
            match (decide_for(line, &roles), runs) {
                (None | Some(Decision::Deny(_)), None) => {}
                (Some(Decision::Allow(permit)), Some(vector)) if permit.command() == *vector => {
                    let command = permit.command();
                    let words: Vec<&str> = command.iter().map(String::as_str).collect();
                    assert!(meant(&words), "{}: no rule means {words:?}", shown());
                    // What the target's shell reads is that vector and nothing behind it.
                    assert!(permit.argv().ends_with(&command), "{}", shown());
                    let read = shlex::split(permit.line()).unwrap();
                    assert_eq!(read[0], "exec", "{}", shown());
                    assert_eq!(&read[1..], permit.argv(), "{}", shown());
                    // Every word that was typed is a part of the rule that is named.
                    let role = roles.iter().find(|role| role.name() == permit.role()).unwrap();
                    let typed = Words::split(line).unwrap();
                    let trace = role.trace(permit.rule(), &typed).unwrap();
                    assert!(trace.words.iter().map(|word| word.text.as_str()).eq(typed.iter()), "{}", shown());
                }
                (came, _) => wrong.push(format!(
                    "{}: {}",
                    shown(),
                    match came {
                        Some(Decision::Allow(permit)) => format!("{:?}", permit.command()),
                        other => format!("{other:?}"),
                    }
                )),
            }
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn rows_of_the_table_say_what_they_mean_and_none_stands_twice() {
    assert_eq!(bytes("a«FF»b«U+00E9»«x*3»«»"), b"a\xffb\xc3\xa9xxx");
    let mut seen = std::collections::BTreeSet::new();
    for (trick, rows) in groups() {
        for row in rows {
            assert!(seen.insert(row.line), "{trick}: row {} stands there twice", row.number);
        }
    }
    assert!(seen.iter().any(|line| line.len() > LINE) && seen.iter().any(|line| line.len() > LINE - 1024));
}
