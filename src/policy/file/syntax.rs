//! What is wrong with a text that is no TOML, in words for its author. Of files of ours other than roles too.

use std::ops::Range;

use toml::de::DeValue;

/// One syntax error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SyntaxProblem {
    /// Where, if that can be said.
    pub place: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if that can be said.
    pub help: Option<&'static str>,
}

/// The first `most` of `errors`, which the TOML reader found in `text`.
#[must_use]
pub fn syntax_problems(text: &str, errors: &[toml::de::Error], most: usize) -> Vec<SyntaxProblem> {
    let mut problems: Vec<SyntaxProblem> = Vec::new();
    for error in errors {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let (message, help) =
            in_our_words(&message).map_or((message, None), |(ours, help)| (ours.to_owned(), Some(help)));
        let deep = message.contains("recurs");
        let place = error.span().or_else(|| deep.then(|| most_dotted(text)).flatten());
        let problem = if deep {
            let help = Some("no file of doorward needs more than four levels");
            SyntaxProblem { place, message: "tables and lists are nested too deep here".to_owned(), help }
        } else {
            SyntaxProblem { place, message, help }
        };
        // One bracket too deep is found again at each further one, and a missing one for each that is open.
        let same = |known: &SyntaxProblem| known.message == problem.message && (deep || known.place == problem.place);
        if problems.iter().any(same) {
            continue;
        }
        problems.push(problem);
        if problems.len() == most {
            break;
        }
    }
    problems
}

/// What a value is, in the words in which files are spoken of to their authors.
#[must_use]
pub fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// What the TOML reader says most often, and what to write instead. What it says besides is shown as it is.
fn in_our_words(message: &str) -> Option<(&'static str, &'static str)> {
    Some(match message {
        "duplicate key" => ("this key stands here for the second time", "take one of the two out"),
        "key with no value, expected `=`" => {
            ("this key has no value", "write `key = \"text\"`, or a `#` before a remark")
        }
        "string values must be quoted, expected literal string" => {
            ("a text stands in quotes", "write it between straight quotes: \"…\" or '…'")
        }
        "invalid basic string, expected `\"`" => {
            ("this text has no end", "write the closing `\"`, on the line on which the text begins")
        }
        "invalid literal string, expected `'`" => {
            ("this text has no end", "write the closing `'`, on the line on which the text begins")
        }
        "unclosed array table, expected `]`" => ("the name of this table has no end", "write `[[name]]`"),
        "unclosed table, expected `]`" => ("the name of this table has no end", "write `[name]`"),
        "unclosed array, expected `]`" => ("this list has no end", "write the closing `]`"),
        _ => return None,
    })
}

/// The beginning of the line with the most dots: the reader does not say where a name was too long.
fn most_dotted(text: &str) -> Option<Range<usize>> {
    let mut at = 0;
    let mut most = (0, 0..0);
    for line in text.split_inclusive('\n') {
        let dots = line.matches('.').count();
        if dots > most.0 {
            let end = line.char_indices().nth(20).map_or(line.trim_end().len(), |(end, _)| end);
            most = (dots, at..at + end);
        }
        at += line.len();
    }
    (most.0 > 0).then_some(most.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<SyntaxProblem> {
        syntax_problems(text, &toml::de::DeTable::parse_recoverable(text).1, 100)
    }

    /// Far deeper than any stack; tests/configuration/ has them as large as a file may be.
    #[test]
    fn nesting_of_any_depth_is_one_error_with_a_place() {
        let bombs = [
            ("a dotted key", format!("x = 1\n{}b = 1", "a.".repeat(50_000)), 6),
            ("a header", format!("x = 1\n[{}b]\n", "a.".repeat(50_000)), 6),
            ("a list of lists", format!("x = 1\na = {}", "[".repeat(50_000)), 0),
            ("that ends", format!("x = 1\na = {}{}", "[".repeat(50_000), "]".repeat(50_000)), 0),
            ("tables in tables", format!("x = 1\na = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000)), 0),
            ("a dotted key inside", format!("x = 1\na = {{ {}b = 1 }}", "a.".repeat(50_000)), 6),
        ];
        for (what, text, start) in bombs {
            let problems = of(&text);
            let deep: Vec<_> = problems.iter().filter(|problem| problem.message.contains("too deep")).collect();
            let [deep] = deep[..] else { panic!("{what}: {problems:?}") };
            let place = deep.place.clone().unwrap();
            assert!(start == 0 || place.start == start, "{what}: {place:?}");
            assert!(place.start >= 6 && text.get(place).is_some(), "{what}");
        }
    }

    /// So that a newer reader with other words is noticed.
    #[test]
    fn the_slips_that_people_make_are_told_in_our_words_with_what_to_write() {
        let rows = [
            ("a = 1\na = 2\n", "for the second time"),
            ("bad\n", "has no value"),
            ("a = word\n", "between straight quotes"),
            ("a = \u{201c}word\u{201d}\n", "between straight quotes"),
            ("a = \"word\n", "the closing `\"`"),
            ("a = 'word\n", "the closing `'`"),
            ("[[a]\nb = 1\n", "`[[name]]`"),
            ("[a\nb = 1\n", "`[name]`"),
            ("a = [1\n", "the closing `]`"),
            ("a = [[[[[[1\n", "the closing `]`"),
        ];
        for (text, wanted) in rows {
            let problems = of(text);
            let first = problems.first().unwrap();
            let said = format!("{}; {}", first.message, first.help.unwrap_or("none"));
            assert!(said.contains(wanted), "{text:?}: {problems:?}");
            assert!(problems.len() < 3, "{text:?}: {problems:?}");
        }
    }

    #[test]
    fn no_more_problems_are_told_than_asked_for() {
        let text = "]\n".repeat(10_000);
        assert_eq!(of(&text).len(), 100);
        assert_eq!(of("a = 1\n"), []);
        let twice = of("a = 1\na = 2\n");
        assert_eq!(twice.len(), 1, "{twice:?}");
        assert_eq!(twice[0].place, Some(6..7), "{twice:?}");
    }
}
