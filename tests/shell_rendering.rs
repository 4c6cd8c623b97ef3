//! What a target's shell makes of a rendered line is exactly the vector that was decided: tried with real shells.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails this way fails well"
)]

use std::process::Command;

use doorward::policy::render::shell_line;
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
