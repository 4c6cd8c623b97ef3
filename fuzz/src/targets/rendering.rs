//! `policy::render`: the only maker of lines for a shell.

use std::time::Duration;

use doorward::policy::Words;
use doorward::policy::render::{LONGEST_LINE, RenderError, shell_line, test_line};

/// The words stand one a line; a POSIX splitter gets exactly these back, or the line is refused for a reason that is true.
/// `tests/shell_rendering.rs` asks real shells.
pub(super) fn rendering(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let argv: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let rendered = exactly_these(&argv);
    // Carriage returns, NUL and the like can only come by a fault of ours, and must not pass even then.
    exactly_these(&[text.to_owned()]);

    for stdin in [false, true] {
        let longest = Duration::from_millis(u64::from(data.first().copied().unwrap_or(0)) * 100);
        if let Ok(test) = test_line(&argv, stdin, longest) {
            let words = shlex::split(&test.line).expect("words");
            assert!(words.ends_with(&argv), "{}", test.line);
            assert_eq!(words.first().map(String::as_str), Some("exec"));
            let time = &words[words.len() - argv.len() - 1];
            assert!(
                time.strip_suffix('s').is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|s| s > 0)),
                "{time}"
            );
            assert!(test.environment.iter().all(|one| one.contains('=')));
        }
    }
    // Whatever the splitter accepts can be rendered: no word of it is a reason to fail later than at the splitter.
    if let Ok(words) = Words::split(data) {
        let argv: Vec<String> = words.iter().map(str::to_owned).collect();
        assert_ne!(shell_line(&argv), Err(RenderError::Control));
    }
    rendered
}

fn exactly_these(argv: &[String]) -> bool {
    let control = argv.iter().any(|word| word.chars().any(char::is_control));
    match shell_line(argv) {
        Ok(line) => {
            assert!(!control && line.len() <= LONGEST_LINE, "{line:?}");
            let words = shlex::split(&line).expect("words");
            assert_eq!(words.first().map(String::as_str), Some("exec"));
            assert_eq!(&words[1..], argv, "{line}");
            return true;
        }
        Err(RenderError::Control) => assert!(control),
        Err(RenderError::TooLong) => {
            assert!(argv.iter().map(|word| 4 * word.len() + 3).sum::<usize>() + 4 > LONGEST_LINE);
        }
    }
    false
}
