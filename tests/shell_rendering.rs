//! What a target's shell makes of a rendered line is exactly the vector that was decided: tried with real shells.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::process::Command;

use doorward::policy::render::{LONGEST_LINE, RenderError, shell_line};
use proptest::prelude::*;

const SHELLS: [&[&str]; 5] = [
    &["/bin/sh", "-c"],
    &["/usr/bin/dash", "-c"],
    &["/bin/bash", "-c"],
    &["/usr/bin/busybox", "sh", "-c"],
    &["/usr/bin/zsh", "-f", "-c"],
];

/// What a program that `shell` starts for `line` gets as its arguments.
fn arguments(shell: &[&str], words: &[String]) -> Vec<String> {
    // `printf` of coreutils, not a builtin: the line begins with `exec` and names it by its path.
    let mut argv = vec!["/usr/bin/printf".to_owned(), "%s\\n".to_owned()];
    argv.extend(words.iter().cloned());
    let line = shell_line(&argv).unwrap();
    let output = Command::new(shell[0]).args(&shell[1..]).arg(&line).output().unwrap();
    assert!(output.status.success(), "{shell:?}: {line}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.strip_suffix('\n').unwrap_or(&text).split('\n').map(str::to_owned).collect()
}

#[test]
fn hostile_words_round_trip_through_every_shell() {
    let words: Vec<String> = [
        "",
        "'",
        "''",
        "'\\''",
        "\\",
        "\\\\",
        "\"",
        "$",
        "$(id)",
        "`id`",
        "${x}",
        "$'a'",
        "!",
        "!!",
        "a!b",
        "^a^b",
        "#",
        "~",
        "~root",
        "*",
        "?",
        "[a]",
        "{a,b}",
        "{1..3}",
        ";",
        "&",
        "&&",
        "|",
        "<",
        ">",
        "(",
        ")",
        " ",
        "  a  ",
        "=ls",
        "=",
        "A=b",
        "-n",
        "--",
        "-",
        "%s",
        "%n",
        "\\n",
        "\\0",
        "é",
        "中文",
        "😀",
        "\u{301}",
        "a'b\"c$d`e\\f",
        "';id;'",
        "\\';id;\\'",
        "$IFS",
        "@(a|b)",
        "<(id)",
        "a\\",
        "'a",
        "a'",
        "noglob",
        "1>&2",
    ]
    .iter()
    .map(|word| (*word).to_owned())
    .collect();
    for shell in SHELLS {
        assert_eq!(arguments(shell, &words), words, "{shell:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_words_round_trip_through_every_shell(
        words in prop::collection::vec("[ -~]{0,12}|['\"\\\\$`!*?\\[\\]{}();&|<>~#= -]{0,8}|\\PC{0,6}", 1..12)
    ) {
        for shell in SHELLS {
            prop_assert_eq!(arguments(shell, &words), words.clone(), "{:?}", shell);
        }
    }
}

#[test]
fn what_a_shell_would_cut_or_split_is_refused() {
    for word in ["a\0b", "a\nb", "\r", "\u{85}"] {
        assert!(shell_line(&["/bin/echo".to_owned(), word.to_owned()]).is_err(), "{word:?}");
    }
}

/// As [`arguments`], each argument with a NUL behind it, so that nothing is lost between them.
fn exactly(shell: &[&str], words: &[String]) -> Vec<String> {
    let mut argv = vec!["/usr/bin/printf".to_owned(), "%s\\0".to_owned()];
    argv.extend(words.iter().cloned());
    let line = shell_line(&argv).unwrap();
    let output = Command::new(shell[0]).args(&shell[1..]).arg(&line).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{shell:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.strip_suffix('\0').unwrap();
    text.split('\0').map(str::to_owned).collect()
}

/// A word of any kind: empty, of shell syntax, of any characters, controls and newlines among them, long.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just(String::new()),
        4 => "['\"\\\\$`!*?\\[\\]{}();&|<>~#=^%@+, -]{1,12}",
        4 => "[ -~]{1,20}",
        2 => "\\PC{1,8}",
        1 => any::<String>(),
        1 => "[a-z\\n\\t]{1,4}",
        1 => ("['x $]", 1_usize..9_000).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_vector_arrives_exactly_or_is_refused(words in prop::collection::vec(word(), 1..10)) {
        let mut argv = vec!["/usr/bin/printf".to_owned()];
        argv.extend(words.iter().cloned());
        let control = words.iter().flat_map(|word| word.chars()).any(char::is_control);
        let bytes: usize = words.iter().map(|word| word.replace('\'', "'\\''").len() + 3).sum();
        match shell_line(&argv) {
            // `printf` and its format are what is missing of the whole.
            Ok(_) if bytes < LONGEST_LINE - 40 => {
                prop_assert!(!control);
                for shell in SHELLS {
                    prop_assert_eq!(exactly(shell, &words), words.clone(), "{:?}", shell);
                }
            }
            Ok(_) => prop_assert!(!control && bytes <= LONGEST_LINE),
            Err(RenderError::Control) => prop_assert!(control),
            Err(RenderError::TooLong) => prop_assert!(bytes > LONGEST_LINE - 40),
        }
    }
}

/// The longest line that is rendered reaches the program whole; a vector of 100 KB, and one byte too many, are refused.
#[test]
fn the_longest_line_arrives_whole_and_a_longer_one_is_refused() {
    let room =
        LONGEST_LINE - shell_line(&["/usr/bin/printf".to_owned(), "%s\\0".to_owned(), String::new()]).unwrap().len();
    let longest = ["a".repeat(room), "'".repeat(room / 4), "é".repeat(room / 2), " ".repeat(room)];
    for word in longest {
        for shell in SHELLS {
            assert_eq!(exactly(shell, std::slice::from_ref(&word)), std::slice::from_ref(&word), "{shell:?}");
        }
        let more = ["/usr/bin/printf".to_owned(), "%s\\0".to_owned(), format!("{word}aaaa")];
        assert_eq!(shell_line(&more), Err(RenderError::TooLong));
    }
    let many: Vec<String> = (0..3).map(|_| "b".repeat(10_000)).chain(std::iter::repeat_n(String::new(), 500)).collect();
    for shell in SHELLS {
        assert_eq!(exactly(shell, &many), many, "{shell:?}");
    }
    let huge = |word: &str| shell_line(&["/bin/echo".to_owned(), word.repeat(100_000)]);
    assert_eq!((huge("x"), huge("'")), (Err(RenderError::TooLong), Err(RenderError::TooLong)));
    assert_eq!(shell_line(&vec![String::new(); 100_000]), Err(RenderError::TooLong));
}
