//! `policy::words`: the only way from a typed line to an argument vector.

use doorward::domain::limits::LINE;
use doorward::domain::text::{is_printable, shell_word};
use doorward::policy::Words;

use super::shown_safely;

/// What is accepted means to a POSIX splitter the same words as to us, and comes back when it is written again, quoted in
/// either of our ways. What is refused is refused with a column inside the line.
pub(super) fn words(data: &[u8]) -> bool {
    let split = Words::split(data);
    assert_eq!(split, Words::split(data), "another answer for the same line");
    let words = match split {
        Ok(words) => words,
        Err(error) => {
            let characters = String::from_utf8_lossy(data).chars().count();
            assert!(error.column().is_none_or(|column| (1..=characters).contains(&column)), "{error:?}");
            error.lines().iter().for_each(|line| shown_safely(line, 300));
            shown_safely(&error.to_string(), 600);
            return false;
        }
    };
    let line = std::str::from_utf8(data).expect("words come of UTF-8 alone");
    let list: Vec<&str> = words.iter().collect();
    assert!(line.len() <= LINE && !list.is_empty());
    assert!(line.chars().all(is_printable), "an accepted line is shown as it is");
    assert!(list.iter().map(|word| word.len()).sum::<usize>() <= line.len(), "words came from nowhere");
    columns(line, &words);

    let posix = shlex::split(line).expect("a POSIX splitter finds no end");
    assert_eq!(list, posix, "a POSIX splitter reads other words");
    let quoted: Vec<String> = list.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
    let shown: Vec<String> = list.iter().map(|word| shell_word(word)).collect();
    for again in [quoted.join(" "), shown.join("  ")] {
        // Quoting lengthens, and the bound counts that.
        if again.len() <= LINE {
            let again = Words::split(again.as_bytes()).unwrap_or_else(|error| panic!("{again:?}: {error}"));
            assert_eq!(list, again.iter().collect::<Vec<_>>(), "quoting changed the words");
        }
    }
    true
}

/// Columns rise, stand on something, and follow a blank.
fn columns(line: &str, words: &Words) {
    let characters: Vec<char> = line.chars().collect();
    let mut before = 0;
    for word in words.as_slice() {
        let at = word.column() - 1;
        assert!(word.column() > before && characters[at] != ' ', "{word:?}");
        assert!(at == 0 || characters[at - 1] == ' ', "{word:?} begins inside another");
        before = word.column();
    }
}
