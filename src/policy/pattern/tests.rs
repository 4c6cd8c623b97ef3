use super::*;
use crate::policy::parameter::{Kind, Parameter, PathPattern, ValuePattern};
use crate::policy::words::Words;

fn any() -> Parameter {
    Parameter::new(Kind::Pattern(ValuePattern::new("[a-z0-9]+", false).unwrap()), false, false)
}

fn number() -> Parameter {
    Parameter::new(Kind::Int { min: 1, max: 9 }, false, false)
}

fn path() -> Parameter {
    Parameter::new(Kind::Path(PathPattern::new("/var/*").unwrap()), false, false)
}

fn read(pattern: &str, parameters: &[Parameter], line: &str) -> Result<Match, Box<Miss>> {
    Pattern::parse(pattern).unwrap().matches(parameters, Words::split(line.as_bytes()).unwrap().as_slice())
}

#[test]
fn groups_are_optional_and_in_any_order_each_once() {
    let (pattern, kinds) = ("/bin/j -u {unit} [-n {lines}] [-f]", [any(), number()]);
    let value = |text: &str| vec![text.to_owned()];
    let none = Vec::new;
    for (line, expected) in [
        ("/bin/j -u x", Some(vec![value("x"), none()])),
        ("j -u x", Some(vec![value("x"), none()])),
        ("j -u x -n 3", Some(vec![value("x"), value("3")])),
        ("j -u x -f", Some(vec![value("x"), none()])),
        ("j -u x -n 3 -f", Some(vec![value("x"), value("3")])),
        ("j -u x -f -n 3", Some(vec![value("x"), value("3")])),
        ("j -u x -f -f", None),
        ("j -u x -f -n 3 -f", None),
        ("j -u x -n 3 -n 4", None),
        ("j -u x -n", None),
        ("j -u", None),
        ("j", None),
        ("j -u x -f extra", None),
        ("./j -u x", None),
        ("/usr/bin/j -u x", None),
        ("J -u x", None),
        ("j j -u x", None),
    ] {
        assert_eq!(read(pattern, &kinds, line).ok(), expected, "{line}");
    }
}

#[test]
fn a_miss_names_the_word_its_column_and_what_may_stand_there() {
    let kinds = [any(), number()];
    let pattern = "/bin/j -u {unit} [-n {lines}] [-f]";
    let miss = read(pattern, &kinds, "j  -u x --follow").unwrap_err();
    assert_eq!((miss.word, miss.column, miss.found.as_deref()), (3, 9, Some("--follow")));
    assert_eq!(miss.wanted, [Wanted::Literal("-n".to_owned()), Wanted::Literal("-f".to_owned()), Wanted::End]);
    let miss = read(pattern, &kinds, "j -u x -n 10").unwrap_err();
    assert!(
        matches!(&miss.wanted[..], [Wanted::Parameter { name, refused: Some(_), .. }] if name == "lines"),
        "{miss:?}"
    );
    let miss = read(pattern, &kinds, "j -u").unwrap_err();
    assert_eq!((miss.word, miss.column, miss.found.as_deref()), (2, 6, None));
}

#[test]
fn a_pattern_that_cannot_be_read_says_where() {
    for (pattern, column) in [
        ("", 1),
        ("   ", 1),
        ("/bin/x [", 8),
        ("/bin/x []", 8),
        ("/bin/x ]", 8),
        ("/bin/x [a [b]]", 11),
        ("/bin/x [{a}]", 8),
        ("/bin/x {a", 8),
        ("/bin/x {A}", 9),
        ("/bin/x {}", 9),
        ("/bin/x {a} {a}", 12),
        ("/bin/x --n={a...}", 12),
        ("/bin/x --n={a}b", 15),
        ("/bin/x {a}b", 11),
        ("/bin/x {a..}", 9),
        ("/bin/x {...}", 9),
        ("/bin/x [a]b", 11),
        ("/bin/x a[b]", 9),
        ("/bin/x 'a", 8),
        ("/bin/x ''", 8),
        ("/bin/x a'b'", 9),
        ("/bin/x *", 8),
        ("/bin/é ;", 6),
        ("/bin/x a\\ b", 9),
        ("/bin/x 'a\tb'", 8),
        ("/bin/x a\tb", 9),
    ] {
        assert_eq!(Pattern::parse(pattern).map_err(|error| error.column), Err(column), "{pattern:?}");
    }
    assert!(Pattern::parse(&format!("/bin/x{}", " a".repeat(MOST_STEPS))).is_err());
    assert!(Pattern::parse(&format!("/bin/x{}", " [a]".repeat(MOST_GROUPS + 1))).is_err());
    assert!(Pattern::parse(&"x".repeat(LONGEST + 1)).is_err());
    assert!(Pattern::parse("/bin/x 'a b' '*' [a][b]").is_ok());
}

#[test]
fn a_line_with_two_readings_is_found_when_the_role_loads() {
    for (pattern, kinds, clashes) in [
        ("/bin/x [-n {a}] [-f]", vec![number()], false),
        ("/bin/x [-v] [-v]", vec![], true),
        ("/bin/x [a] {p}", vec![any()], false),
        ("/bin/x [a] {p} [b]", vec![any()], true),
        ("/bin/x [a] {n} [b]", vec![number()], false),
        ("/bin/x [a {p}] [b {q}]", vec![any(), any()], false),
        ("/bin/x [a {p}] [a {q}]", vec![any(), any()], true),
        ("/bin/x [a] [b] {p} {q}", vec![any(), any()], false),
        ("/bin/x [a {p}] {q} [c]", vec![any(), any()], false),
        ("/bin/x [a {p}] {q} [c {r}]", vec![any(), any(), any()], true),
        ("/bin/x [-a {p}] {q} [c]", vec![any(), any()], false),
        ("/bin/x [a] {p} [c]", vec![path()], false),
        ("/bin/x [-a] {n} [2]", vec![number()], false),
        ("/bin/x [a] {p} [c {q}]", vec![any(), any()], false),
    ] {
        let found = Pattern::parse(pattern).unwrap().ambiguity(&kinds);
        assert_eq!(found.is_some(), clashes, "{pattern}: {found:?}");
    }
}

#[test]
fn many_groups_cost_no_more_than_the_line_is_long() {
    let pattern = format!("/bin/x{}", " [a]".repeat(MOST_GROUPS));
    let line = format!("x{}", " a".repeat(1000));
    assert!(read(&pattern, &[], &line).is_err());
}

#[test]
fn a_value_may_be_glued_to_what_stands_before_it() {
    let (pattern, kinds) = ("/bin/j -u{unit} [--lines={n}] [-f]", [any(), number()]);
    for (line, expected) in [
        ("j -uweb", Some([vec!["web".to_owned()], vec![]])),
        ("j -uweb --lines=3", Some([vec!["web".to_owned()], vec!["3".to_owned()]])),
        ("j -uweb -f --lines=3", Some([vec!["web".to_owned()], vec!["3".to_owned()]])),
        ("j -u web", None),
        ("j -u", None),
        ("j -u-x", None),
        ("j -uweb --lines=", None),
        ("j -uweb --lines=10", None),
        ("j -uweb --lines 3", None),
        ("j -uweb --lines=-3", None),
        ("j -uweb --lines=3 --lines=4", None),
        ("j -uweb x--lines=3", None),
    ] {
        assert_eq!(read(pattern, &kinds, line).ok().as_deref(), expected.as_ref().map(<[_; 2]>::as_slice), "{line}");
    }
    let miss = read(pattern, &kinds, "j -uweb --lines=10").unwrap_err();
    let shown = format!("{:?}", miss.wanted);
    assert!(shown.contains("`--lines=` and a whole number from 1 to 9"), "{shown}");
}

#[test]
fn a_repeated_parameter_takes_one_value_up_to_its_most() {
    let kinds = [any().at_most(3), path()];
    for (line, expected) in [
        ("x a /var/y", Some(1)),
        ("x a b c /var/y", Some(3)),
        ("x a b c d /var/y", None),
        ("x /var/y", None),
        ("x a b", None),
        ("x a /var/y b", None),
    ] {
        let found = read("/bin/x {p...} {q}", &kinds, line).ok().map(|values| values[0].len());
        assert_eq!(found, expected, "{line}");
    }
    for (pattern, kinds, clashes) in [
        ("/bin/x {p...} {q}", vec![any(), any()], false),
        ("/bin/x {p...} [a]", vec![any()], true),
        ("/bin/x {p...} [-a]", vec![any()], false),
        ("/bin/x {p...} {q...}", vec![any(), any()], true),
        ("/bin/x [-a {p...}] [-b]", vec![any()], false),
        ("/bin/x [-a {p...}] [b]", vec![any()], true),
        ("/bin/x [--a={p}] {q}", vec![any(), any()], false),
        ("/bin/x [a{p}] [ab]", vec![any()], true),
        // An expression may begin with anything as far as the check knows.
        ("/bin/x [a={p}] [a=b={q}]", vec![any(), any()], true),
        ("/bin/x [a{p}] [ab{q}]", vec![any(), any()], true),
        ("/bin/x [-a {p}] [-a -x]", vec![any()], true),
    ] {
        let found = Pattern::parse(pattern).unwrap().ambiguity(&kinds);
        assert_eq!(found.is_some(), clashes, "{pattern}: {found:?}");
    }
}

#[test]
fn the_worst_line_costs_little() {
    let groups: String = (0..12).map(|at| format!(" [-g{at} {{p{at}...}}]")).collect();
    let pattern = Pattern::parse(&format!("/bin/x{groups} {{q...}}")).unwrap();
    let kinds: Vec<Parameter> = (0..13).map(|_| any().at_most(256)).collect();
    let words: String = (0..12).map(|at| format!(" -g{at}{}", " a1".repeat(255))).collect();
    // Everything between two groups is one parameter's or the last one's: two ways, and the role does not load.
    assert!(pattern.ambiguity(&kinds).is_some());
    let line = Words::split(format!("x{words}").as_bytes()).unwrap();
    assert!(pattern.matches(&kinds, line.as_slice()).is_ok());
}

mod reference;

/// Whatever the line: each of its words is held against a step once at most, and nothing is tried twice.
#[test]
fn the_worst_line_costs_its_words_times_the_steps_at_most() {
    let groups: String = (0..12).map(|at| format!(" [-{at} {{a{at}...}} {{b{at}}}]")).collect();
    let kinds: Vec<Parameter> = (0..24)
        .map(|at| {
            let expression = if at % 2 == 0 { "(a|aa|a?){1,40}b?" } else { "z[a-z]*" };
            let kind = Kind::Pattern(ValuePattern::new(expression, false).unwrap());
            Parameter::new(kind, false, false).at_most(if at % 2 == 0 { 256 } else { 1 })
        })
        .collect();
    let pattern = Pattern::parse(&format!("/bin/x{groups}")).unwrap();
    assert_eq!(pattern.ambiguity(&kinds), None);
    let of_group = |at: usize| format!(" -{at}{} zz", " a".repeat(256));
    let longest: String = (0..12).rev().map(of_group).collect();
    let too_many = " a".repeat(30_000);
    for (line, allowed) in [
        (format!("x{longest}"), true),
        (format!("x{longest} -1"), false),
        (format!("x -3{too_many}"), false),
        (format!("x{}", " -1 a zz -2 a zz".repeat(4_000)), false),
        ("x ".repeat(32_000), false),
    ] {
        let words = Words::split(line.as_bytes()).unwrap();
        assert_eq!(pattern.matches(&kinds, words.as_slice()).is_ok(), allowed);
        let (cost, most) = (matching::cost(&pattern, &kinds, words.as_slice()), words.as_slice().len() * MOST_STEPS);
        assert!(cost <= most, "{cost} for {} words", words.as_slice().len());
        // In fact far less: at most the end of a repetition and the begin of every other group can follow.
        assert!(cost <= words.as_slice().len() * 14, "{cost} for {} words", words.as_slice().len());
    }
}
