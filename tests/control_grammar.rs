//! The control line as anybody may type it, and the page that describes it.

use doorward::control::arguments::{Misuse, read};
use doorward::control::line::Line;
use doorward::control::verb::{Name, Rights, VERBS, Who};
use proptest::prelude::*;

const EVERYBODY: [Rights; 4] = [
    Rights { approver: false, reviewer: false },
    Rights { approver: true, reviewer: false },
    Rights { approver: false, reviewer: true },
    Rights { approver: true, reviewer: true },
];

/// Words that are likely to reach deep into the reader.
fn likely_word() -> impl Strategy<Value = String> {
    let verbs: Vec<&str> = VERBS.iter().flat_map(|verb| verb.word.split(' ')).collect();
    let options: Vec<String> =
        VERBS.iter().flat_map(|verb| verb.options).map(|option| format!("--{}", option.name)).collect();
    prop_oneof![
        proptest::sample::select(verbs).prop_map(str::to_owned),
        proptest::sample::select(options.clone()),
        proptest::sample::select(options).prop_map(|option| option + "="),
        proptest::sample::select(vec![
            "r-7K2Q4M", "web-1", "30m", "--", "'", "\"", "'a", "b'", "=", "4f9a", "a,b", "ä"
        ])
        .prop_map(str::to_owned),
    ]
}

/// Text without control characters.
fn plain() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{0,40}"
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for rights in EVERYBODY {
            let _ = read(&bytes, rights);
        }
    }

    #[test]
    fn no_order_of_words_is_too_strange(words in proptest::collection::vec(likely_word(), 0..12), gap in " {1,3}") {
        for rights in EVERYBODY {
            let _ = read(words.join(&gap).as_bytes(), rights);
        }
    }

    #[test]
    fn a_control_character_is_refused_wherever_it_stands(before in plain(), after in plain(), c in "\\p{Cc}") {
        let line = format!("{before}{c}{after}");
        prop_assert!(matches!(read(line.as_bytes(), EVERYBODY[0]), Err(Misuse::Line(_))));
    }

    #[test]
    fn the_verbatim_rest_is_verbatim(rest in plain()) {
        prop_assume!(!rest.trim_matches(' ').is_empty() && !rest.trim_start_matches(' ').starts_with("-- ") && rest.trim_matches(' ') != "--");
        let line = format!("why web-1 {rest}");
        let arguments = read(line.as_bytes(), EVERYBODY[0]).map_err(|misuse| TestCaseError::fail(format!("{misuse:?}")))?;
        prop_assert_eq!(arguments.text("COMMAND"), Ok(rest.trim_start_matches(' ')));
    }

    #[test]
    fn what_follows_two_dashes_is_verbatim(rest in plain()) {
        prop_assume!(!rest.trim_matches(' ').is_empty());
        for line in [format!("why web-1 -- {rest}"), format!("deny r-7K2Q4M -- {rest}")] {
            let arguments = read(line.as_bytes(), EVERYBODY[0]).map_err(|misuse| TestCaseError::fail(format!("{misuse:?}")))?;
            let text = arguments.text("COMMAND").or(arguments.text("TEXT"));
            prop_assert_eq!(text, Ok(rest.trim_start_matches(' ')));
        }
    }

    #[test]
    fn balanced_quotes_group_and_nothing_else_does(inside in "[a-z '\"$`;|]{0,20}", quote in "['\"]") {
        prop_assume!(!inside.contains(&quote));
        let line = format!("first {quote}{inside}{quote} last");
        let mut reader = Line::new(line.as_bytes()).unwrap();
        let words: Vec<String> = std::iter::from_fn(|| reader.word()).map(|piece| piece.text).collect();
        prop_assert_eq!(words, ["first".to_owned(), inside, "last".to_owned()]);
    }

    #[test]
    fn without_quotes_the_words_are_those_between_blanks(line in "[^\\p{Cc}'\"]{0,60}") {
        let mut reader = Line::new(line.as_bytes()).unwrap();
        let words: Vec<String> = std::iter::from_fn(|| reader.word()).map(|piece| piece.text).collect();
        let expected: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        prop_assert_eq!(words, expected);
    }

    #[test]
    fn free_text_loses_nothing_but_the_blanks_around_it(text in "[a-z][a-z'\"$ ;-]{0,40}") {
        prop_assume!(!text.contains(" --"));
        let line = format!("request web --reason {text} --no-wait");
        let arguments = read(line.as_bytes(), EVERYBODY[0]).map_err(|misuse| TestCaseError::fail(format!("{misuse:?}")))?;
        prop_assert_eq!(arguments.text("reason"), Ok(text.trim_matches(' ')));
        prop_assert!(arguments.flag("no-wait"));
    }
}

/// A line that makes every quadratic reader slow.
#[test]
fn the_longest_hostile_lines_are_read_in_no_time() {
    let started = std::time::Instant::now();
    for piece in ["'a ", "\"' ", " -- ", "--reason ' --", "x", " ", "=\"", "--reason \" --x"] {
        let fill = piece.repeat(65_000 / piece.len());
        for prefix in ["", "request web --reason ", "why web-1 ", "deny r-7K2Q4M "] {
            let line = format!("{prefix}{}", fill.get(..65_000).unwrap_or(&fill));
            let _ = read(line.as_bytes(), EVERYBODY[3]);
        }
    }
    assert!(started.elapsed().as_secs() < 2, "{:?}", started.elapsed());
}

const BEGIN: &str = "<!-- verbs: written by `DOORWARD_UPDATE_DOCS=1 cargo test --test control_grammar` -->\n";
const END: &str = "<!-- end of verbs -->\n";

/// The reference is the table of verbs, and nothing that the build does not do.
#[test]
fn the_page_describes_the_verbs_that_there_are() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/control-verbs.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let reference = reference();
    if std::env::var_os("DOORWARD_UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{reference}{END}{after}")).unwrap();
        return;
    }
    assert!(found == reference, "docs/control-verbs.md is not what the table of verbs says; see the comment in it");
}

fn reference() -> String {
    let mut out = String::new();
    for verb in VERBS.iter().filter(|verb| verb.served()) {
        let who = match verb.who {
            Who::Anyone => "everybody",
            Who::Approver => "approvers of the role",
            Who::ApproverOrReviewer => "approvers of the role, reviewers",
            Who::Reviewer => "reviewers; for anybody else there is no such verb",
        };
        let synopsis = verb.synopsis(EVERYBODY[3]);
        out.push_str(&format!("\n### {}\n\n`{synopsis}`\n\nFor {who}: {}.\n", verb.word, verb.summary));
        if !verb.help.is_empty() {
            out.push_str(&format!("\n```text\n{}\n```\n", verb.help.replace("{bastion}", "bastion")));
        }
        let options: Vec<_> = verb.options.iter().filter(|option| option.served).collect();
        if !options.is_empty() {
            out.push_str("\n| option | meaning |\n|---|---|\n");
        }
        for option in options {
            let reviewers = if option.reviewer { " (reviewers)" } else { "" };
            let written = format!("--{} {}", option.name, option.value);
            out.push_str(&format!("| `{}` | {}{reviewers} |\n", written.trim_end(), option.help));
        }
    }
    let absent: Vec<String> =
        VERBS.iter().filter(|verb| verb.name == Name::NotServed).map(|verb| format!("`{}`", verb.word)).collect();
    let follow = VERBS.iter().flat_map(|verb| verb.options.iter().map(move |option| (verb, option)));
    let follow: Vec<String> = follow
        .filter(|(_, option)| !option.served)
        .map(|(verb, option)| format!("`{} --{}`", verb.word, option.name))
        .collect();
    let absent = [absent, follow].concat().join(", ");
    out.push_str(&format!("\n### Not served by this build yet\n\nRefused by name, exit code 2: {absent}.\n\n"));
    out
}
