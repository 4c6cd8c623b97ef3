use super::*;

fn words(line: &str) -> Vec<String> {
    Words::split(line.as_bytes()).unwrap().iter().map(str::to_owned).collect()
}

fn refused(line: &str) -> WordsError {
    Words::split(line.as_bytes()).expect_err(line)
}

#[test]
fn quotes_group_and_nothing_is_expanded() {
    for (line, expected) in [
        ("uptime", &["uptime"][..]),
        ("  systemctl   restart nginx ", &["systemctl", "restart", "nginx"]),
        ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
        ("a'b'\"c\"d", &["abcd"]),
        ("'' \"\"", &["", ""]),
        (r"a\ b \; \\ \'", &["a b", ";", "\\", "'"]),
        (r#"'a;b' "x|y" '$(id)' '\'"#, &["a;b", "x|y", "$(id)", "\\"]),
        ("\"it's\" '\"'", &["it's", "\""]),
        ("echo FOO=1 =x a=b", &["echo", "FOO=1", "=x", "a=b"]),
        ("'FOO'=1", &["FOO=1"]),
        ("1a=2 x", &["1a=2", "x"]),
        ("./x=1", &["./x=1"]),
        ("ä 中 😀", &["ä", "中", "😀"]),
        ("a,b:c@d%e^f+g-h_i.j/k", &["a,b:c@d%e^f+g-h_i.j/k"]),
    ] {
        assert_eq!(words(line), expected, "{line:?}");
    }
}

#[test]
fn every_character_a_shell_would_act_on_is_named_with_its_column() {
    for found in SHELL.chars() {
        let line = format!("écho a{found}b");
        assert_eq!(refused(&line), WordsError::Shell { column: 7, found }, "{line:?}");
        assert_eq!(words(&format!("x '{found}' \\{found}")), ["x".to_owned(), found.to_string(), found.to_string()]);
    }
    let shown = refused("a; id").to_string();
    assert!(
        shown.contains("`;` at character 2 is shell syntax") && shown.contains("ssh removed the quotes"),
        "{shown}"
    );
}

#[test]
fn a_refusal_reads_as_short_lines_on_a_terminal() {
    for line in ["", "id -un; id", "it's", "a \"$b\"", "LD_PRELOAD=x id", "id -un\nid", "a \\"] {
        let shown = format!("doorward: denied: {}", refused(line).lines().join("\ndoorward: "));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
    assert_eq!(
        refused("a; id").lines(),
        [
            "`;` at character 2 is shell syntax; no shell reads this line",
            "to mean the character itself write ';'",
            "ssh removed the quotes you typed: quote the whole command once more",
        ]
    );
}

#[test]
fn what_is_not_plain_words_is_refused_where_it_stands() {
    for (line, expected) in [
        ("", WordsError::Empty),
        ("   ", WordsError::Empty),
        ("a 'b", WordsError::Open { column: 3, quote: '\'' }),
        ("it's", WordsError::Open { column: 3, quote: '\'' }),
        ("a \"b", WordsError::Open { column: 3, quote: '"' }),
        ("a \\", WordsError::Backslash { column: 3 }),
        ("a \\é", WordsError::Backslash { column: 3 }),
        ("\"a$b\"", WordsError::InDouble { column: 3, found: '$' }),
        ("\"a`b\"", WordsError::InDouble { column: 3, found: '`' }),
        ("\"a\\\"b\"", WordsError::InDouble { column: 3, found: '\\' }),
        (" LD_PRELOAD=x id", WordsError::Assignment { column: 2, name: "LD_PRELOAD".to_owned() }),
        ("A+=x id", WordsError::Assignment { column: 1, name: "A+".to_owned() }),
        ("a\nb", WordsError::Unprintable { column: 2, found: '\n' }),
        ("a\tb", WordsError::Unprintable { column: 2, found: '\t' }),
        ("'a\0b'", WordsError::Unprintable { column: 3, found: '\0' }),
        ("'a\u{202e}b'", WordsError::Unprintable { column: 3, found: '\u{202e}' }),
        ("a\u{200b}b", WordsError::Unprintable { column: 2, found: '\u{200b}' }),
        ("a\u{a0}b", WordsError::Unprintable { column: 2, found: '\u{a0}' }),
        ("a\u{9b}b", WordsError::Unprintable { column: 2, found: '\u{9b}' }),
    ] {
        assert_eq!(refused(line), expected, "{line:?}");
    }
    assert_eq!(Words::split(b"\xc3\xa4 \xff"), Err(WordsError::NotUtf8 { column: 3 }));
    assert_eq!(Words::split(&vec![b'a'; LINE + 1]), Err(WordsError::TooLong { bytes: LINE + 1 }));
}

#[test]
fn a_word_keeps_the_column_it_began_at() {
    let words = Words::split("é  'b c' d".as_bytes()).unwrap();
    let columns: Vec<usize> = words.as_slice().iter().map(Word::column).collect();
    assert_eq!(columns, [1, 4, 10]);
}
