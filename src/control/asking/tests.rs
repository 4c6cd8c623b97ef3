use super::*;
use crate::policy::{Role, Words};

const ROLE: &str = r#"targets = ["*"]
run_as = "ops"
[[command]]
run = "/usr/bin/grep -F -e {text} {file}"
where.text = { text = 50 }
where.file = { path = "/var/log/**" }
"#;

fn role() -> Role {
    Role::parse("logs".parse().unwrap(), "roles/logs.toml", ROLE).unwrap().0
}

fn nearest_of(role: &Role, text: &str) -> Vec<String> {
    let words = Words::split(text.as_bytes()).unwrap();
    let line = Line { text, words: &words, files: true };
    let (rule, _, miss) = role.nearest(None, &words).unwrap();
    let nearest = Nearest { role: role.name().clone(), rule, usage: role.rules()[0].usage().to_owned(), miss };
    line.nearest(&nearest, Some(role))
}

#[test]
fn the_caret_covers_the_word_as_it_was_typed_quotes_included() {
    let role = role();
    let rows = [
        ("grep -F -e 'a b' /etc/shadow", "  grep -F -e 'a b' /etc/shadow", "                   ^^^^^^^^^^^"),
        ("grep -F -e '@a b'   /var/log/x", "  grep -F -e '@a b'   /var/log/x", "             ^^^^^^"),
        ("grep -F -e 'a b'", "  grep -F -e 'a b'", "                   ^"),
    ];
    for (text, above, below) in rows {
        let lines = nearest_of(&role, text);
        assert_eq!(lines[0], "nearest: grep -F -e {text} {file} (rule 1 of logs, roles/logs.toml:4)");
        assert_eq!([lines[1].as_str(), lines[2].as_str()], [above, below], "{text}: {lines:#?}");
    }
}

/// A word of 64 KiB is not repeated for each of the roles that do not take it.
#[test]
fn of_a_long_word_a_part_is_in_each_answer() {
    let text = format!("grep -F -e {} /var/log/x", "x".repeat(60_000));
    let (role, words) = (role(), Words::split(text.as_bytes()).unwrap());
    let line = Line { text: &text, words: &words, files: false };
    let (rule, _, miss) = role.nearest(None, &words).unwrap();
    let nearest = Nearest { role: role.name().clone(), rule, usage: role.rules()[0].usage().to_owned(), miss };
    let json = nearest_json(&line, &nearest, None);
    assert_eq!(json["found"].as_str().map(str::len), Some(1000));
    assert!(json.to_string().len() < 2500, "{json}");
}

#[test]
fn of_a_long_line_the_first_words_are_shown() {
    let many = format!("run = \"/usr/bin/echo {}\"", (0..63).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "));
    let text = format!("targets = [\"*\"]\nrun_as = \"ops\"\n[[command]]\n{many}\n");
    let role = Role::parse("many".parse().unwrap(), "roles/many.toml", &text).unwrap().0;
    let text = format!("echo {}", (0..63).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" "));
    let words = Words::split(text.as_bytes()).unwrap();
    let lines = Line { text: &text, words: &words, files: false }.allowing(&role, 1);
    assert_eq!(lines.len(), 1 + 1 + WORDS_SHOWN + 1);
    assert_eq!(lines.last().unwrap(), "  and 4 words more");
}

#[test]
fn a_line_of_no_words_is_shown_with_its_place_and_cannot_move_the_cursor() {
    let text = "id \u{202e}x";
    let error = Words::split(text.as_bytes()).unwrap_err();
    let lines = problem(text, &error);
    assert_eq!(lines[0], "id \\u{202e}x");
    assert_eq!(lines[1], "   ^^^^^^^^");
}
