//! The matcher against one that tries everything, on random patterns and lines.

use proptest::prelude::*;

use super::*;

/// A piece of a pattern: what is written, what it wants of the words, whether it is optional.
#[derive(Clone, Debug)]
enum Want {
    Word(&'static str),
    /// A number of one digit behind a prefix; up to so many.
    Number(&'static str, usize),
    /// A word of letters.
    Letters,
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "-c", "-d=1"]).prop_map(Want::Word),
        prop::sample::select(vec![("", 1), ("", 3), ("-d=", 1), ("a", 1)])
            .prop_map(|(before, most)| Want::Number(before, most)),
        Just(Want::Letters),
    ]
}

fn piece() -> impl Strategy<Value = (bool, Vec<Want>)> {
    let group = (prop::sample::select(vec!["a", "b", "-c", "-e"]), prop::collection::vec(want(), 0..2)).prop_map(
        |(first, rest)| {
            let mut wants = vec![Want::Word(first)];
            wants.extend(rest);
            (true, wants)
        },
    );
    prop_oneof![group, want().prop_map(|one| (false, vec![one]))]
}

/// The pattern as text, and its parameters.
fn written(pieces: &[(bool, Vec<Want>)]) -> (String, Vec<Parameter>) {
    let (mut text, mut kinds) = ("/bin/x".to_owned(), Vec::new());
    for (optional, wants) in pieces {
        let words: Vec<String> = wants
            .iter()
            .map(|want| match want {
                Want::Word(word) => (*word).to_owned(),
                Want::Number(before, most) => {
                    kinds.push(number().at_most(*most));
                    format!("{before}{{p{}{}}}", kinds.len(), if *most > 1 { "..." } else { "" })
                }
                Want::Letters => {
                    let kind = Kind::Pattern(ValuePattern::new("[a-z]+", false).unwrap());
                    kinds.push(Parameter::new(kind, false, false));
                    format!("{{p{}}}", kinds.len())
                }
            })
            .collect();
        let words = words.join(" ");
        text.push_str(&if *optional { format!(" [{words}]") } else { format!(" {words}") });
    }
    (text, kinds)
}

/// In how many ways `words` can be read, by trying every order of the groups.
fn ways(pieces: &[(bool, Vec<Want>)], words: &[&str]) -> usize {
    let Some((first, rest)) = pieces.split_first() else { return usize::from(words.is_empty()) };
    if !first.0 {
        return taken(&first.1, words).into_iter().map(|used| ways(rest, &words[used..])).sum();
    }
    let together = pieces.iter().take_while(|piece| piece.0).count();
    let (groups, after) = pieces.split_at(together);
    among(groups, after, words)
}

/// As [`ways`], of neighbours that may stand in any order, and what comes after them.
fn among(groups: &[(bool, Vec<Want>)], after: &[(bool, Vec<Want>)], words: &[&str]) -> usize {
    let mut found = ways(after, words);
    for at in 0..groups.len() {
        let mut others = groups.to_vec();
        let group = others.remove(at);
        for used in taken(&group.1, words) {
            found += among(&others, after, &words[used..]);
        }
    }
    found
}

/// How many words the wants can take, each way once.
fn taken(wants: &[Want], words: &[&str]) -> Vec<usize> {
    let Some((want, rest)) = wants.split_first() else { return vec![0] };
    let digit = |word: &str| word.len() == 1 && ("1"..="9").contains(&word);
    let mut found = Vec::new();
    let most = match want {
        Want::Number(_, most) => *most,
        _ => 1,
    };
    for count in 1..=most.min(words.len()) {
        let fits = match want {
            Want::Word(word) => words[count - 1] == *word,
            Want::Number(before, _) => words[count - 1].strip_prefix(before).is_some_and(digit),
            Want::Letters => words[count - 1].bytes().all(|byte| byte.is_ascii_lowercase()),
        };
        if !fits {
            break;
        }
        found.extend(taken(rest, &words[count..]).into_iter().map(|used| used + count));
    }
    found
}

fn line() -> impl Strategy<Value = Vec<&'static str>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "-c", "-e", "-d=1", "1", "2", "a1", "zz"]), 0..7)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_allowed_exactly_when_trying_everything_finds_a_way(
        pieces in prop::collection::vec(piece(), 0..5),
        lines in prop::collection::vec(line(), 12),
    ) {
        let (text, kinds) = written(&pieces);
        let pattern = Pattern::parse(&text).unwrap();
        if pattern.ambiguity(&kinds).is_none() {
            for words in lines {
                let found = ways(&pieces, &words);
                prop_assert!(found <= 1, "{} reads {:?} in {} ways", text, words, found);
                let line = Words::split(format!("x {}", words.join(" ")).as_bytes()).unwrap();
                prop_assert_eq!(pattern.matches(&kinds, line.as_slice()).is_ok(), found == 1, "{} and {:?}", text, words);
            }
        }
    }

    #[test]
    fn what_is_printed_reads_as_it_was(pieces in prop::collection::vec(piece(), 0..5)) {
        let (text, _) = written(&pieces);
        let pattern = Pattern::parse(&text).unwrap();
        prop_assert_eq!(pattern.to_string(), text);
        prop_assert_eq!(Pattern::parse(&pattern.to_string()).unwrap(), pattern);
    }
}
