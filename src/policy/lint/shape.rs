//! What the values of a parameter may hold: characters, the first one, `..`.
//!
//! Of an expression it is read from its structure, and may say more than is so (never less, but for `..`). Of the other kinds
//! the compiled parameter is asked about some values.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::policy::parameter::{Kind, Parameter, ValuePattern};

/// Printable ASCII from which "anything" is told apart from a long list: of 95.
const NEARLY_ALL: u32 = 80;
/// Values with `..` that an expression is asked about.
const UP: [&str; 10] = [
    "..",
    "../a",
    "a/..",
    "/..",
    "/../a",
    "a/../b",
    "/a/../b",
    "/var/../etc/shadow",
    "/var/log/../a",
    "../../etc/shadow",
];
/// Values that the other kinds are asked about.
const ASKED: [&str; 9] = ["a", "a.b", "a b", "/a", "/etc/shadow", "a/b", "*", "a*", "a;b"];

/// A set of ASCII characters.
type Set = u128;

/// What a parameter lets in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Shape {
    pub(super) letters: bool,
    pub(super) slash: bool,
    pub(super) blank: bool,
    pub(super) dotdot: bool,
    /// A value that begins with `-` and is no number.
    pub(super) dash: bool,
    pub(super) glob: bool,
    /// Nearly every text.
    pub(super) anything: bool,
}

impl Shape {
    pub(super) fn of(parameter: &Parameter) -> Self {
        let asked = |values: &[&str]| values.iter().any(|value| parameter.accepts(value).is_ok());
        let dash = parameter.takes_dash() && asked(&["-a", "-A", "--a", "--help", "-x", "-e", "-o"]);
        match parameter.kind() {
            Kind::OneOf(_) => Self::default(),
            Kind::Pattern(pattern) => Self::of_pattern(pattern, parameter, dash),
            Kind::Text { .. } => {
                Self { letters: true, slash: true, blank: true, dotdot: true, dash, glob: false, anything: true }
            }
            // `..` and `*` are refused by the kind itself.
            Kind::Path(_) => Self { letters: true, slash: true, ..Self::default() },
            _ => Self {
                letters: asked(&["a", "a.b", "a.service"]),
                slash: asked(&["/a", "/etc/shadow", "a/b"]),
                blank: asked(&["a b"]),
                dotdot: asked(&UP),
                dash,
                glob: asked(&["*", "a*"]),
                anything: ASKED.iter().all(|value| parameter.accepts(value).is_ok()),
            },
        }
    }

    fn of_pattern(pattern: &ValuePattern, parameter: &Parameter, dash: bool) -> Self {
        let everything =
            Self { letters: true, slash: true, blank: true, dotdot: true, dash, glob: true, anything: true };
        // It compiled before, so it parses; if it does not, nothing is known and the worst is said.
        let Some(hir) = parse(pattern.as_written(), parameter.takes_unicode()) else { return everything };
        let all = characters(&hir);
        let has = |c: char| all & bit(c) != 0;
        let letters = all & (range('a', 'z') | range('A', 'Z')) != 0;
        let dash = dash || (parameter.takes_dash() && letters && first(&hir).0 & bit('-') != 0);
        let any_length = hir.properties().maximum_len().is_none_or(|length| length > 1);
        let up = UP.iter().any(|value| parameter.accepts(value).is_ok());
        Self {
            letters,
            slash: has('/'),
            blank: has(' '),
            dotdot: up || climbs(&hir),
            dash,
            glob: has('*'),
            anything: any_length && (all & range(' ', '~')).count_ones() >= NEARLY_ALL,
        }
    }
}

fn parse(written: &str, unicode: bool) -> Option<Hir> {
    regex_syntax::ParserBuilder::new().unicode(unicode).utf8(false).nest_limit(32).build().parse(written).ok()
}

fn bit(c: char) -> Set {
    if c.is_ascii() { 1 << u32::from(c) } else { 0 }
}

fn range(from: char, to: char) -> Set {
    let (from, to) = (u32::from(from), u32::from(to).min(127));
    if from > to { 0 } else { (from..=to).fold(0, |set, at| set | (1 << at)) }
}

fn class(class: &Class) -> Set {
    match class {
        Class::Unicode(class) => class.ranges().iter().fold(0, |set, one| set | range(one.start(), one.end())),
        Class::Bytes(class) => {
            class.ranges().iter().fold(0, |set, one| set | range(char::from(one.start()), char::from(one.end())))
        }
    }
}

/// Every character that some value may hold.
fn characters(hir: &Hir) -> Set {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 0,
        HirKind::Literal(literal) => literal.0.iter().fold(0, |set, byte| set | bit(char::from(*byte))),
        HirKind::Class(one) => class(one),
        HirKind::Repetition(one) if one.max == Some(0) => 0,
        HirKind::Repetition(one) => characters(&one.sub),
        HirKind::Capture(one) => characters(&one.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().fold(0, |set, one| set | characters(one)),
    }
}

/// What a value may begin with, and whether it may be empty.
fn first(hir: &Hir) -> (Set, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(literal) => (literal.0.first().map_or(0, |byte| bit(char::from(*byte))), literal.0.is_empty()),
        HirKind::Class(one) => (class(one), false),
        HirKind::Repetition(one) if one.max == Some(0) => (0, true),
        HirKind::Repetition(one) => {
            let (set, empty) = first(&one.sub);
            (set, empty || one.min == 0)
        }
        HirKind::Capture(one) => first(&one.sub),
        HirKind::Concat(all) => {
            let mut set = 0;
            for one in all {
                let (begins, empty) = first(one);
                set |= begins;
                if !empty {
                    return (set, false);
                }
            }
            (set, true)
        }
        HirKind::Alternation(all) => {
            all.iter().map(first).fold((0, false), |(set, empty), (begins, none)| (set | begins, empty || none))
        }
    }
}

/// Whether one repetition alone can make `/..` or `../`.
fn climbs(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(one) => {
            let long = one.max.is_none_or(|most| most >= 3);
            let set = characters(&one.sub);
            (long && set & bit('.') != 0 && set & bit('/') != 0) || climbs(&one.sub)
        }
        HirKind::Capture(one) => climbs(&one.sub),
        HirKind::Concat(all) | HirKind::Alternation(all) => all.iter().any(climbs),
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => false,
    }
}
